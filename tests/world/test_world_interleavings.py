"""However a watch stream is delivered, the store ends the same, and its indexes are what they would be from scratch."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from batchyard.model.resources import total
from batchyard.world.expiries import expiry
from batchyard.world.store import Store
from batchyard.world.views import Job, Node, Pod, Queue, View, key
from builders import NOW, exited, foreign, job, node, pod, queue, running

KINDS = (Job, Pod, Node, Queue)
STATUSES: list[dict[str, Any] | None] = [
    None, {"phase": "Running"}, {"phase": "Succeeded", "stoppedAt": "2027-01-15T08:00:00Z"}, {"phase": "Failed"},
]  # fmt: skip
PODS: list[dict[str, Any]] = [
    {"node": ""}, {}, {"phase": "Running", "containers": (running(),)},
    {"phase": "Succeeded", "containers": (exited(),)}, {"phase": "Failed", "containers": (exited(1),)},
    {"deleting": NOW},
]  # fmt: skip


def make(kind: type[View], which: int, state: int) -> View:
    """Return one of a few objects of a kind in one of a few states."""
    if kind is Job:
        return job(f"job{which}", STATUSES[state % len(STATUSES)], ttlSecondsAfterFinished=100 + which)
    if kind is Pod:
        if which == 2:
            return foreign("proxy", f"n{state % 2}")
        return pod(f"job{which}", on=f"n{which}", **PODS[state % len(PODS)]) if state % 6 else pod(f"job{which}", on="")
    if kind is Node:
        return node(f"n{which}", ready=state % 2 == 0)
    return queue(f"q{which}", generation=1 + state)


@dataclass
class Server:
    """The truth: objects of each kind, and the events that led there."""

    objects: dict[type[View], dict[str, View]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    events: dict[type[View], list[tuple[str, View]]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    version: int = 0
    births: int = 0

    def change(self, kind: type[View], which: int, state: int) -> None:
        """Create an object, or bring it into another state; a multiple of seven deletes it."""
        self.version += 1
        view = msgspec.structs.replace(make(kind, which, state), version=str(self.version))
        old = self.objects[kind].get(view.name)
        if old is None:
            self.births += 1
            view = msgspec.structs.replace(view, uid=view.uid if isinstance(view, Job) else f"{view.uid}-{self.births}")
            if isinstance(view, Job) and any(v.uid == view.uid for _, v in self.events[kind]):
                return  # a uid never comes back
        else:
            view = msgspec.structs.replace(view, uid=old.uid)
            if isinstance(view, Job) and isinstance(old, Job) and old.status.phase.final:
                view = msgspec.structs.replace(view, status=old.status)  # an end is for good
        if old is not None and state % 7 == 0:
            del self.objects[kind][view.name]
            self.events[kind].append(("DELETED", msgspec.structs.replace(old, version=str(self.version))))
        else:
            self.objects[kind][view.name] = view
            self.events[kind].append(("MODIFIED", view))


def deliver(store: Store, event: tuple[str, View]) -> None:
    change, view = event
    if change == "DELETED":
        store.remove(view)
    else:
        store.apply(view)


def write_end(store: Store, which: int, settled: bool) -> None:
    """Count a job as ended while our write is under way or has just been answered, as the engine does."""
    view, end = store.jobs.get(f"uid-job{which}"), job("x", STATUSES[2]).status
    if view is not None and not view.status.phase.final:
        store.assume_status(view.uid, end)
    pending = store.pending.get(f"uid-job{which}")
    if settled and pending is not None:
        store.settle_status(f"uid-job{which}", pending)


def shown(store: Store, server: Server) -> dict[str, Any]:
    """Return all that must not depend on how the news came; what exists no more is history, not state."""
    there = {key(view) for view in server.objects[Pod].values() if isinstance(view, Pod)}
    there -= {where for where, view in store.pods.items() if view.final and view.job not in store.jobs}
    return {
        "jobs": store.jobs, "active": set(store.active), "nodes": store.nodes, "queues": store.queues,
        "pods": {where: view for where, view in store.pods.items() if where in there}, "used": store.used,
        "live_on": dict(store.live_on), "strays": store.strays, "unbound": store.unbound,
        "finished": {name: +counts for name, counts in store.finished.items() if +counts},
        "first": store.expiries.first,
    }  # fmt: skip


def recomputed(store: Store) -> dict[str, Any]:
    """Return the indexes of a store, from its tables alone."""
    live_on: dict[str, dict[Any, Pod]] = defaultdict(dict)
    pods_of: dict[str, dict[str, Pod]] = defaultdict(dict)
    for where, view in store.pods.items():
        if view.node and not view.final:
            live_on[view.node][where] = view
        if view.job:
            pods_of[view.job][view.name] = view
    done = [view for view in store.jobs.values() if view.status.phase.final]
    confirmed = {view.uid for view in done} - store.doubtful - set(store.pending)
    finished: dict[str, Counter[str]] = defaultdict(Counter)
    for view_ in done:
        finished[view_.spec.queue][str(view_.status.phase)] += 1
    live = {where: view for where, view in store.pods.items() if not view.final}
    return {
        "live_on": live_on, "pods_of": pods_of, "active": set(store.jobs) - {view.uid for view in done},
        "used": {name: total(view.requests for view in pods.values()) for name, pods in live_on.items()},
        "finished": finished, "first": min((expiry(view) or 0 for view in done if view.uid in confirmed), default=None),
        "unbound": {where: view for where, view in live.items() if view.job and not view.node},
        "strays": {where: view for where, view in live.items() if view.job in confirmed},
    }  # fmt: skip


def indexes(store: Store) -> dict[str, Any]:
    return {
        "live_on": store.live_on, "pods_of": store.pods_of, "active": set(store.active), "used": store.used,
        "finished": {name: +counts for name, counts in store.finished.items() if +counts},
        "first": store.expiries.first, "unbound": store.unbound, "strays": store.strays,
    }  # fmt: skip


CHANGES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.integers(0, 13)), max_size=30)


class Listener:
    """One store and how far it has heard of each kind."""

    def __init__(self, server: Server) -> None:
        self.server, self.store = server, Store()
        self.seen = dict.fromkeys(KINDS, 0)

    def hear(self, kind: type[View], what: str, data: st.DataObject) -> None:
        events, store = self.server.events[kind], self.store
        match what:
            case "next" if self.seen[kind] < len(events):
                deliver(store, events[self.seen[kind]])
                self.seen[kind] += 1
            case "again" if self.seen[kind]:
                for event in events[data.draw(st.integers(0, self.seen[kind] - 1)) : self.seen[kind]]:
                    deliver(store, event)
            case "write":
                write_end(store, data.draw(st.integers(0, 2)), data.draw(st.booleans()))
            case "list":
                store.replace(store.table(kind), list(self.server.objects[kind].values()), str(self.server.version))
                self.seen[kind] = len(events)

    def hear_the_rest(self, order: list[type[View]]) -> None:
        for kind in order:
            for event in self.server.events[kind][self.seen[kind] :]:
                deliver(self.store, event)
        for uid, pending in list(self.store.pending.items()):
            self.store.settle_status(uid, pending)
        for view in list(self.server.objects[Job].values()):
            self.store.apply(view)  # the answer to a write of ours, or what is there when it failed


@given(CHANGES, st.data())
def test_any_delivery_ends_in_the_same_store(changes: list[tuple[type[View], int, int]], data: st.DataObject) -> None:
    server = Server()
    listener = Listener(server)
    for change in changes:
        server.change(*change)
        for kind in data.draw(st.lists(st.sampled_from(KINDS), max_size=3)):
            listener.hear(kind, data.draw(st.sampled_from(["next", "next", "again", "list", "write"])), data)
        assert indexes(listener.store) == recomputed(listener.store)
    listener.hear_the_rest(data.draw(st.permutations(KINDS)))
    fresh = Store()
    for kind in KINDS:
        fresh.replace([], list(server.objects[kind].values()), str(server.version))
    assert shown(listener.store, server) == shown(fresh, server)
    assert indexes(fresh) == recomputed(fresh)
