"""A plan is counted in the store at once, before the API server has answered; a failed write takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from batchyard.model.plan import Record, Remove, Report, Start, Stop
from batchyard.world.pods import marks
from batchyard.world.raw import PodSpec
from batchyard.world.requests import requests
from batchyard.world.schedules import Schedule
from batchyard.world.store import Store
from batchyard.world.views import Consumable, Definition, Environment, JobStatus, Key, Pod, Policy, Queue, StopOrder


def assume_start(store: Store, verb: Start, now: float) -> Pod:
    """Count a pod that is being created; it has no uid until the API server answers."""
    meta, spec = verb.manifest["metadata"], verb.manifest["spec"]
    pod = Pod(
        name=meta["name"],
        namespace=meta["namespace"],
        created=now,
        node=spec.get("nodeName", ""),
        requests=requests(msgspec.convert(spec, PodSpec)),
        **marks(meta["labels"], meta.get("annotations") or {}),
    )
    store.apply_pod(pod)
    return pod


def assume_stop(store: Store, verb: Stop, now: float) -> tuple[Pod, StopOrder] | None:
    """Count a pod as told to stop; return it as it was, and the order."""
    pod = store.pods.get(Key(verb.namespace, verb.pod))
    if pod is None or pod.uid != verb.uid:
        return None
    order = StopOrder(reason=verb.reason, message=verb.message, at=now, until=verb.until)
    store.apply_pod(msgspec.structs.replace(pod, stopping=True, stop=order))
    return pod, order


def assume_remove(store: Store, verb: Remove, now: float) -> Pod | None:
    """Count a pod as being deleted; return it as it was."""
    pod = store.pods.get(Key(verb.namespace, verb.pod))
    if pod is None or pod.uid != verb.uid:
        return None
    order = StopOrder(reason=verb.reason, message=verb.message, at=now) if verb.reason else pod.stop
    if verb.reason and order:
        store.removals[pod.uid] = order
    store.apply_pod(msgspec.structs.replace(pod, removing=True, stop=order))
    return pod


def restore(store: Store, pod: Pod) -> None:
    """Take back what was assumed of a pod, unless the API server has said something newer meanwhile."""
    known = store.pods.get(Key(pod.namespace, pod.name))
    store.removals.pop(pod.uid, None)
    if known is not None and known.uid == pod.uid and known.version == pod.version:
        store.apply_pod(pod)


def assume_status(store: Store, verb: Record) -> JobStatus:
    """Count a job's status as written; return it, by which the end of the write is known again."""
    status = msgspec.convert(_present(verb.status), JobStatus)
    store.assume_status(verb.job, status)
    return status


def assume_report(store: Store, verb: Report, now: float) -> None:
    """Count the status of an environment, queue or definition as written."""
    view = reported(store, verb)
    if view is None or view.uid != verb.uid:
        return
    store.reported[verb.uid] = now
    if verb.version:
        return  # what must not be believed before it is written
    store.apply(msgspec.structs.replace(view, status=merged(view.status, verb.status)))


def reported(store: Store, verb: Report) -> Environment | Queue | Definition | Policy | Consumable | Schedule | None:
    """Return the object that a report is about."""
    match verb.plural:
        case "computeenvironments":
            return store.environments.get(verb.name)
        case "jobqueues":
            return store.queues.get(verb.name)
        case "schedulingpolicies":
            return store.policies.get(verb.name)
        case "consumableresources":
            return store.consumables.get(verb.name)
        case "jobschedules":
            return store.schedules.get(verb.uid)
    return store.definitions.get(Key(verb.namespace, verb.name))


def _present(status: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in status.items() if value is not None}


def merged(old: object, patch: object) -> Any:
    """Return what a JSON merge patch makes of a value (RFC 7386): None removes a key, mappings are merged."""
    if not isinstance(patch, Mapping):
        return patch
    both = dict(old) if isinstance(old, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            both.pop(name, None)
        else:
            both[name] = merged(both.get(name), value)
    return both
