"""What comes in, from kopf and from our own watches, ends in the store; the bell is rung."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec
import structlog

from batchyard.engine.bell import Bell
from batchyard.engine.scope import Scope
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

    def __init__(self, store: Store, bell: Bell, scope: Scope | None = None) -> None:
        self.store = store
        self.bell = bell
        self.scope = scope or Scope()
        self.newest = 0  # the latest version of anything taken in

    def take(self, plural: str, change: str | None, body: Body) -> None:
        """Take one event; `change` None stands for an object of kopf's first or repeated list."""
        meta = body.get("metadata") or {}
        version = str(meta.get("resourceVersion", ""))
        if version.isdigit():
            self.newest = max(self.newest, int(version))
        if change != "DELETED" and self.knows(plural, str(meta.get("uid", "")), version):
            return
        view = self.view(plural, body)
        if view is None:
            return
        if change == "DELETED":
            self.store.remove(view)
        else:
            self.store.apply(view)
        self.bell.ring()

    def view(self, plural: str, body: Body) -> View | None:
        """Return the view of a body, as we may use it."""
        found = read(plural, body)
        return found if found is None else self.scope.seen(found)

    def knows(self, plural: str, uid: str, version: str) -> bool:
        """Say whether this very version of a job has been taken in: the answer to our own write comes first."""
        return plural == "batchjobs" and self.store.knows_job(uid, version)


class _Meta(msgspec.Struct, rename="camel", gc=False):
    uid: str = ""
    resource_version: str = ""


class _Marked(msgspec.Struct, gc=False):
    metadata: _Meta


class Listing:
    """A full list of one kind, taken page by page: of what is known already nothing but the version is read."""

    def __init__(self, ingest: Ingest, plural: str) -> None:
        self._ingest = ingest
        self._plural = plural
        self._seen: set[str] = set()

    def take(self, items: Iterable[msgspec.Raw]) -> None:
        """Take one page."""
        for item in items:
            meta = _MARKED.decode(item).metadata
            self._seen.add(meta.uid)
            if self._ingest.knows(self._plural, meta.uid, meta.resource_version):
                continue
            view = self._ingest.view(self._plural, msgspec.json.decode(item))
            if view is not None:
                self._ingest.store.apply(view)

    def end(self, version: str) -> None:
        """All pages are in: what they lack is gone."""
        store = self._ingest.store
        store.sweep(store.table(PARSERS[self._plural][0]), self._seen, version)
        self._ingest.bell.ring()


_MARKED = msgspec.json.Decoder(_Marked)


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
