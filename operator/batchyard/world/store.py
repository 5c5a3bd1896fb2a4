"""The store: tables of views and the indexes that decide needs; apply and replace are its only mutators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from typing import Any

from batchyard.world.jobtables import JobTables
from batchyard.world.nodetables import NodeTables
from batchyard.world.outcomes import Outcomes
from batchyard.world.schedules import Schedule
from batchyard.world.sightings import Sightings, source
from batchyard.world.versions import drop, keep, newer_than
from batchyard.world.views import (
    Consumable,
    Definition,
    Environment,
    Job,
    Key,
    Namespace,
    Node,
    Pod,
    Policy,
    Queue,
    Revision,
    View,
    key,
)


class Store(NodeTables, JobTables):
    """All that is known; views are immutable, so a snapshot is a set of references to these tables."""

    def __init__(self) -> None:
        super().__init__()
        self.queues: dict[str, Queue] = {}
        self.policies: dict[str, Policy] = {}
        self.consumables: dict[str, Consumable] = {}
        self.arrived: dict[str, set[str]] = {}  # consumable -> entries of its status.taking whose pods have come to be
        self.definitions: dict[Key, Definition] = {}
        self.revisions: dict[tuple[str, str, int], Revision] = {}  # namespace, uid of the definition, number
        self.sightings = Sightings()  # what pods of definitions were seen to do, for advice
        self.reported: dict[str, float] = {}  # uid of an environment or queue -> when its status was last written

    def apply(self, view: View) -> None:
        """Take in the newest version of any object."""
        _KINDS[type(view)].apply(self, view)

    def remove(self, view: View) -> None:
        """Take in that an object is gone; of one that was made anew under its name nothing is lost."""
        _KINDS[type(view)].remove(self, view)

    def table(self, kind: type[View]) -> list[View]:
        """Return all views of one kind."""
        return list(self._table(kind).values())

    def _table(self, kind: type[View]) -> dict[Any, Any]:
        table: dict[Any, Any] = getattr(self, _KINDS[kind].table)
        return table

    def replace(self, known: Iterable[View], listed: Iterable[View], version: str) -> None:
        """Take in a full list: apply what it has, and remove what it lacks unless that is newer than the list."""
        seen = set()
        for view in listed:
            seen.add(view.uid)
            self.apply(view)
        self.sweep(known, seen, version)

    def sweep(self, known: Iterable[View], seen: Set[str], version: str) -> None:
        """Take in that a full list is at its end, which has seen these uids."""
        for view in known:
            if view.uid and view.uid not in seen and not newer_than(view, version):
                self.remove(view)

    def _apply_plain(self, view: Queue | Policy) -> None:
        if keep(self._table(type(view)), view.name, view):
            self.memo.clear()

    def _remove_plain(self, view: View) -> None:
        if drop(self._table(type(view)), view.name, view):
            self.memo.clear()

    def _apply_queue(self, queue: Queue) -> None:
        self._apply_plain(queue)
        self.ledger.read(self.queues[queue.name])
        self.purse.read(self.queues[queue.name])

    def _remove_queue(self, queue: Queue) -> None:
        if drop(self.queues, queue.name, queue):
            self.memo.clear()
            self.ledger.forget(queue.name)
            self.purse.forget(queue.name)

    def _apply_any_pod(self, pod: Pod) -> None:
        self._arrive(pod)
        self.apply_pod(pod)
        if pod.final and pod.job:
            self._hear_end(pod)
        if not pod.job:
            self.learn_overhead(pod.node)

    def _hear_end(self, pod: Pod) -> None:
        job = self.jobs.get(pod.job)
        definition = source(job, self.definitions, pod)
        if job is not None and definition is not None:
            self.sightings.hear(definition, pod, claims=job.spec.checkpoint is not None)

    def _apply_consumable(self, view: Consumable) -> None:
        """Nothing concluded of a job rests on a consumable, so that nothing is forgotten."""
        keep(self.consumables, view.name, view)
        arrived = self.arrived.pop(view.name, set()) & (self.consumables[view.name].status.get("taking") or {}).keys()
        if arrived:
            self.arrived[view.name] = arrived

    def _arrive(self, pod: Pod) -> None:
        """Remember of pods that were waited for that they came to be, though they may soon be gone again."""
        if not pod.uid:
            return
        for name in pod.consumables:
            view, entry = self.consumables.get(name), f"{pod.namespace}/{pod.name}"
            if view is not None and entry in (view.status.get("taking") or ()):
                self.arrived.setdefault(name, set()).add(entry)

    def _apply_namespace(self, view: Namespace) -> None:
        old = self.namespaces.get(view.name)
        keep(self.namespaces, view.name, view)
        new = self.namespaces[view.name]
        if old is None or (old.labels, old.deleting) != (new.labels, new.deleting):
            self.memo.clear()

    def _apply_definition(self, view: Definition) -> None:
        old = self.definitions.get(key(view))
        if old is not None and old.uid == view.uid and old.generation < view.generation:
            self._pin(old, view)
        if old is not None and old.uid != view.uid:
            self.sightings.forget(key(view))
        changed = keep(self.definitions, key(view), view)
        if changed or old is None or _verdict(old) != _verdict(view):
            self._revisit(view)

    def _pin(self, definition: Definition, changed: Definition) -> None:
        """Keep the jobs that were submitted before a definition changed on the revision that they were given.

        A revision that was overtaken before it was kept was given to nobody. Watches are not in step with one another:
        of a job that is newer than the change we may have heard first.
        """
        if (definition.namespace, definition.uid, definition.generation) not in self.revisions:
            return
        for uid in self._jobs_of(definition.namespace, definition.name):
            if not newer_than(self.jobs[uid], changed.version):
                self.pinned.setdefault(uid, definition.generation)

    def _revisit(self, view: Definition | Revision) -> None:
        for uid in self._jobs_of(view.namespace, view.name if isinstance(view, Definition) else view.definition):
            self.memo.pop(uid, None)

    def _jobs_of(self, namespace: str, definition: str) -> list[str]:
        jobs = (self.jobs[uid] for uid in self.active)
        return [
            job.uid for job in jobs
            if job.namespace == namespace and job.spec.definition and job.spec.definition.name == definition
        ]  # fmt: skip

    def _remove_definition(self, view: Definition) -> None:
        if drop(self.definitions, key(view), view):
            self.sightings.forget(key(view))
            self._revisit(view)

    def _apply_revision(self, view: Revision) -> None:
        keep(self.revisions, (view.namespace, view.definition_uid, view.number), view)
        self._revisit(view)

    def _remove_revision(self, view: Revision) -> None:
        if drop(self.revisions, (view.namespace, view.definition_uid, view.number), view):
            self._revisit(view)


def _verdict(definition: Definition) -> Any:
    """Return the condition that jobs are held to; the others are advice."""
    return next((c for c in definition.status.get("conditions") or () if c.get("type") == "Valid"), None)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where the views of one kind are kept, and what is done when one comes and when it is gone."""

    table: str
    apply: Callable[[Store, Any], None]
    remove: Callable[[Store, Any], None] = Store._remove_plain


_KINDS: dict[type[View], _Kind] = {
    Job: _Kind("jobs", Store.apply_job, lambda store, job: store.remove_job(job.uid)),
    Pod: _Kind("pods", Store._apply_any_pod, Store.remove_pod),
    Node: _Kind("nodes", Store.apply_node, Store.remove_node),
    Environment: _Kind("environments", Store.apply_environment),
    Queue: _Kind("queues", Store._apply_queue, Store._remove_queue),
    Policy: _Kind("policies", Store._apply_plain),
    Consumable: _Kind("consumables", Store._apply_consumable),
    Definition: _Kind("definitions", Store._apply_definition, Store._remove_definition),
    Revision: _Kind("revisions", Store._apply_revision, Store._remove_revision),
    Schedule: _Kind("schedules", Store.apply_schedule, lambda store, view: store.remove_schedule(view.uid)),
    Namespace: _Kind("namespaces", Store._apply_namespace),
    Outcomes: _Kind("outcomes", Store.apply_outcomes),
}
