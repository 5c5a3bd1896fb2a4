"""A second cluster beside the project's own: another directory, another port, the same cache."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from devcluster.layout import Layout  # noqa: E402
from devcluster.processes import Process, running  # noqa: E402


@dataclass(frozen=True)
class Sandbox:
    """A cluster directory, and the command line as a user would call it."""

    layout: Layout

    @property
    def environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if key != "BATCHYARD_API_PORT"}
        return {**inherited, "BATCHYARD_CLUSTER_DIR": str(self.layout.cluster)}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "devcluster", *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        stdout, stderr = process.communicate(timeout=200)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def up(self) -> None:
        run = self.run("up")
        assert run.returncode == 0, run.stderr

    def kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [self.layout.cluster / "bin" / "kubectl", f"--kubeconfig={self.layout.kubeconfig}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)

    def processes(self) -> dict[str, Process]:
        return running(self.layout)


def eventually(ask: Callable[[], T], seconds: float = 30) -> T:
    """Return the first truthy answer; fail with the last one."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.05)
    return answer
