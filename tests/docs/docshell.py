"""A reader at a shell: types what a page says, and sees whether the page tells the truth."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from docpages import ROOT, Step

COMMAND_SECONDS = 900  # the first `make` of a machine compiles Kubernetes
LOOK_SECONDS = 90
# A command that only looks may be typed again until it shows what the page says.
_LOOKS = re.compile(
    r"(kubectl (get|describe|logs|batchyard (list|explain|describe|logs|graph|top|cost))|cat|curl)\b"
)  # fmt: skip
_DIFFERS = (
    (re.compile(r"\b([a-z][a-z-]*)-[0-9a-z]{7,10}-\d+\b"), r"\1-NODE"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "MOMENT"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b(\d+[dhms])+\b"), "AGE"),
    (re.compile(r"\bv1\.\d+\.\d+\b"), "VERSION"),
    (re.compile(r"\b0\.\d+\b"), "MONEY"),
)


def plain(line: str) -> str:
    """Return a line without what differs from run to run: names of nodes, times, ages, amounts, widths of columns."""
    for pattern, word in _DIFFERS:
        line = pattern.sub(word, line)
    return " ".join(line.split())


def missing(shows: list[str], output: str) -> str:
    """Return the first line that the page shows and the output has not, in order; nothing if it is as the page says.

    `...` at the end of a line stands for its rest, alone for any lines; without that no other line may be there.
    """
    wanted = [line for line in map(plain, shows) if line]
    lines = [line for line in map(plain, output.splitlines()) if line]
    if "..." not in wanted and len(lines) != len(wanted):
        return f"{len(wanted)} lines, not {len(lines)}"
    rest = iter(lines)
    for want in wanted:
        if want != "..." and not any(_alike(want, line) for line in rest):
            return want
    return ""


def _alike(want: str, line: str) -> bool:
    return line.startswith(want[:-3].rstrip()) if want.endswith("...") else line == want


@dataclass
class Shell:
    """One shell after another with the same variables, in the project's directory."""

    state: Path
    folder: Path = ROOT
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state.write_text("")

    def run(self, step: Step) -> None:
        """Type a command; it must succeed, or end as the page shows, and say what the page shows."""
        deadline = time.monotonic() + LOOK_SECONDS
        while True:
            code, output = self.type(step.command)
            wrong = self._wrong(step, code, output)
            if not wrong:
                return
            if not _LOOKS.match(step.command) or time.monotonic() > deadline:
                raise AssertionError(f"$ {step.command}\n{output}\n[{code}] {wrong}")
            time.sleep(0.5)

    def _wrong(self, step: Step, code: int, output: str) -> str:
        if code:
            return "the command failed"
        lacks = missing(step.shows, output) if step.shows else ""
        return f"the page shows: {lacks}" if lacks else ""

    def type(self, command: str) -> tuple[int, str]:
        """Type a command; return its exit code and all that it says."""
        script = f". {self.state}\n{{ {command}\n}}\ncode=$?\nexport -p > {self.state}\nexit $code\n"
        environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
        process = subprocess.Popen(
            ["bash", "-c", script], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"$ {command}\nhas not ended after {COMMAND_SECONDS} s") from None
        finally:
            if process.returncode is None:  # too slow, or Ctrl-C, which does not reach a session of its own
                os.killpg(process.pid, signal.SIGKILL)
        self.log.append(f"$ {command}\n{output}")
        return process.returncode, output
