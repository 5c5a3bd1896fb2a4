"""Carries out what a plan says of jobs."""

from __future__ import annotations

from typing import Any

import orjson
import structlog

from batchyard.engine.count import count
from batchyard.engine.hands import Hands, Write, claim, submit, tell
from batchyard.kube.paths import batchyard, core
from batchyard.kube.write import Outcome
from batchyard.model import plan as verbs
from batchyard.model.labels import OUTCOMES
from batchyard.model.plan import Lane
from batchyard.world.assume import assume_status
from batchyard.world.outcomes import CONFIGMAP

log = structlog.get_logger(__name__)


def record(hands: Hands, verb: verbs.Record, now: float) -> None:
    """Write a job's status."""
    job = hands.store.jobs[verb.job]
    count(job, verb)
    status = assume_status(hands.store, verb)

    def body() -> bytes:
        # At the time of sending: an earlier write of ours may have moved the version meanwhile.
        current = hands.store.jobs.get(verb.job, job)
        return orjson.dumps({"metadata": {"resourceVersion": current.version}, "status": verb.status})

    path = batchyard("batchjobs", job.namespace, job.name, "status")
    submit(
        hands, Write(("job", job.uid), verb.lane, "PATCH", path, body, lambda o: hands.answers.recorded(job, status, o))
    )


def forget(hands: Hands, verb: verbs.Forget, now: float) -> None:
    """Delete a job; its pods follow."""
    hands.store.forgetting(verb.uid, now)
    log.info("forget", job=f"{verb.namespace}/{verb.name}")
    body = {"preconditions": {"uid": verb.uid}, "propagationPolicy": "Background"}
    path = batchyard("batchjobs", verb.namespace, verb.name)
    submit(
        hands, Write(("job", verb.uid), Lane.Waiting, "DELETE", path, body, lambda o: hands.answers.forgotten(verb, o))
    )


def bury(hands: Hands, verb: verbs.Bury, now: float) -> None:
    """Write the tombstones of a namespace."""
    hands.store.burials[verb.namespace] = float("inf")  # until the answer is in
    name = CONFIGMAP + verb.namespace
    # With the namespace its tombstones go: the garbage collector sees to it.
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": verb.namespace, "uid": verb.owner}
    metadata: dict[str, Any] = {"name": name, "labels": {OUTCOMES: verb.namespace}, "ownerReferences": [owner]}
    body: dict[str, Any] = {"metadata": metadata, "data": verb.texts}
    method, path = "PATCH", core("configmaps", hands.namespace, name)
    if verb.anew:
        method, path = "POST", core("configmaps", hands.namespace)
        body["data"] = {name: text for name, text in verb.texts.items() if text is not None}
    key = ("outcomes", verb.namespace)
    submit(hands, Write(key, Lane.Waiting, method, path, body, lambda o: hands.answers.buried(verb, o, now)))


def submit_job(hands: Hands, verb: verbs.Submit, now: float) -> None:
    """Create the job of a schedule's fire."""
    meta = verb.manifest["metadata"]
    hands.store.submitting[verb.schedule] = verb.minute
    log.info("submit", job=f"{meta['namespace']}/{meta['name']}")
    path = batchyard("batchjobs", meta["namespace"])
    key = ("submit", verb.schedule)
    submit(hands, Write(key, Lane.Pods, "POST", path, verb.manifest, lambda o: submitted(hands, verb, o, now)))


def submitted(hands: Hands, verb: verbs.Submit, outcome: Outcome, now: float) -> None:
    """Take in how a submission ended, and post the event that tells of a refusal."""
    told = hands.answers.submissions.submitted(verb, outcome)
    if told is not None:
        tell(hands, told, now)


def terminate(hands: Hands, verb: verbs.Terminate, now: float) -> None:
    """Have a job end in favour of a later one of its schedule."""
    key = ("terminate", verb.uid)
    if not claim(hands, key, now):
        return
    log.info("terminate", job=f"{verb.namespace}/{verb.name}", reason=verb.reason)
    body = {"metadata": {"uid": verb.uid}, "spec": {"stop": {"mode": "Terminate", "reason": verb.reason}}}
    path = batchyard("batchjobs", verb.namespace, verb.name)
    submit(hands, Write(key, Lane.Pods, "PATCH", path, body, hands.answers.submissions.terminated))
