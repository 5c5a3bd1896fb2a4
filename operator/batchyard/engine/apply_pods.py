"""Carries out what a plan says of pods."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import structlog

from batchyard.engine.hands import Hands, Write, claim, submit
from batchyard.engine.taken import First
from batchyard.kube.paths import core
from batchyard.kube.write import Kind, Outcome
from batchyard.model import plan as verbs
from batchyard.model.labels import ARRAY_CHUNK, DEADLINE, JOB_UID, STOP
from batchyard.model.plan import Lane
from batchyard.telemetry import metrics
from batchyard.world.assume import assume_remove, assume_start, assume_stop
from batchyard.world.store import Store
from batchyard.world.views import Pod, StopOrder

log = structlog.get_logger(__name__)

_STRICT = {"fieldValidation": "Strict"}  # a field that no Pod has is a mistake, not to be dropped in silence


def start(hands: Hands, verb: verbs.Start, now: float) -> None:
    """Create an attempt's pod, and before it the Service of a multi-node job and the claim of a checkpoint."""
    _judge_estimate(hands.store, verb.job, now)
    pod = assume_start(hands.store, verb, now)
    log.info("start", pod=f"{pod.namespace}/{pod.name}", attempt=verb.attempt, node=pod.node)
    then: Callable[[], None] = partial(_create_pod, hands, verb, pod)
    if verb.claim is not None:
        then = partial(_create_first, hands, First(verb, pod, "persistentvolumeclaims", verb.claim), then)
    if verb.service is not None:
        then = partial(_create_first, hands, First(verb, pod, "services", verb.service), then)
    then()


def _create_first(hands: Hands, first: First, then: Callable[[], None]) -> None:
    meta = first.body["metadata"]
    key, path = (first.plural, meta["namespace"], meta["name"]), core(first.plural, meta["namespace"])
    submit(hands, Write(key, Lane.Pods, "POST", path, first.body, lambda o: hands.answers.prepared(first, o, then)))


def _create_pod(hands: Hands, verb: verbs.Start, pod: Pod) -> None:
    key, path = ("pod", pod.namespace, pod.name), core("pods", pod.namespace)
    after = lambda o: hands.answers.started(verb, pod, o)  # noqa: E731
    submit(hands, Write(key, Lane.Pods, "POST", path, verb.manifest, after, _STRICT))


def _judge_estimate(store: Store, uid: str, now: float) -> None:
    estimate, job = store.estimates.pop(uid, None), store.jobs.get(uid)
    if estimate is not None and job is not None:
        metrics.start_estimated(job.spec.queue, now - estimate.p50, now <= estimate.p90)


def stop(hands: Hands, verb: verbs.Stop, now: float) -> None:
    """Tell a pod to stop: it ends as its grace period allows, and its object and log stay."""
    assumed = assume_stop(hands.store, verb, now)
    if assumed is None:
        return
    before, order = assumed
    log.info("stop", pod=f"{verb.namespace}/{verb.pod}", reason=verb.reason, message=verb.message)
    # The kubelet ends a pod whose deadline has passed with SIGTERM, grace and SIGKILL, and keeps its object and log.
    ends = {} if verb.patient else {"spec": {"activeDeadlineSeconds": 1}}
    body = {"metadata": {"uid": verb.uid, "annotations": _notes(order)}, **ends}
    path = core("pods", verb.namespace, verb.pod)
    key = ("pod", verb.namespace, verb.pod)
    submit(hands, Write(key, Lane.Pods, "PATCH", path, body, lambda o: hands.answers.told(before, o)))


def _notes(order: StopOrder) -> dict[str, str]:
    until = {} if order.until is None else {"until": order.until}
    note = orjson.dumps({"reason": order.reason, "message": order.message, "at": order.at, **until}).decode()
    return {STOP: note, **({DEADLINE: str(int(order.until))} if order.until is not None else {})}


def remove(hands: Hands, verb: verbs.Remove, now: float) -> None:
    """Delete a pod."""
    before = assume_remove(hands.store, verb, now)
    if before is None:
        return
    log.info("remove", pod=f"{verb.namespace}/{verb.pod}", grace=verb.grace)
    body: dict[str, Any] = {"preconditions": {"uid": verb.uid}}
    if verb.grace is not None:
        body["gracePeriodSeconds"] = verb.grace
    path = core("pods", verb.namespace, verb.pod)
    key = ("pod", verb.namespace, verb.pod)
    submit(hands, Write(key, Lane.Pods, "DELETE", path, body, lambda o: hands.answers.told(before, o)))


def purge(hands: Hands, verb: verbs.Purge, now: float) -> None:
    """Delete the finished pods of one chunk of an array."""
    if not claim(hands, ("purge", verb.job, verb.chunk, verb.succeeded), now):
        return
    gone = hands.store.purge(verb.job, (verb.chunk, verb.succeeded))
    log.info("purge", job=verb.job, chunk=verb.chunk, succeeded=verb.succeeded, pods=len(gone))
    params = {
        "labelSelector": f"{JOB_UID}={verb.job},{ARRAY_CHUNK}={verb.chunk}",
        "fieldSelector": f"status.phase={'Succeeded' if verb.succeeded else 'Failed'}",
    }

    def settled(outcome: Outcome) -> None:
        hands.store.purged(verb.job, (verb.chunk, verb.succeeded), {} if outcome.kind is Kind.DONE else gone)

    key, path = ("purge", verb.job, verb.chunk, verb.succeeded), core("pods", verb.namespace)
    submit(hands, Write(key, Lane.Waiting, "DELETE", path, None, settled, params))
