"""The tab of one node: what it has cost, and what of that each pod on it has to pay.

Money has twelve places, however long it is counted; times are unix seconds.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from math import inf

from batchyard.world.money import FINE, NOTHING, worth

START, END = 0, 1
Gang = tuple[str, int]  # the attempt of a multi-node job: uid of the job, number


@dataclass(slots=True)
class Spell:
    """The time of one pod on one node; `paid` is its money but for what the node's meter has yet to tell."""

    node: str
    share: Decimal  # of the node: its largest
    rate: Decimal  # money a second, where the node is not shared by more than it has
    gang: Gang | None = None  # whose main pod says whether it was useful
    started: float | None = None
    ended: float | None = None
    useful: bool | None = None
    metered: Decimal | None = None  # what the node's meter showed at its start, while it runs
    paid: Decimal = NOTHING
    seated: bool = False  # its start is counted
    over: bool = False  # its end is counted

    def missed(self, since: float, until: float) -> Decimal:
        """Return the money of the time between its start and until, which was not counted as its own."""
        if self.started is None:
            return NOTHING
        return worth(self.rate, max(self.started, since), min(until, self.ended or inf))

    def too_much(self, until: float) -> Decimal:
        """Return the money of the time between its end and until, which was counted as its own."""
        if self.started is None or self.ended is None:
            return NOTHING
        return min(worth(self.rate, max(self.ended, self.started), until), self.paid)


@dataclass(slots=True)
class Tab:
    """One node: all is counted until `at`.

    The meter shows what a pod with the whole node would have paid. It runs slower while the pods' shares add up to more
    than one: so they never pay more than the node costs, and each pays by its share. What they owe is rounded up
    and what they pay down: what the last one leaves unpaid is nobody's.
    """

    price: Decimal  # a second
    at: float
    ends: float = inf
    meter: Decimal = NOTHING
    share: Decimal = NOTHING  # sum of those that run
    owed: Decimal = NOTHING  # what those that run have yet to pay
    runs: int = 0
    due: list[tuple[float, int, str]] = field(default_factory=list)  # starts and ends of pods, by uid

    def advance(self, until: float) -> tuple[Decimal, Decimal]:
        """Count until then; return what the node has cost, and how much of that its pods owe."""
        cost = worth(self.price, self.at, until)
        self.at = max(self.at, until)
        if not self.runs:
            return cost, NOTHING
        if self.share > 1:
            owed, shown = cost, (cost / self.share).quantize(FINE, ROUND_DOWN)
        else:
            owed, shown = (cost * self.share).quantize(FINE, ROUND_UP), cost
        self.owed, self.meter = self.owed + owed, self.meter + shown
        return cost, owed

    def note(self, when: float, what: int, uid: str) -> None:
        """Have a start or an end counted when its time has come."""
        heapq.heappush(self.due, (when, what, uid))

    def put(self, uid: str, spell: Spell) -> None:
        """Have counted what is known of a pod."""
        if spell.started is not None and not spell.seated:
            self.note(spell.started, START, uid)
        if spell.ended is not None and not spell.over:
            self.note(spell.ended, END, uid)

    def seat(self, spell: Spell) -> None:
        """Count a pod from now on."""
        spell.metered, spell.seated = self.meter, True
        self.share, self.runs = self.share + spell.share, self.runs + 1

    def leave(self, spell: Spell) -> Decimal:
        """Have a pod that runs pay; return what the last one leaves unpaid, which rounding has cut off."""
        if spell.metered is None:
            return NOTHING
        its = min(spell.share * (self.meter - spell.metered), self.owed).quantize(FINE, ROUND_DOWN)
        spell.paid, spell.metered = spell.paid + its, None
        self.owed, self.share, self.runs = self.owed - its, self.share - spell.share, self.runs - 1
        left = NOTHING if self.runs else self.owed
        self.owed -= left
        return left
