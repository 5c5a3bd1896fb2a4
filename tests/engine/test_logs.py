"""What is logged of a defect lets a person find it: the stack trace is in the line, under `exception`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_OURS = "structlog.get_logger('test').critical('defect', exc_info=error)"
_KOPFS = "logging.getLogger('test').error('failed: %r', error, exc_info=error)"
_PROGRAM = """
import logging
import structlog
from batchyard.telemetry import logs
logs.configure("INFO", "{form}")
try:
    {{}}["no such key"]
except KeyError as error:
    {line}
"""


def _stderr(form: str, line: str) -> str:
    program = _PROGRAM.format(form=form, line=line)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr


@pytest.mark.parametrize("line", [_OURS, _KOPFS])
def test_a_line_of_json_holds_the_whole_stack_trace(line: str) -> None:
    (text,) = _stderr("json", line).splitlines()
    told = json.loads(text)
    assert told["exception"].startswith("Traceback")
    assert told["exception"].endswith("KeyError: 'no such key'")
    assert told["level"] in ("critical", "error")


@pytest.mark.parametrize("line", [_OURS, _KOPFS])
def test_a_person_reads_the_stack_trace_below_the_line(line: str) -> None:
    assert "KeyError" in _stderr("console", line)
