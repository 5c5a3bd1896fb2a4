"""Jobs that wait for jobs, on the real API server: chains, failures, cycles, outcomes that outlive their jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from cluster.lab import Lab, Refused
from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, simulated

SYSTEM = "batchyard-system"
SOON = 20


@pytest.fixture(scope="module")
def links(lab: Lab) -> Iterator[Lab]:
    lab = replace(lab, namespace=lab.new_namespace("links"))
    lab.environment("links", managed("simulated", [shape(4)], 8, scaleDownDelaySeconds=20))
    lab.queue("links", "links")
    lab.queue("links-too", "links", priority=7)
    yield lab
    for job in lab.api.list("Job", lab.namespace):
        if job["spec"]["queue"].startswith(lab.named("links")):
            lab.api.delete("Job", job["metadata"]["name"], lab.namespace)


def on(*names: str, **fields: str) -> list[dict[str, str]]:
    return [{"job": name, **fields} for name in names]


def submit(lab: Lab, name: str, *needs: dict[str, str], queue: str = "links", **spec: Any) -> str:
    depends = {"dependsOn": list(needs)} if needs else {}
    return lab.job(name, queue, **{"template": simulated(200), **depends, **spec})


def kept(lab: Lab, namespace: str = "") -> dict[str, Body]:
    """Return the tombstones of a namespace."""
    found = lab.api.find("ConfigMap", f"batchyard-outcomes-{namespace or lab.namespace}", SYSTEM) or {}
    return {name: json.loads(text) for name, text in (found.get("data") or {}).items()}


def test_a_chain_across_queues_submitted_backwards(links: Lab) -> None:
    submit(links, "chain-c", *on("chain-b"), queue="links-too")
    waits = links.reason("chain-c", "DependencyNotFound", SOON)["status"]
    assert waits["phase"] == "Pending"
    assert "chain-b not found in namespace" in waits["message"]
    submit(links, "chain-b", *on("chain-a"))
    submit(links, "chain-a", queue="links-too", template=simulated(4000))
    waits = links.reason("chain-c", "WaitingForDependencies", 60)["status"]
    assert waits["message"].startswith("waits for 1 of 1 dependencies: chain-b (")
    ends = [links.succeeded(f"chain-{name}", 90) for name in "abc"]
    for before, after in pairwise(ends):
        assert before["stoppedAt"] <= after["attempts"][0]["startedAt"]


def test_a_failure_takes_its_dependants_with_it_and_says_why(links: Lab) -> None:
    submit(links, "root", template=simulated(1000, exit_code=3))
    submit(links, "middle", *on("root"))
    submit(links, "leaf", *on("middle"), queue="links-too")
    submit(links, "cleanup", *on("middle", when="Failed"), *on("leaf", when="Finished"))
    submit(links, "pointless", *on("cleanup", when="Failed"))
    assert links.failed("root", 90)["attempts"][0]["exitCode"] == 3
    middle, leaf = links.failed("middle", SOON), links.failed("leaf", SOON)
    assert (middle["reason"], leaf["reason"]) == ("DependencyFailed", "DependencyFailed")
    assert middle["message"] == "root <- middle: middle failed because root exited 3"
    assert leaf["message"] == "root <- middle <- leaf: leaf failed because middle failed because root exited 3"
    assert "attempts" not in leaf
    links.succeeded("cleanup")
    assert "cleanup succeeded, and its failure was waited for" in links.failed("pointless", SOON)["message"]
    assert any(event["reason"] == "DependencyFailed" for event in links.events("leaf"))


def test_a_cycle_that_closes_last(links: Lab) -> None:
    submit(links, "ring-a", *on("ring-b"))
    submit(links, "ring-b", *on("ring-c", when="Finished"))
    links.reason("ring-b", "DependencyNotFound", SOON)
    submit(links, "ring-c", *on("ring-a"))
    for name, spelt in (("a", "a b c a"), ("b", "b c a b"), ("c", "c a b c")):
        status = links.failed(f"ring-{name}", SOON)
        assert status["reason"] == "DependencyCycle"
        way = " -> ".join(f"ring-{letter}" for letter in spelt.split())
        assert status["message"] == f"the job waits for itself: {way}"


def test_a_job_that_waits_for_itself_is_refused(links: Lab) -> None:
    with pytest.raises(Refused, match="itself"):
        submit(links, "narcissus", *on("narcissus"))


@pytest.mark.parametrize("mode", ["Cancel", "Terminate"])
def test_a_job_that_waits_is_stopped_at_once(links: Lab, mode: str) -> None:
    blocker, name = f"blocker-{mode.lower()}", f"stopped-{mode.lower()}"
    submit(links, blocker, template=simulated(120_000))
    submit(links, name, *on(blocker))
    links.reason(name, "WaitingForDependencies", SOON)
    links.api.patch("Job", name, {"spec": {"stop": {"mode": mode, "reason": "never mind"}}}, links.namespace)
    status = links.failed(name, 5)
    assert (status["reason"], status["message"]) == ("Cancelled", "never mind")
    links.api.delete("Job", blocker, links.namespace)


def test_what_was_collected_is_known_after_a_restart(links: Lab) -> None:
    submit(links, "gone-well", ttlSecondsAfterFinished=0)
    submit(links, "gone-badly", template=simulated(exit_code=3), ttlSecondsAfterFinished=0)
    for name in ("gone-well", "gone-badly"):
        until(lambda name=name: links.api.find("Job", name, links.namespace) is None, 90)  # type: ignore[misc]
    assert {name: stone["phase"] for name, stone in kept(links).items() if name.startswith("gone")} == {
        "gone-well": "Succeeded",
        "gone-badly": "Failed",
    }
    assert links.operator.stop() == 0
    links.operator.start()
    submit(links, "heir", *on("gone-well"))
    submit(links, "orphan", *on("gone-well", "gone-badly"))
    links.succeeded("heir")
    status = links.failed("orphan", SOON)
    assert status["message"] == "gone-badly <- orphan: orphan failed because gone-badly exited 3"
    submit(links, "gone-well", template=simulated(120_000))
    until(lambda: "gone-well" not in kept(links), SOON)
    submit(links, "late", *on("gone-well"))
    assert "gone-well (" in links.reason("late", "WaitingForDependencies", SOON)["status"]["message"]
    links.api.delete("Job", "gone-well", links.namespace)
    links.reason("late", "DependencyNotFound", 60)
    submit(links, "gone-well")
    links.succeeded("late", 90)


def test_outcomes_go_with_their_namespace(links: Lab) -> None:
    space = links.new_namespace("passing")
    links.job("brief", "links", namespace=space, template=simulated(), ttlSecondsAfterFinished=0)
    until(lambda: "brief" in kept(links, space), 90)
    links.api.delete("Namespace", space)
    until(lambda: links.api.find("ConfigMap", f"batchyard-outcomes-{space}", SYSTEM) is None, 120)


def test_child_by_child(links: Lab) -> None:
    submit(links, "split", array={"size": 4}, template=simulated(500))
    submit(links, "join", *on("split", array="OneToOne"), array={"size": 4})
    submit(links, "misfit", *on("split", array="OneToOne"), array={"size": 5})
    assert "misfit has 5 children and split has 4 children" in links.failed("misfit", SOON)["message"]
    links.succeeded("join", 90)
    ends = {run.name.split("-")[1]: run for run in links.pods("split")}
    for run in links.pods("join"):
        assert ends[run.name.split("-")[1]].over


def test_one_after_the_other(links: Lab) -> None:
    submit(links, "row", {"array": "Sequential"}, array={"size": 3}, template=simulated(300))
    links.succeeded("row", 90)
    assert [run.name for run in links.pods("row")] == ["row-0-1", "row-1-1", "row-2-1"]
    submit(links, "broken-row", {"array": "Sequential"}, array={"size": 3}, template=simulated(exit_code=3))
    assert links.failed("broken-row", 60)["array"]["counts"]["failed"] == 3
    assert [run.name for run in links.pods("broken-row")] == ["broken-row-0-1"]
