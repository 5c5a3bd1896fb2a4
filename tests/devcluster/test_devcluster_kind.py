"""What is asked of kind; kind itself cannot run where there are no images, so a script plays it."""

import os
from pathlib import Path

import pytest
from devcluster_sandbox import Sandbox

STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$RECORD"
if [ "$1 $2" = "get clusters" ]; then cat "$RECORD.clusters" 2>/dev/null; fi
if [ "$1 $2" = "create cluster" ]; then echo batchyard > "$RECORD.clusters"; fi
exit 0
"""


@pytest.fixture
def stubs(tmp_path: Path) -> dict[str, str]:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("kind", "docker"):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "RECORD": str(tmp_path / "record")}


def test_kind_is_created_kept_and_deleted(sandbox: Sandbox, stubs: dict[str, str]) -> None:
    for _ in range(2):
        assert sandbox.run("up", "--kind", **stubs).returncode == 0
    assert sandbox.run("status", **stubs).returncode == 0
    assert sandbox.run("down", **stubs).returncode == 0
    calls = [line for line in Path(stubs["RECORD"]).read_text().splitlines() if line.startswith("kind")]
    verbs = [" ".join(call.split()[1:3]) for call in calls if "get clusters" not in call]
    assert verbs == ["create cluster", "export kubeconfig", "delete cluster"]
    assert f"--kubeconfig {sandbox.layout.kubeconfig}" in calls[1]
    assert not sandbox.layout.cluster.exists()


def test_missing_kind_is_one_sentence(sandbox: Sandbox) -> None:
    run = sandbox.run("up", "--kind", PATH="/nonexistent")
    assert run.returncode == 1
    assert run.stderr == "CLUSTER=kind needs docker and kind: install it, or run `make cluster` without.\n"


def test_a_kind_that_fails_speaks_for_itself(sandbox: Sandbox, stubs: dict[str, str]) -> None:
    kind = Path(stubs["PATH"].split(":")[0]) / "kind"
    kind.write_text('#!/bin/sh\nif [ "$1" = get ]; then exit 0; fi\necho "no such image" >&2\nexit 1\n')
    run = sandbox.run("up", "--kind", **stubs)
    assert run.returncode == 1
    assert run.stderr.startswith("no such image\nkind has failed")
    assert "Traceback" not in run.stderr
