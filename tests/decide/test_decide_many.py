"""What very many waiting jobs cost: alike ones share what is concluded of them, and nothing old stays behind."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

import msgspec
import pytest

from batchyard.decide import decide
from batchyard.decide.cycle import Ask, Standing
from batchyard.decide.resolve import resolve
from batchyard.decide.settle import judge
from batchyard.model.plan import Record, Start
from batchyard.model.resources import Resources
from batchyard.world import parse
from batchyard.world.store import Store
from builders import (
    NOW,
    RUNS,
    attempt,
    definition,
    job,
    job_body,
    namespace,
    newer,
    of,
    pod,
    pool_of,
    queue,
    revision,
    store,
    template,
    valid,
)

MANY = 1000
BYTES = 2000  # of a waiting job in all tables; the aim is 3 KiB of the whole operator


def full_house(*jobs: Any) -> Store:
    """Return a store with one node without room."""
    holder = job("holder", {"phase": "Running"})
    held = pod(holder, requests=Resources(cpu=8000, memory=2**30, pods=1), **RUNS)
    return store(namespace(), *pool_of("n1", max_vcpus=8), holder, held, *jobs)


def crowd(count: int = 10, **spec: Any) -> list[Any]:
    return [job(f"j{number:04d}", **spec) for number in range(count)]


def asks(known: Store) -> list[Ask]:
    return [ask for standing in known.memo.values() for ask in standing.asks]


def test_jobs_of_one_spec_share_everything_but_their_places() -> None:
    known = full_house(*crowd())
    decide(known, NOW)
    lined_up = asks(known)
    assert len(lined_up) == 10
    for part in ("needs", "template", "taste", "line"):
        assert len({id(getattr(ask, part)) for ask in lined_up}) == 1, part
    assert len({id(ask.standing.effective) for ask in lined_up}) == 1


def test_jobs_of_one_revision_share_what_it_says() -> None:
    given = definition(status=valid())
    jobs = crowd(definition={"name": "render"}, parameters={})
    known = full_house(given, revision(given), *jobs)
    assert resolve(known, jobs[0]) is resolve(known, jobs[1])


def test_jobs_of_different_parameters_keep_no_template_of_their_own() -> None:
    ref = template()
    ref["spec"]["containers"][0]["args"] = ["--frame=Ref::frame"]
    given = definition(status=valid(), template=ref, parameters={"frame": {"type": "Integer"}})
    jobs = [job(f"j{frame}", definition={"name": "render"}, parameters={"frame": frame}) for frame in range(2)]
    known = full_house(given, revision(given, template=ref, parameters={"frame": {"type": "Integer"}}), *jobs)
    decide(known, NOW)
    found = [ask for ask in asks(known) if ask.job in jobs]
    assert [ask.template["spec"]["containers"][0]["args"] for ask in found] == [["--frame=0"], ["--frame=1"]]
    assert found[0].template is not found[0].template
    assert found[0].needs is found[1].needs


def test_a_template_that_asks_for_no_quantity_fails_when_the_job_is_due_and_not_before() -> None:
    wrong = template(cpu="much")
    waits = {"dependsOn": [{"job": "holder", "when": "Finished"}]}
    known = full_house(job("now", template=wrong), job("later", template=wrong, **waits))
    decide(known, NOW)
    assert known.memo["uid-now"].reason == "InvalidTemplate"
    assert known.memo["uid-later"].reason == "WaitingForDependencies"


def test_another_revision_is_another_matter() -> None:
    first, second = definition(status=valid()), definition(generation=2, status=valid(2))
    changed = revision(second, template=template(cpu="2"))
    jobs = [job(f"j{number}", definition={"name": "render", "revision": number}) for number in (1, 2)]
    known = full_house(second, revision(first), changed, *jobs)
    found = [resolve(known, each) for each in jobs]
    assert [each.revision for each in found] == [1, 2]
    assert found[0].template != found[1].template


def test_a_job_that_failed_shares_no_taste_with_those_that_did_not() -> None:
    status = {"phase": "Runnable", "attempts": [attempt(reason="NodeLost", counted=False)]}
    known = full_house(*crowd(2), job("again", status))
    decide(known, NOW)
    tastes = {ask.job.name: ask.taste for ask in asks(known)}
    assert tastes["again"].avoid == {"n1"}
    assert not tastes["j0000"].avoid


def test_a_start_changes_nothing_of_what_is_shared() -> None:
    jobs = crowd(4, template=template(cpu="2"))
    said = msgspec.json.encode(jobs[0].spec)
    plan = decide(store(namespace(), *pool_of("n1"), *jobs), NOW)
    assert len(of(plan, Start)) == 4
    assert msgspec.json.encode(jobs[0].spec) == said
    assert len({json.dumps(start.manifest["spec"], sort_keys=True) for start in of(plan, Start)}) > 1


def standings() -> int:
    return sum(isinstance(thing, (Standing, Ask)) for thing in gc.get_objects())


@pytest.fixture
def no_collector() -> Any:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_conclusion_that_is_overtaken_is_gone_without_the_collector(no_collector: Any) -> None:
    jobs = crowd(20)
    known = full_house(*jobs)
    before = standings()
    for step in range(5):
        decide(known, NOW + step)
        for each in jobs:
            known.apply(newer(each))
    decide(known, NOW + 5)
    assert standings() - before <= 2 * len(jobs) + 1


def test_when_everything_is_concluded_anew_the_old_is_gone_too(no_collector: Any) -> None:
    known = full_house(*crowd(20))
    before = standings()
    for step in range(5):
        decide(known, NOW + step)
        known.apply(queue(priority=step, generation=step + 2))
    assert not known.memo
    assert standings() <= before


def waiting_for_long(count: int) -> Store:
    """Return a store of jobs that came by and by as the API server tells of them, and were told why they wait."""
    known, now = full_house(), NOW
    for first in range(0, count, 100):
        now += 1
        for body in _bodies(first, min(first + 100, count)):
            known.apply(parse.job(json.loads(json.dumps(body))))
        _told(known, now)
    for _ in range(20):
        now += 4
        _told(known, now)
    return known


def _bodies(first: int, last: int) -> list[dict[str, Any]]:
    uid = "c4bd43f2-8d2b-4f0e-9a51-{:012d}"
    return [job_body(f"job-{n}", meta={"uid": uid.format(n), "resourceVersion": str(n)}) for n in range(first, last)]


def _told(known: Store, now: float) -> None:
    plan = decide(known, now)
    known.noted.update(plan.notes)
    known.front = plan.front
    for record in of(plan, Record):
        view = known.jobs[record.job]
        meta = {"uid": view.uid, "resourceVersion": str(int(view.version) + 10**6)}
        body = job_body(view.name, _present(record.status), meta, template=view.spec.template)
        known.apply(parse.job(json.loads(json.dumps(body))))


def _present(status: Any) -> Any:
    """Return what the API server keeps of a status: what is null is absent."""
    if not isinstance(status, dict):
        return status
    return {name: _present(value) for name, value in status.items() if value is not None}


def test_a_waiting_job_costs_less_than_two_kilobytes() -> None:
    waiting_for_long(10)  # what is there once
    gc.collect()
    tracemalloc.start()
    known = waiting_for_long(MANY)
    gc.collect()
    spent = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert sum(view.status.reason == "AtMaxVCpus" for view in known.jobs.values()) == MANY
    assert spent / MANY < BYTES


def test_judging_ahead_takes_them_in_parts_and_changes_no_decision() -> None:
    known, other = full_house(*crowd(10)), full_house(*crowd(10))
    assert [judge(known, NOW, 4) for _ in range(3)] == [True, False, False]  # the holder is the eleventh
    assert len(known.memo.dropped) <= 4
    assert decide(known, NOW) == decide(other, NOW)
    assert not judge(known, NOW, 4)


def test_what_comes_while_they_are_judged_is_judged_too() -> None:
    known = full_house(*crowd(10))
    judge(known, NOW, 4)
    known.apply(job("late"))
    known.remove(known.jobs["uid-j0001"])
    while judge(known, NOW, 1):
        pass
    decide(known, NOW)
    assert {standing.job.name for standing in known.memo.values()} == {j.name for j in known.jobs.values()}


def test_when_all_must_be_judged_anew_they_are_taken_in_parts_again() -> None:
    known = full_house(*crowd(10))
    decide(known, NOW)
    known.memo.clear()
    assert judge(known, NOW, 4)


def test_of_very_many_that_changed_some_are_looked_at_in_each_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchyard.decide.examine.MOST", 4)
    known, told, rounds = full_house(*crowd(120)), set(), 0
    plan = None
    while plan is None or plan.wake == NOW:
        plan, rounds = decide(known, NOW), rounds + 1
        told |= plan.notes.keys()
        known.noted.update(plan.notes)
    assert len(told) == 120
    assert 4 <= rounds < 60
