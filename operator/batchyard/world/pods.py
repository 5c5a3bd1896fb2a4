"""From a pod's JSON to its view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from batchyard.model import labels as names
from batchyard.world.parse import LAST, MOST_UNITS, moment
from batchyard.world.raw import Condition, ContainerStatus, Meta, PodSpec, RawPod, State, Waiting, common
from batchyard.world.requests import requests
from batchyard.world.views import Container, Job, Pod, StopOrder

V = TypeVar("V")
_DIGITS = 12  # of a number in a label or an annotation: no attempt, index or timeout has more


def pod(raw: RawPod) -> Pod:
    """Return the view of a pod."""
    meta, spec, status = raw.metadata, raw.spec, raw.status
    labels = meta.labels or {}
    owned = _is_owned(meta, labels.get(names.JOB_UID, ""))
    conditions = {condition.type: condition for condition in status.conditions or ()}
    disrupted = conditions.get("DisruptionTarget")
    scheduled = conditions.get("PodScheduled")
    return Pod(
        **common(meta),
        namespace=meta.namespace,
        **(marks(labels, meta.annotations or {}) if owned else {"posing": names.JOB_UID in labels}),
        node=spec.node_name,
        requests=requests(spec),
        phase=status.phase or "Pending",
        reason=status.reason,
        message=status.message,
        acknowledged=moment(status.start_time),
        containers=(*_states(status.init_container_statuses, _sidecars(spec)), *_states(status.container_statuses)),
        stop=stop_order((meta.annotations or {}).get(names.STOP)) if owned else None,
        ip=status.pod_ip or "",
        **(_disrupted(disrupted) if disrupted and disrupted.status == "True" else {}),
        unschedulable=scheduled.message if scheduled and scheduled.status == "False" else "",
        grace=30 if spec.termination_grace_period_seconds is None else spec.termination_grace_period_seconds,
    )


def _disrupted(condition: Condition) -> dict[str, Any]:
    return {"disrupted": condition.reason, "disrupted_at": moment(condition.last_transition_time)}


def _is_owned(meta: Meta, job: str) -> bool:
    """Say whether a pod has not only our label but is controlled by the Job that the label names."""
    owner = next((owner for owner in meta.owner_references or () if owner.controller), None)
    if not job or owner is None:
        return False
    return owner.uid == job and owner.kind == "Job" and owner.api_version.startswith(f"{names.GROUP}/")


def is_of(job: Job, pod: Pod) -> bool:
    """Say whether a pod that names a job as its controller can be one that we made for it."""
    part = pod.index if pod.index is not None else pod.node_index
    if (pod.namespace, pod.name) != (job.namespace, names.pod_name(job.name, pod.attempt, part)):
        return False
    size = job.spec.array.size if job.spec.array else None
    return (pod.index is None) == (size is None) and (pod.index is None or size is None or pod.index < size)


def disowned(pod: Pod) -> Pod:
    """Return a pod that only pretends to be ours as what it is: somebody else's."""
    return msgspec.structs.replace(
        pod, job="", attempt=0, environment="", revision=None, queue="", share="", index=None, node_index=None,
        timeout=None, essential=(), consumables={}, gang={}, stop=None, posing=True,
    )  # fmt: skip


def marks(labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a pod's view that come from the labels and annotations that we put on it."""
    return {
        "job": labels.get(names.JOB_UID, ""),
        "attempt": _number(labels.get(names.ATTEMPT)) or 0,
        "environment": labels.get(names.ENVIRONMENT, ""),
        "revision": _number(labels.get(names.REVISION)),
        "queue": labels.get(names.QUEUE, ""),
        "share": annotations.get(names.SHARE) or labels.get(names.SHARE, ""),
        "index": _number(labels.get(names.ARRAY_INDEX)),
        "node_index": _number(labels.get(names.NODE_INDEX)),
        "timeout": _number(annotations.get(names.TIMEOUT)),
        "essential": tuple(filter(None, annotations.get(names.ESSENTIAL, "").split(","))),
        "consumables": _quantities(annotations.get(names.CONSUMABLES)),
        "gang": _table(annotations.get(names.GANG), dict[str, str]),
    }


def _table(text: str | None, type_: type[V]) -> V:
    try:
        return msgspec.json.decode(text, type=type_) if text else type_()
    except msgspec.DecodeError:
        return type_()


def _quantities(text: str | None) -> dict[str, int]:
    return {name: quantity for name, quantity in _table(text, dict[str, int]).items() if 0 < quantity <= MOST_UNITS**2}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def stop_order(text: str | None) -> StopOrder | None:
    """Return the stop order in a pod's annotation, None if there is none that can be read."""
    if not text:
        return None
    try:
        order = msgspec.json.decode(text, type=StopOrder)
    except msgspec.DecodeError:
        return None
    if order.until is not None and not 0 <= order.until < LAST:
        return None
    return order if 0 <= order.at < LAST and order.reason.isalpha() and len(order.reason) <= 64 else None


def _sidecars(spec: PodSpec) -> frozenset[str]:
    return frozenset(c.name for c in spec.init_containers or () if c.restart_policy == "Always")


def _states(statuses: list[ContainerStatus] | None, sidecars: frozenset[str] | None = None) -> list[Container]:
    """Return the states of init containers, of which those are sidecars; of main containers without `sidecars`."""
    init = sidecars is not None
    return [_container(status, init, status.name in (sidecars or ())) for status in statuses or ()]


def _container(status: ContainerStatus, init: bool, sidecar: bool) -> Container:
    state = status.state or State()
    if state.terminated:
        end = state.terminated  # a container that never started says that it started in 1970
        return Container(
            name=status.name, state="terminated", reason=end.reason, message=end.message, exit_code=end.exit_code,
            started=moment(end.started_at) or None, finished=moment(end.finished_at), init=init, sidecar=sidecar,
        )  # fmt: skip
    if state.running:
        started = moment(state.running.started_at)
        return Container(name=status.name, state="running", started=started, init=init, sidecar=sidecar)
    waiting = state.waiting or Waiting()
    return Container(name=status.name, reason=waiting.reason, message=waiting.message, init=init, sidecar=sidecar)
