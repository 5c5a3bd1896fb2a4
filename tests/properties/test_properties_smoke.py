"""The simulated world itself: each program ends as it must when nothing disturbs it."""

import pytest
from simulation import JobSpec, Need, Simulation

from batchyard.world.views import Pod
from builders import C2, environment, node

LAST = Need(1)


@pytest.mark.parametrize(
    ("spec", "phase", "reason", "runs"),
    [
        (JobSpec("short"), "Succeeded", "Completed", 1), (JobSpec("fails", attempts=3), "Failed", "Error", 3),
        (JobSpec("flaky", attempts=2), "Succeeded", "Completed", 2), (JobSpec("flaky"), "Failed", "Error", 1),
        (JobSpec("greedy", attempts=2), "Failed", "OutOfMemory", 2),
        (JobSpec("greedy", attempts=2, grows=True), "Succeeded", "Completed", 2),
        (JobSpec("endless", timeout=60, attempts=3), "Failed", "TimedOut", 1),
        (JobSpec("stubborn", timeout=60), "Failed", "TimedOut", 1),
        (JobSpec("no image", attempts=2), "Failed", "CannotPullContainer", 0),
        (JobSpec("long", timeout=3600), "Succeeded", "Completed", 1), (JobSpec("short", defined=True), "Succeeded", "Completed", 1),  # noqa: E501
        (JobSpec("fails", defined=True), "Failed", "Error", 2),
        (JobSpec("fails", attempts=2, backoff=60), "Failed", "Error", 2),
    ],
)  # fmt: skip
def test_a_job_alone(spec: JobSpec, phase: str, reason: str, runs: int) -> None:
    simulation = Simulation()
    simulation.submit("job", spec)
    simulation.calm()
    outcome = simulation.outcomes()["job"]
    assert outcome[:2] == (phase, reason)
    assert simulation.world.runs.get("job", 0) == runs
    simulation.check_the_end()


def test_many_jobs_share_what_there_is() -> None:
    simulation = Simulation()
    for index in range(30):
        simulation.submit(f"job{index}", JobSpec("short", cpu=1 + index % 4, queue=("both", "od")[index % 2]))
    simulation.calm()
    assert {outcome[0] for outcome in simulation.outcomes().values()} == {"Succeeded"}
    simulation.check_the_end()


def test_nodes_that_somebody_else_owns() -> None:
    simulation = Simulation()
    world = simulation.world
    world.put(
        environment("own", uid="", managed=False, selector={"pool": "own"}, shapes=(), provider="", finalizers=())
    )
    mine = node("mine", env="", labels={"pool": "own"}, taints=(), shape=C2, uid="")
    world.put(mine)
    simulation.make_queue("own", ("own",), 1)
    for index in range(5):
        simulation.submit(f"job{index}", JobSpec("flaky", attempts=2, queue="own"))
    simulation.advance(300)
    assert {outcome[0] for outcome in simulation.outcomes().values()} == {"Succeeded"}
    assert not world.machines
    assert {pod.node for pod in world.all(Pod)} == {"mine"}


@pytest.mark.parametrize(
    ("spec", "phase", "succeeded", "failed", "runs"),
    [
        (JobSpec("short", array=7), "Succeeded", "0-6", "", 7),
        (JobSpec("short", array=7, concurrent=2), "Succeeded", "0-6", "", 7),
        (JobSpec("flaky", array=5, attempts=2), "Succeeded", "0-4", "", 10),
        (JobSpec("odd fails", array=5, attempts=2), "Failed", "0,2,4", "1,3", 7),
        (JobSpec("odd fails", array=5, tolerate=2), "Succeeded", "0,2,4", "1,3", 5),
        (JobSpec("odd fails", array=5, tolerate="39%"), "Failed", "0,2,4", "1,3", 5),
        (JobSpec("greedy", array=3, attempts=2, grows=True), "Succeeded", "0-2", "", 6),
        (JobSpec("endless", array=3, timeout=60, attempts=3), "Failed", "", "0-2", 3),
        (JobSpec("short", array=3, defined=True), "Succeeded", "0-2", "", 3),
    ],
)
def test_an_array_alone(spec: JobSpec, phase: str, succeeded: str, failed: str, runs: int) -> None:
    simulation = Simulation()
    simulation.submit("job", spec)
    simulation.calm()
    outcome = simulation.outcomes()["job"]
    assert (outcome[0], outcome[3]) == (phase, (succeeded, failed))
    assert sum(simulation.world.runs.values()) == runs
    simulation.check_the_end()


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ([JobSpec("long"), JobSpec(needs=(LAST,))], ["Completed", "Completed"]),
        ([JobSpec("fails"), JobSpec(needs=(LAST,)), JobSpec(needs=(LAST,))], ["Error", *["DependencyFailed"] * 2]),
        ([JobSpec("fails"), JobSpec(needs=(Need(1, "Failed"),)), JobSpec(needs=(LAST,))],
         ["Error", "Completed", "Completed"]),
        ([JobSpec(needs=(Need(-1),)), JobSpec(needs=(LAST,))], ["DependencyCycle"] * 2),
        ([JobSpec(needs=(Need(0, "Finished"),)), JobSpec(needs=(LAST,))], ["DependencyCycle", "DependencyFailed"]),
        ([JobSpec(needs=(Need(-1),)), JobSpec("long")], ["Completed", "Completed"]),
        ([JobSpec(needs=(Need(-1),))], ["Cancelled"]),
        ([JobSpec("odd fails", array=5), JobSpec(array=5, needs=(Need(1, "Finished", "OneToOne"),))],
         ["ChildrenFailed", "Completed"]),
        ([JobSpec(array=5), JobSpec(array=4, needs=(Need(1, array="OneToOne"),))], ["Completed", "InvalidDependency"]),
        ([JobSpec(array=5, sequential=True)], ["Completed"]),
    ],
)  # fmt: skip
def test_jobs_that_wait_for_jobs(specs: list[JobSpec], expected: list[str]) -> None:
    simulation = Simulation()
    for index, spec in enumerate(specs):
        simulation.submit(f"j{index}", spec)
    simulation.calm()
    assert [outcome[1] for outcome in simulation.outcomes().values()] == expected
    simulation.check_the_end()


def test_one_that_was_collected_is_known() -> None:
    simulation = Simulation()
    for index, spec in enumerate([JobSpec(ttl=0), JobSpec("fails", ttl=0)]):
        simulation.submit(f"j{index}", spec)
    simulation.advance(100)
    assert not simulation.outcomes()
    simulation.restart()
    simulation.submit("j2", JobSpec(needs=(Need(2),)))
    simulation.submit("j3", JobSpec(needs=(Need(2),)))
    simulation.calm()
    assert [outcome[1] for outcome in simulation.outcomes().values()] == ["Completed", "DependencyFailed"]
    simulation.check_the_end()


def test_a_large_array_keeps_a_hundred_pods_and_those_that_failed() -> None:
    simulation = Simulation()
    simulation.submit("job", JobSpec("odd fails", array=230))
    simulation.calm()
    pods = simulation.world.all(Pod)
    assert sum(1 for pod in pods if pod.phase == "Succeeded") == 0
    assert 30 <= sum(1 for pod in pods if pod.phase == "Failed") <= 115
    simulation.check_the_end()


@pytest.mark.parametrize(
    ("spec", "phase", "reason", "runs"),
    [
        (JobSpec("short", nodes=3), "Succeeded", "Completed", 1),
        (JobSpec("long", nodes=1), "Succeeded", "Completed", 1),
        (JobSpec("flaky", nodes=3, attempts=2), "Succeeded", "Completed", 2),
        (JobSpec("fails", nodes=2, attempts=3), "Failed", "Error", 3),
        (JobSpec("endless", nodes=3, timeout=60, attempts=3), "Failed", "TimedOut", 1),
        (JobSpec("stubborn", nodes=2, timeout=60), "Failed", "TimedOut", 1),
        (JobSpec("greedy", nodes=2, attempts=2, grows=True), "Succeeded", "Completed", 2),
        (JobSpec("no image", nodes=2, attempts=2), "Failed", "CannotPullContainer", 0),
        (JobSpec("lame", nodes=3, attempts=2), "Failed", "CannotPullContainer", 2),
    ],
)
def test_several_nodes_alone(spec: JobSpec, phase: str, reason: str, runs: int) -> None:
    simulation = Simulation()
    simulation.submit("job", spec)
    simulation.calm()
    outcome = simulation.outcomes()["job"]
    assert outcome[:2] == (phase, reason)
    assert simulation.world.runs.get("job-1" if spec.nodes != 1 else "job-0", 0) == runs
    simulation.check_the_end()


def test_several_jobs_on_several_nodes_share_what_there_is() -> None:
    simulation = Simulation()
    for index in range(6):
        simulation.submit(f"wide{index}", JobSpec("short", nodes=3, cpu=2, queue=("both", "od")[index % 2]))
        simulation.submit(f"job{index}", JobSpec("short", cpu=1 + index % 4))
    simulation.calm()
    assert {outcome[0] for outcome in simulation.outcomes().values()} == {"Succeeded"}
    simulation.check_the_end()


def test_several_nodes_that_somebody_else_owns() -> None:
    simulation = Simulation()
    own = environment("own", uid="", managed=False, selector={"pool": "own"}, shapes=(), provider="", finalizers=())
    simulation.world.put(own)
    for name in ("mine", "yours", "theirs"):
        simulation.world.put(node(name, env="", labels={"pool": "own"}, taints=(), shape=C2, uid=""))
    simulation.make_queue("own", ("own",), 1)
    for index in range(3):
        simulation.submit(f"job{index}", JobSpec("flaky", attempts=2, queue="own", nodes=2, cpu=2))
    simulation.advance(300)
    assert {outcome[0] for outcome in simulation.outcomes().values()} == {"Succeeded"}
