"""The image as `make image` left it: what is in it, and that it runs as nobody on a read-only file system."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from e2e.ground import IMAGE, run

NOBODY = ("--rm", "--read-only", "--user", "65532", "--network", "none", "--cap-drop", "ALL")
IMPORT_ALL = """
import importlib, pkgutil, batchyard
for module in pkgutil.walk_packages(batchyard.__path__, "batchyard."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
import batchyard.__main__
"""
FORBIDDEN = """
import importlib.util, pathlib, shutil, sys
print([name for name in ("pip", "ensurepip") if importlib.util.find_spec(name)]
      + [name for name in ("pip", "pip3", "gcc", "cc", "make", "git", "curl") if shutil.which(name)]
      + [str(path) for path in pathlib.Path("/").glob("root/.cache") if path.exists()])
"""


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("docker", "image", "inspect", IMAGE))[0]["Config"]
    return found


def python(program: str, *options: str) -> str:
    return run("docker", "run", *NOBODY, *options, "--entrypoint", "python", IMAGE, "-c", program)


def test_it_says_what_it_is(configuration: dict[str, Any]) -> None:
    labels = {key.rsplit(".", 1)[-1]: value for key, value in configuration["Labels"].items()}
    assert labels["title"] == "Batchyard"
    assert labels["licenses"] == "Apache-2.0"
    assert len(labels["revision"]) == 40
    assert configuration["User"] == "65532:65532"


def test_help_as_nobody_on_a_read_only_file_system() -> None:
    assert "Usage: python -m batchyard" in run("docker", "run", *NOBODY, IMAGE, "--help")


def test_every_module_finds_what_it_imports_and_its_bytecode() -> None:
    python(IMPORT_ALL)
    cached = "import batchyard.__main__, kopf, os; print(*(os.path.exists(m.__cached__) for m in (batchyard, kopf)))"
    assert python(cached).split() == ["True", "True"]


def test_nothing_that_builds_or_installs_is_left() -> None:
    assert python(FORBIDDEN).strip() == "[]"


def test_without_a_cluster_it_says_so_in_a_sentence() -> None:
    done = subprocess.run(["docker", "run", *NOBODY, IMAGE], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("batchyard: no usable kubeconfig"), done.stderr
    assert len(done.stderr.splitlines()) == 1
