"""A spot storm on real kubelets, small: two nodes of six go at once, one without a notice."""

from __future__ import annotations

import os
from decimal import Decimal

import docker
import pytest

from cluster.lab import Lab
from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, template

pytestmark = pytest.mark.skipif(
    os.environ.get("BATCHYARD_FAULTS") != "long", reason="takes two minutes: BATCHYARD_FAULTS=long"
)
NODES, JOBS = 6, 18
STORM = {"Interrupted", "NodeLost"}


def test_a_storm_loses_no_job_runs_none_twice_and_wastes_only_what_it_interrupts(lab: Lab) -> None:
    lab.environment("stormy", managed("docker", [shape(2)], 2 * NODES, capacityType="Spot"))
    lab.queue("stormy", "stormy")
    names = [lab.job(f"storm{n}", "stormy", template=template("sleep", "40", cpu="600m")) for n in range(JOBS)]
    nodes = sorted({lab.phase(name, "Running", seconds=120)["status"]["attempts"][-1]["node"] for name in names})
    assert len(nodes) == NODES
    told, silent = nodes[0], nodes[3]
    lab.batchyard("interrupt", told, "--notice", "5")
    docker.from_env().containers.get(silent).kill()
    tries = {name: lab.succeeded(name, 200)["attempts"] for name in names}
    hit = [name for name, attempts in tries.items() if attempts[0]["node"] in (told, silent)]
    assert len(hit) == JOBS * 2 // NODES
    for name, attempts in tries.items():
        assert [run.attempt for run in lab.pods(name)] == list(range(1, len(attempts) + 1))
        assert len(attempts) == (2 if name in hit else 1), "a job was tried again that no storm had hit"
    lost = [attempts[0] for name, attempts in tries.items() if name in hit]
    assert {attempt["reason"] for attempt in lost} <= STORM
    assert not any(attempt["counted"] for attempt in lost)
    assert _wasted(lab, names) == sum(Decimal(attempt["cost"]) for attempt in lost) > 0
    until(lambda: {told, silent}.isdisjoint(_names(lab.nodes("stormy"))), 60)


def _wasted(lab: Lab, names: list[str]) -> Decimal:
    return sum((Decimal(lab.read(name)["status"]["cost"]["wasted"]) for name in names), Decimal())


def _names(nodes: list[Body]) -> set[str]:
    return {node["metadata"]["name"] for node in nodes}
