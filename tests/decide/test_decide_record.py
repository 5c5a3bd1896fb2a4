"""What is written of a job, and when."""

from typing import Any, ClassVar

import pytest

from batchyard.decide import decide
from batchyard.model.plan import Forget, Lane, Plan, Record, Report, Start, Tell
from batchyard.model.resources import Resources
from batchyard.world.assume import assume_report, assume_status
from batchyard.world.notes import Note, Refusal
from batchyard.world.store import Store
from builders import (
    NOW,
    RUNS,
    attempt,
    decided,
    failed,
    job,
    newer,
    of,
    only,
    pod,
    pool_of,
    running,
    status,
    store,
    succeeded,
    template,
)

BIG = {"template": template("99")}


def written(plan: Plan) -> list[Any]:
    return [(record.status["phase"], record.lane) for record in of(plan, Record)]


def settle(known: Store, plan: Plan) -> None:
    """Take in that everything of a plan was written, as the engine does."""
    known.noted.update(plan.notes)
    for record in of(plan, Record):
        given = assume_status(known, record)
        known.settle_status(record.job, given)
        known.apply(newer(known.jobs[record.job], status=given))
    for report in of(plan, Report):
        assume_report(known, report, NOW)


class TestProgress:
    def test_it_is_written_once_it_has_held_a_second(self) -> None:
        known = store(*pool_of("n1"), job(), pod(**RUNS))
        plan = decide(known, NOW + 0.9)
        assert not of(plan, Record)
        assert plan.wake == NOW + 1
        record = only(decide(known, NOW + 1), Record)
        assert record.lane is Lane.Progress
        assert (record.status["phase"], record.status["startedAt"]) == ("Running", "2027-01-15T08:00:00Z")
        (entry,) = record.status["attempts"]
        assert (entry["number"], entry["pod"], entry["node"], entry["instanceType"]) == (1, "job-1", "n1", "c8")
        assert "reason" not in entry

    def test_starting_is_overtaken_by_running(self) -> None:
        known = store(*pool_of("n1"), job(), pod())
        assert written(decide(known, NOW + 0.5)) == []
        known.apply(newer(pod(), **RUNS))
        assert written(decide(known, NOW + 0.9)) == []
        assert written(decide(known, NOW + 1)) == [("Running", Lane.Progress)]

    def test_and_both_by_the_end(self) -> None:
        assert written(decided(*pool_of("n1"), job(), succeeded(), now=NOW + 0.1)) == [("Succeeded", Lane.Outcome)]

    def test_a_pod_that_is_only_assumed_is_not_on_record(self) -> None:
        assert written(decided(*pool_of("n1"), job(), pod(uid="", version=""), now=NOW + 9)) == []

    def test_what_is_on_record_is_not_written_again(self) -> None:
        known = store(*pool_of("n1"), job(), pod(**RUNS))
        settle(known, decide(known, NOW + 5))
        assert not decide(known, NOW + 50).verbs

    def test_a_job_tells_the_revision_that_it_runs_however_short_it_is(self) -> None:
        ended = succeeded(revision=4)
        assert status(decided(*pool_of("n1"), job(definition={"name": "d"}), ended))["definitionRevision"] == 4
        live = pod(revision=4, **RUNS)
        plan = decided(*pool_of("n1"), job(definition={"name": "d"}), live, now=NOW + 5)
        assert status(plan)["definitionRevision"] == 4

    def test_an_end_on_the_way_is_written_at_once_before_its_pod_can_go(self) -> None:
        again = {"retry": {"attempts": 2}}
        plan = decided(*pool_of(max_vcpus=0), job(**again), failed(code=3))
        assert written(plan) == [("Runnable", Lane.Outcome)]
        known = store(*pool_of("n1"), job(**again), failed(code=3), pod(attempt=2))
        assert written(decide(known, NOW)) == [("Starting", Lane.Progress)]
        assert [entry["number"] for entry in status(decide(known, NOW))["attempts"]] == [1, 2]


class TestEnd:
    def test_success(self) -> None:
        plan = decided(*pool_of("n1"), job(), succeeded(finished=NOW + 5))
        said = status(plan, "job")
        assert (said["phase"], said["reason"], said["stoppedAt"]) == ("Succeeded", "Completed", "2027-01-15T08:00:05Z")
        assert [(c["type"], c["status"], c["reason"]) for c in said["conditions"]] == [
            ("Complete", "True", "Completed")
        ]
        assert said["waiting"] is None
        assert said["cost"] == {"amount": "0.000118", "wasted": "0.000000"} or said["cost"]["wasted"] == "0"
        assert not of(plan, Tell)

    def test_failure_is_told_as_an_event_too(self) -> None:
        plan = decided(*pool_of("n1"), job(), failed(code=3))
        assert [c["type"] for c in status(plan)["conditions"]] == ["Failed"]
        tell = only(plan, Tell)
        assert (tell.kind, tell.name, tell.warning, tell.reason) == ("Job", "job", True, "Error")
        assert "exited with code 3" in tell.message

    def test_a_job_that_ends_otherwise_than_its_last_attempt_ends_now(self) -> None:
        early = {"phase": "Runnable", "attempts": [attempt(1, "Error")]}
        spec = {"retry": {"attempts": 3}, "stop": {"mode": "Cancel"}, "status": early}
        assert status(decided(*pool_of("n1"), job(**spec), now=NOW + 500))["stoppedAt"] == "2027-01-15T08:08:20Z"

    def test_it_is_the_last_write(self) -> None:
        known = store(*pool_of("n1"), job(), succeeded())
        settle(known, decide(known, NOW))
        assert written(decide(known, NOW + 1)) == []


class TestWaiting:
    def test_a_reason_is_written_once_it_has_held_two_seconds(self) -> None:
        known = store(*pool_of(), job(**BIG))
        plan = decide(known, NOW)
        assert written(plan) == []
        known.noted.update(plan.notes)
        assert written(decide(known, NOW + 1.9)) == []
        assert written(decide(known, NOW + 2)) == [("Runnable", Lane.Waiting)]
        said = status(decide(known, NOW + 2))
        assert said["waiting"]["since"] == "2027-01-15T08:00:00Z"
        assert said["waiting"]["position"] == 1

    def test_another_reason_begins_anew(self) -> None:
        known = store(*pool_of(), job(**BIG))
        known.noted["uid-job"] = Note("Runnable/NodesStarting", NOW - 50, NOW - 50)
        plan = decide(known, NOW)
        assert written(plan) == []
        assert plan.notes["uid-job"] == Note("Runnable/JobTooLarge", NOW, NOW - 50, fronted=NOW)

    def test_positions_are_rewritten_every_half_minute_at_most(self) -> None:
        known = store(*pool_of(), job("a", **BIG), job("b", **BIG))
        for at in (NOW, NOW + 2):
            settle(known, decide(known, at))
        known.remove(job("a"))
        assert written(decide(known, NOW + 31)) == []
        assert status(decide(known, NOW + 32), "b")["waiting"]["position"] == 1

    def test_nobody_beyond_the_first_hundred_is_told_a_position(self) -> None:
        jobs = [job(f"j{i:03}") for i in range(101)]
        known = store(*pool_of(max_vcpus=8), pod("a", requests=Resources(cpu=8000, pods=1)), *jobs)
        known.unavailable["pool", "c8"] = Refusal("InsufficientCapacity", "none left", NOW + 99)
        known.noted.update(decide(known, NOW).notes)
        plan = decide(known, NOW + 2)
        assert status(plan, "j099")["waiting"]["position"] == 100
        assert "uid-j100" not in {record.job for record in of(plan, Record)}, "behind the front one is told later"
        assert "uid-j100" not in {record.job for record in of(decide(known, NOW + 59), Record)}
        assert status(decide(known, NOW + 60), "j100")["waiting"]["position"] is None

    def test_who_has_just_come_to_the_front_is_told_two_seconds_later(self) -> None:
        jobs = [job(f"j{i:03}") for i in range(101)]
        known = store(*pool_of(max_vcpus=8), pod("a", requests=Resources(cpu=8000, pods=1)), *jobs)
        known.unavailable["pool", "c8"] = Refusal("InsufficientCapacity", "none left", NOW + 99)
        for at in (NOW, NOW + 2):
            settle(known, decide(known, at))
        known.remove(job("j000"))
        known.noted.update(decide(known, NOW + 20).notes)
        assert "uid-j100" not in {record.job for record in of(decide(known, NOW + 21), Record)}
        said = status(decide(known, NOW + 22), "j100")["waiting"]
        assert (said["position"], said["since"]) == (100, "2027-01-15T08:00:00Z")

    def test_while_a_crowd_runs_the_front_is_told_after_ten_seconds(self) -> None:
        def told(jobs: int, at: float) -> bool:
            live = [job(f"r{i:02}", status={"phase": "Running"}) for i in range(jobs)]
            known = store(*pool_of("n1", max_vcpus=8), *live, job("waits", template=template(cpu="6")))
            for each in live:
                known.apply(pod(each, phase="Running", containers=(running(NOW),), requests=Resources(cpu=100)))
            known.unavailable["pool", "c8"] = Refusal("InsufficientCapacity", "none left", NOW + 99)
            known.noted.update(decide(known, NOW).notes)
            return "uid-waits" in {record.job for record in of(decide(known, NOW + at), Record)}

        assert told(49, 2)
        assert not told(50, 9.9)
        assert told(50, 10)

    @pytest.mark.parametrize(("live", "hold"), [(49, 60), (50, 120)])
    def test_while_a_crowd_runs_those_behind_the_front_are_told_after_two_minutes(self, live: int, hold: int) -> None:
        on_their_way = [job(f"r{i:02}", status={"phase": "Running"}) for i in range(live)]
        behind = [job(f"w{i:03}", template=template(cpu="6")) for i in range(101)]
        known = store(*pool_of("n1", max_vcpus=8), *on_their_way, *behind)
        for each in on_their_way:
            known.apply(pod(each, phase="Running", containers=(running(NOW),), requests=Resources(cpu=100)))
        known.unavailable["pool", "c8"] = Refusal("InsufficientCapacity", "none left", NOW + 999)
        known.noted.update(decide(known, NOW).notes)
        assert "uid-w100" not in {record.job for record in of(decide(known, NOW + hold - 1), Record)}
        assert "uid-w100" in {record.job for record in of(decide(known, NOW + hold), Record)}

    def test_whom_no_waiting_helps_is_told_at_once_wherever_he_stands(self) -> None:
        known = store(*pool_of(max_vcpus=8), *(job(f"j{i:03}") for i in range(120)), job("x-large", **BIG))
        known.noted.update(decide(known, NOW).notes)
        assert status(decide(known, NOW + 2), "x-large")["reason"] == "JobTooLarge"

    def test_a_crowd_is_not_told_of_every_start(self) -> None:
        def running_since(jobs: int) -> set[str]:
            names = [f"j{i:02}" for i in range(jobs)]
            waited = {"phase": "Runnable", "reason": "NodesStarting"}
            known = store(*pool_of("n1"), *(job(name, status=waited) for name in names))
            for name in names:
                known.apply(pod(name, phase="Running", containers=(running(NOW),)))
            return {record.job for record in of(decide(known, NOW + 5), Record)}

        assert len(running_since(49)) == 49
        assert not running_since(50)

    def test_in_a_crowd_nothing_at_all_is_told_of_an_attempt_of_a_few_seconds(self) -> None:
        names = [f"j{i:02}" for i in range(50)]
        known = store(*pool_of("n1"), *map(job, names))
        for name in names:
            known.apply(pod(name, phase="Running", containers=(running(NOW),)))
        assert not of(decide(known, NOW + 4), Record)
        assert len(of(decide(known, NOW + 5), Record)) == 50

    def test_after_a_restart_nothing_is_written_again(self) -> None:
        known = store(*pool_of(), job(**BIG))
        for at in (NOW, NOW + 2):
            settle(known, decide(known, at))
        fresh = store(*known.environments.values(), *known.queues.values(), *known.jobs.values())
        for at in (NOW + 60, NOW + 62, NOW + 120):
            plan = decide(fresh, at)
            fresh.noted.update(plan.notes)
            assert not plan.verbs

    def test_a_retry_says_which_attempt_failed_and_that_it_pauses(self) -> None:
        again = {"retry": {"attempts": 2, "backoff": {"initialSeconds": 60}}}
        said = status(decided(*pool_of("n1"), job(**again), failed()))
        assert (said["reason"], said["waiting"]["position"]) == ("Backoff", None)
        assert "attempt 1 failed (Error)" in said["message"]


class TestRefusals:
    @pytest.mark.parametrize(("until", "phase"), [(NOW + 60, "Runnable"), (float("inf"), "Failed")])
    def test_the_api_servers_own_sentence_reaches_the_job(self, until: float, phase: str) -> None:
        known = store(*pool_of("n1"), job())
        known.refusals["uid-job"] = Refusal("QuotaExceeded", "exceeded quota: compute", until)
        known.noted.update(decide(known, NOW).notes)
        said = status(decide(known, NOW + 2))
        assert (said["phase"], said["reason"], said["message"]) == (phase, "QuotaExceeded", "exceeded quota: compute")

    def test_it_is_tried_again_when_the_time_has_come(self) -> None:
        known = store(*pool_of("n1"), job())
        known.refusals["uid-job"] = Refusal("QuotaExceeded", "exceeded quota", NOW + 60)
        assert not of(decide(known, NOW + 59), Start)
        assert decide(known, NOW + 59).wake is not None
        assert of(decide(known, NOW + 60), Start)


class TestForget:
    DONE: ClassVar[dict[str, Any]] = {"phase": "Succeeded", "stoppedAt": "2027-01-15T08:00:00Z"}

    def test_a_job_goes_when_its_time_to_live_has_passed(self) -> None:
        known = store(job(status=self.DONE, ttlSecondsAfterFinished=100))
        assert not of(decide(known, NOW + 99), Forget)
        assert decide(known, NOW + 99).wake == NOW + 100
        assert only(decide(known, NOW + 100), Forget).uid == "uid-job"
        known.forgetting("uid-job", NOW + 100)
        assert not of(decide(known, NOW + 101), Forget)

    @pytest.mark.parametrize("ttl", [None, 10**6])
    def test_or_never(self, ttl: int | None) -> None:
        assert not of(decided(job(status=self.DONE, ttlSecondsAfterFinished=ttl), now=NOW + 10**5), Forget)

    def test_one_that_somebody_deleted_does_not_keep_the_loop_awake(self) -> None:
        known = store(gone := job(status=self.DONE, ttlSecondsAfterFinished=0))
        known.remove(gone)
        assert decide(known, NOW).wake is None


def test_a_settled_world_gives_an_empty_plan() -> None:
    done = {"phase": "Succeeded", "stoppedAt": "2027-01-15T08:00:00Z"}
    known = store(*pool_of("n1", min_vcpus=8), job("done", done), job("runs"), pod("runs", **RUNS), job("waits", **BIG))
    for at in (NOW, NOW + 2, NOW + 4):
        settle(known, decide(known, at))
    assert decide(known, NOW + 20).verbs == []
