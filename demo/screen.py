"""Live progress: tables that renew themselves on a terminal, one line per change anywhere else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.scene import Job, Scene

PHASES = ("Submitted", "Pending", "Runnable", "Starting", "Running", "Succeeded", "Failed")
COLOURS = {"Succeeded": "green", "Failed": "red", "Running": "cyan", "Starting": "yellow", "Runnable": "yellow"}
STATE_COLOURS = {"Ready": "green", "Interrupted": "red"}


class Screen:
    """Shows scenes and tells sentences; `live` only where somebody looks."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._started = time.monotonic()
        self._seen: dict[str, str] = {}
        self._live: Live | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    def tell(self, sentence: str) -> None:
        """Say what happens, with the time."""
        self.console.print(Text(f"{self.elapsed:6.1f} s  {sentence}"), soft_wrap=True)

    def show(self, scene: Scene) -> None:
        """Show how things stand, or what has changed."""
        if self._live is not None:
            self._live.update(self._picture(scene), refresh=True)
            return
        for change in self._changes(scene):
            self.tell(change)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Keep the tables at the bottom of the terminal for the time of the block."""
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    def _changes(self, scene: Scene) -> Iterator[str]:
        now = {name: _line(job) for name, job in scene.jobs.items()}
        now |= {f"node {name}": f"node {name}: {node.state}" for name, node in scene.nodes.items()}
        gone = {key: f"{key}: gone" for key in self._seen if key.startswith("node ") and key not in now}
        for key, line in (now | gone).items():
            if self._seen.get(key) != line:
                yield line
        self._seen = now

    def _picture(self, scene: Scene) -> Group:
        counts = Counter(job.phase for job in scene.jobs.values())
        parts = [f"{phase} {counts[phase]}" for phase in PHASES if counts[phase]]
        headline = Text(f"{self.elapsed:6.1f} s  {'  '.join(parts)}  cost {money(scene.cost)}", style="bold")
        return Group(headline, _jobs(scene), _nodes(scene))


def money(amount: Decimal) -> str:
    """Write an amount as people do, with the digits that small jobs need."""
    return f"${amount:.6f}"


def _line(job: Job) -> str:
    latest = job.latest
    where = f" attempt {latest.number} on {latest.node}" if latest and not job.ended else ""
    return f"{job.name}: {job.phase}{where} {job.reason}".rstrip()


def _jobs(scene: Scene) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("job", "phase", "attempt", "node", "why"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for job in scene.jobs.values():
        latest = job.latest
        table.add_row(
            job.name,
            Text(job.phase, style=COLOURS.get(job.phase, "")),
            str(latest.number) if latest else "",
            latest.node if latest else "",
            job.reason,
        )
    return table


def _nodes(scene: Scene) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("node", "state", "jobs on it"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for node in scene.nodes.values():
        mine = [j.name for j in scene.jobs.values() if j.latest and j.latest.node == node.name and not j.ended]
        table.add_row(node.name, Text(node.state, style=STATE_COLOURS.get(node.state, "")), " ".join(mine))
    return table
