"""Arrays: which children start, how each is tried again, what the whole comes to, and what is written of it."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import msgspec
import pytest

from batchyard.decide import decide
from batchyard.model.plan import Plan, Record, Stop
from batchyard.world.indexes import full, parse
from batchyard.world.notes import Note, Refusal
from batchyard.world.store import Store
from batchyard.world.views import Job, Pod
from builders import (
    NOW,
    decided,
    failed,
    job,
    newer,
    of,
    only,
    pod,
    pool_of,
    queue,
    running,
    started,
    status,
    store,
    succeeded,
    template,
)

Body = dict[str, Any]


def array(size: int = 5, on_record: Body | None = None, phase: str = "Running", **spec: Any) -> Job:
    """Return an array whose template is small, with what is on record of its children."""
    fields = {name: spec.pop(name) for name in ("indexes", "maxConcurrent", "tolerateFailures") if name in spec}
    known = {"phase": phase, "array": {"size": size, **on_record}} if on_record is not None else None
    given = {"template": template("100m", "16Mi"), **spec}
    return job("a", known, array={"size": size, **fields}, **given)


def child(index: int, attempt: int = 1, make: Any = pod, **fields: Any) -> Pod:
    name = f"a-{index}-{attempt}"
    made: Pod = make("a", attempt, name=name, uid=f"uid-{name}", index=index, **fields)
    return made


def names(plan: Plan) -> list[str]:
    return [name for name, _ in started(plan)]


def ended(plan: Plan) -> Body:
    """Return the array's part of the status that is written."""
    return dict(status(plan, "a")["array"])


def test_children_start_in_the_order_of_their_indexes() -> None:
    plan = decided(array(3), *pool_of("n1"))
    assert names(plan) == ["a-0-1", "a-1-1", "a-2-1"]


def test_a_child_finds_its_index() -> None:
    plan = decided(array(250, indexes="207"), *pool_of("n1"))
    (start,) = [verb for verb in plan.verbs if type(verb).__name__ == "Start"]
    labels = start.manifest["metadata"]["labels"]
    assert (labels["batchyard.dev/array-index"], labels["batchyard.dev/array-chunk"]) == ("207", "2")
    values = {each["name"]: each["value"] for each in start.manifest["spec"]["containers"][0]["env"]}
    assert values["AWS_BATCH_JOB_ARRAY_INDEX"] == values["JOB_COMPLETION_INDEX"] == "207"
    assert values["AWS_BATCH_JOB_ID"] == "uid-a:207"
    assert values["AWS_BATCH_JOB_ARRAY_SIZE"] == "250"
    assert values["AWS_BATCH_JOB_ATTEMPT"] == "1"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"indexes": "1,3-4"}, ["a-1-1", "a-3-1", "a-4-1"]),
        ({"maxConcurrent": 2}, ["a-0-1", "a-1-1"]),
        ({"template": template("3", "1Gi")}, ["a-0-1", "a-1-1"]),  # a node of 8 vCPUs holds two
    ],
)
def test_what_starts_first(spec: Body, expected: list[str]) -> None:
    assert names(decided(array(**spec), *pool_of("n1", max_vcpus=8))) == expected


@pytest.mark.parametrize(
    ("most", "expected"), [(1, []), (2, ["a-2-1"]), (3, ["a-2-1", "a-3-1"]), (9, ["a-2-1", "a-3-1", "a-4-1"])]
)
def test_the_window_slides(most: int, expected: list[str]) -> None:
    pods = [child(0, make=succeeded), child(1, containers=(running(),))]
    assert names(decided(array(maxConcurrent=most), *pods, *pool_of("n1"))) == expected


@pytest.mark.parametrize(
    ("retry", "pods", "on_record", "starts"),
    [
        ({"attempts": 1}, [child(0, make=failed)], None, ["a-1-1"]),
        ({"attempts": 2}, [child(0, make=failed)], None, ["a-0-2", "a-1-1"]),
        ({"attempts": 2}, [child(0, make=failed), child(0, 2, make=failed)], None, ["a-1-1"]),
        ({"attempts": 1}, [child(0, gone=True)], None, ["a-0-2", "a-1-1"]),  # free
        # The record says two attempts, one of them counted; their pods are gone.
        ({"attempts": 2}, [], [{"attempts": 2, "counted": 1, "indexes": "0"}], ["a-0-3", "a-1-1"]),
        ({"attempts": 2}, [], [{"attempts": 2, "counted": 2, "indexes": "0"}], ["a-1-1"]),
        ({"attempts": 3}, [child(0, 2, make=failed)], [{"attempts": 1, "counted": 1, "indexes": "0"}],
         ["a-0-3", "a-1-1"]),
        ({"attempts": 2}, [child(0, 2, make=failed)], [{"attempts": 1, "counted": 1, "indexes": "0"}], ["a-1-1"]),
        ({"attempts": 2}, [child(0, 2, make=failed)], [{"attempts": 1, "counted": 0, "indexes": "0"}],
         ["a-0-3", "a-1-1"]),
        ({"attempts": 1}, [], [{"attempts": 21, "indexes": "0"}], ["a-1-1"]),  # infrastructure has failed it too often
        ({"attempts": 1}, [], [{"attempts": 121, "indexes": "0"}], ["a-0-22", "a-1-1"]),  # a merged record
        ({"attempts": 5, "evaluateOnExit": [{"action": "Exit", "onExitCode": "1"}]}, [child(0, make=failed)], None,
         ["a-1-1"]),
        ({"attempts": 2, "backoff": {"initialSeconds": 30}}, [child(0, make=failed)], None, ["a-1-1"]),
        ({"attempts": 2, "backoff": {"initialSeconds": 30}}, [child(0, make=failed, finished=NOW - 30)], None,
         ["a-0-2", "a-1-1"]),
    ],
)  # fmt: skip
def test_each_child_is_tried_again_by_itself(retry: Body, pods: list[Pod], on_record: Any, starts: list[str]) -> None:
    on_record = {"retried": on_record} if on_record else None
    assert names(decided(array(2, on_record, retry=retry), *pods, *pool_of("n1", max_vcpus=8))) == starts


def test_a_child_that_ran_out_of_memory_gets_more_than_the_others() -> None:
    retry = {"attempts": 3, "onOutOfMemory": {"memoryFactor": "4"}}
    killed = child(1, make=failed, code=137, containers=(failed("x", code=137).containers[0],))
    killed = newer(killed, containers=(newer_container(killed, reason="OOMKilled"),))
    plan = decided(array(2, retry=retry), child(0), killed, *pool_of("n1", "n2"))
    (start,) = [verb for verb in plan.verbs if type(verb).__name__ == "Start"]
    assert start.manifest["metadata"]["name"] == "a-1-2"
    memory = start.manifest["spec"]["containers"][0]["resources"]["requests"]["memory"]
    assert memory == str(64 * 2**20)


def newer_container(of_pod: Pod, **fields: Any) -> Any:
    return msgspec.structs.replace(of_pod.containers[0], **fields)


def test_a_child_goes_to_another_node_than_the_one_that_failed_it() -> None:
    plan = decided(array(2), child(0, on="n1", gone=True), child(1, on="n1"), *pool_of("n1", "n2"))
    assert started(plan) == [("a-0-2", "n2")]


def test_a_timeout_ends_one_child_alone() -> None:
    pods = [child(0, timeout=60, containers=(running(NOW - 61),)), child(1, timeout=60, containers=(running(NOW),))]
    plan = decided(array(2), *pods, *pool_of("n1"))
    assert (only(plan, Stop).pod, only(plan, Stop).reason) == ("a-0-1", "TimedOut")
    assert plan.wake == NOW + 1


@pytest.mark.parametrize(
    ("tolerate", "ends", "phase", "reason"),
    [
        (0, {"succeeded": "0-4"}, "Succeeded", "Completed"),
        (0, {"succeeded": "0-3", "failed": "4"}, "Failed", "ChildrenFailed"),
        (1, {"succeeded": "0-3", "failed": "4"}, "Succeeded", "Completed"),
        ("20%", {"succeeded": "0-3", "failed": "4"}, "Succeeded", "Completed"),
        ("19%", {"succeeded": "0-3", "failed": "4"}, "Failed", "ChildrenFailed"),
        ("100%", {"failed": "0-4"}, "Succeeded", "Completed"),
    ],
)
def test_how_the_whole_ends(tolerate: Any, ends: Body, phase: str, reason: str) -> None:
    written = status(decided(array(5, ends, tolerateFailures=tolerate), *pool_of("n1")), "a")
    assert (written["phase"], written["reason"]) == (phase, reason)
    assert written["array"]["progress"] == "5/5"
    if "failed" in ends:
        assert "of 5 children failed" in written["message"]


def test_a_percentage_is_of_the_children_that_run() -> None:
    again = array(100, {"succeeded": "0-8", "failed": "9"}, indexes="0-9", tolerateFailures="10%")
    assert status(decided(again, *pool_of("n1")), "a")["phase"] == "Succeeded"


def test_the_end_is_written_at_once_and_says_which_failed() -> None:
    scene = store(array(3), child(0, make=succeeded), child(1, make=succeeded), child(2, make=failed), *pool_of("n1"))
    scene.noted["uid-a"] = Note("array/Running", NOW - 9, NOW)
    plan = decide(scene, NOW)
    written = status(plan, "a")
    assert written["phase"] == "Failed"
    assert "1 of 3 children failed (2); 0 may" in written["message"]
    assert written["array"]["counts"] == {
        "pending": 0, "runnable": 0, "starting": 0, "running": 0, "succeeded": 2, "failed": 1,
    }  # fmt: skip
    assert only(plan, Record).ends == {"Completed": 2, "Error": 1}


def test_one_write_a_second_at_most() -> None:
    scene = store(array(5, {}), child(0, make=succeeded), child(1), *pool_of("n1"))
    first = decide(scene, NOW)
    assert not of(first, Record)
    scene.noted.update(first.notes)
    later = decide(scene, NOW + 1)
    assert ended(later)["succeeded"] == "0"
    assert ended(later)["running"] == "1"
    scene.noted.update(later.notes)
    assert not of(decide(scene, NOW + 1.5), Record)
    assert ended(decide(scene, NOW + 2))["succeeded"] == "0"


@pytest.mark.parametrize(("reason", "expected"), [("QuotaExceeded", 1), ("PodNameTaken", 3)])
def test_after_a_refusal_one_child_tries_first(reason: str, expected: int) -> None:
    """But a name that is taken is one child's trouble alone."""
    scene = store(array(3), *pool_of("n1"))
    scene.refusals["uid-a"] = Refusal(reason, "no", NOW + 5)
    waiting = decide(scene, NOW)
    assert not names(waiting)
    assert waiting.wake is not None
    assert waiting.wake <= NOW + 5
    scene.memo.clear()
    assert len(names(decide(scene, NOW + 5))) == expected


def test_no_write_while_one_is_under_way() -> None:
    """Only between two writes is what is on record certain, and finished pods can go."""
    scene = store(array(5, {}), child(0, make=succeeded), child(1), *pool_of("n1"))
    scene.noted.update(decide(scene, NOW).notes)
    scene.assume_status("uid-a", scene.jobs["uid-a"].status)
    assert not of(decide(scene, NOW + 9), Record)
    scene.settle_status("uid-a", scene.jobs["uid-a"].status)
    assert ended(decide(scene, NOW + 9))["succeeded"] == "0"


def test_cancel_ends_what_waits_and_leaves_alone_what_runs() -> None:
    stop = {"mode": "Cancel", "reason": "no more"}
    scene = store(array(4, {}, stop=stop), child(0, containers=(running(),)), *pool_of("n1"))
    plan = decide(scene, NOW)
    assert not of(plan, Stop)
    assert not names(plan)
    scene.noted.update(plan.notes)
    written = status(decide(scene, NOW + 1), "a")
    assert (written["array"]["failed"], written["array"]["running"]) == ("1-3", "0")
    assert written["reason"] == "Cancelled"
    over = array(4, {"failed": "1-3"}, stop=stop)
    over = newer(over, status=newer_status(over, reason="Cancelled"))
    end = status(decided(over, child(0, make=succeeded), *pool_of("n1")), "a")
    assert (end["phase"], end["reason"]) == ("Failed", "Cancelled")
    assert end["message"].startswith("no more")


def newer_status(of_job: Job, **fields: Any) -> Any:
    return msgspec.structs.replace(of_job.status, **fields)


def test_terminate_ends_all() -> None:
    stop = {"mode": "Terminate"}
    plan = decided(array(4, {}, stop=stop), child(0, containers=(running(),)), child(1), *pool_of("n1"))
    assert {(each.pod, each.reason) for each in of(plan, Stop)} == {("a-0-1", "Terminated"), ("a-1-1", "Terminated")}


def test_single_children_are_stopped() -> None:
    stop = {"mode": "Terminate", "indexes": "1,3"}
    pods = [child(0, containers=(running(),)), child(1, containers=(running(),))]
    scene = store(array(5, {}, stop=stop), *pods, *pool_of("n1"))
    plan = decide(scene, NOW)
    assert [each.pod for each in of(plan, Stop)] == ["a-1-1"]
    assert names(plan) == ["a-2-1", "a-4-1"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"indexes": "7-3"}, "'7-3' is no index"),
        ({"indexes": "3-7"}, "index 7; the last one is 4"),
        ({"indexes": "bits:nonsense"}, "base64"),
        ({"indexes": ","}, "names no index"),
    ],
)
def test_indexes_that_are_none(spec: Body, words: str) -> None:
    scene = store(array(5, **spec), *pool_of("n1"))
    written = status(decide(scene, NOW), "a")
    assert (written["phase"], written["reason"]) == ("Failed", "InvalidArray")
    assert words in written["message"]


def test_stop_of_indexes_that_are_none_stops_nothing_and_says_so() -> None:
    stop = {"mode": "Terminate", "indexes": "9"}
    scene = store(array(3, {"running": "0-1"}, stop=stop), child(0), child(1), *pool_of("n1"))
    plan = decide(scene, NOW)
    assert not of(plan, Stop)
    assert names(plan) == ["a-2-1"], "the others go on"
    scene.noted.update(plan.notes)
    scene.apply(child(1, make=succeeded))
    assert "index 9; the last one is 2" in status(decide(scene, NOW + 1), "a")["message"]


SEQUENTIAL = [{"array": "Sequential"}]
ONE_TO_ONE = [{"job": "b", "array": "OneToOne"}]


@pytest.mark.parametrize(
    ("on_record", "pods", "starts"),
    [
        (None, [], ["a-0-1"]),
        ({}, [child(0)], []),
        ({"succeeded": "0-1"}, [], ["a-2-1"]),
        ({"succeeded": "0"}, [child(1, make=succeeded)], ["a-2-1"]),
        ({"succeeded": "0", "retried": [{"attempts": 1, "counted": 1, "indexes": "1"}]}, [], ["a-1-2"]),
    ],
)
def test_in_a_sequential_array_one_follows_the_other(on_record: Any, pods: list[Pod], starts: list[str]) -> None:
    chain = array(4, on_record, dependsOn=SEQUENTIAL, retry={"attempts": 2})
    assert names(decided(chain, *pods, *pool_of("n1"))) == starts


def test_the_rest_of_a_sequential_array_fails_with_one() -> None:
    plan = decided(array(4, {"succeeded": "0"}, dependsOn=SEQUENTIAL), child(1, make=failed), *pool_of("n1"))
    written = status(plan, "a")
    assert (written["phase"], written["array"]["failed"]) == ("Failed", "1-3")


def test_child_waits_for_child() -> None:
    other = job("b", {"phase": "Running", "array": {"size": 4, "succeeded": "0,2", "failed": "3"}}, array={"size": 4})
    mine = array(4, {}, phase="Submitted", dependsOn=ONE_TO_ONE)
    scene = store(mine, other, *pool_of("n1"))
    plan = decide(scene, NOW)
    assert [name for name in names(plan) if name.startswith("a-")] == ["a-0-1", "a-2-1"]
    over = job("b", {"phase": "Failed", "array": {"size": 4, "succeeded": "0,2", "failed": "1,3"}}, array={"size": 4})
    done = array(4, {"succeeded": "0,2"}, dependsOn=ONE_TO_ONE)
    written = status(decided(done, over, *pool_of("n1")), "a")
    assert (written["phase"], written["reason"], written["array"]["failed"]) == ("Failed", "DependencyFailed", "1,3")
    assert "child 1 of b failed" in written["message"]


def test_who_was_live_on_record_and_has_no_pod_was_lost_with_its_node() -> None:
    """After a crash: a free retry, with the next number."""
    group = {"attempts": 1, "counted": 1, "indexes": "1"}
    lost = array(4, {"running": "0-2", "retried": [group]}, retry={"attempts": 2})
    plan = decided(lost, child(2), *pool_of("n1"))
    assert names(plan) == ["a-0-2", "a-1-3", "a-3-1"]
    scene = store(lost, child(2), *pool_of("n1"))
    scene.noted.update(decide(scene, NOW).notes)
    written = ended(decide(scene, NOW + 1))
    assert written["retried"] == [
        {"attempts": 1, "counted": 0, "indexes": "0"}, {"attempts": 2, "counted": 1, "indexes": "1"},
    ]  # fmt: skip


def test_nothing_starts_while_an_end_is_unrecorded_twice() -> None:
    """The finished pod of a child stands for its end until the record does."""
    done = [child(index, make=succeeded) for index in range(3)]
    scene = store(array(3, {"running": "0-2"}), *done, *pool_of("n1"))
    plan = decide(scene, NOW)
    assert not names(plan)
    assert status(plan, "a")["phase"] == "Succeeded"


def test_a_node_with_unrecorded_ends_of_children_is_not_retired() -> None:
    old = child(0, make=succeeded, finished=NOW - 500)
    scene = store(array(2, {}), old, child(1, on="n2"), *pool_of("n1", "n2"))
    assert "n1" not in [verb.machine for verb in decide(scene, NOW).verbs if type(verb).__name__ == "Retire"]
    recorded = store(array(2, {"succeeded": "0"}), old, child(1, on="n2"), *pool_of("n1", "n2"))
    assert "n1" in [verb.machine for verb in decide(recorded, NOW).verbs if type(verb).__name__ == "Retire"]


def test_children_count_for_max_running_jobs() -> None:
    things = [thing for thing in pool_of("n1") if getattr(thing, "name", "") != "default"]
    plan = decided(array(9), child(0), queue(max_running=3), *things)
    assert names(plan) == ["a-1-1", "a-2-1"]


def test_a_huge_array_is_decided_quickly_and_asks_for_all_of_it() -> None:
    scene: Store = store(array(100_000, {"succeeded": "0-9999"}), *pool_of("n1"))
    began = perf_counter()
    plan = decide(scene, NOW)
    assert perf_counter() - began < 1
    assert names(plan)[0] == "a-10000-1"
    standing = scene.memo.get("uid-a")
    assert standing is None, "what started is judged anew"
    assert parse("10000-99999") == full(100_000) & ~full(10_000)
