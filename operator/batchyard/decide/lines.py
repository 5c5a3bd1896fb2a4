"""Lines of asks that are alike: when the first of a line finds no room, those behind it need not be asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchyard.decide.explain import Outlook

if TYPE_CHECKING:
    from batchyard.decide.cycle import Ask

Rank = tuple[int, int, bool, float, str, str, int]  # see order.rank
Kind = tuple[str, str, Hashable]  # queue, share, what is needed


@dataclass(slots=True, eq=False)
class Line:
    """Asks of one queue and share that the same can be said to, by rank; it lives as long as anybody stands in it."""

    kind: Kind
    ranks: list[Rank] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)  # each at the place of its rank
    outlook: Outlook | None = None  # what those are told in this decision who stand behind one that found no room
    group: str = ""  # of the outlook of the last decision, see record.group

    def join(self, rank: Rank, ask: Ask) -> None:
        """Have an ask stand in line."""
        place = bisect_left(self.ranks, rank)
        self.ranks.insert(place, rank)
        self.asks.insert(place, ask)
        ask.line, ask.rank = self, rank

    def leave(self, ask: Ask) -> None:
        """Take an ask out."""
        assert ask.rank is not None
        place = bisect_left(self.ranks, ask.rank)
        del self.ranks[place], self.asks[place]


@dataclass(slots=True, eq=False)
class Row:
    """How far one decision has come with a line."""

    line: Line
    at: int = 0

    def peek(self) -> Ask | None:
        """Return the ask that is next."""
        return self.line.asks[self.at] if self.at < len(self.line.asks) else None

    def rank(self) -> Rank:
        """Return the rank of the ask that is next."""
        return self.line.ranks[self.at]

    def advance(self, *, closes: bool) -> None:
        """Go on behind the ask that is next, or with `closes` behind the last."""
        self.at = len(self.line.ranks) if closes else self.at + 1

    def rest(self, most: int) -> Iterator[tuple[Rank, Ask]]:
        """Yield the asks from the next on, so many at most."""
        span = slice(self.at, self.at + most)
        yield from zip(self.line.ranks[span], self.line.asks[span], strict=True)
