"""Equal parts of jobs are one object, which lives as long as a job has it."""

from __future__ import annotations

import gc
from typing import Any

import msgspec
import pytest

from batchyard.world import parse
from batchyard.world.alike import Alike
from batchyard.world.specs import JobSpec
from batchyard.world.views import Job
from builders import job, job_body, template

WAITS = {"phase": "Runnable", "reason": "NodesBusy", "waiting": {"since": "2027-01-15T08:00:10Z"}}


def backwards(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in reversed(body)}


def test_equal_specs_are_one_object() -> None:
    body = job_body("b", retry={"attempts": 3}, priority=7)
    other = parse.job({**body, "spec": backwards(body["spec"])})
    assert job("a", retry={"attempts": 3}, priority=7).spec is other.spec


def test_specs_that_differ_somewhere_deep_are_not() -> None:
    one, other = job("a", template=template(cpu="1")), job("b", template=template(cpu="2"))
    assert one.spec is not other.spec
    assert (one.spec.template, other.spec.template) == (template(cpu="1"), template(cpu="2"))


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), ("1", 1), (None, "null")])
def test_what_python_takes_for_equal_is_not_alike(one: Any, other: Any) -> None:
    assert job("a", parameters={"n": one}).spec is not job("b", parameters={"n": other}).spec


def test_jobs_of_different_age_that_wait_alike_have_one_status() -> None:
    old, young = (job(name, {**WAITS, "createdAt": f"2027-01-15T08:00:0{name}Z"}) for name in "12")
    assert old.status is young.status
    assert old.status.reason == "NodesBusy"


def test_nothing_is_kept_of_jobs_that_are_gone() -> None:
    specs: Alike[JobSpec] = Alike(JobSpec)
    kept = [specs.of({"queue": str(number)}) for number in range(100)]
    assert len(specs) == 100
    assert specs.of({"queue": "7"}) is kept[7]
    kept = kept[:1]
    gc.collect()
    assert len(specs) == 1


def test_a_spec_that_cannot_be_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(msgspec.ValidationError, match=r"queue"):
            parse.job({**job_body(), "spec": {"template": template()}})


def test_a_shared_spec_is_told_from_its_copy_by_nothing_but_identity() -> None:
    one = job("a")
    twin = msgspec.json.decode(msgspec.json.encode(one), type=Job)
    assert twin == one
    assert twin.spec is not one.spec
