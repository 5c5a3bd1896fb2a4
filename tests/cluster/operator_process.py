"""The operator as a process of its own, with the rights of the chart's ServiceAccount and nothing more."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.rest import until

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
REQUESTS = "batchyard_api_requests_total"
# What is forbidden to a ServiceAccount: a dying kubelet, whose log is quoted, is forbidden much.
_FORBIDDEN = 'is forbidden: User \\"system:serviceaccount:'
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


@dataclass
class Operator:
    """Started, ended and started again by the tests; every run appends to one log."""

    kubeconfig: Path
    log: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    def start(self) -> None:
        """Return when it has listed everything and decides."""
        self.launch()
        until(self._runs, START_SECONDS, self.tail)

    def launch(self) -> None:
        """Start the process; it may end before it is ready."""
        environment = {
            **os.environ,
            "BATCHYARD_KUBECONFIG": str(self.kubeconfig),
            "BATCHYARD_HOST": "127.0.0.1",
            "BATCHYARD_PORT": "0",
            "BATCHYARD_LEASE_SECONDS": "60",  # a machine with much else to do is no reason to end
            "BATCHYARD_IDENTITY": "tests",  # one that was killed need not be waited for: it is surely dead
            **self.settings,
        }
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            command = [sys.executable, "-m", "batchyard", "run"]
            self.process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=out, stderr=out)

    def _runs(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the operator ended:\n{self.tail()}"
        began = next((line for line in self.lines(self._seen) if line.get("event") == "operator runs"), None)
        self.port = began["port"] if began else 0
        return began is not None

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it politely; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def cpu_seconds(self) -> float:
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def lines(self, offset: int = 0) -> list[dict[str, Any]]:
        """The log from a byte on, as structured lines; what is none (a stack trace) is under `event` whole."""
        text = self.log.read_bytes()[offset:].decode(errors="replace") if self.log.exists() else ""
        return [_line(line) for line in text.splitlines()]

    def tail(self, count: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:]) if self.log.exists() else ""

    def page(self, path: str) -> tuple[int, str]:
        """Status and body of a page of its HTTP port."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> list[tuple[str, dict[str, str], float]]:
        """All samples of /metrics."""
        found = (_SAMPLE.match(line) for line in self.page("/metrics")[1].splitlines())
        return [(m[1], dict(re.findall(r'(\w+)="([^"]*)"', m[2] or "")), float(m[3])) for m in found if m]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a family's samples with these labels."""
        return sum(v for n, l, v in self.metrics() if n == name and labels.items() <= l.items())  # noqa: E741

    def complaints(self) -> list[str]:
        """What no run may say: defects, bare stack traces, statuses that the schema refuses, missing rights."""
        bad = ("defect", "Traceback", "status refused", "cannot be read", "OperatorForbidden", _FORBIDDEN)
        # The stack trace of a failure that is told as such is under `exception`.
        told = ({key: value for key, value in line.items() if key != "exception"} for line in self.lines())
        return [str(line) for line in told if any(word in json.dumps(line) for word in bad)]

    def forbidden(self) -> list[dict[str, str]]:
        """Requests of which the API server said that the operator may not make them; quotas say no to creations."""
        refused = (labels for name, labels, value in self.metrics() if name == REQUESTS and value)
        quotas = (("pods", "create"), ("batchjobs", "create"))
        return [
            labels for labels in refused
            if labels["code"] == "403" and (labels["resource"], labels["verb"]) not in quotas
        ]  # fmt: skip


def _line(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    return line if isinstance(line, dict) else {"event": text}
