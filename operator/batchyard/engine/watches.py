"""Our own watches: pods of jobs, pods of others on nodes, nodes, namespaces, revisions, tombstones."""

from __future__ import annotations

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
from batchyard.world.views import Key, Namespace, Node, Revision

Raw = dict[str, Any]


def _version(body: Raw) -> str:
    return str(body["metadata"].get("resourceVersion", ""))


def watchers(session: Session, ingest: Ingest, relist: float, own: str) -> list[Watcher[Any]]:
    """Return the watchers of everything that does not come through kopf; `own` is the operator's namespace."""
    store, pace = ingest.store, Pace(relist_every=relist)
    ours: Target[RawPod] = Target(core("pods"), RawPod, label_selector=JOB_UID)
    # Foreign pods count only where they take room: bound to a node and not ended.
    foreign: Target[RawPod] = Target(
        core("pods"), RawPod, f"!{JOB_UID}", "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"
    )
    nodes: Target[RawNode] = Target(core("nodes"), RawNode)
    namespaces: Target[Raw] = Target(core("namespaces"), Raw, version=_version)
    revisions: Target[Raw] = Target(apps("controllerrevisions"), Raw, DEFINITION_UID, version=_version)
    kept: Target[Raw] = Target(core("configmaps", own), Raw, OUTCOMES, version=_version)

    def heard(raw: RawPod) -> bool:
        meta = raw.metadata
        return store.has_heard_pod(Key(meta.namespace, meta.name), meta.uid, meta.resource_version)

    return [
        Watcher(
            session,
            ours,
            Table(ingest, pod, lambda: [p for p in store.pods.values() if p.job or p.posing], heard),
            pace,
        ),
        Watcher(
            session,
            foreign,
            Table(ingest, pod, lambda: [p for p in store.pods.values() if not p.job and not p.posing]),
            pace,
        ),
        Watcher(session, nodes, Table(ingest, node, lambda: store.table(Node)), pace),
        Watcher(session, namespaces, Table(ingest, parse.namespace, lambda: store.table(Namespace)), pace),
        Watcher(session, revisions, Table(ingest, parse.revision, lambda: store.table(Revision)), pace),
        Watcher(session, kept, Table(ingest, outcomes, lambda: store.table(Outcomes)), pace),
    ]
