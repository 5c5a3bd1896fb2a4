"""Consumable resources: taken all together or not at all, first come first served; what is used up is booked first."""

import json
from typing import Any, ClassVar

import pytest

from batchyard.decide import decide
from batchyard.decide.replay import replay
from batchyard.engine.measure import Measure
from batchyard.model import labels as names
from batchyard.model.machine import MachineState
from batchyard.model.plan import Forget, Launch, Plan, Report, Start
from batchyard.world.assume import assume_start
from batchyard.world.snapshot import fork
from batchyard.world.store import Store
from batchyard.world.views import Consumable, Job, Pod
from builders import (
    NOW,
    consumable,
    decided,
    definition,
    environment,
    failed,
    job,
    machine,
    newer,
    node,
    of,
    only,
    pod,
    pool_of,
    queue,
    revision,
    running,
    said,
    started,
    store,
    succeeded,
    template,
    tokens,
    told,
    valid,
)


def takes(**quantities: int) -> list[dict[str, Any]]:
    return [{"name": name, "quantity": quantity} for name, quantity in quantities.items()]


def wants(name: str = "job", *, cpu: str = "1", **quantities: int) -> Job:
    return job(name, consumables=takes(**quantities), template=template(cpu))


def holding(name: str, **quantities: int) -> Pod:
    return pod(name, consumables=quantities)


def why(plan: Plan, name: str = "job") -> str:
    return str(plan.notes[f"uid-{name}"].token)


def versioned(plan: Plan) -> Report:
    return next(report for report in of(plan, Report) if report.version)


def written(known: Store, report: Report) -> None:
    """Have a status written as the API server does it."""
    view = known.consumables[report.name]
    assert report.version in ("", view.version)
    taking = {**view.status.get("taking", {}), **(report.status.get("taking") or {})}
    merged = {**view.status, **report.status, "taking": {k: v for k, v in taking.items() if v is not None}}
    known.apply(newer(view, status=merged))
    known.reported.pop(view.uid, None)


def start_all(known: Store, plan: Plan) -> list[Pod]:
    return [assume_start(known, verb, NOW) for verb in of(plan, Start)]


class TestTaking:
    def test_it_stands_on_the_pod(self) -> None:
        plan = decided(*pool_of("n1"), consumable(), wants(licence=2))
        assert json.loads(only(plan, Start).manifest["metadata"]["annotations"][names.CONSUMABLES]) == {"licence": 2}

    def test_a_template_cannot_claim_to_hold_any(self) -> None:
        forged = {"metadata": {"annotations": {names.CONSUMABLES: '{"licence": 9}', "a": "b"}}, **template()}
        plan = decided(*pool_of("n1"), consumable(), job(template=forged))
        assert only(plan, Start).manifest["metadata"]["annotations"] == {"a": "b"}

    def test_only_as_many_start_as_there_is_for(self) -> None:
        jobs = [wants(f"j{i}", licence=2) for i in range(4)]
        plan = decided(*pool_of("n1"), consumable(total=5), *jobs)
        assert started(plan) == [("j0-1", "n1"), ("j1-1", "n1")]
        assert why(plan, "j2") == why(plan, "j3") == "Runnable/ConsumableUnavailable"

    def test_what_is_assumed_counts_and_comes_back_when_the_pod_is_final(self) -> None:
        known = store(*pool_of("n1"), consumable(total=2), wants("a", licence=2), wants("b", licence=1))
        (assumed,) = start_all(known, decide(known, NOW))
        assert known.in_use == {"licence": 2}
        assert not started(decide(known, NOW))
        known.apply(newer(assumed, uid="p", phase="Running"))
        assert not started(decide(known, NOW))
        known.apply(newer(assumed, uid="p", phase="Failed"))
        assert not known.in_use
        assert not known.held
        assert ("b-1", "n1") in started(decide(known, NOW))

    @pytest.mark.parametrize("how", ["gone", "retracted"])
    def test_it_comes_back_however_the_pod_goes(self, how: str) -> None:
        known = store(*pool_of("n1"), consumable(), job("a"), holding("a", licence=3))
        assert known.held["licence"] == {"uid-a": 3}
        if how == "gone":
            known.remove(holding("a", licence=3))
        else:
            known.remove(holding("a", licence=3))
            known.apply_pod(pod("b", uid="", consumables={"licence": 1}))
            known.retract_pod(next(where for where in known.pods if where.name == "b-1"))
        assert not known.in_use

    def test_pods_that_are_not_ours_hold_nothing(self) -> None:
        assert not store(pod("x", job="", consumables={"licence": 3})).in_use

    def test_a_job_takes_all_together_or_nothing(self) -> None:
        things = [*pool_of("n1"), consumable(total=1), consumable("seat", total=1), holding("x", seat=1)]
        known = store(*things, wants(licence=1, seat=1))
        plan = decide(known, NOW)
        assert not started(plan)
        assert "'seat'" in told(known)["message"]

    def test_a_retry_takes_again(self) -> None:
        view = job(consumables=takes(licence=1), retry={"attempts": 2})
        plan = decided(*pool_of("n1"), consumable(), view, failed(view, consumables={"licence": 1}))
        assert only(plan, Start).manifest["metadata"]["annotations"][names.CONSUMABLES] == '{"licence": 1}'

    def test_a_job_replaces_what_its_definition_takes_name_by_name(self) -> None:
        kind = definition(consumables=takes(licence=1, seat=1), status=valid())
        view = job(definition={"name": "render"}, consumables=takes(licence=3))
        plan = decided(*pool_of("n1"), kind, revision(kind), consumable(), consumable("seat"), view)
        held = only(plan, Start).manifest["metadata"]["annotations"][names.CONSUMABLES]
        assert json.loads(held) == {"licence": 3, "seat": 1}


class TestPlaceInLine:
    def test_a_large_ask_is_not_starved_by_small_ones(self) -> None:
        known = store(*pool_of("n1"), consumable(total=4), holding("x", licence=2),
                      wants("big", licence=3), wants("small", licence=1))  # fmt: skip
        assert not started(decide(known, NOW))
        assert told(known, "small")["message"] == (
            "needs 1 of ConsumableResource 'licence', 2 of 4 free and kept for default/big, which came first"
        )

    def test_what_is_over_goes_to_those_behind(self) -> None:
        things = [*pool_of("n1"), consumable(total=1), consumable("seat", total=3), holding("x", licence=1)]
        first, second, third = wants("a", licence=1, seat=2), wants("b", seat=1), wants("c", seat=1)
        assert started(decided(*things, first, second, third)) == [("b-1", "n1")]

    def test_who_needs_none_goes_on_and_who_waits_holds_no_node(self) -> None:
        things = [*pool_of("n1", max_vcpus=8), consumable(total=1), holding("x", licence=1)]
        assert started(decided(*things, wants("a", cpu="7", licence=1), job("b", template=template("7")))) == [
            ("b-1", "n1")
        ]

    @pytest.mark.parametrize(
        "hopeless", [{"nothing": 1, "licence": 1}, {"licence": 9}, {"token": 4, "licence": 1}], ids=str
    )
    def test_who_only_the_user_can_help_holds_nobody_up(self, hopeless: dict[str, int]) -> None:
        things = [*pool_of("n1"), consumable(total=1), tokens(5, consumed=2)]
        assert started(decided(*things, wants("a", **hopeless), wants("b", licence=1))) == [("b-1", "n1")]

    def test_one_that_waits_for_a_node_keeps_what_it_takes(self) -> None:
        things = [*pool_of("n1", max_vcpus=16), consumable(total=1), pod("x")]
        plan = decided(*things, wants("a", cpu="8", licence=1), wants("b", licence=1))
        assert not started(plan)
        assert why(plan, "b") == "Runnable/ConsumableUnavailable"

    def test_one_that_waits_for_room_before_all_others_keeps_what_it_takes(self) -> None:
        other = [
            environment("other"),
            queue("other", ("other",)),
            machine("m", environment="other"),
            node("m", env="other"),
        ]
        things = [*pool_of("n1", max_vcpus=8), pod("x"), consumable(total=1), *other]
        mine = job("b", queue="other", consumables=takes(licence=1))
        assert not started(decided(*things, wants("a", cpu="8", licence=1), mine))
        assert started(decided(*things, wants("a", cpu="8"), mine)) == [("b-1", "m")]

    def test_in_a_strict_queue_all_that_start_next_are_booked_at_once(self) -> None:
        known = store(*pool_of("n1"), queue(strategy="StrictFIFO"), tokens(5), *(wants(n, token=1) for n in "abc"))
        first = decide(known, NOW)
        assert set(versioned(first).status["taking"]) == {"default/a-1", "default/b-1", "default/c-1"}
        written(known, versioned(first))
        assert [name for name, _ in started(decide(known, NOW))] == ["a-1", "b-1", "c-1"]


class TestSentences:
    def test_who_holds_it_and_how_much_is_missing(self) -> None:
        crowd = [holding(f"h{i}", licence=1) for i in range(5)]
        known = store(*pool_of("n1"), consumable(total=8), job("big"), holding("big", licence=2), *crowd,
                      wants(licence=4))  # fmt: skip
        assert told(known)["message"] == (
            "needs 4 of ConsumableResource 'licence', 1 of 8 free, 3 missing; "
            "held by default/big (2), default/h4-1 (1), default/h3-1 (1) and 3 more jobs"
        )

    def test_an_unknown_one(self) -> None:
        known = store(*pool_of("n1"), consumable("seat"), wants(licence=1))
        assert (told(known)["reason"], told(known)["message"]) == (
            "ConsumableNotFound",
            "ConsumableResource 'licence' does not exist (there are: seat); the job starts when it is created",
        )
        known.apply(consumable())
        assert started(decide(known, NOW)) == [("job-1", "n1")]

    def test_more_than_its_total(self) -> None:
        known = store(*pool_of("n1"), view := consumable(total=3), wants(licence=4))
        assert told(known)["reason"] == "ConsumableTooLarge"
        assert "needs 4 of ConsumableResource 'licence', whose total is 3" in told(known)["message"]
        known.apply(newer(view, total=4, generation=2))
        assert started(decide(known, NOW)) == [("job-1", "n1")]

    def test_used_up(self) -> None:
        known = store(*pool_of("n1"), tokens(5, consumed=4), wants(token=2))
        assert told(known)["reason"] == "ConsumableUsedUp"
        assert "4 of 5 are used up for ever; raise its spec.total" in told(known)["message"]

    def test_a_total_that_was_lowered(self) -> None:
        known = store(*pool_of("n1"), consumable(total=2), holding("x", licence=3), wants(licence=1))
        assert "0 of 2 free, 2 missing (its total was lowered, 1 more than that are in use)" in told(known)["message"]

    def test_what_only_the_user_can_mend_is_said_first(self) -> None:
        known = store(*pool_of("n1"), consumable(total=1), holding("x", licence=1), wants(licence=1, nothing=1))
        said_ = told(known)
        assert said_["reason"] == "ConsumableNotFound"
        assert "'licence'" in said_["message"]


class TestUsedUpForEver:
    """A pod starts only once its take is on record, and each take counts once whatever happens in between."""

    def scene(self, *things: Any, total: int = 5, **status_: Any) -> tuple[Store, Consumable]:
        return store(*pool_of("n1"), view := tokens(total, status=status_), *things), view

    def test_the_take_is_written_before_the_pod(self) -> None:
        known, view = self.scene(wants("a", token=2), wants("b", token=2))
        plan = decide(known, NOW)
        assert not started(plan)
        report = versioned(plan)
        assert report.version == view.version
        assert (report.status["taking"], report.status["consumed"]) == ({"default/a-1": 2, "default/b-1": 2}, 4)
        written(known, report)
        assert started(decide(known, NOW)) == [("a-1", "n1"), ("b-1", "n1")]

    def test_what_is_not_yet_written_is_not_believed(self) -> None:
        known, view = self.scene(wants("a", token=2))
        decide(known, NOW)
        known.reported[view.uid] = NOW
        plan = decide(known, NOW + 0.1)
        assert not started(plan)
        assert plan.wake == NOW + 1
        assert said(decide(known, NOW + 1), "token")["taking"] == {"default/a-1": 2}

    def test_more_than_is_left_is_never_booked(self) -> None:
        known, _ = self.scene(*(wants(f"j{i}", token=2) for i in range(4)), consumed=1)
        booked = said(decide(known, NOW), "token")
        assert (len(booked["taking"]), booked["consumed"], booked["available"]) == (2, 5, 0)
        assert booked["waiting"] == 2

    def test_the_entry_goes_when_the_pod_is_known_and_stays_consumed(self) -> None:
        known, _ = self.scene(view := wants("a", token=2), taking={"default/a-1": 2}, consumed=2)
        start_all(known, decide(known, NOW))
        assert "taking" not in said(decide(known, NOW), "token"), "being created is not there yet"
        known.apply(pod(view, consumables={"token": 2}))
        after = said(decide(known, NOW), "token")
        assert (after["taking"], after["consumed"]) == ({"default/a-1": None}, 2)

    def test_a_pod_that_was_and_went_has_used_its_take(self) -> None:
        known, _ = self.scene(view := wants("a", token=2), taking={"default/a-1": 2}, consumed=2)
        known.apply(there := pod(view, consumables={"token": 2}))
        known.apply(newer(view, status=job(status={"phase": "Succeeded"}).status))
        known.apply(newer(there, phase="Succeeded"))
        assert not known.pods
        assert said(decide(known, NOW), "token")["consumed"] == 2

    def test_an_operator_that_begins_anew_reads_it_from_the_record(self) -> None:
        ended = {"phase": "Succeeded", "attempts": [{"number": 1, "pod": "a-1", "reason": "Completed"}]}
        known, _ = self.scene(job("a", ended), taking={"default/a-1": 2}, consumed=2)
        assert said(decide(known, NOW), "token")["consumed"] == 2

    def test_after_a_crash_between_take_and_start_it_starts_without_taking_again(self) -> None:
        known, _ = self.scene(wants("a", token=5), taking={"default/a-1": 5}, consumed=5)
        plan = decide(known, NOW)
        assert started(plan) == [("a-1", "n1")]
        assert said(plan, "token")["consumed"] == 5

    @pytest.mark.parametrize("end", ["stopped", "deleted"])
    def test_a_job_that_ends_before_its_pod_exists_gives_it_back(self, end: str) -> None:
        things = [job("a", {"phase": "Failed", "reason": "Cancelled"})] if end == "stopped" else []
        known, _ = self.scene(*things, taking={"default/a-1": 2}, consumed=3)
        after = said(decide(known, NOW), "token")
        assert (after["taking"], after["consumed"], after["available"]) == ({"default/a-1": None}, 1, 4)

    def test_a_job_that_waits_for_something_else_meanwhile_keeps_its_take(self) -> None:
        held = job("a", consumables=takes(token=2), queue="nowhere")
        known, _ = self.scene(held, taking={"default/a-1": 2}, consumed=2)
        after = said(decide(known, NOW), "token")
        assert "taking" not in after
        assert after["consumed"] == 2

    def test_a_pod_of_the_same_name_of_a_job_made_anew_is_booked_anew(self) -> None:
        known, _ = self.scene(wants("a", token=2), taking={"default/a-1": 2}, consumed=2)
        known.arrived["token"] = {"default/a-1"}
        first = decide(known, NOW)
        assert not started(first)
        report = versioned(first)
        assert report.status["taking"] == {"default/a-1": None}
        written(known, report)
        second = versioned(decide(known, NOW))
        assert (second.status["taking"], second.status["consumed"]) == ({"default/a-1": 2}, 4)
        written(known, second)
        assert started(decide(known, NOW)) == [("a-1", "n1")]

    def test_a_retry_takes_again(self) -> None:
        view = job("a", consumables=takes(token=2), retry={"attempts": 2})
        known, _ = self.scene(view, failed(view, consumables={"token": 2}), consumed=2)
        assert said(decide(known, NOW), "token")["taking"] == {"default/a-2": 2}


class TestArrays:
    """Each child takes for itself."""

    def test_as_many_children_start_as_there_is_for(self) -> None:
        plan = decided(*pool_of("n1"), consumable(total=5), job(array={"size": 8}, consumables=takes(licence=2)))
        assert [name for name, _ in started(plan)] == ["job-0-1", "job-1-1"]

    def test_children_are_booked_before_they_start(self) -> None:
        known = store(*pool_of("n1"), tokens(5), job(array={"size": 8}, consumables=takes(token=2)))
        first = decide(known, NOW)
        assert not started(first)
        assert versioned(first).status["taking"] == {"default/job-0-1": 2, "default/job-1-1": 2}
        written(known, versioned(first))
        assert [name for name, _ in started(decide(known, NOW))] == ["job-0-1", "job-1-1"]

    def test_the_child_that_is_booked_starts_first(self) -> None:
        view = job(array={"size": 8}, consumables=takes(token=1))
        known = store(*pool_of("n1"), tokens(1, 1, status={"taking": {"default/job-5-1": 1}}), view)
        plan = decide(known, NOW)
        assert [name for name, _ in started(plan)] == ["job-5-1"]

    def test_a_child_that_waits_for_its_node_has_the_take_that_is_booked(self) -> None:
        coming = machine(state=MachineState.Launching, launched_at=NOW - 5)
        things = [environment(max_vcpus=16), queue(), coming, tokens(1, 1, status={"taking": {"default/job-0-1": 1}})]
        view = job(array={"size": 2}, consumables=takes(token=1), template=template("8"))
        assert not of(decided(*things, view), Launch), "there is none for the second child"

    @pytest.mark.parametrize(
        ("array", "consumed"),
        [({"succeeded": "5"}, 1), ({"failed": "5"}, 0), ({"failed": "5", "attempts": [{"number": 1, "pod": "job-5-1",
          "index": 5, "reason": "Error"}]}, 1), ({"retried": [{"attempts": 1, "counted": 1, "indexes": "5"}]}, 1),
          ({"failed": "4"}, 1)],
    )  # fmt: skip
    def test_what_the_record_tells_of_a_child_decides_about_its_take(
        self, array: dict[str, Any], consumed: int
    ) -> None:
        status_ = {"phase": "Running", "array": {"size": 8, **array}}
        view = job(status=status_, array={"size": 8}, consumables=takes(token=1), queue="nowhere")
        known = store(tokens(9, 1, status={"taking": {"default/job-5-1": 1}}), view)
        report = [r.status for r in of(decide(known, NOW), Report) if r.name == "token"]
        assert report[0]["consumed"] == consumed
        assert ("taking" in report[0]) is ("failed" not in array or array["failed"] == "5")


class TestGangs:
    """A multi-node job takes once, on its main pod."""

    gang: ClassVar[dict[str, Any]] = {"multiNode": {"nodes": 2, "mainNode": 1}, "template": template("8")}

    def test_the_main_pod_takes_for_all(self) -> None:
        view = job(**self.gang, consumables=takes(licence=2))
        known = store(*pool_of("n1", "n2"), consumable(), view)
        (main,) = start_all(known, decide(known, NOW))
        assert (main.name, main.consumables) == ("job-1-1", {"licence": 2})
        known.apply(newer(main, uid="p", phase="Running", containers=(running(),), ip="10.0.0.1"))
        workers = start_all(known, decide(known, NOW + 1))
        assert [(pod.name, pod.consumables) for pod in workers] == [("job-0-1", {})]
        assert known.in_use == {"licence": 2}

    def test_its_take_is_booked_under_the_main_pods_name(self) -> None:
        known = store(*pool_of("n1", "n2"), tokens(), job(**self.gang, consumables=takes(token=2)))
        first = decide(known, NOW)
        assert versioned(first).status["taking"] == {"default/job-1-1": 2}
        written(known, versioned(first))
        assert [name for name, _ in started(decide(known, NOW))] == ["job-1-1"]


class TestOthers:
    def test_a_job_whose_take_is_under_way_is_not_forgotten(self) -> None:
        done = job("a", {"phase": "Succeeded", "stoppedAt": "2027-01-15T08:00:00Z"}, ttlSecondsAfterFinished=0)
        known = store(view := tokens(5, 2, status={"taking": {"default/a-1": 2}}), done)
        plan = decide(known, NOW + 5)
        assert not of(plan, Forget)
        assert plan.wake == NOW + 6
        known.apply(newer(view, status={"consumed": 2}))
        assert of(decide(known, NOW + 6), Forget)

    def test_a_forecast_counts_what_is_used_up(self) -> None:
        timeout = {"attemptDurationSeconds": 60}
        jobs = [job(n, consumables=takes(token=2), timeout=timeout, template=template("8")) for n in "abc"]
        known = store(*pool_of("n1", max_vcpus=8), tokens(4), *jobs)
        found = replay(fork(known, known.active), (NOW, 0.5), known.active, 100)
        assert {uid: round(at - NOW, 1) for uid, at in found.items()} == {"uid-a": 0.1, "uid-b": 63.2}
        assert known.consumables["token"].status == {"consumed": 0}

    def test_prometheus_is_told(self) -> None:
        known = store(consumable(total=3), job("a"), holding("a", licence=4), tokens(5, 2, status={"waiting": 7}))
        measure = Measure(known, [])
        measure.leads = lambda: True
        measure.begin(lambda: 0.0)
        try:
            (family,) = [each for each in measure.collect() if each.name == "batchyard_consumables"]
        finally:
            measure.close()
        found = {(s.labels["consumable"], s.labels["kind"]): s.value for s in family.samples}
        assert found == {
            ("licence", "total"): 3, ("licence", "in_use"): 4, ("licence", "consumed"): 0,
            ("licence", "available"): 0, ("licence", "waiting"): 0, ("token", "total"): 5, ("token", "in_use"): 0,
            ("token", "consumed"): 2, ("token", "available"): 3, ("token", "waiting"): 7,
        }  # fmt: skip


class TestInventory:
    def test_it_counts(self) -> None:
        known = store(*pool_of("n1"), consumable(total=3), job("a"), holding("a", licence=2), wants("b", licence=2))
        status_ = said(decide(known, NOW), "licence")
        assert {k: status_[k] for k in ("phase", "total", "inUse", "consumed", "available", "waiting", "holders")} == {
            "phase": "Valid", "total": 3, "inUse": 2, "consumed": None, "available": 1, "waiting": 1,
            "holders": [{"job": "default/a", "quantity": 2}],
        }  # fmt: skip
        assert [(c["type"], c["status"], c["reason"]) for c in status_["conditions"]] == [
            ("Overcommitted", "False", "WithinTotal")
        ]

    @pytest.mark.parametrize("kind", ["licence", "token"])
    def test_a_total_below_what_is_taken_is_said_in_numbers(self, kind: str) -> None:
        known = store(consumable(total=2), tokens(2, consumed=5), job("a"), holding("a", licence=5))
        status_ = said(decide(known, NOW), kind)
        assert (status_["phase"], status_["available"]) == ("Overcommitted", 0)
        assert f"5 are {'in use' if kind == 'licence' else 'used up'}, 3 more than spec.total (2)" in status_["message"]
        assert status_["conditions"][0]["status"] == "True"

    def test_it_is_written_once_a_second_at_most_and_only_when_it_changed(self) -> None:
        known = store(view := consumable(), job("a"))
        written(known, only(decide(known, NOW), Report))
        assert not of(decide(known, NOW), Report)
        known.apply(holding("a", licence=1))
        known.reported[view.uid] = NOW
        plan = decide(known, NOW + 0.5)
        assert not of(plan, Report)
        assert plan.wake == NOW + 1
        assert said(decide(known, NOW + 1), "licence")["inUse"] == 1
        known.apply(succeeded("a"))

    def test_at_most_twenty_holders_are_named(self) -> None:
        crowd = [holding(f"h{i}", licence=i + 1) for i in range(25)]
        named = said(decided(consumable(total=1000), *crowd), "licence")["holders"]
        assert [each["quantity"] for each in named] == list(range(25, 5, -1))
