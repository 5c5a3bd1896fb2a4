"""Orders to stop, and failed work once more."""

from __future__ import annotations

import pytest
from cli_world import POD, World

from batchyard.cli.retry import names

CHILDREN_FAILED = {"phase": "Failed", "reason": "ChildrenFailed", "definitionRevision": 1,
                   "array": {"size": 9, "succeeded": "0-2,6-8", "failed": "3-5"}}  # fmt: skip


def stop_of(world: World, name: str) -> dict:
    return world.read(name)["spec"]["stop"]


def test_stop_ends_what_runs_unless_cancel_is_said(world: World) -> None:
    world.job("runs", {"phase": "Running"})
    said = world.run("stop", "runs", "--cancel", "--reason", "no need").stderr
    assert said == "runs is Running: what has started goes on (stop --terminate ends it too)\n"
    assert stop_of(world, "runs") == {"mode": "Cancel", "reason": "no need"}
    assert world.run("stop", "batchjob.batchyard.dev/runs").stderr == "runs is told to terminate\n"
    assert stop_of(world, "runs") == {"mode": "Terminate", "reason": "no need"}
    world.run("stop", "runs", "--cancel")  # does not go back
    assert stop_of(world, "runs")["mode"] == "Terminate"


def test_stopped_children_become_more_and_then_all(world: World) -> None:
    world.job("array", {"phase": "Running"}, array={"size": 20})
    world.run("stop", "array", "--index", "3,5")
    world.run("stop", "array", "--index", "4,9-11", "-o", "name")
    assert stop_of(world, "array")["indexes"] == "3-5,9-11"
    world.run("stop", "array")
    world.run("stop", "array", "--index", "1")
    assert "indexes" not in stop_of(world, "array")


def test_several_are_stopped_and_one_that_has_ended_is_said(world: World) -> None:
    world.job("a", {"phase": "Succeeded"})
    world.job("b", {"phase": "Runnable"})
    assert world.run("stop", "a", "b").stderr == "a has already ended: Succeeded\nb is told to terminate\n"
    assert "stop" not in world.read("a")["spec"]


def test_stop_survives_that_the_operator_writes_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.job("busy", {"phase": "Running"})
    from batchyard.cli.cluster import Cluster

    get, count = Cluster.get, iter(range(99))

    def slow(self: Cluster, kind: str, name: str, namespace: str = "") -> dict:
        found = get(self, kind, name, namespace)
        if (turn := next(count)) < 2:
            world.status("busy", {"message": f"written meanwhile {turn}"})
        return found

    monkeypatch.setattr(Cluster, "get", slow)
    world.run("stop", "busy")
    assert stop_of(world, "busy")["mode"] == "Terminate"
    assert next(count) == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("stop", "Missing argument 'JOB...'"),
        ("stop nobody", "no Job 'nobody' in namespace"),
        ("stop single --index 1", "--index: single is not an array; leave it out to stop the job"),
        ("stop single --index 9-1", "'9-1' is no index and no range of indexes; write for example 3,7-9"),
        ("stop single --index ,", "no index is named"),
        ("stop pod/single", "write 'single'"),
        ("retry single", "single is Running; wait for its end, or stop it first"),
        ("retry good", "good has succeeded; to run it again submit it anew"),
        ("retry bad --index 1", "--index: bad is not an array; leave it out"),
        ("retry array --index 3,7", "--index: 7 of array has not failed; failed are 3-5"),
        ("retry fine", "no child of fine has failed; to run it again submit it anew"),
    ],
)
def test_what_cannot_be_done_is_said(world: World, words: str, sentence: str) -> None:
    world.job("single", {"phase": "Running"})
    world.job("good", {"phase": "Succeeded"})
    world.job("bad", {"phase": "Failed"})
    world.job("array", CHILDREN_FAILED, array={"size": 9})
    world.job("fine", {"phase": "Succeeded", "array": {"succeeded": "0-8"}}, array={"size": 9})
    before = len(world.jobs())
    assert sentence in world.refused(*words.split())
    assert len(world.jobs()) == before


def test_retry_runs_the_failed_children_of_the_same_revision(world: World) -> None:
    world.make("JobDefinition", "d", {"template": POD, "parameters": {"x": {}}})
    labels = {"team": "red", "batchyard.dev/schedule": "nightly"}
    spec = {"definition": {"name": "d"}, "parameters": {"x": "1"}, "array": {"size": 9, "maxConcurrent": 2}}
    world.job("sweep", CHILDREN_FAILED, labels, **spec, dependsOn=[{"job": "first"}, {"array": "Sequential"}])
    world.run("stop", "sweep")
    done = world.run("retry", "sweep")
    assert done.stdout == "batchjob.batchyard.dev/sweep-r1 created for the children 3-5\n"
    assert done.stderr == "sweep depended on first; the new job does not wait for that again (--after)\n"
    new = world.read("sweep-r1")
    assert new["spec"]["array"] == {"size": 9, "indexes": "3-5", "maxConcurrent": 2, "tolerateFailures": 0}
    assert new["spec"]["definition"] == {"name": "d", "revision": 1}
    assert new["spec"]["dependsOn"] == [{"array": "Sequential", "when": "Succeeded"}]
    assert new["metadata"]["labels"] == {"team": "red", "batchyard.dev/retry-of": "sweep"}
    assert "stop" not in new["spec"]
    assert world.run(
        "retry", "sweep", "--index", "4", "--newest", "-q", "big", "--after", "x", "-o", "name"
    ).stdout == ("batchjob.batchyard.dev/sweep-r2\n")
    newest = world.read("sweep-r2")["spec"]
    assert (newest["definition"], newest["queue"], newest["array"]["indexes"]) == ({"name": "d"}, "big", "4")
    assert {"job": "x", "when": "Succeeded"} in newest["dependsOn"]


def test_retry_of_a_single_job_and_of_an_array_that_never_began(world: World) -> None:
    world.job("bad", {"phase": "Failed"}, labels={"a": "b"})
    world.run("retry", "bad", "--name", "again")
    assert world.read("again")["spec"]["template"] == world.read("bad")["spec"]["template"]
    assert "already exists" in world.refused("retry", "bad", "--name", "again")
    world.job("never", {"phase": "Failed", "reason": "DependencyFailed"}, array={"size": 4, "indexes": "1-2"})
    world.run("retry", "never")
    assert world.read("never-r1")["spec"]["array"]["indexes"] == "1-2"


def test_retry_of_scattered_failures_is_a_bitmap_that_the_server_takes(world: World) -> None:
    from batchyard.world.indexes import parse, text

    odd = sum(1 << index for index in range(1, 20_000, 2))
    world.job("odd", {"phase": "Failed", "array": {"failed": text(odd)}}, array={"size": 20_000})
    world.run("retry", "odd")
    assert parse(world.read("odd-r1")["spec"]["array"]["indexes"]) == odd


def test_names_of_retries_count_on_and_stay_short() -> None:
    assert names("a")[:2] == ["a-r1", "a-r2"]
    assert names("a-r9")[0] == "a-r10"
    assert names("x" * 50)[0] == "x" * 47 + "-r1"
    assert names("x" * 46 + "-yyy")[0] == "x" * 46 + "-r1"
