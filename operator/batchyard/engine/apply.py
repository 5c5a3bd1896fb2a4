"""Carries out a plan: each verb is assumed in the store, written once, and confirmed or taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from batchyard.engine.apply_jobs import bury, forget, record, submit_job, terminate
from batchyard.engine.apply_pods import purge, remove, start, stop
from batchyard.engine.hands import Hands, Write, claim, submit, tell
from batchyard.kube.paths import apps, batchyard, core
from batchyard.kube.write import Outcome
from batchyard.model import plan as verbs
from batchyard.model.labels import DEFINITION, DEFINITION_UID, GROUP, VERSION, revision_name
from batchyard.model.plan import Lane, Plan
from batchyard.telemetry import metrics
from batchyard.world.assume import assume_report

log = structlog.get_logger(__name__)


def apply(hands: Hands, plan: Plan, now: float) -> None:
    """Carry out a plan; nothing here waits."""
    hands.store.noted.update(plan.notes)
    hands.store.front = plan.front
    for verb in plan.verbs:
        metrics.verb_carried_out(type(verb).__name__)
        _CARRY_OUT[type(verb)](hands, verb, now)


def _launch(hands: Hands, verb: verbs.Launch, now: float) -> None:
    hands.fleet.launch(verb.order)


def _retire(hands: Hands, verb: verbs.Retire, now: float) -> None:
    hands.fleet.retire(verb)


def _unregister(hands: Hands, verb: verbs.Unregister, now: float) -> None:
    unregister(hands, verb.node, now)


def unregister(hands: Hands, node: str, now: float) -> None:
    """Delete a node object whose machine is gone; gone already is as good."""
    if claim(hands, ("node", node), now):
        log.info("unregister", node=node)
        submit(hands, Write(("node", node), Lane.Pods, "DELETE", core("nodes", name=node), None, lambda _: None))


def _keep(hands: Hands, verb: verbs.Keep, now: float) -> None:
    key = ("keep", verb.uid, verb.number)
    if not claim(hands, key, now):
        return
    body = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": revision_name(verb.definition, verb.uid, verb.number),
            "namespace": verb.namespace,
            "labels": {DEFINITION_UID: verb.uid},
            "annotations": {DEFINITION: verb.definition},
            "ownerReferences": [
                {"apiVersion": f"{GROUP}/{VERSION}", "kind": "JobDefinition", "name": verb.definition, "uid": verb.uid}
            ],
        },
        "revision": verb.number,
        "data": verb.spec,
    }
    path = apps("controllerrevisions", verb.namespace)
    submit(hands, Write(key, Lane.Pods, "POST", path, body, lambda o: hands.answers.kept(o)))


def _check(hands: Hands, verb: verbs.Check, now: float) -> None:
    key = ("check", verb.uid, verb.number)
    if not claim(hands, key, now):
        return
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    path = core("pods", verb.namespace)
    write = Write(key, Lane.Progress, "POST", path, verb.manifest, lambda o: checked(hands, verb, o, now), params)
    submit(hands, write)


def checked(hands: Hands, verb: verbs.Check, outcome: Outcome, now: float) -> None:
    """Write the API server's verdict on a definition."""
    found = hands.answers.verdict(verb, outcome, now)
    if found is not None:
        report(hands, found, now)
        hands.bell.ring()


def report(hands: Hands, verb: verbs.Report, now: float) -> None:
    """Write a status that is no job's."""
    assume_report(hands.store, verb, now)
    path = batchyard(verb.plural, verb.namespace, verb.name, "status")
    version = {"resourceVersion": verb.version} if verb.version else {}
    body = {"metadata": {"uid": verb.uid, **version}, "status": verb.status}
    key, lane = ("status", verb.uid), Lane.Pods if verb.version else Lane.Progress
    submit(hands, Write(key, lane, "PATCH", path, body, lambda o: hands.answers.reported(verb, o)))


def _hold(hands: Hands, verb: verbs.Hold, now: float) -> None:
    key = ("hold", verb.environment, verb.version)
    if not claim(hands, key, now):
        return
    body = {"metadata": {"resourceVersion": verb.version, "finalizers": list(verb.finalizers)}}
    path = batchyard("computeenvironments", "", verb.environment)
    submit(hands, Write(key, Lane.Pods, "PATCH", path, body, lambda o: hands.answers.held(verb, o)))


_CARRY_OUT: dict[type, Callable[[Hands, Any, float], None]] = {
    verbs.Start: start, verbs.Stop: stop, verbs.Remove: remove, verbs.Record: record, verbs.Forget: forget,
    verbs.Purge: purge,
    verbs.Submit: submit_job, verbs.Terminate: terminate,
    verbs.Launch: _launch, verbs.Retire: _retire, verbs.Unregister: _unregister, verbs.Keep: _keep,
    verbs.Bury: bury, verbs.Check: _check, verbs.Report: report, verbs.Hold: _hold, verbs.Tell: tell,
}  # fmt: skip
