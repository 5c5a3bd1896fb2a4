"""Queues, environments, jobs and pods that are deleted while they are in use: said, and nothing is lost."""

from __future__ import annotations

from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, simulated, template

SOON = 10


def test_a_deleted_queue_keeps_its_running_job_and_lets_the_others_wait(story: Lab) -> None:
    story.environment("gone-queue", managed("simulated", [shape(1)], 1))
    story.queue("gone", "gone-queue")
    story.job("of-gone-running", "gone", template=simulated(6_000))
    story.phase("of-gone-running", "Starting", "Running")
    story.job("of-gone-waiting", "gone", template=simulated())
    story.reason("of-gone-waiting", "AtMaxVCpus", SOON)
    story.api.delete("JobQueue", story.named("gone"))
    until(lambda: story.api.find("JobQueue", story.named("gone")) is None)
    status = story.reason("of-gone-waiting", "QueueNotFound", SOON)["status"]
    assert status["phase"] == "Pending"
    assert len(story.succeeded("of-gone-running")["attempts"]) == 1
    story.queue("gone", "gone-queue")
    story.succeeded("of-gone-waiting")


def test_a_deleted_environment_lets_its_jobs_end_and_then_goes(story: Lab) -> None:
    name = story.environment("leaving", managed("simulated", [shape(1)], 2, scaleDownDelaySeconds=600))
    story.queue("leaving", "leaving")
    story.job("last-one", "leaving", template=simulated(6_000))
    story.phase("last-one", "Running", "Starting")
    story.api.delete("ComputeEnvironment", name)
    story.job("too-late", "leaving", template=simulated())
    until(lambda: story.status("ComputeEnvironment", "leaving").get("phase") == "Deleting", SOON)
    message = story.status("ComputeEnvironment", "leaving")["message"]
    assert f"still named by queues: {story.named('leaving')}" in message
    until(lambda: "being deleted" in story.status("JobQueue", "leaving").get("message", ""), SOON)
    assert len(story.succeeded("last-one")["attempts"]) == 1
    until(lambda: story.api.find("ComputeEnvironment", name) is None, 30)
    assert story.nodes("leaving") == []
    waits = story.reason("too-late", "EnvironmentNotFound", SOON)["status"]
    assert f"ComputeEnvironment '{name}' does not exist" in waits["message"]
    until(lambda: story.status("JobQueue", "leaving")["phase"] == "Invalid", SOON)
    story.environment("leaving", managed("simulated", [shape(1)], 2))
    story.succeeded("too-late")


def test_a_deleted_job_takes_its_pod_with_it(story: Lab) -> None:
    story.job("unwanted", "main", template=template("sleep", "600", cpu="500m"))
    node = story.phase("unwanted", "Running", seconds=90)["status"]["attempts"][-1]["node"]
    story.api.delete("Job", "unwanted", story.namespace)
    until(lambda: story.api.find("Pod", "unwanted-1", story.namespace) is None, 40)
    assert story.api.find("Node", node) is not None


def test_a_pod_deleted_from_outside_is_run_again_for_nothing(story: Lab) -> None:
    story.job("plucked", "main", template=template("sleep", "5"))
    story.phase("plucked", "Running", seconds=90)
    story.api.delete("Pod", "plucked-1", story.namespace)
    first, second = story.succeeded("plucked", 60)["attempts"]
    assert (first["reason"], first["counted"]) == ("PodDeleted", False)
    assert second["reason"] == "Completed"


def test_an_image_that_does_not_exist(story: Lab) -> None:
    status = story.failed("image-never", 120)
    assert status["reason"] == "CannotPullContainer"
    assert "no-such-image:1" in status["message"]
    assert "ErrImageNeverPull" in status["message"]


def test_an_image_that_cannot_be_pulled_is_waited_for_a_while(story: Lab) -> None:
    status = story.failed("image-missing", 150)
    assert status["reason"] == "CannotPullContainer"
    assert "no-such-image:1" in status["message"]
    assert len(status["attempts"]) == 1


def test_a_command_that_does_not_exist(story: Lab) -> None:
    status = story.failed("no-command", 120)
    assert [attempt["exitCode"] for attempt in status["attempts"]] == [128, 128]
    assert status["reason"] == "CannotStartContainer"
    assert 'exec: "/no/such/command"' in status["message"]
    assert all("startedAt" not in attempt for attempt in status["attempts"]), "1970 is not when it started"
