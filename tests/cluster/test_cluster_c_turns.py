"""Who starts first, and how many nodes there are: order, maxVCpus, minVCpus, nodes that go when they are idle."""

from __future__ import annotations

from cluster.lab import Lab, machines
from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, simulated, template


def test_queue_priority_then_job_priority_then_age_on_no_more_than_max_vcpus(story: Lab) -> None:
    story.job("order-first", "narrow", template=simulated(6_000))
    story.phase("order-first", "Starting", "Running")
    story.job("order-low", "narrow", template=simulated())
    story.job("order-high", "narrow", template=simulated(), priority=5)
    story.job("order-urgent", "urgent", template=simulated())
    for name in ("order-urgent", "order-high", "order-low"):
        story.succeeded(name)
    begun = [run.name for run in story.recorder.pods.values() if run.name.startswith("order-")]
    assert begun == ["order-first-1", "order-urgent-1", "order-high-1", "order-low-1"]
    assert story.recorder.peaks[story.named("narrow")] == 1


def test_min_vcpus_are_kept_without_any_job(story: Lab) -> None:
    until(lambda: story.status("ComputeEnvironment", "warm").get("nodes", {}).get("ready") == 1)
    (node,) = story.nodes("warm")
    story.succeeded(story.job("on-warm", "warm", template=simulated()))
    assert [n["metadata"]["uid"] for n in story.nodes("warm")] == [node["metadata"]["uid"]], "delay 0, and still there"


def test_an_idle_node_is_retired_after_its_delay_and_leaves_nothing(story: Lab) -> None:
    story.environment("brief", managed("docker", [shape(1)], 1, scaleDownDelaySeconds=4))
    story.queue("brief", "brief")
    node = story.succeeded(story.job("on-brief", "brief", template=template("true")))["attempts"][0]["node"]
    until(lambda: story.api.find("Node", node) is None, 40)
    assert node not in machines()
    (retired,) = [line for line in story.operator.lines() if line.get("event") == "retire" and line["machine"] == node]
    assert retired["reason"].startswith("was idle for "), retired
    assert int(retired["reason"].split()[3]) >= 4
    counts = {"launching": 0, "ready": 0, "draining": 0, "failed": 0}
    until(lambda: story.status("ComputeEnvironment", "brief")["nodes"] == counts)
