"""The files of examples/: what each says about itself, and its objects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.operator_process import ROOT

FILES = sorted((ROOT / "examples").glob("*.yaml"))
PHASES = ("Succeeded", "Failed", "Running", "Runnable", "Valid", "Active")
_END = re.compile(rf"([a-z0-9-]+) ({'|'.join(PHASES)})\b([^,.;]*)")
_CLAIMS = {
    "reason": re.compile(r"with reason (\w+)"),
    "attempt": re.compile(r"^ in attempt (\d+)"),
    "shape": re.compile(r"on (?:a node|one) of shape (\w+)"),
    "environment": re.compile(r"in environment ([a-z0-9-]+)"),
    "capacity": re.compile(r"on an (on-demand|spot) node"),
}


@dataclass(frozen=True)
class End:
    """What a file says will become of one of its objects."""

    name: str
    phase: str
    claims: dict[str, str]


def head(file: Path) -> dict[str, str]:
    """Return the parts of the comment with which a file begins: Shows, Run, Ends."""
    lines = file.read_text().splitlines()
    comment = "\n".join(line[2:] for line in lines[: next(n for n, line in enumerate(lines) if line[:1] != "#")])
    parts = re.split(r"^(Shows|Run|Ends):\s+", comment, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def ends(file: Path) -> list[End]:
    return [
        End(name, phase, {claim: found[1] for claim, pattern in _CLAIMS.items() if (found := pattern.search(rest))})
        for name, phase, rest in _END.findall(head(file)["Ends"])
    ]


def objects(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))
