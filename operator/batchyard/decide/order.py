"""The order in which jobs may start: queue priority, then within a queue by age or by fair share."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter

from batchyard.decide.cycle import Ask, Cycle
from batchyard.decide.lines import Rank, Row
from batchyard.decide.share import Board, boards
from batchyard.world.store import Store

FORESEEN = 1000  # asks whose order is foreseen where shares take turns; those behind them stand by age


def order(cycle: Cycle) -> None:
    """Draw up the shares of the queues where these take turns."""
    busy = {queue: {share for share, count in shares.items() if count} for queue, shares in cycle.roster.shares.items()}
    cycle.boards = boards(cycle.store, cycle.now, busy)


def rank_of(store: Store, ask: Ask, number: int) -> Rank:
    """A retried job goes to the front of its priority (AWS); equal ages are told apart by name.

    `number` tells the asks of one job apart.
    """
    job, effective = ask.job, ask.standing.effective
    queue = store.queues[job.spec.queue]
    priority = effective.priority if effective else 0
    return (-queue.priority, -priority, ask.attempt == 1, job.created, job.namespace, job.name, number)


def turns(cycle: Cycle) -> Iterator[Ask]:
    """Yield the ask whose turn it is to have one more pod placed; the caller counts in `served` that it was.

    An ask that was not served has had its turn, and with it all behind it in its line: it is marked `passed`.
    """
    lines = [line for queue in cycle.roster.lines.values() for line in queue.values()]
    cycle.rows = [Row(line) for line in lines]
    for stream, ask in _merged(_streams(cycle, cycle.rows)):
        if not ask.touched:
            ask.touched = True
            cycle.roster.touched.append(ask)
        served = ask.served
        yield ask
        ask.passed = ask.served == served
        if ask.passed and ask.line is not None:
            ask.line.outlook = ask.standing.outlook
        stream.advance(ask.served - served, leaves=ask.served >= ask.count, closes=ask.passed)


def waiting(cycle: Cycle, queue: str) -> Iterator[Ask]:
    """Yield the asks of a queue in order; where shares take turns, as they would if there were room for all."""
    lines = cycle.roster.lines.get(queue, {}).values()
    if queue not in cycle.boards:
        yield from _by_rank(Row(line) for line in lines)
        return
    first = list(islice(_foreseen(cycle, [Row(line) for line in lines]), FORESEEN))
    yield from first
    seen = {id(ask) for ask in first}
    yield from (ask for ask in _by_rank(Row(line) for line in lines) if id(ask) not in seen)


def upcoming(cycle: Cycle, most: int) -> list[Ask]:
    """Return the asks that come next in this decision, by rank, so many at most."""
    return list(following(cycle, most))


def following(cycle: Cycle, most: int) -> Iterator[Ask]:
    """Yield what `upcoming` returns."""
    rests = heapq.merge(*(row.rest(most) for row in cycle.rows), key=itemgetter(0))
    for _, ask in islice(rests, most):
        yield ask


def _foreseen(cycle: Cycle, rows: list[Row]) -> Iterator[Ask]:
    for stream, ask in _merged(_streams(cycle, rows)):
        yield ask
        stream.advance(ask.count, leaves=True, closes=False)


def _by_rank(rows: Iterable[Row]) -> Iterator[Ask]:
    stream = Stream(rows)
    while (ask := stream.peek()) is not None:
        yield ask
        stream.advance(0, leaves=True, closes=False)


class Stream:
    """Rows merged by rank: the ask of the lowest is next."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._heap = [(row.rank(), number, row) for number, row in enumerate(rows)]
        heapq.heapify(self._heap)

    def peek(self) -> Ask | None:
        """Return the next ask."""
        return self._heap[0][2].peek() if self._heap else None

    def rank(self) -> Rank:
        """Return by what the next ask is compared with those of other streams."""
        return self._heap[0][0]

    def advance(self, pods: int, *, leaves: bool, closes: bool) -> None:
        """Take in that the next ask got so many pods, whether its turn is over, and whether that of its line is."""
        if not leaves and not closes:
            return
        _, number, row = self._heap[0]
        row.advance(closes=closes)
        if row.peek() is None:
            heapq.heappop(self._heap)
        else:
            heapq.heapreplace(self._heap, (row.rank(), number, row))


class FairStream(Stream):
    """The asks of one queue with a policy: next is the first of the share that has used least for its weight.

    Priority, retries and age count within a share only (AWS).
    """

    def __init__(self, rows: Iterable[Row], board: Board) -> None:
        self._board = board
        self._taken: Counter[str] = Counter()  # millicores found room for since the board was drawn up
        of: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            of[row.line.kind[1]].append(row)
        self._of = {share: Stream(rows) for share, rows in of.items()}
        self._shares = [(self._score(share), share) for share in self._of]
        heapq.heapify(self._shares)

    def _score(self, share: str) -> float:
        ask = self._of[share].peek()
        return self._board.score(share, self._taken[share], ask.cpu if ask else 0)

    def peek(self) -> Ask | None:
        """Return the next ask."""
        return self._of[self._shares[0][1]].peek() if self._shares else None

    def rank(self) -> Rank:
        """Return by what the next ask is compared with those of other queues of the same priority: its age."""
        rank = self._of[self._shares[0][1]].rank()
        return (rank[0], 0, *rank[2:])

    def advance(self, pods: int, *, leaves: bool, closes: bool) -> None:
        """Take in that the next ask got so many pods, whether its turn is over, and whether that of its line is."""
        _, share = self._shares[0]
        stream = self._of[share]
        ask = stream.peek()
        self._taken[share] += pods * (ask.cpu if ask else 0)
        stream.advance(pods, leaves=leaves, closes=closes)
        if stream.peek() is None:
            heapq.heappop(self._shares)
        else:
            heapq.heapreplace(self._shares, (self._score(share), share))


def _streams(cycle: Cycle, rows: list[Row]) -> list[Stream]:
    by_queue: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        queue = row.line.kind[0]
        by_queue[queue if queue in cycle.boards else ""].append(row)
    return [FairStream(rows, cycle.boards[queue]) if queue else Stream(rows) for queue, rows in by_queue.items()]


def _merged(streams: list[Stream]) -> Iterator[tuple[Stream, Ask]]:
    """Yield the next ask of all streams and its stream, which must be advanced before the next is asked for."""
    heads = [(stream.rank(), number) for number, stream in enumerate(streams) if stream.peek() is not None]
    heapq.heapify(heads)
    while heads:
        _, number = heads[0]
        stream = streams[number]
        ask = stream.peek()
        assert ask is not None
        yield stream, ask
        if stream.peek() is None:
            heapq.heappop(heads)
        elif len(heads) > 1:
            heapq.heapreplace(heads, (stream.rank(), number))
