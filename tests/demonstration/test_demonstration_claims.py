"""What the demo claims at its end is read from the jobs' statuses, and any departure makes it fail."""

from typing import Any

import pytest
from demo.costs import read
from demo.report import Truth, checks
from demo.scene import Scene, job
from demo.story import Story
from demo.texts import Statistics

STATISTICS = Statistics(words=2, different=1, checksum="c", top=(("hello", 2),))


def attempt(number: int, reason: str, node: str = "n1", **more: Any) -> dict[str, Any]:
    return {"number": number, "reason": reason, "node": node, **more}


def ended(name: str, phase: str, *attempts: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"phase": phase, "attempts": list(attempts)}}


GOOD = {
    "busy-at-first": ended("busy-at-first", "Succeeded", attempt(1, "Error"), attempt(2, "Completed")),
    "hungry": ended("hungry", "Succeeded", attempt(1, "OutOfMemory"), attempt(2, "Completed")),
    "too-slow": ended("too-slow", "Failed", attempt(1, "TimedOut", cost="0.000070")),
    "licences": ended("licences", "Succeeded", attempt(1, "Interrupted", counted=False), attempt(2, "Completed", "n2")),
}


def failures(objects: dict[str, dict[str, Any]], truth: Truth) -> list[str]:
    story = Story(None, None, print, statistics=STATISTICS, licences={"GPL": 1})  # type: ignore[arg-type]
    scene = Scene(jobs={name: job(item) for name, item in objects.items()})
    return [sentence for sentence, holds in checks(scene, story, truth) if not holds]


def test_all_claims_hold_when_all_went_well() -> None:
    assert failures(GOOD, Truth(STATISTICS, {"GPL": 1})) == []


@pytest.mark.parametrize(
    ("changed", "claim"),
    [
        (ended("busy-at-first", "Succeeded", attempt(1, "Completed")), "busy-at-first failed once"),
        (ended("hungry", "Failed", attempt(1, "OutOfMemory"), attempt(2, "OutOfMemory")), "hungry was killed"),
        (ended("too-slow", "Failed", attempt(1, "TimedOut"), attempt(2, "TimedOut")), "too-slow was stopped"),
        (ended("licences", "Succeeded", attempt(1, "Completed")), "licences lost its spot node"),
        (
            ended("licences", "Succeeded", attempt(1, "Interrupted"), attempt(2, "Completed", "n2")),
            "licences lost its spot node",
        ),
    ],
)
def test_a_claim_fails_with_its_job(changed: dict[str, Any], claim: str) -> None:
    failed = failures({**GOOD, changed["metadata"]["name"]: changed}, Truth(STATISTICS, {"GPL": 1}))
    assert len(failed) == 1
    assert failed[0].startswith(claim)


def test_another_result_than_pythons_fails() -> None:
    other = Statistics(words=2, different=1, checksum="d", top=(("hello", 2),))
    assert len(failures(GOOD, Truth(other, {"GPL": 2}))) == 2


def test_what_failed_attempts_cost_is_waste() -> None:
    scene = Scene(jobs={name: job(item) for name, item in GOOD.items()})
    assert str(scene.wasted) == "0.000070"


def cost(nodes: str, **parts: str) -> dict[str, Any]:
    whole = {"useful": "0", "wasted": "0", "running": "0", "idle": "0", **parts}
    return {"status": {"cost": {"nodes": nodes, **whole, "updatedAt": "2027-01-15T08:00:00Z"}}}


def test_the_nodes_cost_is_the_sum_of_its_parts() -> None:
    good = read([cost("0.30", useful="0.10", idle="0.20"), cost("0.05", wasted="0.05"), {"status": {}}])
    assert good.claim[1]
    assert good.sentence() == (
        "The nodes themselves: $0.350000 = $0.100000 useful + $0.050000 wasted + $0.000000 running + $0.200000 idle."
    )
    assert not read([cost("0.30", useful="0.10")]).claim[1]
    assert not read([{"status": {}}]).claim[1]


@pytest.mark.parametrize("waits_for", ["busy-at-first", "hungry"])
def test_the_node_is_not_taken_while_jobs_on_it_are_tried_again_for_reasons_of_their_own(waits_for: str) -> None:
    works = {"number": 1, "node": "n1", "startedAt": "2026-01-15T08:00:00Z"}
    running = {"metadata": {"name": "licences"}, "status": {"phase": "Running", "attempts": [works]}}
    scene = Scene(jobs={name: job(item) for name, item in {**GOOD, "licences": running}.items() if name != waits_for})
    story = Story(None, None, print)  # type: ignore[arg-type]
    story._reclaim(scene)
    assert story.reclaimed == ""
