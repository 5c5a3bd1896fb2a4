"""What a job waits for, when it may start, and what it is told: tables."""

from typing import Any

import msgspec
import pytest

from batchyard.decide import decide
from batchyard.decide.chain import Chain, chain_of
from batchyard.decide.depend import blocked, children
from batchyard.model.plan import Record, Start
from batchyard.world.assume import assume_status
from batchyard.world.indexes import full, parse, text
from batchyard.world.notes import Note
from batchyard.world.outcomes import CONFIGMAP, Outcome, Outcomes, engrave, outcome, read
from batchyard.world.parse import rfc3339
from batchyard.world.store import Store
from batchyard.world.views import Job
from batchyard.world.waits import CROWD
from builders import (
    NOW,
    attempt,
    decided,
    definition,
    job,
    namespace,
    newer,
    of,
    pod,
    pool_of,
    queue,
    revision,
    started,
    status,
    store,
    valid,
    version,
)

SUCCEEDED = {"phase": "Succeeded", "reason": "Completed", "stoppedAt": "2027-01-15T08:00:00Z"}
FAILED = {"phase": "Failed", "reason": "Error", "attempts": [attempt(exitCode=3)], "stoppedAt": "2027-01-15T08:00:00Z"}
CANCELLED = {"phase": "Failed", "reason": "Cancelled", "message": "never mind"}
RUNNING = {"phase": "Running", "attempts": [attempt(reason=None)]}


def on(*names: str, when: str = "Succeeded") -> list[dict[str, Any]]:
    return [{"job": name, "when": when} for name in names]


def scene(*jobs: Job, **fields: Any) -> Store:
    return store(*pool_of("n1", **fields), namespace(), *jobs)


def reason(known: Store, name: str = "job") -> tuple[str, str] | None:
    """Return the phase and reason that keep a job back."""
    found = blocked(known, known.jobs[f"uid-{name}"])
    return (str(found.phase), found.reason) if found else None


def message(known: Store, name: str = "job") -> str:
    found = blocked(known, known.jobs[f"uid-{name}"])
    assert found is not None
    return found.message


WAITS, DEAD = ("Pending", "WaitingForDependencies"), ("Failed", "DependencyFailed")


class TestWhole:
    @pytest.mark.parametrize(
        ("there", "when", "expected"),
        [
            (None, "Succeeded", WAITS), (RUNNING, "Succeeded", WAITS), (SUCCEEDED, "Succeeded", None),
            (FAILED, "Succeeded", DEAD), (CANCELLED, "Succeeded", DEAD), (RUNNING, "Failed", WAITS),
            (SUCCEEDED, "Failed", DEAD), (FAILED, "Failed", None), (CANCELLED, "Failed", None),
            (RUNNING, "Finished", WAITS), (SUCCEEDED, "Finished", None), (FAILED, "Finished", None),
        ],
    )  # fmt: skip
    def test_when(self, there: Any, when: str, expected: Any) -> None:
        assert reason(scene(job("a", status=there), job(dependsOn=on("a", when=when)))) == expected

    def test_it_starts_when_all_have_ended_as_they_should(self) -> None:
        known = scene(
            job("a", status=SUCCEEDED), job("b", status=FAILED), job(dependsOn=[*on("a"), *on("b", when="Failed")])
        )
        assert started(decide(known, NOW)) == [("job-1", "n1")]

    def test_it_does_not_start_before(self) -> None:
        known = scene(job("a", status=SUCCEEDED), job("b", status=RUNNING), pod("b"), job(dependsOn=on("a", "b")))
        assert not of(decide(known, NOW), Start)

    def test_across_queues(self) -> None:
        other = queue("other")
        known = store(*pool_of("n1"), other, job("a", status=SUCCEEDED, queue="other"), job(dependsOn=on("a")))
        assert started(decide(known, NOW)) == [("job-1", "n1")]

    def test_of_another_namespace_is_another_job(self) -> None:
        elsewhere = job("a", status=SUCCEEDED, meta={"namespace": "other"})
        assert reason(scene(elsewhere, job(dependsOn=on("a")))) == ("Pending", "DependencyNotFound")

    def test_a_write_under_way_does_not_count_yet(self) -> None:
        """The pod that a status rests on may be lost before the status is on record."""
        known = scene(job("a"), pod("a", phase="Succeeded", containers=()), job(dependsOn=on("a")))
        first = decide(known, NOW)
        assert not [start for start in of(first, Start) if start.job == "uid-job"]
        record = next(verb for verb in first.verbs if getattr(verb, "job", "") == "uid-a")
        written = assume_status(known, record)
        assert reason(known) == WAITS
        assert not of(decide(known, NOW), Start)
        known.settle_status("uid-a", written)
        assert reason(known) == WAITS
        known.apply(newer(job("a"), status=written))
        assert started(decide(known, NOW)) == [("job-1", "n1")]

    def test_what_a_hundred_wait_for(self) -> None:
        known = scene(*(job(f"a{n}") for n in range(100)), job(dependsOn=on(*(f"a{n}" for n in range(100)))))
        assert message(known).startswith("waits for 100 of 100 dependencies: a0 (Submitted), a1 (Submitted), ")
        assert message(known).endswith("a4 (Submitted) and 95 more")


class TestTold:
    def test_who_is_waited_for(self) -> None:
        known = scene(
            job("a", status=RUNNING), job("b", status=SUCCEEDED), job("c", status={"phase": "Pending"}),
            job(dependsOn=[*on("a", "b"), *on("c", when="Failed")]),
        )  # fmt: skip
        assert message(known) == "waits for 2 of 3 dependencies: a (Running), c (Pending) to fail"

    def test_who_is_not_there(self) -> None:
        known = scene(job("a", status=RUNNING), job(dependsOn=on("a", "ghost")))
        assert reason(known) == ("Pending", "DependencyNotFound")
        assert "ghost not found in namespace 'default'" in message(known)
        assert "leaves no outcome" in message(known)
        assert message(known).endswith("; a (Running)")

    def test_it_is_written_once_it_has_held(self) -> None:
        known = scene(job("a", status=RUNNING), pod("a"), job(dependsOn=on("a")))
        known.noted.update(decide(known, NOW).notes)
        said = status(decide(known, NOW + 2))
        assert (said["phase"], said["reason"]) == WAITS

    def test_it_is_told_anew_when_there_are_fewer(self) -> None:
        told = {"phase": "Pending", "reason": "WaitingForDependencies", "waiting": {"since": rfc3339(NOW)}}
        for message, anew in (
            ("waits for 2 of 2 dependencies: ", True),
            ("waits for 1 of 2 dependencies: b (Runnable)", False),
        ):
            waits = job(dependsOn=on("a", "b"), status={**told, "message": message})
            known = scene(job("a", status=SUCCEEDED), job("b", status=RUNNING), pod("b"), waits)
            known.noted["uid-job"] = Note("Pending/WaitingForDependencies", NOW, NOW)
            for later, rewritten in ((29, False), (30, anew)):
                records = [record.job for record in of(decide(known, NOW + later), Record)]
                assert ("uid-job" in records) is rewritten

    def test_a_mistake_about_the_queue_comes_first(self) -> None:
        known = scene(job("a", status=RUNNING), pod("a"), job(dependsOn=on("a"), queue="nowhere"))
        known.noted.update(decide(known, NOW).notes)
        assert status(decide(known, NOW + 2))["reason"] == "QueueNotFound"

    def test_what_can_never_come_is_told_before_any_mistake(self) -> None:
        for mistake in ({"queue": "nowhere"}, {"definition": {"name": "nothing"}}):
            said = status(decide(scene(job("a", status=FAILED), job(dependsOn=on("a"), **mistake)), NOW))
            assert (said["phase"], said["reason"]) == DEAD

    def test_a_disabled_queue_keeps_those_that_wait(self) -> None:
        waits = {"phase": "Pending", "reason": "WaitingForDependencies"}
        things = [*pool_of("n1"), newer(queue(), state="Disabled"), job("a", status=SUCCEEDED)]
        assert started(decided(*things, job(status=waits, dependsOn=on("a")))) == [("job-1", "n1")]
        assert not started(decided(*things, job(dependsOn=on("a"))))


class TestFailure:
    def test_the_chain_is_in_the_message(self) -> None:
        known = scene(job("a", status=FAILED), job("b", dependsOn=on("a")), job("c", dependsOn=on("b")))
        said = status(decide(known, NOW), "b")
        assert (said["phase"], said["reason"]) == DEAD
        assert said["message"] == "a <- b: b failed because a exited 3"
        known.apply(newer(job("b", dependsOn=on("a"), status={k: v for k, v in said.items() if v is not None})))
        said = status(decide(known, NOW), "c")
        assert said["message"] == "a <- b <- c: c failed because b failed because a exited 3"

    @pytest.mark.parametrize(
        ("ended", "when", "expected"),
        [
            (CANCELLED, "Succeeded", "a <- job: job failed because a was cancelled: never mind"),
            ({"phase": "Failed", "reason": "TimedOut", "message": "ran for 60 s"}, "Succeeded",
             "a <- job: job failed because a failed with TimedOut: ran for 60 s"),
            (SUCCEEDED, "Failed", "a <- job: job failed because a succeeded, and its failure was waited for"),
        ],
    )  # fmt: skip
    def test_how_the_first_ended(self, ended: Any, when: str, expected: str) -> None:
        assert message(scene(job("a", status=ended), job(dependsOn=on("a", when=when)))) == expected

    def test_a_long_chain_loses_its_middle(self) -> None:
        chain = Chain(("j0",), "j0 exited 3")
        for number in range(1, 2000):
            written = chain.then(f"j{number}").message()
            chain = chain_of(f"j{number}", Outcome(uid="", phase="Failed", reason="DependencyFailed", message=written))  # type: ignore[arg-type]
        assert written == (
            "j0 <- j1 <- (1995 more) <- j1997 <- j1998 <- j1999: j1999 failed because j1998 failed because "
            "j1997 failed because (1995 more) because j1 failed because j0 exited 3"
        )

    def test_one_that_has_failed_is_enough(self) -> None:
        assert (
            reason(scene(job("a", status=RUNNING), job("b", status=FAILED), job(dependsOn=on("a", "b", "ghost"))))
            == DEAD
        )

    @pytest.mark.parametrize("mode", ["Cancel", "Terminate"])
    def test_a_stop_of_a_job_that_waits_is_immediate(self, mode: str) -> None:
        known = scene(job("a", status=RUNNING), pod("a"), job(dependsOn=on("a"), stop={"mode": mode, "reason": "no"}))
        said = status(decide(known, NOW))
        assert (said["phase"], said["reason"], said["message"]) == ("Failed", "Cancelled", "no")

    def test_one_that_was_stopped_is_cancelled_whoever_fails_meanwhile(self) -> None:
        for more in ({}, {"array": {"size": 2}}):
            known = scene(job("a", status=FAILED), job(dependsOn=on("a"), stop={"mode": "Cancel"}, **more))
            assert status(decide(known, NOW))["reason"] == "Cancelled"

    def test_an_array_that_fits_no_pair_is_told_so_whether_or_not_its_definition_is_there(self) -> None:
        pair = {"array": {"size": 2}, "dependsOn": [{"job": "a", "array": "OneToOne"}]}
        for ended in (RUNNING, FAILED):
            known = scene(job("a", status=ended), job(definition={"name": "not-yet"}, **pair))
            assert status(decide(known, NOW))["reason"] == "InvalidDependency"


class TestOnceMet:
    @pytest.mark.parametrize(
        "begun", [{"phase": "Runnable"}, {"phase": "Starting"}, {"phase": "Submitted", "attempts": [attempt()]}]
    )
    def test_dependencies_stay_met(self, begun: Any) -> None:
        assert reason(scene(job(status=begun, dependsOn=on("ghost")))) is None

    def test_a_pod_says_so_too(self) -> None:
        assert reason(scene(pod(), job(dependsOn=on("ghost")))) is None

    def test_waiting_is_no_beginning(self) -> None:
        assert reason(scene(job(status={"phase": "Pending"}, dependsOn=on("ghost")))) == (
            "Pending",
            "DependencyNotFound",
        )


class TestMemory:
    def test_a_change_wakes_those_that_wait_and_nobody_else(self) -> None:
        known = scene(job("a"), job("b", dependsOn=on("a")), job("c", dependsOn=on("b")), job("d"))
        decide(known, NOW)
        known.memo.update(dict.fromkeys(("uid-b", "uid-c", "uid-d")))
        known.apply(newer(job("a"), status=job(status=SUCCEEDED).status))
        assert "uid-b" not in known.memo
        assert {"uid-c", "uid-d"} <= known.memo.keys()

    def test_events_without_a_change_of_phase_wake_nobody(self) -> None:
        known = scene(job("a"), job("b", dependsOn=on("a")))
        known.memo["uid-b"] = None
        known.apply(newer(known.jobs["uid-a"], generation=2))
        assert "uid-b" in known.memo

    @pytest.mark.parametrize(("count", "told"), [(CROWD, True), (CROWD + 1, False)])
    def test_a_crowd_is_woken_by_the_end_alone(self, count: int, told: bool) -> None:
        names = [f"b{n}" for n in range(count)]
        known = scene(job("a"), *(job(name, dependsOn=on("a")) for name in names))
        memo = dict.fromkeys(f"uid-{name}" for name in names)
        known.memo.update(memo)
        known.apply(newer(job("a"), status=job(status=RUNNING).status))
        assert ("uid-b0" not in known.memo) is told
        known.memo.update(memo)
        known.apply(newer(job("a"), status=job(status=SUCCEEDED).status))
        assert not known.memo.keys() & memo.keys()

    def test_sets_of_children_wake_those_that_wait_child_by_child(self) -> None:
        known = scene(
            job("a", array={"size": 3}), job("pairs", array={"size": 3}, dependsOn=[{"job": "a", "array": "OneToOne"}]),
            job("whole", dependsOn=on("a")),
            job("both", array={"size": 3}, dependsOn=[*on("a"), {"job": "a", "array": "OneToOne"}]),
        )  # fmt: skip
        known.memo.update(dict.fromkeys(("uid-pairs", "uid-whole", "uid-both")))
        known.apply(job("a", array={"size": 3}, status={"phase": "Submitted", "array": {"size": 3, "succeeded": "1"}}))
        assert not {"uid-pairs", "uid-both"} & known.memo.keys()
        assert "uid-whole" in known.memo

    def test_what_comes_and_goes_wakes(self) -> None:
        known = scene(job("b", dependsOn=on("a")))
        known.memo["uid-b"] = None
        known.apply(job("a"))
        assert "uid-b" not in known.memo
        known.memo["uid-b"] = None
        known.remove(known.jobs["uid-a"])
        assert "uid-b" not in known.memo
        assert reason(known, "b") == ("Pending", "DependencyNotFound")

    def test_nothing_is_kept_of_those_that_ended(self) -> None:
        known = scene(job("a"), job("b", dependsOn=on("a", "x")))
        known.apply(newer(job("b", dependsOn=on("a", "x")), status=job(status=FAILED).status))
        assert not known.dependants
        for uid in ("uid-a", "uid-b"):
            known.remove_job(uid)
        assert not any((known.named, known.unsure, known.recorded))


def ring(*names: str, **fields: Any) -> list[Job]:
    """Return jobs each of which waits for the next, the last for the first."""
    return [job(name, dependsOn=on(after, **fields)) for name, after in zip(names, (*names[1:], names[0]), strict=True)]


class TestCycles:
    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (("a",), {"a": "a -> a"}), (("a", "b"), {"a": "a -> b -> a", "b": "b -> a -> b"}),
            (("a", "b", "c"), {"a": "a -> b -> c -> a", "b": "b -> c -> a -> b", "c": "c -> a -> b -> c"}),
        ],
    )  # fmt: skip
    def test_all_of_a_cycle_fail_and_spell_it(self, names: tuple[str, ...], expected: dict[str, str]) -> None:
        plan = decide(scene(*ring(*names)), NOW)
        for name, spelt in expected.items():
            said = status(plan, name)
            assert (said["phase"], said["reason"]) == ("Failed", "DependencyCycle")
            assert said["message"] == f"the job waits for itself: {spelt}"

    @pytest.mark.parametrize("when", ["Failed", "Finished"])
    def test_it_closes_with_the_job_that_comes_last(self, when: str) -> None:
        a, b, c = ring("a", "b", "c", when=when)
        known = scene(a, b)
        assert not [verb for verb in decide(known, NOW).verbs if getattr(verb, "job", "")]
        known.apply(c)
        plan = decide(known, NOW)
        assert {status(plan, name)["reason"] for name in "abc"} == {"DependencyCycle"}

    @pytest.mark.parametrize("when", ["Succeeded", "Finished"])
    def test_a_crash_after_the_first_write_changes_nothing_for_the_rest(self, when: str) -> None:
        a, b, c = ring("a", "b", "c", when=when)
        said = {k: v for k, v in status(decide(scene(a, b, c), NOW), "b").items() if v is not None}
        restarted = scene(job("b", dependsOn=on("c", when=when), status=said), a, c)
        plan = decide(restarted, NOW)
        assert {status(plan, name)["reason"] for name in "ac"} == {"DependencyCycle"}

    def test_those_behind_a_cycle_fail_with_its_chain(self) -> None:
        known = scene(*ring("a", "b"), job(dependsOn=on("a")))
        said = {k: v for k, v in status(decide(known, NOW), "a").items() if v is not None}
        known.apply(job("a", dependsOn=on("b"), status=said))
        assert (
            message(known)
            == "a <- job: job failed because a failed with DependencyCycle: the job waits for itself: a -> b -> a"
        )

    def test_what_has_begun_waits_no_more(self) -> None:
        a, b = ring("a", "b")
        known = scene(newer(a, status=job(status={"phase": "Runnable"}).status), b)
        assert reason(known, "b") == WAITS
        decide(known, NOW)
        assert reason(known, "b") == WAITS

    def test_a_diamond_is_no_cycle(self) -> None:
        known = scene(
            job("d", dependsOn=on("b", "c")), job("b", dependsOn=on("a")), job("c", dependsOn=on("a")), job("a")
        )
        assert started(decide(known, NOW)) == [("a-1", "n1")]
        assert not known.cycles

    def test_one_of_thousands(self) -> None:
        known = scene(*ring(*(f"j{n}" for n in range(3000))))
        decide(known, NOW)
        assert len(known.cycles) == 3000
        assert message(known, "j7").startswith("the job waits for itself: j7 -> j8 -> j9 -> ")
        assert message(known, "j7").endswith(" -> j14 -> (2991 more) -> j6 -> j7")


def array(name: str = "job", size: int = 4, status: Any = None, indexes: str | None = None, **spec: Any) -> Job:
    given = {"size": size, **({"indexes": indexes} if indexes else {})}
    return job(name, status=status, array=given, **spec)


def pairs(when: str = "Succeeded") -> list[dict[str, Any]]:
    return [{"job": "a", "array": "OneToOne", "when": when}]


def progress(succeeded: str = "", failed: str = "", phase: str = "Running") -> dict[str, Any]:
    return {"phase": phase, "array": {"size": 4, "succeeded": succeeded, "failed": failed}}


def sets(known: Store, succeeded: str = "", failed: str = "") -> tuple[str, str]:
    may, doomed = children(known, known.jobs["uid-job"], parse(succeeded), parse(failed))
    return text(may), text(doomed)


class TestOneToOne:
    @pytest.mark.parametrize(
        ("there", "when", "may", "doomed"),
        [
            (None, "Succeeded", "", ""), (progress("0,2", "1"), "Succeeded", "0,2", "1"),
            (progress("0,2", "1"), "Failed", "1", "0,2"), (progress("0,2", "1"), "Finished", "0-2", ""),
            (progress("0,2", "1", "Failed"), "Succeeded", "0,2", "1,3"),
            (progress("0,2", "1", "Failed"), "Failed", "1,3", "0,2"),
            (progress("0-3", "", "Succeeded"), "Succeeded", "0-3", ""),
            (CANCELLED, "Succeeded", "", "0-3"), (CANCELLED, "Finished", "0-3", ""),
        ],
    )  # fmt: skip
    def test_child_waits_for_child(self, there: Any, when: str, may: str, doomed: str) -> None:
        known = scene(array("a", status=there), array(dependsOn=pairs(when)))
        assert sets(known) == (may, doomed)

    def test_children_that_the_other_does_not_run_never_succeed(self) -> None:
        known = scene(array("a", status=progress("1"), indexes="1-2"), array(dependsOn=pairs()))
        assert sets(known) == ("1", "0,3")

    @pytest.mark.parametrize(
        ("there", "expected"),
        [
            (None, WAITS), (progress("2"), None), (progress("", "2"), None), (progress("", "0-3", "Failed"), DEAD),
            (CANCELLED, DEAD), (progress("0-3", "", "Succeeded"), None),
        ],
    )  # fmt: skip
    def test_the_array_waits_while_no_child_may_go_on(self, there: Any, expected: Any) -> None:
        assert reason(scene(array("a", status=there), array(dependsOn=pairs()))) == expected

    def test_sizes_must_agree(self) -> None:
        known = scene(array("a", size=5), array(dependsOn=pairs()))
        assert reason(known) == ("Failed", "InvalidDependency")
        assert message(known).endswith("needs two arrays of the same size, but job has 4 children and a has 5 children")
        assert "but job has 4 children and a is no array" in message(scene(job("a"), array(dependsOn=pairs())))

    def test_one_that_is_not_there_is_waited_for(self) -> None:
        known = scene(array(dependsOn=pairs()))
        assert reason(known) == ("Pending", "DependencyNotFound")
        assert sets(known) == ("", "")

    def test_all_entries_must_allow_a_child(self) -> None:
        both = [*pairs(), {"job": "b", "array": "OneToOne", "when": "Finished"}]
        known = scene(
            array("a", status=progress("0-1", "2")), array("b", status=progress("1,3")), array(dependsOn=both)
        )
        assert sets(known) == ("1", "2")

    def test_a_child_that_has_started_is_tried_again_whatever_becomes_of_the_other_array(self) -> None:
        begun = {"phase": "Running", "array": {"size": 4, "retried": [{"attempts": 1, "counted": 1, "indexes": "2"}]}}
        known = scene(array(status=begun, dependsOn=pairs(), retry={"attempts": 2}))
        assert started(decide(known, NOW)) == [("job-2-2", "n1")]
        known.apply(array("a", status=progress("", "0-3", "Failed")))
        assert started(decide(known, NOW)) == [("job-2-2", "n1")]

    def test_whole_dependencies_say_nothing_of_children(self) -> None:
        assert sets(scene(job("a"), array(dependsOn=on("a")))) == ("0-3", "")


class TestSequential:
    @pytest.mark.parametrize(
        ("when", "succeeded", "failed", "may", "doomed"),
        [
            ("Succeeded", "", "", "0", ""), ("Succeeded", "0-1", "", "0-2", ""), ("Succeeded", "0-3", "", "0-3", ""),
            ("Succeeded", "0", "1", "0-1", "2-3"), ("Failed", "", "0", "0-1", ""), ("Failed", "1", "0", "0-1", "2-3"),
            ("Finished", "0", "1", "0-2", ""), ("Succeeded", "0", "2", "0-1", "3"),
        ],
    )  # fmt: skip
    def test_one_after_the_other(self, when: str, succeeded: str, failed: str, may: str, doomed: str) -> None:
        known = scene(array(dependsOn=[{"array": "Sequential", "when": when}]))
        found_may, found_doomed = sets(known, succeeded, failed)
        assert parse(found_may) & ~parse(failed) == parse(may) & ~parse(failed)
        assert found_doomed == doomed

    def test_those_that_do_not_run_are_left_out(self) -> None:
        known = scene(array(size=9, indexes="2,5,7", dependsOn=[{"array": "Sequential"}]))
        assert sets(known) == ("2", "")
        assert sets(known, "2") == ("2,5", "")
        assert sets(known, "2", "5")[1] == "7"

    def test_it_needs_no_other_job(self) -> None:
        assert reason(scene(array(dependsOn=[{"array": "Sequential"}]))) is None

    def test_a_hundred_thousand(self) -> None:
        known = scene(array(size=100_000, dependsOn=[{"array": "Sequential"}]))
        may, doomed = children(known, known.jobs["uid-job"], full(99_998), 0)
        assert (may, doomed) == (full(99_999), 0)


def tombstones(*jobs: Job, owner: str = "uid-default") -> Outcomes:
    texts = {each.name: engrave(outcome(each, each.status)) for each in jobs}
    return Outcomes(
        name=f"{CONFIGMAP}default", uid="u", version=version(), namespace="default", owner=owner, texts=texts
    )


class TestTombstones:
    @pytest.mark.parametrize(("ended", "expected"), [(SUCCEEDED, None), (FAILED, DEAD)])
    def test_a_collected_job_is_judged_as_if_it_were_there(self, ended: Any, expected: Any) -> None:
        known = store(*pool_of("n1"), namespace(), tombstones(job("a", status=ended)), job(dependsOn=on("a")))
        assert reason(known) == expected

    def test_it_says_why_it_failed(self) -> None:
        gone = job(
            "b", status={**FAILED, "reason": "DependencyFailed", "message": "a <- b: b failed because a exited 3"}
        )
        known = store(namespace(), tombstones(gone), job(dependsOn=on("b")))
        assert message(known) == "a <- b <- job: job failed because b failed because a exited 3"

    def test_children_of_a_collected_array(self) -> None:
        gone = array("a", status=progress("0,2", "1", "Failed"))
        known = store(namespace(), tombstones(gone), array(dependsOn=pairs()))
        assert sets(known) == ("0,2", "1,3")
        known = store(namespace(), tombstones(gone), array(size=5, dependsOn=pairs()))
        assert reason(known) == ("Failed", "InvalidDependency")

    def test_children_too_scattered_to_be_kept(self) -> None:
        odd = ",".join(str(n) for n in range(1, 4000, 2))
        gone = array("a", size=4000, status={"phase": "Failed", "array": {"size": 4000, "succeeded": odd}})
        assert len(engrave(outcome(gone, gone.status))) < 500
        known = store(namespace(), tombstones(gone), array(size=4000, dependsOn=pairs()))
        assert reason(known) == DEAD
        assert "too scattered" in message(known)
        assert reason(store(namespace(), tombstones(gone), array(size=4000, dependsOn=pairs("Finished")))) is None

    def test_a_new_job_of_the_name_stands_over_it_also_when_it_is_gone(self) -> None:
        anew = msgspec.structs.replace(job("a"), uid="another")
        for first, second in (
            (tombstones(job("a", status=SUCCEEDED)), anew),
            (anew, tombstones(job("a", status=SUCCEEDED))),
        ):
            known = store(namespace(), job(dependsOn=on("a")), first, second)
            assert reason(known) == WAITS
            known.remove(anew)
            assert reason(known) == ("Pending", "DependencyNotFound")

    def test_those_of_an_earlier_namespace_do_not_count(self) -> None:
        known = store(namespace(), tombstones(job("a", status=SUCCEEDED), owner="before"), job(dependsOn=on("a")))
        assert reason(known) == ("Pending", "DependencyNotFound")

    def test_a_damaged_one_is_none(self) -> None:
        assert read("{") is None
        assert read('{"uid": 3}') is None

    def test_texts_sort_by_age(self) -> None:
        old, new = (job("a", status={**SUCCEEDED, "stoppedAt": f"20{year}-01-01T00:00:00Z"}) for year in (26, 27))
        assert engrave(outcome(old, old.status)) < engrave(outcome(new, new.status))


def test_jobs_of_a_definition_depend_too() -> None:
    kept = definition(status=valid())
    scene_ = [*pool_of("n1"), kept, revision(kept), job("a", status=RUNNING), pod("a")]
    assert not of(decided(*scene_, job(definition={"name": "render"}, dependsOn=on("a"))), Start)
