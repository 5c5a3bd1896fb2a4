"""Our own watches: pods of jobs, pods of others on nodes, nodes, namespaces, revisions, tombstones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchyard.engine.ingest import Ingest, Table
from batchyard.kube.paths import apps, core
from batchyard.kube.session import Session
from batchyard.kube.watch import Pace, Target, Watcher
from batchyard.model.labels import DEFINITION_UID, JOB_UID, OUTCOMES
from batchyard.world import parse
from batchyard.world.nodes import node
from batchyard.world.outcomes import Outcomes, outcomes
from batchyard.world.pods import pod
from batchyard.world.raw import RawNode, RawPod
from batchyard.world.store import Store
from batchyard.world.views import Key, Namespace, Node, Pod, Revision, View

Raw = dict[str, Any]


def _version(body: Raw) -> str:
    return str(body["metadata"].get("resourceVersion", ""))


def watchers(session: Session, ingest: Ingest, relist: float, own: str) -> list[Watcher[Any]]:
    """Return the watchers of everything that does not come through kopf; `own` is the operator's namespace."""
    pace, store = Pace(relist_every=relist), ingest.store
    nodes: Target[RawNode] = Target(core("nodes"), RawNode)
    kept: Target[Raw] = Target(core("configmaps", own), Raw, OUTCOMES, version=_version)
    inside = [watcher for place in ingest.scope.places for watcher in _inside(session, ingest, pace, place)]
    return [
        *inside,
        Watcher(session, nodes, Table(ingest, node, lambda: store.table(Node)), pace),
        Watcher(session, kept, Table(ingest, outcomes, lambda: store.table(Outcomes)), pace),
    ]


def _inside(session: Session, ingest: Ingest, pace: Pace, place: str) -> list[Watcher[Any]]:
    """Return the watchers of one namespace, or of all: pods of jobs and of others, revisions, the namespace itself."""
    store = ingest.store
    ours: Target[RawPod] = Target(core("pods", place), RawPod, label_selector=JOB_UID)
    # Foreign pods count only where they take room: bound to a node and not ended.
    foreign: Target[RawPod] = Target(
        core("pods", place), RawPod, f"!{JOB_UID}", "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"
    )
    itself = f"metadata.name={place}" if place else ""
    namespaces: Target[Raw] = Target(core("namespaces"), Raw, field_selector=itself, version=_version)
    revisions: Target[Raw] = Target(apps("controllerrevisions", place), Raw, DEFINITION_UID, version=_version)

    def heard(raw: RawPod) -> bool:
        meta = raw.metadata
        return store.has_heard_pod(Key(meta.namespace, meta.name), meta.uid, meta.resource_version)

    return [
        Watcher(session, ours, Table(ingest, pod, _pods(store, place, of_jobs=True), heard), pace),
        Watcher(session, foreign, Table(ingest, pod, _pods(store, place, of_jobs=False)), pace),
        Watcher(session, namespaces, Table(ingest, parse.namespace, _known(store, Namespace, "name", place)), pace),
        Watcher(session, revisions, Table(ingest, parse.revision, _known(store, Revision, "namespace", place)), pace),
    ]


def _pods(store: Store, place: str, *, of_jobs: bool) -> Callable[[], list[View]]:
    """Return how to ask for the pods that one watch brings."""

    def ours(found: Pod) -> bool:
        return bool(found.job or found.posing) is of_jobs and (not place or found.namespace == place)

    return lambda: [found for found in store.pods.values() if ours(found)]


def _known(store: Store, kind: type[View], field: str, place: str) -> Callable[[], list[View]]:
    """Return how to ask for the views of a kind that one watch brings; `field` says where they are."""
    return lambda: [view for view in store.table(kind) if not place or getattr(view, field) == place]
