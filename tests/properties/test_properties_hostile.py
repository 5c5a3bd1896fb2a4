"""Whatever a schema lets in, no decision fails, nobody else waits for it, and nothing is done in its name."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pydantic
import pytest
from hostile import bodies, schema_of, values
from hypothesis import given
from hypothesis import strategies as st

from batchyard.decide import decide
from batchyard.engine.ingest import PARSERS, read
from batchyard.model.api import ApiModel
from batchyard.model.jobstatus import JobStatus
from batchyard.model.kind import KINDS
from batchyard.model.plan import Plan, Record, Report, Start
from batchyard.world.assume import assume_report, assume_start, assume_status
from batchyard.world.store import Store
from builders import NOW, job, job_body, machine, metadata, namespace, node, of, pool_of, queue, store

_serial = itertools.count()
NAMED = ("default", "bad", "witness")
JOB = schema_of("batchjobs")["properties"]


def _scene() -> Store:
    """A healthy pool, and a job of somebody else's that can start at once."""
    witness = job("witness", meta={"namespace": "good"}, queue="good")
    good = queue("good", environments=("pool",), priority=100)
    return store(*pool_of("n1"), machine("n2"), node("n2"), good, namespace("good"), namespace("bad"), witness)


def _named(body: dict[str, Any], plural: str) -> dict[str, Any]:
    name = f"bad-{next(_serial)}" if plural in ("batchjobs", "jobdefinitions", "jobschedules") else "bad"
    return {"metadata": metadata(name, namespace="bad"), **body}


def _present(value: Any) -> Any:
    """Leave out what a merge patch removes."""
    if isinstance(value, dict):
        return {name: _present(inner) for name, inner in value.items() if inner is not None}
    return [_present(inner) for inner in value] if isinstance(value, list) else value


def _carry_out(world: Store, plan: Plan, now: float) -> None:
    """Send nothing, but do all that comes before: everything can be written as JSON, and fits its schema."""
    for verb in plan.verbs:
        match verb:
            case Start():
                orjson.dumps(verb.manifest)
                assume_start(world, verb, now)
            case Record():
                JobStatus.model_validate(_present(orjson.loads(orjson.dumps(verb.status))))
                assume_status(world, verb)
            case Report():
                orjson.dumps(verb.status)
                assume_report(world, verb, now)
            case _:
                repr(verb)


def _cycles(world: Store) -> list[Plan]:
    plans = []
    for later in (0.0, 3.0, 400.0):
        plans.append(decide(world, NOW + later))
        assert plans[-1].defects == [], "nothing is left to the net below"
        _carry_out(world, plans[-1], NOW + later)
    return plans


_SHAPE = {"name": "c8", "cpu": "8", "memory": "16Gi", "pricePerHour": "0.34"}
_PLAIN = {"spec": {"containers": [{"name": "main", "image": "x"}]}}
SOUND: dict[str, dict[str, Any]] = {
    "batchjobs": {"queue": "default", "template": _PLAIN},
    "jobdefinitions": {"template": _PLAIN},
    "jobschedules": {"schedule": "rate(1 minute)", "jobTemplate": {"spec": {"queue": "default", "template": _PLAIN}}},
    "jobqueues": {"computeEnvironments": ["pool"]},
    "computeenvironments": {"provider": {"simulated": {}}, "instanceTypes": [_SHAPE], "maxVCpus": 64},
    "consumableresources": {"total": 5},
    "schedulingpolicies": {"shares": [{"share": "a", "weight": "1"}]},
}
"""Of each kind a spec that is in order: fuzz in one field of it gets past the rules that tie fields together."""


def _lawful(model: type[ApiModel], value: dict[str, Any]) -> bool:
    """Say whether the rules in CEL, of which the models are the twins, let a spec or a status in."""
    try:
        model.model_validate(value)
    except pydantic.ValidationError:
        return False
    return True


def _lawful_part(model: type[ApiModel], drawn: dict[str, Any], sound: dict[str, Any]) -> dict[str, Any]:
    """Return what was drawn; if rules forbid that, sound fields where it has none, and fewer and fewer of its own."""
    ways = [drawn, *({**sound, **dict(list(drawn.items())[-count:])} for count in range(len(drawn), 0, -1)), sound]
    return next(way for way in ways if _lawful(model, way))


def _judge(*found: tuple[str, dict[str, Any]]) -> None:
    world = _scene()
    for plural, body in found:
        kind = next(kind for kind in KINDS if kind.plural == plural)
        spec = _lawful_part(kind.spec, body["spec"], SOUND[plural])
        status = _lawful_part(kind.status, body.get("status") or {}, {})
        view = read(plural, _named({"spec": spec, "status": status}, plural))
        assert view is not None, "what the schema lets in can be read"
        world.apply(view)
    first, *_ = _cycles(world)
    assert "uid-witness" in [start.job for start in of(first, Start)], "one bad object keeps nobody else waiting"


@given(st.lists(bodies("batchjobs", NAMED), min_size=1, max_size=1))
def test_any_job_that_the_schema_lets_in_is_judged(found: list[dict[str, Any]]) -> None:
    _judge(*(("batchjobs", body) for body in found))


@given(values(JOB["spec"]["properties"]["template"], "template", NAMED), st.booleans())
def test_any_template_is_judged(template: dict[str, Any], array: bool) -> None:
    spec = {"queue": "default", "template": template, **({"array": {"size": 3}} if array else {})}
    _judge(("batchjobs", {"spec": spec}))


@given(
    values(JOB["status"], "status", NAMED), st.sampled_from(({}, {"array": {"size": 4}}, {"dependsOn": [{"job": "x"}]}))
)
def test_any_status_that_a_user_writes_is_judged(status: dict[str, Any], more: dict[str, Any]) -> None:
    body = job_body(queue="default", **more)
    _judge(("batchjobs", {"spec": body["spec"], "status": status}))


@pytest.mark.parametrize("plural", sorted(PARSERS.keys() - {"batchjobs"}))
@given(data=st.data())
def test_any_object_of_the_other_kinds_is_judged(plural: str, data: st.DataObject) -> None:
    body = data.draw(bodies(plural, NAMED))
    user = job_body("user", meta={"namespace": "bad"}, queue="bad")
    _judge((plural, body), ("batchjobs", {"spec": user["spec"]}))
