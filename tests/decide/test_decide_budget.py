"""Budgets: what is counted as spent, what happens when all is, and what a restart knows of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.engine.measure import Measure
from batchyard.model.machine import Shape
from batchyard.model.plan import Launch, Plan, Report, Tell
from batchyard.model.resources import read
from batchyard.world.assume import assume_report
from batchyard.world.parse import rfc3339
from batchyard.world.specs import Budget
from batchyard.world.spending import PARTS, Spending
from batchyard.world.store import Store
from batchyard.world.views import Queue
from builders import (
    NOW,
    attempt,
    environment,
    exited,
    job,
    machine,
    newer,
    node,
    of,
    pod,
    queue,
    running,
    started,
    store,
    told,
)

DEAR = Shape("c8", read({"cpu": "8", "memory": "16Gi"}, pods=110), "28800", "14400")  # a vCPU costs $1 a second
OWN = ("default", "")
TIMEOUT = {"timeout": {"attemptDurationSeconds": 60}}


def budget(amount: str = "100", window: int = 600, action: str = "Hold", share: str = "") -> Budget:
    return Budget(amount=Decimal(amount), window_seconds=window, on_exceeded=action, share=share)


def runs(owner: str = "old", since: float = NOW, **fields: Any) -> Any:
    given: dict[str, Any] = {"phase": "Running", "containers": (running(since),), "queue": "default", "created": since}
    return pod(owner, **{**given, **fields})


def ends(known: Any, at: float, began: float = NOW, **fields: Any) -> Any:
    over = (exited(0, at, started=began),)
    return newer(known, **{"phase": "Succeeded", "containers": over, **fields})


def world(*things: Any, limit: Budget | None = None, **fields: Any) -> Store:
    """Return a store with a node of 8 vCPUs, and a queue with a budget."""
    ready = (environment(shapes=(DEAR,)), machine("n1", DEAR), node("n1", DEAR))
    return store(*ready, queue(budgets=(limit or budget(),), **fields), *things)


def go(known: Store, now: float) -> Plan:
    """Decide, and count as written what is told of queues."""
    plan = decide(known, now)
    for report in of(plan, Report):
        if report.plural == "jobqueues":
            assume_report(known, report, now)
    return plan


def said(known: Store) -> dict[str, Any]:
    found: dict[str, Any] = known.queues["default"].status["budget"]
    return found


def spent(known: Store, now: float) -> Decimal:
    go(known, now)
    return known.purse.spendings[OWN].spent()


def condition(known: Store) -> tuple[str, str]:
    (found,) = [c for c in known.queues["default"].status["conditions"] if c["type"] == "BudgetExceeded"]
    return found["status"], found["message"]


def events(plan: Plan) -> list[tuple[str, bool]]:
    return [(tell.reason, tell.warning) for tell in of(plan, Tell) if tell.kind == "JobQueue"]


class TestSpent:
    def test_what_runs_counts_second_by_second(self) -> None:
        known = world(job("old"), runs())
        assert [spent(known, NOW + s) for s in (0, 30, 30, 31.5)] == [0, 30, 30, Decimal("31.5")]

    def test_what_has_ended_counts_to_its_end_and_once_however_often_it_is_heard_of(self) -> None:
        known = world(job("old"), runs())
        go(known, NOW)
        done = ends(known.pods["default", "old-1"], NOW + 20)
        go(known, NOW + 25)
        for _ in range(2):
            known.apply(newer(done))
            assert spent(known, NOW + 26) == 20
        known.remove_job("uid-old")
        known.remove(newer(done))
        assert spent(known, NOW + 40) == 20

    def test_a_watch_that_repeats_itself_changes_nothing(self) -> None:
        known = world(job("old"), runs())
        go(known, NOW)
        live, done = known.pods["default", "old-1"], ends(known.pods["default", "old-1"], NOW + 20)
        known.apply(job("old", {"phase": "Succeeded"}))
        known.apply(done)
        go(known, NOW + 100)
        for _ in range(3):
            known.apply(live)
            go(known, NOW + 101)
            known.apply(done)
            assert spent(known, NOW + 101) == 20

    def test_a_start_and_an_end_that_are_heard_of_late_cost_what_they_did(self) -> None:
        waits = pod("old", queue="default")
        known = world(job("old"), waits)
        go(known, NOW)
        go(known, NOW + 50)
        known.apply(ends(waits, NOW + 20, NOW + 5))
        assert spent(known, NOW + 60) == 15

    def test_what_ran_less_than_a_second_costs_a_second_as_on_its_record(self) -> None:
        known = world(job("old"), runs())
        go(known, NOW)
        known.apply(ends(known.pods["default", "old-1"], NOW))
        assert spent(known, NOW + 9) == 1

    def test_a_lost_pod_costs_what_its_record_says(self) -> None:
        known = world(job("old"), runs())
        go(known, NOW)
        assert spent(known, NOW + 50) == 50
        known.remove(known.pods["default", "old-1"])
        assert spent(known, NOW + 51) == 1

    def test_what_the_window_has_left_behind_counts_no_more(self) -> None:
        known = world(job("old"), runs())
        go(known, NOW)
        known.apply(ends(known.pods["default", "old-1"], NOW + 30))
        seen = [spent(known, NOW + s) for s in (40, 599, 615, 644)]
        assert seen[:2] == [30, 30]
        assert 0 < seen[2] < 30
        assert seen[3] == 0

    def test_decisions_are_asked_for_as_money_leaves_and_no_sooner(self) -> None:
        known = world(job("old"), runs())
        go(known, NOW)
        known.apply(ends(known.pods["default", "old-1"], NOW + 30))
        known.remove_job("uid-old")
        now, wakes = NOW + 100, 0
        go(known, now)
        while (wake := go(known, now).wake) is not None and wakes < 20:
            now, wakes = wake, wakes + 1
        assert spent(known, now) == 0
        assert said(known)["spent"] == "0.000000"
        assert wakes <= 8

    def test_a_budget_counts_from_when_it_is_set(self) -> None:
        known = world(job("old"), runs())
        known.apply(queue(generation=2))
        go(known, NOW + 100)
        known.apply(queue(budgets=(budget(),), generation=3))
        assert spent(known, NOW + 100) == 0
        assert spent(known, NOW + 107) == 7
        known.apply(newer(known.queues["default"], budgets=()))
        go(known, NOW + 110)
        assert "budget" not in known.queues["default"].status

    def test_another_window_keeps_what_is_known(self) -> None:
        known = world(job("old"), runs())
        go(known, NOW)
        go(known, NOW + 40)
        for window in (86_400, 60, 300):
            known.apply(newer(known.queues["default"], budgets=(budget(window=window),)))
            assert spent(known, NOW + 40) == 40

    def test_nothing_is_kept_of_queues_without_a_budget(self) -> None:
        known = store(environment(), queue(), job("old"), runs())
        decide(known, NOW)
        known.apply(newer(runs()))
        assert known.purse.news == []


class TestCommitted:
    def test_a_timeout_is_promised_money_and_so_much_starts_as_is_left(self) -> None:
        known = world(*(job(name, **TIMEOUT) for name in "abc"))
        assert [name for name, _ in started(go(known, NOW))] == ["a-1", "b-1"]

    def test_what_runs_has_its_timeout_promised(self) -> None:
        known = world(job("old"), runs(timeout=60))
        go(known, NOW)
        assert (said(known)["spent"], said(known)["committed"]) == ("0.000000", "60.000000")
        till = known.purse.spendings[OWN]
        go(known, NOW + 20)
        assert (till.spent(), till.committed()) == (20, 40)
        go(known, NOW + 90)
        assert (till.spent(), till.committed()) == (90, 0)
        known.apply(ends(known.pods["default", "old-1"], NOW + 30))
        go(known, NOW + 91)
        assert (till.spent(), till.committed(), till.rate, till.awaited) == (30, 0, 0, 0)

    def test_of_what_is_known_to_last_the_usual_time_is(self) -> None:
        entry = attempt(1, "Completed", startedAt=rfc3339(NOW - 50), stoppedAt=rfc3339(NOW - 40), cost="10")
        past = job("past", {"phase": "Succeeded", "attempts": [entry]})
        known = world(past, *(job(f"j{n}", **TIMEOUT) for n in range(8)), limit=budget("25"))
        assert len(started(go(known, NOW))) == 3
        assert Decimal(said(known)["forecast"]) == 50

    def test_what_has_room_on_a_node_to_come_counts_too(self) -> None:
        known = store(
            environment(shapes=(DEAR,)), queue(budgets=(budget(),)), *(job(f"j{n}", **TIMEOUT) for n in range(20))
        )
        assert len(of(decide(known, NOW), Launch)) == 1


class TestHold:
    def test_nothing_starts_and_the_job_says_why_and_until_when(self) -> None:
        known = world(job("old"), runs(), limit=budget("50"))
        go(known, NOW)
        known.apply(ends(known.pods["default", "old-1"], NOW + 52))
        known.apply(job())
        assert started(go(known, NOW + 60)) == []
        said = told(known, now=NOW + 60)
        assert (said["phase"], said["reason"]) == ("Runnable", "BudgetExceeded")
        parts = known.purse.spendings[OWN].parts
        first = min(parts)
        assert said["message"] == (
            f"JobQueue 'default' has spent $52.00 of $50.00 within 10 min; ${parts[first]:.2f} come free at "
            f"{rfc3339(first + 600)}; raise its spec.budget.amount, or wait"
        )

    def test_it_goes_on_at_that_very_time(self) -> None:
        known = world(job("old"), runs(), limit=budget("50"))
        go(known, NOW)
        known.apply(ends(known.pods["default", "old-1"], NOW + 52))
        known.apply(job())
        go(known, NOW + 60)
        first = min(known.purse.spendings[OWN].parts)
        assert started(go(known, first + 599.9)) == []
        wake = go(known, first + 599.9).wake
        assert wake is not None
        assert wake <= first + 600
        assert [name for name, _ in started(go(known, first + 600))] == ["job-1"]

    def test_a_higher_amount_starts_them_at_once(self) -> None:
        known = world(job("old"), runs(), job("new"), limit=budget("50"))
        go(known, NOW + 50)
        known.apply(newer(known.queues["default"], budgets=(budget("51", window=600),)))
        go(known, NOW + 50)
        assert [name for name, _ in started(decide(known, NOW + 50))] == ["new-1"]

    def test_other_queues_go_on_and_no_node_is_launched_in_vain(self) -> None:
        things = [queue("other"), job("theirs", queue="other")]
        known = world(job("old"), runs(), job("big", template=None), *things, limit=budget("1"))
        go(known, NOW)
        plan = go(known, NOW + 5)
        assert of(plan, Launch) == []
        assert "theirs-1" in [name for name, _ in started(plan)]

    def test_an_array_starts_as_many_children_as_there_is_money_for(self) -> None:
        known = world(job("many", array={"size": 8}, **TIMEOUT), limit=budget("200"))
        assert len(started(go(known, NOW))) == 4


class TestOtherwise:
    def demand(self, action: str, **spec: Any) -> Store:
        spot = environment("spot", capacity_type="Spot", shapes=(DEAR,))
        ready = (machine("s1", DEAR, environment="spot"), node("s1", DEAR, env="spot"))
        known = world(
            spot, *ready, job("old"), runs(), limit=budget("10", action=action), environments=("pool", "spot")
        )
        go(known, NOW)
        known.apply(job("new", **spec))
        return known

    def test_spot_only(self) -> None:
        assert started(go(self.demand("SpotOnly"), NOW + 5)) == [("new-1", "n1")]
        assert started(go(self.demand("SpotOnly"), NOW + 15)) == [("new-1", "s1")]

    def test_who_insists_on_on_demand_waits_for_money(self) -> None:
        known = self.demand("SpotOnly", capacityType="OnDemand")
        assert started(go(known, NOW + 15)) == []
        said = told(known, "new", NOW + 15)
        assert said["reason"] == "BudgetExceeded"
        assert "'pool' is on-demand, and JobQueue 'default' has spent $17.00 of $10.00" in said["message"]

    def test_notify(self) -> None:
        known = self.demand("Notify")
        plan = go(known, NOW + 15)
        assert started(plan) == [("new-1", "n1")]
        assert events(plan) == [("BudgetExceeded", True)]


class TestShares:
    """Share a has spent $5, b nothing; each has a job that waits."""

    def tried(self, *limits: Budget, **fields: Any) -> Store:
        ready = (environment(shapes=(DEAR,)), machine("n1", DEAR), node("n1", DEAR))
        known = store(*ready, queue(budgets=limits, **fields), job("old", share="a1"), runs(share="a1"))
        go(known, NOW)
        known.apply(ends(known.pods["default", "old-1"], NOW + 5))
        known.apply(job("of-a", share="a1"))
        known.apply(job("of-b", share="b"))
        return known

    @pytest.mark.parametrize(
        ("limits", "starts"),
        [
            ([], ["of-a-1", "of-b-1"]),
            ([("5", "a1")], ["of-b-1"]),
            ([("5", "a*")], ["of-b-1"]),
            ([("6", "a1")], ["of-a-1", "of-b-1"]),
            ([("6", ""), ("5", "a1")], ["of-b-1"]),
            ([("5", ""), ("9", "a1")], []),
            ([("5", "*")], []),
            ([("1", "c*"), ("5", "b")], ["of-a-1", "of-b-1"]),
        ],
    )
    @pytest.mark.parametrize("strategy", ["Backfill", "StrictFIFO"])
    def test_who_has_money_starts_whoever_waits_before(
        self, limits: list[tuple[str, str]], starts: list[str], strategy: str
    ) -> None:
        known = self.tried(*(budget(amount, share=share) for amount, share in limits), strategy=strategy)
        assert [name for name, _ in started(go(known, NOW + 10))] == starts

    def test_the_job_says_whose_money_is_spent(self) -> None:
        known = self.tried(budget("5", share="a*"))
        said = told(known, "of-a", NOW + 10)
        assert said["reason"] == "BudgetExceeded"
        assert said["message"].startswith("share 'a*' of JobQueue 'default' has spent $5.00 of $5.00 within 10 min; ")
        assert said["message"].endswith("; raise its amount in spec.shareBudgets, or wait")

    def test_what_room_was_found_for_is_promised_by_both(self) -> None:
        known = world(*(job(f"j{n}", share="a", **TIMEOUT) for n in range(4)))
        known.apply(newer(known.queues["default"], budgets=(budget("500"), budget("100", share="a"))))
        assert len(started(go(known, NOW))) == 2

    def test_spot_only_holds_for_its_share_alone(self) -> None:
        known = self.tried(budget("5", action="SpotOnly", share="a1"))
        assert [name for name, _ in started(go(known, NOW + 10))] == ["of-b-1"]
        assert told(known, "of-a", NOW + 10)["reason"] == "BudgetExceeded"

    def test_the_status_tells_of_each_and_a_condition_of_those_that_are_spent(self) -> None:
        known = self.tried(budget("5", share="a*"), budget("5", share="b"))
        plan = go(known, NOW + 10)
        assert events(plan) == [("BudgetExceeded", True)]
        first, second = known.queues["default"].status["shareBudgets"]
        assert (first["share"], first["spent"], first["exceeded"]) == ("a*", "5.000000", True)
        assert (second["share"], second["spent"], second["exceeded"]) == ("b", "0.000000", False)
        assert "budget" not in known.queues["default"].status or known.queues["default"].status["budget"] is None
        conditions = {each["type"]: each for each in known.queues["default"].status["conditions"]}
        assert (
            conditions["ShareBudgetExceeded"]["message"]
            == "spent or committed is the budget of 'a*' (spec.shareBudgets)"
        )
        assert events(go(known, NOW + 11)) == []
        known.apply(newer(known.queues["default"], budgets=(budget("9", share="a*"), budget("5", share="b"))))
        assert events(go(known, NOW + 12)) == [("BudgetAvailable", False)]

    def test_what_has_not_changed_is_not_written_again(self) -> None:
        """The API server puts defaults into what it keeps: every field with one is to be told."""
        known = self.tried(budget("5", share="a*"), budget("5", share="b"))
        for moment in (NOW + 10, NOW + 20):
            go(known, moment)
        told = [report for report in of(decide(known, NOW + 21), Report) if report.plural == "jobqueues"]
        assert told == []
        assert all(isinstance(entry["exceeded"], bool) for entry in known.queues["default"].status["shareBudgets"])

    def test_a_restart_goes_on_where_the_status_left_off(self) -> None:
        known = self.tried(budget("5", share="a*"))
        go(known, NOW + 10)
        view = known.queues["default"]
        fresh = world(job("of-a", share="a1"))
        fresh.apply(newer(view, budgets=view.budgets))
        plan = go(fresh, NOW + 20)
        assert started(plan) == []
        assert events(plan) == []
        assert fresh.purse.spendings["default", "a*"].spent() == 5


class TestTelling:
    def test_the_condition_and_the_event_come_once_when_it_turns(self) -> None:
        known = world(job("old"), runs(), limit=budget("50"))
        plan = go(known, NOW)
        assert condition(known)[0] == "False"
        assert plan.wake is not None
        seen = []
        for seconds in (45, 50.1, 52, 55):
            seen += events(go(known, NOW + seconds))
        assert seen == [("BudgetExceeded", True)]
        assert condition(known)[0] == "True"
        assert condition(known)[1] == (
            "$50 within 10 min (spec.budget) are spent or committed; nothing more starts until money comes free, or "
            "spec.budget.amount is raised"
        )
        known.apply(ends(known.pods["default", "old-1"], NOW + 30))
        assert events(go(known, NOW + 57)) == [("BudgetAvailable", False)]

    def test_a_decision_is_asked_for_when_the_money_will_be_spent(self) -> None:
        known = world(job("old"), runs(), limit=budget("5"))
        go(known, NOW)
        wake = go(known, NOW + 1.5).wake
        assert wake is not None
        assert NOW + 5 <= wake < NOW + 5.1

    def test_numbers_are_told_every_ten_seconds_while_pods_come_and_go_else_every_minute(self) -> None:
        known = world(job("old"), runs(), limit=budget("5000", window=86_400))
        go(known, NOW)
        told_at = set()
        for second in range(1, 130):
            go(known, NOW + second)
            told_at.add(said(known)["updatedAt"])
        assert len(told_at) <= 4


class TestRestart:
    def again(self, known: Store, *things: Any) -> Store:
        """Return what another operator knows: pods in the API server and the status of the queue."""
        status = known.queues["default"].status
        fresh = queue(budgets=known.queues["default"].budgets, status=status)
        ready = (environment(shapes=(DEAR,)), machine("n1", DEAR), node("n1", DEAR))
        return store(*things, *ready, fresh)

    @pytest.mark.parametrize("first", ["pods first", "queue first"])
    def test_it_goes_on_where_the_status_left_off(self, first: str) -> None:
        known = world(job("old"), runs())
        go(known, NOW)
        go(known, NOW + 61)
        live = known.pods["default", "old-1"]
        new = self.again(known, job("old"), live) if first == "pods first" else self.again(known)
        if first == "queue first":
            new.apply(job("old"))
            new.apply(live)
        assert spent(new, NOW + 70) == 70
        new.apply(ends(live, NOW + 65))
        assert spent(new, NOW + 80) == 65

    def test_what_was_counted_is_not_counted_again_and_what_ended_meanwhile_is(self) -> None:
        known = world(job("old"), runs(), job("gone"), runs("gone"))
        go(known, NOW)
        known.apply(ends(known.pods["default", "gone-1"], NOW + 10))
        go(known, NOW + 30)
        go(known, NOW + 95)
        listed = [ends(runs("gone"), NOW + 10), ends(runs("old"), NOW + 99)]
        new = self.again(known, job("old"), job("gone"), *listed)
        assert spent(new, NOW + 120) == 10 + 99

    def test_a_death_between_two_writes_counts_nothing_twice(self) -> None:
        known = world(job("old"), runs())
        go(known, NOW)
        before = known.queues["default"]
        decide(known, NOW + 70)  # the write is lost
        new = store(job("old"), runs(), environment(shapes=(DEAR,)), machine("n1", DEAR), node("n1", DEAR), before)
        assert spent(new, NOW + 75) == 75

    def test_what_somebody_wrote_into_the_status_is_no_money(self) -> None:
        broken = {"updatedAt": rfc3339(NOW - 5), "kept": [{"before": rfc3339(NOW), "amount": "lots"}, {}]}
        assert spent(world(status={"budget": broken}), NOW) == 0


def test_a_window_has_so_many_parts_at_most() -> None:
    spending = Spending(86_400)
    spending.begin(NOW)
    spending.rate = Decimal(1)
    for hour in range(100):
        spending.advance(NOW + hour * 3600)
    assert len(spending.parts) <= PARTS + 2
    assert 86_400 <= spending.spent() <= 86_400 + 2 * spending.width


def test_a_queue_that_goes_and_comes_again_begins_anew() -> None:
    known = world(job("old"), runs())
    go(known, NOW + 50)
    known.remove(known.queues["default"])
    decide(known, NOW + 60)
    known.apply(queue(budgets=(budget(),), uid="another"))
    assert spent(known, NOW + 70) == 0
    assert isinstance(known.queues["default"], Queue)


def test_prometheus_is_told() -> None:
    known = world(job("old"), runs(), queue("other"))
    go(known, NOW)
    go(known, NOW + 30)
    measure = Measure(known, [])
    measure.leads = lambda: True
    measure.begin(lambda: 0.0)
    try:
        samples = [sample for family in measure.collect() for sample in family.samples]
    finally:
        measure.close()
    assert {s.name: (s.labels, s.value) for s in samples if "budget" in s.name} == {
        "batchyard_budget_amount": ({"queue": "default", "share": ""}, 100),
        "batchyard_budget_spent": ({"queue": "default", "share": ""}, 30),
    }
