"""Jobs that wait for themselves, directly or over others: a cycle closes when the last of its jobs is created."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from batchyard.world.store import Store
from batchyard.world.views import Job, Key
from batchyard.world.waits import CYCLE

LARGE = 300  # jobs that wait for each other; of more than these, one way around is spelt for all
_SHOWN = 10  # names of a cycle that are spelt out

Graph = Mapping[str, tuple[str, ...]]


def find_cycles(store: Store) -> None:
    """Look at the jobs that may have closed a cycle since the last look, and keep what was found in the store."""
    if not store.unsure:
        return
    graph = _reachable(store, store.unsure)
    store.unsure.clear()
    for knot in knots(graph):
        for uid, way in _ways(graph, knot).items():
            store.cycles[uid] = tuple(store.jobs[each].name for each in way)
            store.memo.pop(uid, None)


def spelt(names: tuple[str, ...]) -> str:
    """Write a cycle as `a -> b -> a`; of a long one the middle is left out."""
    if len(names) > _SHOWN:
        names = (*names[: _SHOWN - 2], f"({len(names) - _SHOWN + 1} more)", names[-1])
    return " -> ".join((*names, names[0]))


def _reachable(store: Store, uids: Iterable[str]) -> Graph:
    """Return all that these jobs wait for, and what those wait for, as far as it has not begun or ended."""
    graph: dict[str, tuple[str, ...]] = {}
    todo = list(uids)
    while todo:
        uid = todo.pop()
        if uid not in graph:
            graph[uid] = tuple(_waited_for(store, store.jobs[uid])) if _waits(store, uid) else ()
            todo.extend(graph[uid])
    return graph


def _waits(store: Store, uid: str) -> bool:
    """Say whether a job has not begun; what has failed of a cycle counts on, so that the rest fails in the same way."""
    job = store.jobs[uid]
    return not store.begun(job) or job.status.reason == CYCLE


def _waited_for(store: Store, job: Job) -> Iterator[str]:
    for needed in job.spec.depends_on:
        uid = store.named.get(Key(job.namespace, needed.job or ""))
        if uid is not None:
            yield uid


@dataclass(slots=True)
class _Search:
    """Tarjan's strongly connected components, without recursion: chains may be thousands long."""

    graph: Graph
    order: dict[str, int] = field(default_factory=dict)
    low: dict[str, int] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    on_path: set[str] = field(default_factory=set)

    def enter(self, uid: str) -> Iterator[str]:
        self.order[uid] = self.low[uid] = len(self.order)
        self.path.append(uid)
        self.on_path.add(uid)
        return iter(self.graph[uid])

    def leave(self, uid: str) -> list[str]:
        """Return the component that is complete with this job, empty if none is."""
        if self.low[uid] != self.order[uid]:
            return []
        cut = self.path.index(uid) if self.path[-1] != uid else len(self.path) - 1
        found, self.path[cut:] = self.path[cut:], []
        self.on_path.difference_update(found)
        return found

    def step(self, stack: list[tuple[str, Iterator[str]]]) -> list[str]:
        """Go on by one edge; return a component if one is complete."""
        uid, edges = stack[-1]
        for other in edges:
            if other not in self.order:
                stack.append((other, self.enter(other)))
                return []
            if other in self.on_path:
                self.low[uid] = min(self.low[uid], self.order[other])
        stack.pop()
        if stack:
            self.low[stack[-1][0]] = min(self.low[stack[-1][0]], self.low[uid])
        return self.leave(uid)


def knots(graph: Graph) -> Iterator[list[str]]:
    """Yield the sets of jobs each of which waits for all of its set, itself included."""
    search = _Search(graph)
    for first in graph:
        stack = [] if first in search.order else [(first, search.enter(first))]
        while stack:
            found = search.step(stack)
            if len(found) > 1 or (found and found[0] in graph[found[0]]):
                yield found


def _ways(graph: Graph, knot: list[str]) -> dict[str, tuple[str, ...]]:
    """Return for each job of a knot a shortest way from it back to it; in large ones the way of one job for all."""
    inside = set(knot)
    if len(knot) <= LARGE:
        return {uid: _way(graph, inside, uid) for uid in knot}
    way = _way(graph, inside, min(knot))
    places = {uid: number for number, uid in enumerate(way)}
    return {uid: (*way[places.get(uid, 0) :], *way[: places.get(uid, 0)]) for uid in knot}


def _way(graph: Graph, inside: set[str], start: str) -> tuple[str, ...]:
    came: dict[str, str] = {}
    todo = deque([start])
    while start not in came:
        uid = todo.popleft()
        for other in graph[uid]:
            if other in inside and other not in came:
                came[other] = uid
                todo.append(other)
    way = [came[start]]
    while way[-1] != start:
        way.append(came[way[-1]])
    return tuple(reversed(way))
