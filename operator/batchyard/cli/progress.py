"""How far a job is while somebody waits for it: a bar on a terminal, a line per change otherwise; both on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from batchyard.cli import show
from batchyard.cli.cluster import Body
from batchyard.cli.words import ended, name, now, phase
from batchyard.model.phase import Phase
from batchyard.world.indexes import parse

EVERY_SECONDS = 2.0  # between lines that tell nothing but a count


class Display(Protocol):
    """Shows a job again and again."""

    def show(self, job: Body) -> None:
        """Show the job as it is now."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the screen as it should stay."""


class Lines:
    """One line whenever phase or reason change, and every few seconds while children end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = ("", "")
        self._at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, job: Body) -> None:
        """Print a line if there is something new; of the end tells the verdict of who waits."""
        if ended(job):
            return
        where, count = standing(job), counts(job)
        soon = self._clock() < self._at + EVERY_SECONDS
        if (where, count) == self._said or (where == self._said[0] and soon):
            return
        self._said, self._at = (where, count), self._clock()
        show.say(f"{now().astimezone():%H:%M:%S} {name(job)}: {where}{count and f' ({count})'}")


class Silent(Lines):
    """Nothing at all."""

    def show(self, job: Body) -> None:
        """Print nothing."""


class Bar:
    """A bar of the children that have ended, or a spinner for a single job."""

    def __init__(self) -> None:
        text = TextColumn("{task.description}", markup=False)
        columns = (SpinnerColumn(), text, BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=show.console(stderr=True))
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, job: Body) -> None:
        """Move the bar."""
        done, total = progress(job)
        room = max(20, self._bar.console.width - 60)
        self._bar.update(self._task, description=f"{name(job)} {standing(job)}"[:room], completed=done, total=total)


def display(lines: bool = False) -> Display:
    """Return the display that suits stderr."""
    return Lines() if lines or not show.interactive(stderr=True) else Bar()


def standing(job: Body) -> str:
    """Return phase and reason, and the sentence of a job that waits."""
    status = job.get("status") or {}
    said = [phase(job), status.get("reason", "")]
    if phase(job) in (Phase.Pending, Phase.Runnable, Phase.Failed) and status.get("message"):
        said[1] += f": {status['message']}"
    return " ".join(filter(None, said))


def progress(job: Body) -> tuple[int, int]:
    """Return how many children have ended, of how many that run; a single job is its only child."""
    array = (job.get("status") or {}).get("array")
    spec = job["spec"].get("array")
    if not spec:
        return int(ended(job)), 1
    total = parse(spec["indexes"]).bit_count() if spec.get("indexes") else spec["size"]
    counted = (array or {}).get("counts") or {}
    return counted.get("succeeded", 0) + counted.get("failed", 0), total


def counts(job: Body) -> str:
    """Return the children that have ended, in words; nothing for a single job."""
    if not job["spec"].get("array"):
        return ""
    done, total = progress(job)
    counted = ((job.get("status") or {}).get("array") or {}).get("counts") or {}
    more = [f"{counted[word]} {word}" for word in ("running", "failed") if counted.get(word)]
    return ", ".join([f"{done}/{total}", *more])
