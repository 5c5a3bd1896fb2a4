"""What only pretends to be ours is somebody else's: it ends no job, holds nothing, and has no say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.plan import Record, Remove, Start, Stop
from batchyard.world import parse
from batchyard.world.schedules import schedule
from builders import (
    NOW,
    consumable,
    decided,
    definition,
    job,
    job_body,
    metadata,
    namespace,
    newer,
    of,
    owned_by,
    pool_of,
    queue,
    raw_pod,
    started,
    store,
    template,
)

Body = dict[str, Any]


def forged(name: str = "job-1", space: str = "default", owner: Any = None, **marks: str) -> Any:
    """A pod that has succeeded and that somebody has given our labels and annotations."""
    labels = {names.JOB_UID: "uid-job", names.ATTEMPT: "1", names.QUEUE: "default", names.ENVIRONMENT: "pool"}
    notes = {names.CONSUMABLES: '{"licence": 5}', names.GANG: '{"0": "n1"}', names.SHARE: "a", **marks}
    meta = metadata(name, namespace=space, labels=labels, annotations=notes)
    if owner is not None:
        meta["ownerReferences"] = owner
    end = {"exitCode": 0, "finishedAt": parse.rfc3339(NOW)}
    status = {"phase": "Succeeded", "containerStatuses": [{"name": "main", "state": {"terminated": end}}]}
    return raw_pod({"metadata": meta, "spec": {**template()["spec"], "nodeName": "n1"}, "status": status})


OTHERS = [
    {"owner": None},
    {"owner": owned_by("uid-other")},
    {"owner": [{**owned_by("uid-job")[0], "controller": False}]},
    {"owner": [{**owned_by("uid-job")[0], "apiVersion": "batch/v1"}]},
    {"owner": [{**owned_by("uid-job")[0], "kind": "JobSchedule"}]},
    {"owner": owned_by("uid-job"), "space": "elsewhere"},
    {"owner": owned_by("uid-job"), "name": "decoy-1"},
]


@pytest.mark.parametrize("pretence", OTHERS, ids=lambda p: json.dumps(p)[:60])
@pytest.mark.parametrize("before", [True, False], ids=["seen before its job", "seen after"])
def test_a_pod_that_is_not_its_jobs_counts_for_nothing(pretence: Body, before: bool) -> None:
    pod, victim = forged(**pretence), job(consumables=[{"name": "licence", "quantity": 5}])
    scene = [*pool_of("n1"), consumable("licence", 5), namespace()]
    world = store(*scene, *((pod, victim) if before else (victim, pod)))
    plan = decide(world, NOW)
    assert started(plan) == [("job-1", "n1")], "the job runs, and all that it needs is free"
    assert of(plan, Record) == [], "it has not succeeded"
    assert [*of(plan, Remove), *of(plan, Stop)] == [], "the stranger is left alone"


def test_the_real_one_counts() -> None:
    plan = decide(store(*pool_of("n1"), job(), forged(owner=owned_by("uid-job"))), NOW)
    assert next(r for r in of(plan, Record)).status["phase"] == "Succeeded"


def test_a_live_stranger_takes_room_and_is_never_removed_as_a_stray() -> None:
    body = forged(owner=None)
    live = newer(body, phase="Running", containers=())
    done = job(status={"phase": "Succeeded", "stoppedAt": parse.rfc3339(NOW)})
    world = store(*pool_of("n1"), done, live)
    assert world.used["n1"].cpu == 1000
    assert [*of(decide(world, NOW), Remove)] == []


@pytest.mark.parametrize("size", [None, 3])
def test_a_child_that_the_array_does_not_have_is_nobodys(size: int | None) -> None:
    spec = {"array": {"size": size}} if size else {}
    labels = {names.JOB_UID: "uid-job", names.ATTEMPT: "1", names.ARRAY_INDEX: "99999999"}
    meta = metadata("job-99999999-1", namespace="default", labels=labels, ownerReferences=owned_by("uid-job"))
    pod = raw_pod({"metadata": meta, "spec": template()["spec"], "status": {"phase": "Succeeded"}})
    world = store(*pool_of("n1"), job(**spec), pod)
    decide(world, NOW)
    assert not world.pods_of.get("uid-job")


@pytest.mark.parametrize("text", ["²", "9" * 5000, "-1", "1e9", " 1", "٣", "", "NaN"])
@pytest.mark.parametrize("mark", [names.TIMEOUT, names.CONSUMABLES, names.GANG, names.STOP, names.ESSENTIAL])
def test_an_annotation_that_says_nonsense_says_nothing(text: str, mark: str) -> None:
    pod = forged(owner=owned_by("uid-job"), **{mark: text})
    decide(store(*pool_of("n1"), consumable("licence", 5), job(), pod), NOW)


@pytest.mark.parametrize(
    "order",
    [{"reason": "Terminated", "message": "", "at": 1e300}, {"reason": "Terminated", "message": "", "at": -5},
     {"reason": "x" * 9000, "message": "", "at": 1}, {"reason": 'a"}b', "message": "", "at": 1}],
)  # fmt: skip
def test_a_stop_order_that_we_never_wrote_is_none(order: Body) -> None:
    assert forged(owner=owned_by("uid-job"), **{names.STOP: json.dumps(order)}).stop is None


def test_nobody_gives_back_more_of_a_resource_than_there_is() -> None:
    assert forged(owner=owned_by("uid-job"), **{names.CONSUMABLES: '{"licence": -7, "b": 2}'}).consumables == {"b": 2}


# Revisions


def kept(name: str, space: str = "default", number: int = 1, owner: Any = None, **data: Any) -> Body:
    labels, notes = {names.DEFINITION_UID: "uid-render"}, {names.DEFINITION: "render"}
    meta = metadata(name, namespace=space, labels=labels, annotations=notes, ownerReferences=owner)
    return {"metadata": meta, "revision": number, "data": {"template": template(), **data}}


MINE = owned_by("uid-render", "JobDefinition")
REAL = "render-uid-rend-1"


def test_a_kept_revision_is_read() -> None:
    assert parse.revision(kept(REAL, owner=MINE)) is not None


@pytest.mark.parametrize(
    "body",
    [
        kept("another", owner=MINE),
        kept(REAL, owner=None),
        kept(REAL, owner=owned_by("uid-x", "JobDefinition")),
        kept(REAL, number=2, owner=MINE),
        kept(REAL, owner=MINE, template={"spec": {**template()["spec"], "nodeName": "control-plane"}}),
        kept(REAL, owner=MINE, template={"spec": {"containers": "all"}}),
    ],
    ids=["name", "no owner", "owner", "number", "nodeName", "damaged"],
)
def test_a_revision_that_somebody_else_wrote_is_not_read(body: Body) -> None:
    assert parse.revision(body) is None


def test_a_revision_of_another_namespace_is_not_run() -> None:
    theirs = parse.revision(kept(REAL, "elsewhere", owner=MINE, template=template(image="evil")))
    assert theirs is not None
    mine = definition()
    world = store(*pool_of("n1"), namespace(), mine, theirs, job(definition={"name": "render"}))
    assert of(decide(world, NOW), Start) == []
    assert world.revisions.keys() == {("elsewhere", "uid-render", 1)}


# Jobs that say they are a schedule's


def _schedule(space: str = "default") -> Any:
    spec = {"schedule": "rate(1 minute)", "concurrencyPolicy": "Forbid", "successfulJobsHistoryLimit": 0,
            "jobTemplate": {"spec": {"queue": "default", "template": template()}}}  # fmt: skip
    return schedule({"metadata": metadata("nightly", namespace=space), "spec": spec})


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("space", "name"), [("elsewhere", "nightly-99999999"), ("default", "other-99999999")])
def test_a_job_that_only_says_so_is_not_of_the_schedule(space: str, name: str, before: bool) -> None:
    meta = {"namespace": space, "ownerReferences": owned_by("uid-nightly", "JobSchedule")}
    poser = parse.job(job_body(name, meta=meta))
    world = store(*((poser, _schedule()) if before else (_schedule(), poser)))
    assert world.jobs_of_schedule("uid-nightly") == []
    assert "uid-nightly" not in world.fired, "it still fires"


# Queues


@pytest.mark.parametrize("operator", ["NotIn", "DoesNotExist"])
def test_a_namespace_of_which_nothing_is_known_may_not_use_a_queue_that_is_not_everybodys(operator: str) -> None:
    values = {"values": ["prod"]} if operator == "NotIn" else {}
    selector = {"matchExpressions": [{"key": "team", "operator": operator, **values}]}
    closed = queue("closed", selector=selector)
    assert started(decided(*pool_of("n1"), closed, job(queue="closed"))) == []
    assert started(decided(*pool_of("n1"), closed, namespace(), job(queue="closed"))) == [("job-1", "n1")]


# Templates


def test_what_a_template_says_in_our_name_is_left_out() -> None:
    ours = {names.JOB_UID: "uid-other", names.STOP: "{}", names.CONSUMABLES: '{"licence": -5}', names.GANG: "{}",
            names.TIMEOUT: "1", names.ESSENTIAL: "x", names.SCHEDULE: "s", "batchyard.dev/anything": "x"}  # fmt: skip
    spec = {**template()["spec"], "nodeName": "control-plane", "schedulingGates": [{"name": "x"}]}
    labelled = {"metadata": {"labels": {**ours, "app": "x"}, "annotations": {**ours, "note": "y"}}, "spec": spec}
    (start,) = of(decided(*pool_of("n1"), job(template=labelled)), Start)
    meta = start.manifest["metadata"]
    assert meta["annotations"] == {"note": "y"}
    assert meta["labels"] == {
        "app": "x", names.JOB_UID: "uid-job", names.JOB_NAME: "job", names.QUEUE: "default", names.ATTEMPT: "1",
        names.ENVIRONMENT: "pool",
    }  # fmt: skip
    assert start.manifest["spec"]["nodeName"] == "n1"
    assert "schedulingGates" not in start.manifest["spec"]


def test_a_node_name_never_comes_from_a_template_where_kube_scheduler_places() -> None:
    claim = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}], "nodeName": "control-plane"}
    (start,) = of(decided(*pool_of("n1"), job(template=template(**claim))), Start)
    assert "nodeName" not in start.manifest["spec"]


def test_parameters_cannot_blow_a_template_up() -> None:
    bomb = template()
    bomb["spec"]["containers"][0]["args"] = ["Ref::x " * 1000] * 1000
    world = store(*pool_of("n1"), namespace(), mine := definition(parameters={"x": {"type": "String"}}))
    world.apply(
        parse.revision({**kept(REAL, owner=MINE), "data": {"template": bomb, "parameters": {"x": {"type": "String"}}}})
    )
    assert mine.uid == "uid-render"
    world.apply(job(definition={"name": "render"}, parameters={"x": "y" * 100_000}))
    (told,) = [r.status for r in of(decide(world, NOW + 2), Record)]
    assert (told["phase"], told["reason"]) == ("Failed", "InvalidParameters")
    assert "spec.parameters.x: " in told["message"]
    assert "more than 1 MiB" in told["message"]
