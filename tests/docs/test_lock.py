"""The image's dependencies are locked: every one with hashes, none behind what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def locked() -> dict[str, tuple[str, int]]:
    """Name of each package -> its version, and the number of its hashes."""
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text())
    found = [(re.match(r"([A-Za-z0-9._-]+)==([^ ;\\\n]+)", entry), entry) for entry in entries if entry.strip()]
    assert all(match for match, _ in found), "every entry names one version"
    return {canonicalize_name(m[1]): (m[2], e.count("--hash=sha256:")) for m, e in found if m}


def test_every_package_has_hashes() -> None:
    assert [name for name, (_, hashes) in locked().items() if not hashes] == []
    assert len(locked()) > 30, "what dependencies depend on is there too"


def test_what_pyproject_asks_for_is_locked() -> None:
    lock = locked()
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for requirement in map(Requirement, asked):
        version, _ = lock[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}: {version} is locked; run make lock"
