"""Whose turn it is among the children of an array: those that are tried again first, then the lowest indexes."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from batchyard.decide.backfill import lasting
from batchyard.decide.cycle import Ask, Standing
from batchyard.decide.escalate import interruptions
from batchyard.decide.needs import NO_TASTE, Taste
from batchyard.decide.resolve import Effective, needs_after
from batchyard.decide.retry import taste_of
from batchyard.decide.tally import Child, Tally
from batchyard.world.children import ROUGH
from batchyard.world.indexes import first, gather
from batchyard.world.views import Attempt


@dataclass(frozen=True, slots=True)
class Turn:
    """What children have in common whose next attempts are alike: its number, which containers ran out of memory how
    often before, which nodes it avoids, and how often spot took a node away.
    """

    number: int = 1
    kills: tuple[tuple[str, int], ...] = ()
    taste: Taste = NO_TASTE
    interruptions: int = 0


def asks(standing: Standing, effective: Effective, limits: tuple[int, float]) -> tuple[Ask, ...]:
    """Return the pods that may start now; `limits` are how many more may live, and the time."""
    tally, (room, now) = standing.children, limits
    assert tally is not None
    groups = _retried(tally, effective, now) if room > 0 else {}
    fresh = tally.fresh & ~tally.blocked
    lined_up = sorted(groups.items(), key=lambda item: first(item[1]))
    found = []
    for turn, indexes in [*lined_up, (Turn(), fresh)]:
        count = min(indexes.bit_count(), room)
        if count > 0:
            room -= count
            found.append(_ask(standing, effective, (turn, indexes, count)))
    return tuple(found)


def _retried(tally: Tally, effective: Effective, now: float) -> dict[Turn, int]:
    """Return the children whose next attempt is due, by what these have in common."""
    groups: defaultdict[Turn, int] = defaultdict(int)
    allowed = tally.waiting & ~tally.blocked
    for index, due in tally.due.items():
        if due > now:
            tally.until = min(tally.until, due)
        elif allowed >> index & 1:
            groups[_turn(tally.known[index], effective)] |= 1 << index
    apart = gather(tally.known, tally.size)
    for (attempts, counted), group in tally.retried.items():
        if group & allowed & ~apart:
            free = 0 if attempts > ROUGH else attempts - counted
            groups[Turn(attempts % ROUGH + 1, interruptions=free)] |= group & allowed & ~apart
    return groups


def _turn(child: Child, effective: Effective) -> Turn:
    kills = Counter(a.container for a in child.attempts if a.reason == "OutOfMemory" and a.container)
    grows = effective.retry.on_out_of_memory is not None
    told = tuple(sorted(kills.items())) if grows else ()
    return Turn(child.number + 1, told, taste_of(effective.retry, child.attempts), interruptions(child.attempts))


def _ask(standing: Standing, effective: Effective, what: tuple[Turn, int, int]) -> Ask:
    turn, indexes, count = what
    kills = tuple(
        Attempt(number=1, reason="OutOfMemory", container=name) for name, times in turn.kills for _ in range(times)
    )
    needs, lasts = needs_after(effective, standing.job.spec.capacity_type, kills), lasting(effective)
    ask = Ask(standing, needs, turn.number, turn.taste, count, indexes=indexes, killed=kills, lasts=lasts)
    ask.interruptions = turn.interruptions
    return ask
