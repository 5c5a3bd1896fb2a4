"""How long the first job of a queue may wait for one reason."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.decide.overdue import limit_of
from batchyard.model.plan import Record, Tell
from batchyard.world.specs import TimeLimit
from batchyard.world.store import Store
from builders import NOW, environment, job, newer, of, pool_of, queue, status, store, template

GIANT = {"template": template("99")}


def limits(**seconds: int) -> tuple[TimeLimit, ...]:
    return tuple(TimeLimit(reason=reason, max_seconds=most) for reason, most in seconds.items())


def after(known: Store, seconds: float, step: float = 1.0) -> dict[str, Any]:
    """Let time pass; return the status writes of jobs that failed, as they are made, by name."""
    failed: dict[str, Any] = {}
    now = NOW
    while now <= NOW + seconds:
        plan = decide(known, now)
        known.noted.update(plan.notes)
        for record in of(plan, Record):
            view = known.jobs[record.job]
            kept = {k: v for k, v in record.status.items() if v is not None}
            known.apply(newer(view, status=job(status=kept).status))
            if record.status["phase"] == "Failed":
                failed[view.name] = {**record.status, "at": now - NOW}
        now += step
    return failed


def test_the_first_is_cancelled_after_its_time_with_the_words_of_aws() -> None:
    known = store(environment(), queue(limits=limits(JobTooLarge=60)), job(**GIANT))
    assert not after(known, 59)
    plan = decide(known, NOW + 60)
    said = status(plan)
    assert (said["phase"], said["reason"]) == ("Failed", "Cancelled")
    assert said["message"] == "Canceled by JobStateTimeLimit action due to reason: JobTooLarge"
    assert [tell.reason for tell in of(plan, Tell)] == ["Cancelled"]


def test_it_wakes_for_it() -> None:
    known = store(environment(), queue(limits=limits(JobTooLarge=7)), job(**GIANT))
    after(known, 6)
    assert decide(known, NOW + 6.5).wake == NOW + 7


def test_only_the_first_goes_and_the_next_has_all_its_time() -> None:
    jobs = [job(name, **GIANT) for name in "abc"]
    gone = after(store(environment(), queue(limits=limits(JobTooLarge=60)), *jobs), 130)
    assert {name: said["at"] for name, said in gone.items()} == {"a": 60, "b": 121}


@pytest.mark.parametrize("reason", ["NodesBusy", "InsufficientCapacity", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"])
def test_other_reasons_do_not_count(reason: str) -> None:
    known = store(environment(), queue(limits=limits(**{reason: 60})), job(**GIANT))
    assert not after(known, 100)


def test_the_time_begins_anew_when_the_reason_changes() -> None:
    known = store(environment(), queue(limits=limits(JobTooLarge=60)), job(**GIANT))
    after(known, 40)
    known.apply(newer(known.queues["default"], state="Held", generation=2))
    known.noted.update(decide(known, NOW + 41).notes)
    known.apply(newer(known.queues["default"], state="Enabled", generation=3))
    known.noted.update(decide(known, NOW + 42).notes)
    assert not of(decide(known, NOW + 100), Tell)
    assert of(decide(known, NOW + 102), Tell)


def test_a_restart_goes_on_where_the_record_is() -> None:
    known = store(environment(), queue(limits=limits(JobTooLarge=60)), job(**GIANT))
    after(known, 50)
    again = store(environment(), known.queues["default"], known.jobs["uid-job"])
    assert not of(decide(again, NOW + 59), Tell)
    assert of(decide(again, NOW + 60), Tell)


def test_one_that_was_not_first_on_record_has_its_time_from_the_restart_on() -> None:
    waiting = {"since": "2027-01-15T07:00:00Z", "position": 2}
    record = {"phase": "Runnable", "reason": "JobTooLarge", "waiting": waiting}
    known = store(environment(), queue(limits=limits(JobTooLarge=60)), job(status=record, **GIANT))
    known.noted.update(decide(known, NOW).notes)
    assert not of(decide(known, NOW + 59), Tell)
    assert of(decide(known, NOW + 60), Tell)


def test_a_held_queue_can_be_limited_too() -> None:
    known = store(*pool_of("n1"), queue(state="Held", limits=limits(QueueHeld=60)), job())
    assert set(after(known, 60)) == {"job"}


@pytest.mark.parametrize(
    ("spelling", "ours", "meant"),
    [
        ("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "InsufficientCapacity", True),
        ("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE", "JobTooLarge", True),
        ("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE", "AtMaxVCpus", False),
        ("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", "NoMatchingNode", True), ("JobTooLarge", "JobTooLarge", True),
        ("JobTooLarge", "NodesBusy", False),
    ],
)  # fmt: skip
def test_reasons_in_the_words_of_aws(spelling: str, ours: str, meant: bool) -> None:
    found = limit_of(queue(limits=(TimeLimit(reason=spelling, max_seconds=60),)), ours)
    assert (found is not None) is meant


def test_the_shortest_of_several_limits_counts() -> None:
    both = limits(JobTooLarge=90, **{"MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": 30})
    known = store(environment(), queue(limits=both), job(**GIANT))
    said = after(known, 40)["job"]
    assert said["message"].endswith("reason: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")
