"""A spot storm: three nodes of ten go at once, half of them without a notice; no job is lost, none runs twice."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import msgspec
import pytest
from invoice import invoice, told
from simulation import JobSpec, Simulation

from batchyard.model.machine import MachineState
from batchyard.world.views import Environment, Job
from builders import C2

NODES, NOTICE = 20, 30.0
INTERRUPTED = {"Interrupted", "NodeLost"}


def busy(seed: int) -> Simulation:
    """Return a world in which spot nodes run two jobs each."""
    simulation, rng = Simulation(), random.Random(seed)
    simulation.change(Environment, "spot", shapes=(C2,), max_vcpus=NODES * 2)
    for number in range(NODES * 2):
        simulation.submit(f"j{number}", JobSpec("long", memory=rng.choice(("1Gi", "2Gi"))))
    simulation.advance(45)
    assert len(simulation.world.machines) == NODES
    return simulation


def storm(simulation: Simulation, seed: int) -> int:
    """Take three of ten machines; return how many."""
    rng, machines = random.Random(seed), sorted(simulation.world.machines)
    hit = rng.sample(machines, math.ceil(0.3 * len(machines)))
    for number, name in enumerate(hit):
        if number % 2:
            simulation.world.vanish(name)
        else:
            truth = simulation.world.machines[name]
            simulation.world.machines[name] = truth
            truth.state, truth.ends = MachineState.Interrupted, simulation.world.now + NOTICE
    simulation.disturbed = True
    return len(hit)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_loses_no_job_and_wastes_only_what_it_interrupts(seed: int) -> None:
    simulation = busy(seed)
    hit = storm(simulation, seed)
    assert hit == 6
    simulation.calm()
    for _ in range(4):
        simulation.advance(20)
    simulation.check_the_end()  # each job has ended as its program did; the world itself allows no second run
    jobs = simulation.world.all(Job)
    assert len(jobs) == NODES * 2
    assert {str(job.status.phase) for job in jobs} == {"Succeeded"}
    attempts = [attempt for job in jobs for attempt in job.status.attempts]
    lost = [attempt for attempt in attempts if attempt.reason in INTERRUPTED]
    assert len(attempts) == len(jobs) + len(lost), "a job was tried again that no storm had hit"
    assert 1 <= len(lost) <= 2 * hit
    assert not any(attempt.counted for attempt in lost)
    price = sum(Decimal(attempt.cost or 0) for attempt in lost)
    wasted = sum(Decimal((msgspec.to_builtins(job.status).get("cost") or {}).get("wasted", 0)) for job in jobs)
    assert wasted <= price
    assert told(simulation, "spot")["wasted"] <= price + invoice(simulation, "spot").tolerance
