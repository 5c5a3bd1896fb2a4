"""What `status.array` says: sets and counts of children, and the attempts that matter; never more than 200 kB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from batchyard.decide.cycle import Standing
from batchyard.decide.price import job_cost
from batchyard.decide.tally import Tally
from batchyard.world.children import ROUGH
from batchyard.world.indexes import text
from batchyard.world.views import Attempt

SETS = 115_000  # characters of all sets; beyond that, children that differ in free retries only are written as one set
ATTEMPTS = 100  # entries of status.array.attempts
ATTEMPTS_BYTES = 45_000  # of all these entries; their messages are cut until they fit
_MESSAGES = (2000, 1000, 500, 250, 100, 0)  # characters to which messages are cut


def array_fields(standing: Standing) -> dict[str, Any]:
    """Return the fields of an array's status that a plain job's does not have, or has otherwise."""
    tally, status = standing.children, standing.job.status
    assert tally is not None
    started = [attempt.started_at for attempt in tally.new if attempt.started_at]
    return {
        "array": array_status(tally),
        "cost": _cost(status.cost, tally.new),
        "startedAt": min(filter(None, (status.started_at, tally.began, *started)), default=None),
    }


def news_of(standing: Standing, tally: Tally) -> bool:
    """Say whether more has become of the children than is on record."""
    record = tally.record
    before = record.succeeded, record.failed, record.running, {(a, c): group for a, c, group in record.retried}
    after = tally.succeeded, tally.failed, tally.there, tally.retried
    return bool(tally.new) or before != after or (tally.begun and standing.job.status.phase != standing.phase)


def progress(standing: Standing, tally: Tally) -> str:
    """Say in a sentence how far an array is, and what those wait for that wait."""
    ended, total = (tally.ended & tally.all).bit_count(), tally.all.bit_count()
    sentence = f"{ended} of {total} children have ended, {tally.live.bit_count()} run"
    sentence += f"; {tally.remark}" if tally.remark else ""
    return f"{sentence}; others wait: {standing.message}" if standing.message and tally.waiting else sentence


def array_status(tally: Tally) -> dict[str, Any]:
    """Return `status.array`; every field, so that a merge patch leaves nothing of the former one."""
    succeeded, failed, running = text(tally.succeeded), text(tally.failed), text(tally.there)
    return {
        "size": tally.size,
        "progress": f"{(tally.ended & tally.all).bit_count()}/{tally.all.bit_count()}",
        "counts": tally.counts(),
        "succeeded": succeeded,
        "failed": failed,
        "running": running,
        "retried": _retried(tally.retried, SETS - len(succeeded) - len(failed) - len(running)),
        "attempts": _fitting(_that_matter([*tally.record.attempts, *tally.new])),
    }


def _retried(groups: Mapping[tuple[int, int], int], budget: int) -> list[dict[str, Any]]:
    """Write the children that are tried again; if that takes too much, free retries are no longer told apart."""
    written = _groups(groups)
    if sum(len(group["indexes"]) + 50 for group in written) <= budget:
        return written
    merged: dict[int, tuple[int, int]] = {}
    for (attempts, counted), indexes in groups.items():
        most, members = merged.get(counted, (0, 0))
        merged[counted] = max(most, attempts % ROUGH), members | indexes
    return _groups({(most + ROUGH, counted): members for counted, (most, members) in merged.items()})


def _groups(groups: Mapping[tuple[int, int], int]) -> list[dict[str, Any]]:
    return [
        {"attempts": attempts, "counted": counted, "indexes": text(indexes)}
        for (attempts, counted), indexes in sorted(groups.items())
        if indexes
    ]


def _that_matter(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Return the latest failed attempts and the very last one, the oldest first."""
    unique = {(attempt.index, attempt.number): attempt for attempt in attempts}
    line = sorted(unique.values(), key=lambda attempt: (attempt.stopped_at or "", attempt.index or 0, attempt.number))
    failed = [attempt for attempt in line[:-1] if attempt.reason != "Completed"]
    return [*failed[-(ATTEMPTS - 1) :], *line[-1:]]


def _fitting(attempts: list[Attempt]) -> list[dict[str, Any]]:
    for longest in _MESSAGES:
        cut = [_cut(attempt, longest) for attempt in attempts]
        if len(msgspec.json.encode(cut)) <= ATTEMPTS_BYTES:
            break
    while len(msgspec.json.encode(cut)) > ATTEMPTS_BYTES:
        cut = cut[len(cut) // 10 + 1 :]
    return [msgspec.to_builtins(attempt) for attempt in cut]


def _cut(attempt: Attempt, longest: int) -> Attempt:
    if len(attempt.message or "") <= longest:
        return attempt
    return msgspec.structs.replace(attempt, message=(attempt.message or "")[:longest] or None)


def _cost(before: Mapping[str, str] | None, new: Iterable[Attempt]) -> dict[str, str] | None:
    """Add what the attempts cost that are recorded now to what is on record."""
    more = job_cost(new)
    if before is None or more is None:
        return more or (dict(before) if before else None)
    return {name: str(Decimal(before.get(name, "0")) + Decimal(amount)) for name, amount in more.items()}
