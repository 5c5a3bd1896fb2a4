"""The working state of one look at a schedule."""

from __future__ import annotations

from dataclasses import dataclass, field

from batchyard.decide.cycle import FOREVER, Cycle
from batchyard.world.schedules import Schedule
from batchyard.world.views import Job


@dataclass(slots=True)
class Round:
    """One look at a schedule; `until` is when it must be looked at again though nothing happens."""

    cycle: Cycle
    schedule: Schedule
    jobs: list[Job]  # the oldest fire first
    since: float  # fires before are not made up for
    settled: int  # minute of the latest fire that is settled, -1 if none is
    missed: list[float] = field(default_factory=list)  # fires that have come and are not settled
    due: list[float] = field(default_factory=list)  # those of them that are to be made, the oldest first
    put_off: bool = False  # a fire has come and is put off within the flexible window
    until: float = FOREVER

    @property
    def active(self) -> list[Job]:
        """Return the jobs that have not ended."""
        return [job for job in self.jobs if not job.status.phase.final]
