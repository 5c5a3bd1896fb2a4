"""Kill the operator before or after any write: every job ends as if nothing had happened, and no program runs twice."""

import os
from typing import Any

import pytest
from executor import Faults
from histories import SPECS
from hypothesis import given
from hypothesis import strategies as st
from simulation import JobSpec, Need, Simulation

JOBS = [
    JobSpec("short"), JobSpec("flaky", attempts=3), JobSpec("fails", attempts=2, backoff=15),
    JobSpec("greedy", attempts=3, grows=True, queue="od"), JobSpec("endless", timeout=60), JobSpec("no image"),
    JobSpec("short", cpu=8), JobSpec("long", defined=True, priority=2), JobSpec("flaky", array=3, attempts=2),
    JobSpec("short", array=3, needs=(Need(1, "Finished", "OneToOne"),)), JobSpec("short", needs=(Need(2), Need(8))),
    JobSpec("short", needs=(Need(8),)), JobSpec("short", needs=(Need(1, "Failed"),), ttl=0),
    JobSpec("short", needs=(Need(1), Need(2, "Finished"))), JobSpec("short", needs=(Need(-1, "Finished"),)),
    JobSpec("short", needs=(Need(1, "Finished"),)), JobSpec("short", array=3, sequential=True, needs=(Need(0),)),
    JobSpec("flaky", nodes=3, attempts=2), JobSpec("long", nodes=2, cpu=2, queue="od"),
    JobSpec("flaky", tokens=2, attempts=2), JobSpec("short", array=2, tokens=1, licences=2),
]  # fmt: skip


def run(jobs: list[JobSpec], faults: dict[int, str]) -> tuple[dict[str, Any], dict[str, int], int]:
    """Return how the jobs ended, how often each program ran, and how many writes it took.

    A fault costs time, in which more jobs may be collected: how one with a time to live ended says its program's runs.
    """
    simulation = Simulation(Faults(dict(faults)))
    for index, spec in enumerate(jobs):
        simulation.submit(f"j{index}", spec)
    simulation.persist()
    simulation.check_the_end()
    stay = {f"j{index}" for index, spec in enumerate(jobs) if spec.ttl is None}
    outcomes = {name: end for name, end in simulation.outcomes().items() if name in stay}
    assert outcomes.keys() == stay
    return outcomes, dict(simulation.world.runs), simulation.faults.count


EVERY = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 9
UNDISTURBED = run(JOBS, {})


@pytest.mark.parametrize("fault", ["crash", "crash before", "lost", "fail", "twice"])
def test_one_fault_at_any_write_changes_nothing(fault: str) -> None:
    outcomes, runs, writes = UNDISTURBED
    assert writes > 50
    for number in range(1, writes + 1, EVERY):
        assert run(JOBS, {number: fault})[:2] == (outcomes, runs), f"{fault} at write {number}"


@given(
    st.lists(SPECS, min_size=1, max_size=5),
    st.dictionaries(
        st.integers(1, 60), st.sampled_from(["fail", "lost", "twice", "crash", "crash before"]), max_size=8
    ),
)
def test_any_faults_change_nothing(jobs: list[JobSpec], faults: dict[int, str]) -> None:
    assert run(jobs, faults)[:2] == run(jobs, {})[:2]
