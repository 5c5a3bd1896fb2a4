"""The page of phases and reasons: moves from the code, sentences from reasons.yaml, help from the plug-in."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from tools.pages.table import code, table

from batchyard.cli.advice import advice
from batchyard.decide.outcome import AWS_NAMES, INFRASTRUCTURE, NEVER_RETRIED
from batchyard.model.jobstatus import JobStatus
from batchyard.model.phase import MOVES

_SENTENCES = Path(__file__).with_name("reasons.yaml")
_HEAD = """# Phases and reasons

A job's `status.phase` says where it stands, `status.reason` why, in one word for programs, and `status.message` in a
sentence for people, in numbers. An attempt has a reason and a message of its own. This page is made from the code.

## Phases

"""
_MOVES = "\nThese moves there are and no others; a phase that is too short to be written is skipped.\n\n"
_REASONS = """
## Reasons

`kubectl batchyard explain JOB` gives the numbers behind a reason. In the last column JOB, QUEUE and ENVIRONMENT stand
for names.
"""
_AWS = """
### As AWS Batch says it

`evaluateOnExit` matches Batchyard's word or AWS's. A free attempt does not count against `retry.attempts`.

"""


def sentences() -> dict[str, dict[str, str]]:
    """Return the heading of each group, and its reasons with what they mean."""
    found: dict[str, dict[str, str]] = yaml.safe_load(_SENTENCES.read_text())
    return found


def page() -> str:
    """Return the page."""
    groups = (f"\n### {group}\n\n{_group(reasons)}" for group, reasons in sentences().items())
    return "".join((_HEAD, _phases(), _MOVES, _moves(), _REASONS, *groups, _AWS, _attempts()))


def _phases() -> str:
    told = (JobStatus.model_fields["phase"].description or "").removesuffix(" AWS: status.")
    lines = (re.sub(r"^(\w+): ", r"**\1**: ", sentence) for sentence in told.removesuffix(".").split(". "))
    return "".join(f"- {line}.\n" for line in lines)


def _moves() -> str:
    order = [str(phase) for phase in MOVES].index
    rows = [(old, ", ".join(sorted(new, key=order)) or "(the end)") for old, new in MOVES.items()]
    return table(("from", "to"), rows)


def _group(reasons: dict[str, str]) -> str:
    helps = {reason: help_of(reason) for reason in reasons}
    if not any(helps.values()):
        return table(("reason", "means"), [(code(reason), text) for reason, text in reasons.items()])
    return table(("reason", "means", "what helps"), [(code(r), text, helps[r]) for r, text in reasons.items()])


def help_of(reason: str) -> str:
    """Return what the plug-in advises a job that waits for this reason."""
    verdict = {"verdict": reason, "name": "ENVIRONMENT"}
    said = {"reason": reason, "environments": [verdict]}
    return "; ".join(advice("JOB", "QUEUE", said))


def _attempts() -> str:
    rows = [(code(reason), code(container), code(status), _counted(reason))
            for reason, (container, status) in AWS_NAMES.items()]  # fmt: skip
    return table(("reason", "AWS: reason", "AWS: status reason", "tried again"), rows)


def _counted(reason: str) -> str:
    if reason == "Completed":
        return "no need"
    if reason in NEVER_RETRIED:
        return "never"
    return "free, up to 20 times" if reason in INFRASTRUCTURE else "while attempts remain"
