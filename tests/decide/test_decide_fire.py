"""Schedules: which fires are made, held, made up for or given up, what is kept, and what the status says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model.plan import Bury, Forget, Plan, Report, Submit, Tell, Terminate
from batchyard.world import parse
from batchyard.world.notes import Refusal
from batchyard.world.schedules import Schedule, schedule
from batchyard.world.store import Store
from batchyard.world.timetable import delay
from batchyard.world.views import Job
from builders import NOW, job, metadata, namespace, newer, of, only, store, template

MINUTE = 60.0
NOON = NOW + 4 * 3600  # 2027-01-15, a Friday
SPEC = {"queue": "default", "template": template()}


def minute(at: float) -> int:
    return int(at // 60)


def body(at: float = NOW, status: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a schedule `s` of every five minutes, created at NOW."""
    meta = {**metadata("s", namespace="default"), "creationTimestamp": parse.rfc3339(at)}
    meta["generation"] = spec.pop("generation", 1)
    given = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": SPEC}, **spec}
    return {"metadata": meta, "spec": given, "status": dict(status or {})}


def scene(at: float = NOW, status: Mapping[str, Any] | None = None, **spec: Any) -> Schedule:
    return schedule(body(at, status, **spec))


def fired(at: float, phase: str = "Running", **fields: Any) -> Job:
    """Return the job of a fire."""
    owner = {"apiVersion": "batchyard.dev/v1alpha1", "kind": "JobSchedule", "name": "s", "uid": "uid-s"}
    meta = {"ownerReferences": [owner], **fields.pop("meta", {})}
    status = {"phase": phase, **({"stoppedAt": parse.rfc3339(at + 9)} if phase in ("Succeeded", "Failed") else {})}
    return job(f"s-{minute(at)}", status, meta, **fields)


def at_rest(view: Schedule, *jobs: Job, now: float) -> tuple[Store, Plan]:
    """Return a store in which what is said of the schedule is on record, and what is decided then."""
    known = store(namespace(), view, *jobs)
    for report in of(decide(known, now), Report):
        if report.plural == "jobschedules":
            status = {k: v for k, v in report.status.items() if v is not None}
            written = schedule({**body(view.created), "status": status})
            known.apply(
                newer(view, status=status, last_fire=written.last_fire, known_timing=written.known_timing,
                      known_since=written.known_since)
            )  # fmt: skip
    return known, decide(known, now)


def submitted(plan: Plan) -> list[int]:
    return [verb.minute for verb in of(plan, Submit)]


def leaving(plan: Plan) -> list[str]:
    """Return the jobs that are to go: their outcomes are kept first."""
    return sorted(name for verb in of(plan, Bury) for name in verb.texts)


def said(*things: Any, now: float) -> Mapping[str, Any]:
    """Return the status that is written of the schedule."""
    reports = [r for r in of(decide(store(namespace(), *things), now), Report) if r.plural == "jobschedules"]
    assert len(reports) == 1
    return reports[0].status


class TestFires:
    def test_nothing_before_the_first_moment(self) -> None:
        plan = decide(store(namespace(), scene()), NOW + 299)
        assert submitted(plan) == []
        assert plan.wake == NOW + 300

    def test_a_fire_is_a_job_named_by_its_minute(self) -> None:
        template_ = {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "x"}}, "spec": SPEC}
        made = only(decide(store(namespace(), scene(jobTemplate=template_)), NOW + 300), Submit)
        assert (made.schedule, made.minute) == ("uid-s", minute(NOW + 300))
        assert made.manifest["metadata"] == {
            "name": f"s-{minute(NOW + 300)}", "namespace": "default", "annotations": {"note": "x"},
            "labels": {"team": "a", "batchyard.dev/schedule": "s"},
            "ownerReferences": [{"apiVersion": "batchyard.dev/v1alpha1", "kind": "JobSchedule", "name": "s",
                                 "uid": "uid-s", "controller": True}],
        }  # fmt: skip
        assert made.manifest["kind"] == "Job"
        assert made.manifest["spec"] == SPEC

    def test_the_job_there_settles_its_fire_without_any_status(self) -> None:
        plan = decide(store(namespace(), scene(), fired(NOW + 300)), NOW + 310)
        assert submitted(plan) == []

    def test_a_status_settles_a_fire_without_its_job(self) -> None:
        status = {"lastFire": parse.rfc3339(NOW + 300)}
        assert submitted(decide(store(namespace(), scene(status=status)), NOW + 599)) == []
        assert submitted(decide(store(namespace(), scene(status=status)), NOW + 600)) == [minute(NOW + 600)]

    def test_a_job_deleted_by_its_user_is_not_made_anew(self) -> None:
        known, ran = store(namespace(), scene()), fired(NOW + 300)
        known.apply(ran)
        known.remove(ran)
        assert submitted(decide(known, NOW + 310)) == []

    def test_a_job_being_created_is_waited_for(self) -> None:
        known = store(namespace(), scene())
        known.submitting["uid-s"] = minute(NOW + 300)
        assert submitted(decide(known, NOW + 301)) == []
        known.submission_ended("uid-s")
        assert submitted(decide(known, NOW + 301)) == [minute(NOW + 300)]

    @pytest.mark.parametrize("gone", [{"deleting": NOW}, {}])
    def test_nothing_of_a_schedule_or_into_a_namespace_that_is_being_deleted(self, gone: dict[str, Any]) -> None:
        place = namespace() if gone else newer(namespace(), deleting=NOW)
        assert submitted(decide(store(place, newer(scene(), **gone)), NOW + 300)) == []

    def test_a_window_puts_each_fire_off_by_its_own_time(self) -> None:
        view = scene(schedule="0 * * * *", flexibleWindowMinutes=15)
        due = NOW + 3600 + delay("uid-s", NOW + 3600, 900)
        early = decide(store(namespace(), view), due - 1)
        assert submitted(early) == []
        assert early.wake == due
        assert submitted(decide(store(namespace(), view), due)) == [minute(NOW + 3600)]

    def test_a_window_wider_than_the_pause_between_fires_loses_none(self) -> None:
        view = scene(schedule="* * * * *", flexibleWindowMinutes=1440)
        for number in range(1, 30):
            at = NOW + number * MINUTE
            before = scene(
                schedule="* * * * *", flexibleWindowMinutes=1440, status={"lastFire": parse.rfc3339(at - 60)}
            )
            assert submitted(decide(store(namespace(), before), at + 59.9)) == [minute(at)]
        assert view.invalid == ""

    def test_one_time_then_the_end(self) -> None:
        view = scene(schedule="at(2027-01-15T12:00:00)")
        assert submitted(decide(store(namespace(), view), NOON)) == [minute(NOON)]
        status = said(view, fired(NOON, "Succeeded"), now=NOON + 60)
        assert (status["phase"], status["lastFire"], status["nextFires"]) == ("Ended", "2027-01-15T12:00:00Z", [])
        assert status["message"] == "no fire is left"

    def test_an_exact_second_is_kept(self) -> None:
        view = scene(schedule="at(2027-01-15T12:00:30)")
        assert submitted(decide(store(namespace(), view), NOON + 29)) == []
        assert submitted(decide(store(namespace(), view), NOON + 30)) == [minute(NOON)]
        assert said(view, fired(NOON), now=NOON + 60)["lastFire"] == "2027-01-15T12:00:30Z"

    def test_a_rate_counts_from_creation_or_start(self) -> None:
        assert submitted(decide(store(namespace(), scene(schedule="rate(7 minutes)")), NOW + 420)) == [
            minute(NOW + 420)
        ]
        start = scene(schedule="rate(7 minutes)", start=parse.rfc3339(NOW + 60))
        assert submitted(decide(store(namespace(), start), NOW + 60)) == [minute(NOW + 60)]


class TestMissed:
    """Down, suspended or full: what has passed meanwhile."""

    def test_without_a_deadline_the_latest_only_however_late(self) -> None:
        plan = decide(store(namespace(), scene()), NOON + 100)
        assert submitted(plan) == [minute(NOON)]
        assert "47 fires before that of 2027-01-15T12:00:00Z were missed" in only(plan, Tell).message

    @pytest.mark.parametrize(
        ("policy", "first"), [("Allow", NOON - 600), ("Forbid", NOON), ("Replace", NOON)]
    )  # fmt: skip
    def test_with_a_deadline_all_within_it_for_allow_the_newest_for_others(self, policy: str, first: float) -> None:
        view = scene(startingDeadlineSeconds=800, concurrencyPolicy=policy)
        assert submitted(decide(store(namespace(), view), NOON + 100)) == [minute(first)]

    def test_they_are_submitted_one_after_another_the_oldest_first(self) -> None:
        view, made = scene(startingDeadlineSeconds=1001), []
        known = store(namespace(), view)
        while fires := submitted(decide(known, NOON + 100)):
            made += fires
            known.apply(fired(fires[0] * MINUTE, "Submitted"))
        assert made == [minute(NOON - 900 + 300 * number) for number in range(4)]

    def test_never_more_than_a_hundred_the_newest(self) -> None:
        view = scene(schedule="* * * * *", startingDeadlineSeconds=86400)
        plan = decide(store(namespace(), view), NOON + 30)
        assert submitted(plan) == [minute(NOON) - 99]
        assert "1 fires before that" in only(plan, Tell).message

    def test_what_is_later_than_the_deadline_is_given_up_and_said(self) -> None:
        view = scene(startingDeadlineSeconds=60)
        known, plan = at_rest(view, now=NOON + 60)
        assert submitted(plan) == []
        message = known.schedules["uid-s"].status["message"]
        assert "fires missed by more than spec.startingDeadlineSeconds (60): 48, the latest that of" in message
        assert submitted(decide(known, NOON + 300)) == [minute(NOON + 300)]

    def test_the_last_moment_of_the_deadline(self) -> None:
        view = scene(startingDeadlineSeconds=60)
        assert submitted(decide(store(namespace(), view), NOON + 59.9)) == [minute(NOON)]

    def test_a_long_pause_costs_little(self) -> None:
        view = scene(schedule="* * * * *")
        assert submitted(decide(store(namespace(), view), NOW + 3 * 366 * 86400)) == [minute(NOW + 3 * 366 * 86400)]

    def test_a_suspended_schedule_fires_nothing_and_makes_up_for_nothing(self) -> None:
        view = scene(suspend=True)
        known, plan = at_rest(view, now=NOON)
        assert submitted(plan) == []
        status = known.schedules["uid-s"].status
        assert (status["phase"], status["nextFires"]) == ("Suspended", [])
        resumed = scene(status=status, generation=2)
        known, plan = at_rest(resumed, now=NOON + 100)
        assert submitted(plan) == []
        assert known.schedules["uid-s"].status["phase"] == "Active"
        assert submitted(decide(known, NOON + 299)) == []
        assert submitted(decide(known, NOON + 300)) == [minute(NOON + 300)]

    def test_another_timetable_does_not_fire_for_what_lies_before_it(self) -> None:
        known, _ = at_rest(scene(schedule="0 0 * * *"), now=NOON)
        changed = scene(schedule="0 * * * *", status=known.schedules["uid-s"].status, generation=2)
        known, plan = at_rest(changed, now=NOON + 1800)
        assert submitted(plan) == []
        assert submitted(decide(known, NOON + 3600)) == [minute(NOON + 3600)]

    def test_a_change_of_anything_else_loses_no_fire(self) -> None:
        known, _ = at_rest(scene(), now=NOON - 301)
        changed = scene(successfulJobsHistoryLimit=9, status=known.schedules["uid-s"].status, generation=2)
        assert submitted(decide(store(namespace(), changed), NOON)) == [minute(NOON)]


class TestConcurrency:
    def test_allow_lets_them_run_side_by_side(self) -> None:
        plan = decide(store(namespace(), scene(), fired(NOW + 300)), NOW + 600)
        assert submitted(plan) == [minute(NOW + 600)]
        assert of(plan, Terminate) == []

    def test_forbid_holds_the_newest_fire_until_the_job_has_ended(self) -> None:
        view, running = scene(concurrencyPolicy="Forbid"), fired(NOW + 300)
        known = store(namespace(), view, running)
        assert submitted(decide(known, NOW + 900)) == []
        expected = f"waits until s-{minute(NOW + 300)} has ended (spec.concurrencyPolicy: Forbid)"
        assert expected in said(view, running, now=NOW + 900)["message"]
        known.apply(newer(fired(NOW + 300, "Succeeded"), uid=running.uid))
        assert submitted(decide(known, NOW + 901)) == [minute(NOW + 900)]

    def test_forbid_within_the_deadline_only(self) -> None:
        view = scene(concurrencyPolicy="Forbid", startingDeadlineSeconds=60)
        known = store(namespace(), view, fired(NOW + 300))
        plan = decide(known, NOW + 620)
        assert submitted(plan) == []
        known.apply(newer(fired(NOW + 300, "Succeeded")))
        assert submitted(decide(known, NOW + 670)) == []

    def test_replace_submits_first_and_then_terminates_what_is_older(self) -> None:
        view, old = scene(concurrencyPolicy="Replace"), fired(NOW + 300)
        plan = decide(store(namespace(), view, old), NOW + 600)
        assert submitted(plan) == [minute(NOW + 600)]
        assert of(plan, Terminate) == [], "nothing ends for a job that may be refused"
        told = only(decide(store(namespace(), view, old, fired(NOW + 600, "Submitted")), NOW + 601), Terminate)
        assert (told.name, told.uid) == (old.name, old.uid)
        assert f"replaced by s-{minute(NOW + 600)}" in told.reason

    def test_replace_says_it_once(self) -> None:
        old = fired(NOW + 300, stop={"mode": "Terminate"})
        plan = decide(store(namespace(), scene(concurrencyPolicy="Replace"), old, fired(NOW + 600)), NOW + 601)
        assert of(plan, Terminate) == []


class TestHistory:
    def settled(self, **spec: Any) -> Schedule:
        return scene(status={"lastFire": parse.rfc3339(NOW + 3000)}, **spec)

    def test_the_oldest_beyond_the_limits_go(self) -> None:
        good = [fired(NOW + 300 * number, "Succeeded") for number in range(1, 6)]
        bad = [fired(NOW + 300 * number, "Failed") for number in range(6, 9)]
        plan = decide(store(namespace(), self.settled(), *good, *bad), NOW + 3001)
        assert leaving(plan) == [j.name for j in (*good[:2], *bad[:2])]

    def test_none_are_kept_if_so_asked_but_those_that_run(self) -> None:
        view = self.settled(successfulJobsHistoryLimit=0, failedJobsHistoryLimit=0)
        jobs = [fired(NOW + 300, "Succeeded"), fired(NOW + 600, "Failed"), fired(NOW + 900)]
        plan = decide(store(namespace(), view, *jobs), NOW + 3001)
        assert leaving(plan) == [jobs[0].name, jobs[1].name]

    def test_none_goes_before_its_fire_is_on_record(self) -> None:
        view, done = scene(successfulJobsHistoryLimit=0), fired(NOW + 300, "Succeeded", ttlSecondsAfterFinished=0)
        known = store(namespace(), view, done)
        plan = decide(known, NOW + 400)
        assert leaving(plan) == []
        known.apply(newer(view, last_fire=NOW + 300))
        assert leaving(decide(known, NOW + 400)) == [done.name]

    def test_one_on_its_way_out_is_not_told_twice(self) -> None:
        done = fired(NOW + 300, "Succeeded")
        known = store(namespace(), self.settled(successfulJobsHistoryLimit=0), done)
        assert leaving(decide(known, NOW + 3001)) == [done.name]
        known.forgetting(done.uid, NOW + 3001)
        assert leaving(decide(known, NOW + 3002)) == []

    def test_jobs_of_others_are_left_alone(self) -> None:
        known = store(namespace(), self.settled(successfulJobsHistoryLimit=0), job("s-1", {"phase": "Succeeded"}))
        plan = decide(known, NOW + 3001)
        assert (leaving(plan), of(plan, Forget)) == ([], [])


class TestStatus:
    def test_what_a_user_asks_first(self) -> None:
        status = said(scene(), fired(NOW + 300), now=NOW + 310)
        assert status["phase"] == "Active"
        assert status["lastFire"] == parse.rfc3339(NOW + 300)
        assert status["nextFires"] == [parse.rfc3339(NOW + 300 * number) for number in range(2, 7)]
        assert status["next"] == "15 Jan 08:10"
        assert (status["active"], status["activeJobs"]) == ([f"s-{minute(NOW + 300)}"], 1)
        assert (status["timetable"], status["since"]) == ("*/5 * * * *, UTC", parse.rfc3339(NOW))
        assert [(c["type"], c["status"]) for c in status["conditions"]] == [("Valid", "True"), ("Submitted", "True")]

    @pytest.mark.parametrize(
        ("spec", "shown"),
        [
            ({"schedule": "0 12 * * *", "timeZone": "America/New_York"}, "15 Jan 12:00"),
            ({"schedule": "0 0 29 2 *"}, "29 Feb 2028"),
        ],
    )
    def test_people_read_the_next_fire_on_their_own_clock(self, spec: dict[str, Any], shown: str) -> None:
        assert said(scene(**spec), now=NOW + 10)["next"] == shown

    @pytest.mark.parametrize(
        ("spec", "reason", "words"),
        [
            ({"schedule": "0 0 30 2 *"}, "InvalidSchedule", "never fires: no such day"),
            ({"schedule": "61 * * * *"}, "InvalidSchedule", "minute: 61 is out of range; use 0 to 59"),
            ({"timeZone": "Europe/Berln"}, "InvalidSchedule", "write for example Europe/Berlin"),
            ({"schedule": "cron(0 0 1 1 ? 2020)"}, "NeverFires", "never fires after 2027-01-15T08:00:00Z; check day"),
            ({"schedule": "at(2027-01-01T00:00:00)"}, "NeverFires", "choose a moment that is still to come"),
            ({"schedule": "0 0 * * *", "end": "2027-01-15T09:00:00Z"}, "NeverFires", "within spec.start and spec.end"),
            ({"start": "0001-01-01T00:00:00+10:00"}, "InvalidSchedule", "beyond what a calendar has"),
        ],
    )
    def test_what_can_never_fire_is_invalid_and_says_why(self, spec: dict[str, Any], reason: str, words: str) -> None:
        status = said(scene(**spec), now=NOW + 1)
        assert status["phase"] == "Invalid"
        assert words in status["message"]
        (valid,) = [c for c in status["conditions"] if c["type"] == "Valid"]
        assert (valid["status"], valid["reason"], valid["message"]) == ("False", reason, status["message"])

    def test_a_refusal_is_told_and_tried_again(self) -> None:
        known = store(namespace(), scene())
        known.refusals["uid-s"] = Refusal("QuotaExceeded", "exceeded quota: jobs=0", NOW + 320)
        plan = decide(known, NOW + 310)
        assert submitted(plan) == []
        (report,) = [r for r in of(plan, Report) if r.plural == "jobschedules"]
        assert (
            "the Job of 2027-01-15T08:05:00Z was refused and is submitted again: exceeded quota"
            in (report.status["message"])
        )
        assert ("Submitted", "False", "QuotaExceeded", "exceeded quota: jobs=0") in [
            (c["type"], c["status"], c["reason"], c["message"]) for c in report.status["conditions"]
        ]
        assert submitted(decide(known, NOW + 320)) == [minute(NOW + 300)]

    def test_a_change_of_the_schedule_is_tried_at_once(self) -> None:
        known = store(namespace(), scene())
        known.refusals["uid-s"] = Refusal("Refused", "no", NOW + 900)
        known.apply(scene(generation=2))
        assert submitted(decide(known, NOW + 310)) == [minute(NOW + 300)]

    def test_nothing_is_said_or_looked_at_twice(self) -> None:
        known, plan = at_rest(scene(), fired(NOW + 300, "Succeeded"), now=NOW + 310)
        assert plan.verbs == []
        assert plan.wake == NOW + 600
        assert decide(known, NOW + 400).verbs == []
        known.memo.clear()
        assert decide(known, NOW + 400) == decide(known, NOW + 400)

    def test_one_write_a_second_at_most(self) -> None:
        known = store(namespace(), scene())
        known.reported["uid-s"] = NOW + 0.5
        plan = decide(known, NOW + 1)
        assert plan.verbs == []
        assert plan.wake == NOW + 1.5
