"""What comes in, from kopf and from our own watches, ends in the store; the bell is rung."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec
import structlog

from batchyard.engine.bell import Bell
from batchyard.world import parse
from batchyard.world.schedules import Schedule, schedule
from batchyard.world.store import Store
from batchyard.world.views import Consumable, Definition, Environment, Job, Policy, Queue, View

log = structlog.get_logger(__name__)

Body = Mapping[str, Any]
Raw = TypeVar("Raw")
PARSERS: dict[str, tuple[type[View], Callable[[Body], View]]] = {
    "batchjobs": (Job, parse.job),
    "schedulingpolicies": (Policy, parse.policy),
    "jobqueues": (Queue, parse.queue),
    "jobdefinitions": (Definition, parse.definition),
    "jobschedules": (Schedule, schedule),
    "computeenvironments": (Environment, parse.environment),
    "consumableresources": (Consumable, parse.consumable),
}


class Ingest:
    """Takes objects of our own kinds; called by the kopf handlers and by the full lists."""

    def __init__(self, store: Store, bell: Bell) -> None:
        self.store = store
        self.bell = bell
        self.newest = 0  # the latest version of anything taken in

    def take(self, plural: str, change: str | None, body: Body) -> None:
        """Take one event; `change` None stands for an object of kopf's first or repeated list."""
        if plural == "batchjobs" and change == "MODIFIED" and self._has_heard(body["metadata"]):
            return
        view = read(plural, body)
        if view is None:
            return
        self._note(view.version)
        if change == "DELETED":
            self.store.remove(view)
        else:
            self.store.apply(view)
        self.bell.ring()

    def _has_heard(self, meta: Mapping[str, Any]) -> bool:
        """Say whether a job's event tells what the answer to our own write has told."""
        version = meta.get("resourceVersion", "")
        if not self.store.has_heard(meta.get("uid", ""), version):
            return False
        self._note(version)
        return True

    def _note(self, version: str) -> None:
        if version.isdigit():
            self.newest = max(self.newest, int(version))

    def replace(self, plural: str, bodies: Sequence[Body], version: str) -> None:
        """Take a full list: what it lacks is gone."""
        views = [view for view in (read(plural, body) for body in bodies) if view is not None]
        self.store.replace(self.store.table(PARSERS[plural][0]), views, version)
        self.bell.ring()


def read(plural: str, body: Body) -> View | None:
    """Return the view of a body; one that no schema of ours would have let in is named in the log and left alone."""
    try:
        return PARSERS[plural][1](body)
    except Exception as error:
        meta = body.get("metadata") or {}
        log.error("object cannot be read", kind=plural, name=meta.get("name"), error=_words(error))
        return None


def _words(error: Exception) -> str:
    """Say what is wrong and where; of other errors only their kind, for their words may quote what is secret."""
    return str(error)[:300] if isinstance(error, msgspec.ValidationError) else type(error).__name__


class Table(Generic[Raw]):
    """The sink of one of our own watches: its objects become views of one kind."""

    def __init__(
        self,
        ingest: Ingest,
        view: Callable[[Raw], View | None],
        known: Callable[[], list[View]],
        heard: Callable[[Raw], bool] = lambda _: False,
    ) -> None:
        self._heard = heard  # what a change tells is known already, from the answer to our own write
        self._store = ingest.store
        self._bell = ingest.bell
        self._view = view
        self._known = known  # the views of the store that this watch brings: a full list removes only those

    def replace(self, items: Sequence[Raw], version: str) -> None:
        """Take a full list."""
        views = [view for view in map(self._read, items) if view is not None]
        self._store.replace(self._known(), views, version)
        self._bell.ring()

    def apply(self, change: Literal["ADDED", "MODIFIED", "DELETED"], item: Raw) -> None:
        """Take one change."""
        if change != "DELETED" and self._heard(item):
            return
        view = self._read(item)
        if view is None:
            return
        if change == "DELETED":
            self._store.remove(view)
        else:
            self._store.apply(view)
        self._bell.ring()

    def _read(self, item: Raw) -> View | None:
        """Return the view of an object; one that brings out a defect of ours must not end the watch of all others."""
        try:
            return self._view(item)
        except Exception as error:
            log.error("object cannot be read", error=type(error).__name__)
            return None
