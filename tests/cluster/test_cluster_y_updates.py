"""A changed environment: new jobs on new nodes, old ones to their end or until the grace is over, then Valid again."""

from __future__ import annotations

from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, simulated


def test_nodes_of_an_older_configuration_are_replaced(lab: Lab) -> None:
    name = lab.environment("changed", managed("simulated", [shape(1)], 2, scaleDownDelaySeconds=600))
    lab.queue("changed", "changed")
    lab.job("on-old", "changed", template=simulated(300_000))
    lab.phase("on-old", "Running")
    (old,) = [node["metadata"]["name"] for node in lab.nodes("changed")]

    change = {"nodeTemplate": {"labels": {"example.com/disk": "fast"}}, "updatePolicy": {}}
    lab.api.patch("ComputeEnvironment", name, {"spec": change})
    until(lambda: lab.status("ComputeEnvironment", "changed").get("phase") == "Updating")
    told = lab.status("ComputeEnvironment", "changed")
    assert (told["update"]["nodes"], told["update"]["pods"]) == (1, 1)
    lab.job("on-new", "changed", template=simulated())
    (attempt,) = lab.succeeded("on-new")["attempts"]
    assert attempt["node"] != old
    assert lab.read("on-old")["status"]["phase"] == "Running"

    lab.api.patch("ComputeEnvironment", name, {"spec": {"updatePolicy": {"terminateJobsOnUpdate": True}}})
    moved = lab.wait("on-old", lambda status: len(status.get("attempts") or ()) > 1)["status"]["attempts"]
    assert (moved[0]["reason"], moved[0]["counted"], moved[0]["node"]) == ("NodeReplaced", False, old)
    assert moved[1]["node"] != old
    until(lambda: lab.status("ComputeEnvironment", "changed").get("phase") == "Valid")
    assert old not in [node["metadata"]["name"] for node in lab.nodes("changed")]
    lab.api.patch("Job", "on-old", {"spec": {"stop": {"mode": "Terminate"}}}, lab.namespace)
    lab.failed("on-old")
