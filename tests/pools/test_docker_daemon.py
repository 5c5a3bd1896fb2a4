"""A docker engine of our own beside the machine's: started, killed hard, started again, stopped without a trace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker_nodes import until

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.nodes


@dataclass(frozen=True)
class Sandbox:
    """An engine in a directory of its own."""

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "BATCHYARD_ENGINE_DIR": str(self.directory / "state"),
            "BATCHYARD_CACHE": str(self.directory / "cache"),
            "BATCHYARD_CLUSTER_DIR": str(self.directory / "cluster"),
            "DOCKER_HOST": f"unix://{self.directory}/docker.sock",
        }

    def engine(self, verb: str) -> str:
        return self.run(sys.executable, "-m", "devcluster.engine", verb).stderr

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        run = subprocess.run(command, env=self.environment, cwd=ROOT, text=True, capture_output=True, timeout=120)
        assert run.returncode == 0, run.stderr
        return run

    def processes(self) -> dict[int, str]:
        """The living processes whose command line names the sandbox."""
        found = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            line = command_line(int(entry))
            if str(self.directory) in line and "devcluster" not in line:
                found[int(entry)] = line
        return found

    def traces(self) -> list[str]:
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.directory) in line]
        groups = [str(path) for path in Path("/sys/fs/cgroup").glob("**/batchyard-engine-*") if path.parent.name != "x"]
        return mounts + [group for group in groups if group.endswith(self.key)]

    @property
    def key(self) -> str:
        code = "from devcluster.enginesite import Site; print(Site.from_environment().cgroup)"
        return self.run(sys.executable, "-c", code).stdout.strip()


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ")
    except OSError:
        return ""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    directory = Path(tempfile.mkdtemp(prefix="by-"))  # short: a socket's path has at most 107 characters
    sandbox = Sandbox(directory)
    yield sandbox
    sandbox.engine("down")
    shutil.rmtree(directory)


def test_an_engine_killed_hard_is_mended_and_its_end_leaves_nothing(sandbox: Sandbox) -> None:
    image = next((Path.home() / ".cache/batchyard/images").glob("busybox-*.tar"))
    assert "started" in sandbox.engine("up")
    assert "answers" in sandbox.engine("up")
    sandbox.run("docker", "load", "--quiet", "--input", str(image))
    label = ["--label", "batchyard.dev/cluster=x", "--network", "none", "--volume", "/somewhere"]
    sandbox.run("docker", "run", "--detach", "--name", "node", *label, "batchyard.dev/busybox:1", "sleep", "987654")
    sandbox.run("docker", "create", "--name", "somebody-elses", "--network", "none", "batchyard.dev/busybox:1")

    for pid, line in sandbox.processes().items():
        if line.startswith(("dockerd", "containerd ")):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not [line for line in sandbox.processes().values() if line.startswith(("dockerd", "containerd "))])
    assert sleepers(), "the container should have outlived its engine, else this tests nothing"

    assert "started" in sandbox.engine("up")
    assert not sleepers()
    # A dead node would keep its name from the next one of that name, whose cluster may be another.
    assert sandbox.run("docker", "ps", "--all", "--format", "{{.Names}}").stdout == "somebody-elses\n"
    assert sandbox.run("docker", "volume", "ls", "--quiet").stdout == ""

    assert "0 node(s) removed, the docker engine has been stopped" in sandbox.engine("down")
    assert sandbox.processes() == {}
    assert sandbox.traces() == []
    assert sorted(path.name for path in sandbox.directory.iterdir()) == ["cache", "cluster"]
    assert "0 node(s) removed" in sandbox.engine("down")


def sleepers() -> list[int]:
    return [int(entry) for entry in filter(str.isdigit, os.listdir("/proc")) if "987654" in command_line(int(entry))]
