"""The rules of the chart's roles, and those that docs/rights.md explains, in one form that can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from chart_tree import ROOT

TABLE = ROOT / "docs" / "rights.md"
NAMESPACES = ("team-a", "team-b")  # in the table they are called `namespaces`


class Right(NamedTuple):
    """One rule of one role."""

    role: str
    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    names: frozenset[str]


def rendered(objects: Iterable[dict]) -> set[Right]:
    return {
        Right(
            f"{role['kind']}/{role['metadata']['name']}",
            frozenset(rule["apiGroups"]),
            frozenset(rule["resources"]),
            frozenset(rule["verbs"]),
            frozenset("namespaces" if name in NAMESPACES else name for name in rule.get("resourceNames", ())),
        )
        for role in objects
        if role["kind"] in ("ClusterRole", "Role")
        for rule in role["rules"]
    }


def explained() -> tuple[set[Right], list[str]]:
    """The rights of the table, and what is wrong with its rows."""
    found, wrong = set(), []
    for line in TABLE.read_text().splitlines():
        if not line.startswith(("| `ClusterRole/", "| `Role/")):
            continue
        roles, groups, resources, verbs, names, why = (cell.strip() for cell in line.strip("|").split("|"))
        if not why:
            wrong.append(f"no reason: {line}")
        sets = [frozenset(_words(cell)) for cell in (resources, verbs, names)]
        for role in _words(roles):
            right = Right(role, frozenset(_words(groups) or [""]), *sets)
            if right in found:
                wrong.append(f"twice: {line}")
            found.add(right)
    return found, wrong


def _words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)
