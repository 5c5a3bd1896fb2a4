"""From `kubectl apply` to the end of a job on real nodes: what its status says at every step."""

from __future__ import annotations

from datetime import datetime

from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import template


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_job_runs_on_a_node_that_was_launched_for_it(story: Lab) -> None:
    status = story.succeeded("hello", 90)
    (attempt,) = status["attempts"]
    assert attempt["number"] == 1
    assert attempt["pod"] == "hello-1"
    assert attempt["node"].startswith(story.named("main"))
    assert attempt["computeEnvironment"] == story.named("main")
    assert attempt["instanceType"] == "c2"
    assert attempt["capacityType"] == "OnDemand"
    assert (attempt["exitCode"], attempt["reason"]) == (0, "Completed")
    assert 1.5 <= (moment(attempt["stoppedAt"]) - moment(attempt["startedAt"])).total_seconds() <= 10
    assert status["startedAt"] == attempt["startedAt"]
    assert status["stoppedAt"] == attempt["stoppedAt"]
    assert moment(status["createdAt"]) <= moment(status["startedAt"])
    assert float(status["cost"]["amount"]) > 0
    assert [c["type"] for c in status["conditions"] if c["status"] == "True"] == ["Complete"]


def test_jobs_are_packed_on_one_node(story: Lab) -> None:
    attempts = [story.succeeded(f"packed-{number}", 90)["attempts"][-1] for number in range(4)]
    begun = max(moment(attempt["startedAt"]) for attempt in attempts)
    ended = min(moment(attempt["stoppedAt"]) for attempt in attempts)
    assert len({attempt["node"] for attempt in attempts}) == 1
    assert begun <= ended, "they were not running at the same time"


def test_a_container_finds_the_variables_of_aws_batch(story: Lab) -> None:
    status = story.failed("variables", 90)
    (attempt,) = status["attempts"]
    assert (attempt["exitCode"], attempt["container"]) == (7, "main")
    uid = story.read("variables")["metadata"]["uid"]
    for line in (
        f"AWS_BATCH_JOB_ID={uid}",
        "AWS_BATCH_JOB_ATTEMPT=1",
        f"AWS_BATCH_JQ_NAME={story.named('main')}",
        f"AWS_BATCH_CE_NAME={story.named('main')}",
    ):
        assert line in attempt["message"], "the last lines of the log are the attempt's message"


def test_rules_decide_which_failures_are_tried_again(story: Lab) -> None:
    status = story.failed("rules", 90)
    assert [attempt["exitCode"] for attempt in status["attempts"]] == [3, 2]
    assert "evaluateOnExit says Exit" in status["message"]
    assert "no use" in status["attempts"][1]["message"]


def test_the_next_attempt_waits_for_its_backoff(story: Lab) -> None:
    first, second = story.succeeded("backoff", 90)["attempts"]
    assert (first["exitCode"], second["exitCode"]) == (1, 0)
    assert (moment(second["startedAt"]) - moment(first["stoppedAt"])).total_seconds() >= 4


def test_attempts_are_used_up(story: Lab) -> None:
    status = story.failed("used-up", 90)
    assert [attempt["number"] for attempt in status["attempts"]] == [1, 2]
    assert "attempt 2 of 2" in status["message"]
    (failed,) = [c for c in status["conditions"] if c["type"] == "Failed"]
    assert failed["status"] == "True"
    assert any(event["reason"] == "Error" for event in story.events("used-up"))


def test_a_job_that_ran_out_of_memory_gets_more(story: Lab) -> None:
    first, second = story.succeeded("memory", 90)["attempts"]
    assert (first["reason"], first["exitCode"], first["counted"]) == ("OutOfMemory", 137, True)
    assert second["reason"] == "Completed"
    limits = story.api.get("Pod", "memory-2", story.namespace)["spec"]["containers"][0]["resources"]
    assert limits["limits"]["memory"] == limits["requests"]["memory"] == str(128 * 2**20)


def test_a_finished_job_goes_when_its_time_to_live_has_passed(story: Lab) -> None:
    until(lambda: story.api.find("Job", "brief", story.namespace) is None, 90)
    until(lambda: story.api.find("Pod", "brief-1", story.namespace) is None, 30)


def test_terminate_stops_a_running_job(story: Lab) -> None:
    story.phase("terminate", "Running", seconds=90)
    stop = {"mode": "Terminate", "reason": "no longer needed"}
    story.api.patch("Job", "terminate", {"spec": {"stop": stop}}, story.namespace)
    status = story.failed("terminate", 30)
    assert (status["reason"], status["message"]) == ("Terminated", "no longer needed")
    assert status["attempts"][0]["reason"] == "Terminated"


def test_cancel_ends_a_job_that_waits(story: Lab) -> None:
    story.reason("cancel-early", "DefinitionNotFound")
    stop = {"mode": "Cancel", "reason": "changed my mind"}
    story.api.patch("Job", "cancel-early", {"spec": {"stop": stop}}, story.namespace)
    status = story.failed("cancel-early", 15)
    assert (status["reason"], status["message"]) == ("Cancelled", "changed my mind")
    assert "attempts" not in status


def test_cancel_leaves_a_running_job_alone(story: Lab) -> None:
    story.job("cancel-running", "main", template=template("sleep", "4"))
    story.phase("cancel-running", "Running", seconds=60)
    story.api.patch("Job", "cancel-running", {"spec": {"stop": {"mode": "Cancel"}}}, story.namespace)
    assert story.succeeded("cancel-running", 30)["attempts"][0]["exitCode"] == 0


def test_no_node_is_launched_for_a_job_that_may_not_start(story: Lab) -> None:
    until(lambda: story.status("ComputeEnvironment", "cold").get("phase") == "Valid")
    assert story.nodes("cold") == []
    assert not [line for line in story.operator.lines() if line.get("event") == "launch"
                and line.get("environment") == story.named("cold")]  # fmt: skip
