"""Which queue takes a job."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model.plan import Record
from builders import (
    NOW,
    decided,
    environment,
    job,
    machine,
    namespace,
    node,
    of,
    pool_of,
    queue,
    started,
    status,
    store,
)

SELECTOR: dict[str, Any] = {"matchLabels": {"team": "a"}}


def scene(view: Any = None, *more: Any, **spec: Any) -> list[Any]:
    return [environment(), machine(), node(), *([view] if view else []), *more, job(**spec)]


def test_a_job_waits_for_its_queue_and_says_which_there_are() -> None:
    known = store(*scene(queue("other")))
    first = decide(known, NOW)
    assert not of(first, Record), "a reason is written once it has held"
    known.noted.update(first.notes)
    said = status(decide(known, NOW + 2))
    assert (said["phase"], said["reason"]) == ("Pending", "QueueNotFound")
    assert said["message"].startswith("JobQueue 'default' does not exist (there are: other)")


def test_it_starts_when_the_queue_appears_and_waits_again_when_it_goes() -> None:
    known = store(*scene())
    assert not started(decide(known, NOW))
    known.apply(queue())
    assert started(decide(known, NOW)) == [("job-1", "n1")]
    known.remove(queue())
    assert not started(decide(known, NOW))


@pytest.mark.parametrize(
    ("selector", "labels", "allowed"),
    [
        (None, {}, True), ({}, {}, True), (SELECTOR, {"team": "a"}, True), (SELECTOR, {"team": "b"}, False),
        (SELECTOR, {}, False),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, {"team": "b"}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, {}, True),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, {"team": "a"}, False),
    ],
)  # fmt: skip
def test_a_namespace_may_use_the_queue_that_selects_it(
    selector: dict[str, Any] | None, labels: dict[str, str], allowed: bool
) -> None:
    plan = decided(*scene(queue(selector=selector), namespace(**labels)))
    assert bool(started(plan)) is allowed


def test_a_namespace_that_is_let_in_later_starts_its_jobs() -> None:
    known = store(*scene(queue(selector=SELECTOR), namespace()))
    assert not started(decide(known, NOW))
    known.apply(namespace(team="a"))
    assert started(decide(known, NOW))


@pytest.mark.parametrize(
    ("phase", "reason", "goes"),
    [
        ("Submitted", None, False),
        ("Pending", "QueueDisabled", False),
        ("Runnable", None, True),
        ("Running", None, True),
    ],
)
def test_a_disabled_queue_refuses_new_jobs_and_finishes_those_it_has(
    phase: str, reason: str | None, goes: bool
) -> None:
    plan = decided(*scene(queue(state="Disabled"), status={"phase": phase, "reason": reason} if phase else None))
    assert bool(started(plan)) is goes


@pytest.mark.parametrize("fields", [{"invalid": "spec.x: no"}, {"deleting": NOW}])
def test_a_queue_that_cannot_be_used_holds_its_jobs(fields: dict[str, Any]) -> None:
    assert not started(decided(*scene(queue(**fields))))


def test_a_full_queue_says_so_and_starts_no_more() -> None:
    known = store(*pool_of("n1"), job("a"), job("b"), queue(max_running=1))
    plan = decide(known, NOW)
    assert started(plan) == [("a-1", "n1")]
    assert plan.notes["uid-b"].token == "Runnable/MaxRunningJobs"
