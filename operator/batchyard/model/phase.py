"""The phases of a job and the only moves between them (AWS Batch's job states)."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a job stands; AWS Batch's names in CamelCase."""

    Submitted = "Submitted"
    Pending = "Pending"
    Runnable = "Runnable"
    Starting = "Starting"
    Running = "Running"
    Succeeded = "Succeeded"
    Failed = "Failed"

    @property
    def final(self) -> bool:
        """Say whether the job has ended for good."""
        return self in (Phase.Succeeded, Phase.Failed)


MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.Submitted: frozenset({Phase.Pending, Phase.Runnable, Phase.Failed}),
    Phase.Pending: frozenset({Phase.Runnable, Phase.Failed}),
    # Back to Pending: the queue or the definition that a waiting job names was deleted.
    Phase.Runnable: frozenset({Phase.Starting, Phase.Pending, Phase.Failed}),
    Phase.Starting: frozenset({Phase.Running, Phase.Runnable, Phase.Failed}),
    Phase.Running: frozenset({Phase.Succeeded, Phase.Runnable, Phase.Failed}),
    Phase.Succeeded: frozenset(),
    Phase.Failed: frozenset(),
}


def reachable(old: Phase, new: Phase) -> bool:
    """Say whether `new` can follow `old`, directly or over phases too short to be written."""
    seen, todo = {old}, [old]
    while todo:
        for phase in MOVES[todo.pop()] - seen:
            seen.add(phase)
            todo.append(phase)
    return new in seen
