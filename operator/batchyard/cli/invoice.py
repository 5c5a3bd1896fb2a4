"""What nodes have cost and who had it, from the statuses of environments: the parts add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Refusal
from batchyard.cli.words import amount, money, name, since

PARTS = ("nodes", "useful", "wasted", "running", "idle")


@dataclass(frozen=True, slots=True)
class Invoice:
    """What one environment, or all of them, cost."""

    name: str
    parts: dict[str, Decimal]
    since: str = ""

    @classmethod
    def of(cls, body: Body) -> Invoice:
        """Read status.cost of an environment."""
        cost = (body.get("status") or {}).get("cost") or {}
        return cls(name(body), {part: amount(cost.get(part)) for part in PARTS}, cost.get("since") or "")

    def row(self) -> list[str]:
        """Return the line of a table."""
        return [self.name, *(money(value) for value in self.parts.values()), since(self.since)]

    def shares(self) -> list[str]:
        """Return the parts in percent of the whole."""
        whole = self.parts["nodes"]
        return [f"{100 * self.parts[part] / whole:.0f} %" if whole else "" for part in PARTS[1:]]

    def plain(self) -> dict[str, Any]:
        """Return it as data."""
        named = {"name": self.name} if self.name else {}
        return {**named, **{part: f"{value:f}" for part, value in self.parts.items()}}


def invoices(cluster: Cluster) -> list[Invoice]:
    """Return those of all managed environments, the dearest first."""
    bodies = cluster.all(cluster.path("ComputeEnvironment"))
    found = [Invoice.of(body) for body in bodies if body["spec"].get("type") != "Unmanaged"]
    return sorted(found, key=lambda each: (-each.parts["nodes"], each.name))


def total(found: Iterable[Invoice]) -> Invoice:
    """Add up."""
    each = list(found)
    return Invoice("total", {part: sum((one.parts[part] for one in each), Decimal(0)) for part in PARTS})


def print_invoices(cluster: Cluster, form: str | None) -> None:
    """Print what each environment has cost."""
    found = invoices(cluster)
    whole = total(found)
    if form in ("json", "yaml"):
        plain = {key: value for key, value in whole.plain().items() if key != "name"}
        show.dump({"by": "environment", "items": [each.plain() for each in found], "total": plain}, form)
        return
    header: tuple[str, ...] = ("ENVIRONMENT", *(part.upper() for part in PARTS), "COUNTED FOR")
    rows = [each.row() for each in [*found, whole]]
    if form == "wide":
        header = (*header, *(f"{part.upper()} OF IT" for part in PARTS[1:]))
        rows = [row + each.shares() for row, each in zip(rows, [*found, whole], strict=True)]
    show.print_table(header, rows, whole=form == "wide")


def idle_line(cluster: Cluster) -> str:
    """Return in a sentence what the nodes have cost; nothing to those who may not see environments."""
    try:
        whole = total(invoices(cluster)).parts
    except Refusal as refused:
        if refused.code == 403:
            return ""
        raise
    if not whole["nodes"]:
        return ""
    parts = ", ".join(f"{part} {money(whole[part])}" for part in PARTS[1:])
    return f"All nodes so far: {money(whole['nodes'])} = {parts} (cost --by environment)"
