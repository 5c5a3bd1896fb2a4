"""Nodes that are reclaimed, die or never come, and an operator that is killed: no attempt is counted, nothing twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from cluster.lab import Lab, machines
from cluster.rest import Body, until
from cluster.specs_of_jobs import JOB_IMAGE, managed, shape, simulated, template

NOWHERE = "batchyard.dev/never-ready:test"


# Runs until its node goes, however long that takes on a busy machine; the next attempt ends at once.
UNTIL_IT_MOVES = ("sh", "-c", 'if [ "$AWS_BATCH_JOB_ATTEMPT" = 1 ]; then exec sleep 300; fi')


def _moved(lab: Lab, name: str) -> Body:
    """Assert that a job ended well on a second node after the first had gone, for nothing; return the lost attempt."""
    lost, last = lab.succeeded(name, 90)["attempts"]
    assert lost["counted"] is False
    assert last["node"] != lost["node"]
    assert [run.attempt for run in lab.pods(name)] == [1, 2]
    until(lambda: lab.api.find("Node", lost["node"]) is None, 40)
    assert lost["node"] not in machines()
    return dict(lost)


def test_a_reclaimed_node_costs_its_job_no_attempt(story: Lab) -> None:
    story.job("reclaimed", "spot", template=template(*UNTIL_IT_MOVES, cpu="600m"))
    node = story.phase("reclaimed", "Running", seconds=90)["status"]["attempts"][-1]["node"]
    assert node in story.batchyard("interrupt", node, "--notice", "3")
    lost = _moved(story, "reclaimed")
    assert lost["reason"] == "Interrupted"
    assert "reclaimed" in lost["message"]


def test_a_node_that_dies_without_a_word_costs_its_job_no_attempt(story: Lab) -> None:
    story.job("on-dying", "spot", template=template(*UNTIL_IT_MOVES, cpu="600m"))
    node = story.phase("on-dying", "Running", seconds=90)["status"]["attempts"][-1]["node"]
    docker.from_env().containers.get(node).kill()
    assert _moved(story, "on-dying")["reason"] in ("Interrupted", "NodeLost")


def test_a_killed_operator_finds_its_nodes_and_runs_nothing_twice(story: Lab) -> None:
    story.job("survivor", "main", template=template("sleep", "15"))
    story.phase("survivor", "Starting", "Running", seconds=60)
    story.job("ends-unseen", "main", template=template("sleep", "4"))
    story.phase("ends-unseen", "Starting", "Running", seconds=60)
    nodes = {node["metadata"]["uid"] for node in story.nodes("main")}
    story.operator.kill()
    story.job("submitted-meanwhile", "main", template=template("true"))
    uid = story.read("ends-unseen")["metadata"]["uid"]
    until(lambda: all(run.over for run in story.recorder.of(uid)))
    story.operator.start()
    for name in ("survivor", "ends-unseen", "submitted-meanwhile"):
        (attempt,) = story.succeeded(name)["attempts"]
        assert len(story.pods(name)) == 1
        assert attempt["exitCode"] == 0
    assert nodes & {node["metadata"]["uid"] for node in story.nodes("main")}, "its nodes were found again"


def test_what_was_deleted_while_no_operator_ran_is_not_remembered(story: Lab) -> None:
    name = story.environment("unseen", managed("simulated", [shape(1)], 1, minVCpus=1))
    story.queue("unseen", "unseen")
    story.job("unseen", "unseen", template=simulated())
    story.succeeded("unseen")
    story.operator.kill()
    story.api.delete("Job", "unseen", story.namespace)
    story.api.delete("JobQueue", story.named("unseen"))
    story.api.delete("ComputeEnvironment", name)
    assert story.left("ComputeEnvironment").count(name) == 1, "its nodes hold it"
    story.operator.start()
    until(lambda: story.api.find("ComputeEnvironment", name) is None)
    assert story.nodes("unseen") == []
    # kopf begins to watch after the operator has begun to decide, so it never tells of this deletion.
    until(lambda: all(labels.get("environment") != name for _, labels, _ in story.operator.metrics()), 5)


@pytest.fixture
def image() -> Iterator[str]:
    """A node image that runs and never becomes a node."""
    engine = docker.from_env()
    with _archive().open("rb") as archive:
        engine.images.load(archive.read())
    made = engine.containers.create(JOB_IMAGE, ["sleep", "3600"])
    made.commit(*NOWHERE.split(":"), changes='CMD ["sleep", "3600"]')
    made.remove()
    yield NOWHERE
    engine.images.remove(NOWHERE, force=True)


def _archive() -> Path:
    cache = Path(os.environ.get("BATCHYARD_CACHE") or Path.home() / ".cache" / "batchyard")
    return next((cache / "images").glob("*.tar"))


def _failed(lab: Lab, environment: str) -> int:
    return int(lab.status("ComputeEnvironment", environment).get("nodes", {}).get("failed", 0))


def test_a_node_that_never_becomes_ready_is_replaced_and_blamed(story: Lab, image: str) -> None:
    spec = managed("docker", [shape(1)], 1, settings={"image": image}, nodeStartTimeoutSeconds=10)
    story.environment("never", spec)
    story.queue("never", "never")
    story.job("on-never", "never", template=template("true"))
    story.reason("on-never", "NodesStarting")
    until(lambda: _failed(story, "never") == 1, 40)
    status = story.status("ComputeEnvironment", "never")
    assert "was not Ready within 10 s" in status["message"]
    assert status["nodes"]["launching"] == 1, "another one was launched"
    events = story.events(story.named("never"), "default")
    assert any(event["reason"] == "NodeFailed" and event["type"] == "Warning" for event in events)
    story.api.delete("Job", "on-never", story.namespace)


def test_a_node_that_ends_at_once_says_why_and_is_not_launched_for_ever(story: Lab, image: str) -> None:
    spec = managed("docker", [shape(1)], 1, settings={"image": JOB_IMAGE})
    story.environment("ends", spec)
    story.queue("ends", "ends")
    story.job("on-ends", "ends", template=template("true"))
    until(lambda: _failed(story, "ends") >= 1, 40)
    assert "has failed" in story.status("ComputeEnvironment", "ends")["message"]
    job = story.reason("on-ends", "InsufficientCapacity", 60)
    assert "has failed" in job["status"]["message"]
    story.api.delete("Job", "on-ends", story.namespace)
