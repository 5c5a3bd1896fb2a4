"""The Dockerfile and what belongs to it, read: all that goes into the image is pinned, and nothing else does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = [part for part in re.split(r"(?m)^(?=FROM )", DOCKERFILE) if part.startswith("FROM ")]
# The engine's client and git, of which nothing is there but what a test says.
STUB = """#!/bin/sh
echo "$*" >>"$RECORD"
case "$1 $2" in
  "image inspect") [ -n "$HERE" ] ;;
  "pull --quiet") echo "lookup registry: no such host" >&2; exit 1 ;;
esac
"""


def copied() -> list[str]:
    """What the Dockerfile takes from the build context."""
    copies = re.findall(r"(?m)^COPY (?!--from)(.*)$", DOCKERFILE)
    return [source for words in copies for source in words.split()[:-1]]


def test_two_stages_on_one_base_and_the_second_is_nobodys() -> None:
    assert [stage.splitlines()[0] for stage in STAGES] == ["FROM ${BASE_IMAGE} AS build", "FROM ${BASE_IMAGE}"]
    assert re.search(r"(?m)^USER 65532:65532$", STAGES[1])
    assert re.search(r"(?m)^ENTRYPOINT \[", STAGES[1]), "a shell would keep SIGTERM to itself"


def test_the_second_stage_installs_nothing() -> None:
    assert not re.search(r"install|apt|curl|wget", "\n".join(re.findall(r"(?m)^RUN .*$", STAGES[1])))


def test_every_installation_checks_hashes_or_is_our_own_wheel() -> None:
    calls = [line.strip() for line in DOCKERFILE.splitlines() if re.search(r"\bpip\b.* install ", line)]
    assert len(calls) == 3
    for call in calls:
        assert "$(cat options)" in call or ("--no-index --no-deps" in call and "/dist/*.whl" in call), call
    (options,) = re.findall(r'echo "([^"]*)" >options', DOCKERFILE)
    assert {"--require-hashes", "--only-binary"} <= set(options.split())


def test_pip_and_the_build_backend_are_locked() -> None:
    lock = (ROOT / "requirements-build.lock").read_text()
    versions = dict(re.findall(r"(?m)^(\S+)==(\S+)", lock))
    assert set(versions) == {"pip", "setuptools"}
    assert lock.count("--hash=sha256:") >= len(versions)
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(versions[requirement.name]), f"{requirement}: run make lock"


def test_the_build_context_has_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    let_in = [line[1:] for line in lines if line.startswith("!")]
    for source in copied():
        assert source in let_in or any(fnmatch(name, source) for name in let_in), source
        assert "*" in source or (ROOT / source).exists()
    for name in let_in:
        assert any(fnmatch(name, source) for source in copied()), f"{name} is let in for nothing"


def test_nobody_imports_what_the_image_leaves_out() -> None:
    assert "site-packages/kubernetes/aio" in DOCKERFILE
    files = [path for path in (ROOT / "operator").rglob("*.py") if "kubernetes.aio" in path.read_text()]
    assert files == []


@pytest.fixture
def engine(tmp_path: Path) -> dict[str, str]:
    """An environment in which docker answers as told and records what it is asked."""
    stub = tmp_path / "docker"
    stub.write_text(STUB)
    stub.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORD": str(tmp_path / "record"), "HERE": ""}


def chosen(engine: dict[str, str], wanted: str) -> subprocess.CompletedProcess[str]:
    """Ask which base it will be; one of Debian packages is not really made."""
    asked = f"image.images.python = lambda _: 'made'; print(image.base_image({wanted!r}))"
    program = f"import sys; sys.path[:0] = ['tools']; import image; {asked}"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, env=engine, capture_output=True, text=True, check=False)


def test_a_base_that_is_here_is_not_pulled(engine: dict[str, str]) -> None:
    assert chosen({**engine, "HERE": "1"}, "").stdout.startswith("python:3.")
    assert "pull" not in Path(engine["RECORD"]).read_text()


def test_a_base_that_was_asked_for_is_never_replaced(engine: dict[str, str]) -> None:
    refused = chosen(engine, "registry.example/python:3.12")
    assert "registry.example/python:3.12 cannot be had (lookup registry: no such host)" in refused.stderr
    assert "BASE_IMAGE=debian-local" in refused.stderr


def test_without_the_official_base_one_is_made_of_debian_packages(engine: dict[str, str]) -> None:
    done = chosen(engine, "")
    assert done.stdout == "made\n", done.stderr
    assert "making a base of Debian packages" in done.stderr
