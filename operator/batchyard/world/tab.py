"""The tab of one node: what it has cost, and what of that each pod on it has to pay. Times are unix seconds."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from math import inf

START, END = 0, 1
Gang = tuple[str, int]  # the attempt of a multi-node job: uid of the job, number


@dataclass(slots=True)
class Spell:
    """The time of one pod on one node; `paid` is its money but for what the node's meter has yet to tell."""

    node: str
    share: float  # of the node: its largest
    rate: float  # money a second, where the node is not shared by more than it has
    gang: Gang | None = None  # whose main pod says whether it was useful
    started: float | None = None
    ended: float | None = None
    useful: bool | None = None
    metered: float | None = None  # what the node's meter showed at its start, while it runs
    paid: float = 0.0
    seated: bool = False  # its start is counted
    over: bool = False  # its end is counted

    def missed(self, since: float, until: float) -> float:
        """Return the money of the time between its start and until, which was not counted as its own."""
        if self.started is None:
            return 0.0
        return max(min(until, self.ended or inf) - max(self.started, since), 0.0) * self.rate

    def too_much(self, until: float) -> float:
        """Return the money of the time between its end and until, which was counted as its own."""
        if self.started is None or self.ended is None:
            return 0.0
        return min(max(until - max(self.ended, self.started), 0.0) * self.rate, self.paid)


@dataclass(slots=True)
class Tab:
    """One node: all is counted until `at`.

    The meter shows what a pod with the whole node would have paid. It runs slower while the pods' shares add up to more
    than one: so they never pay more than the node costs, and each pays by its share.
    """

    price: float  # a second
    at: float
    ends: float = inf
    meter: float = 0.0
    share: float = 0.0  # sum of those that run
    runs: int = 0
    due: list[tuple[float, int, str]] = field(default_factory=list)  # starts and ends of pods, by uid

    def advance(self, until: float) -> tuple[float, float]:
        """Count until then; return what the node has cost, and how much of that was idle."""
        if until <= self.at:
            return 0.0, 0.0
        cost = self.price * (until - self.at)
        self.at = until
        self.meter += cost / max(self.share, 1.0)
        return cost, cost * max(1.0 - self.share, 0.0)

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

    def leave(self, spell: Spell) -> None:
        """Have a pod that runs pay."""
        if spell.metered is not None:
            spell.paid += spell.share * (self.meter - spell.metered)
            spell.metered, self.runs = None, self.runs - 1
            self.share = self.share - spell.share if self.runs else 0.0
