"""How an attempt ended: read from its final pod, with whose fault it was."""

from typing import Any

import pytest
from msgspec import convert

from batchyard.decide.attempts import ended_attempts, open_attempt
from batchyard.decide.outcome import AWS_NAMES, judge
from batchyard.decide.price import cost, job_cost
from batchyard.model.resources import Resources
from batchyard.world.views import Attempt, Container
from builders import (
    C8,
    NOW,
    attempt,
    environment,
    exited,
    failed,
    job,
    machine,
    newer,
    node,
    pod,
    running,
    stopped,
    store,
    succeeded,
)


def ended(code: int = 1, **fields: Any) -> tuple[Container, ...]:
    return (exited(code, **fields),)


GONE = {"gone": True, "phase": "Running", "containers": (running(),)}


@pytest.mark.parametrize(
    ("fields", "reason", "counted", "words"),
    [
        ({"phase": "Succeeded", "containers": ended(0)}, "Completed", True, ""),
        ({"containers": ended(3)}, "Error", True, "container 'main' exited with code 3"),
        ({"containers": ended(1, message="line\nlast line\n")}, "Error", True, "code 1: line\nlast line"),
        ({"containers": ended(137, reason="OOMKilled")}, "OutOfMemory", True, "was killed: out of memory"),
        ({"containers": ended(137)}, "OutOfMemory", True, "was killed though nobody asked for that"),
        ({"containers": ended(137), "stop": stopped("TimedOut")}, "TimedOut", True, "because"),
        ({"containers": ended(137, reason="OOMKilled"), "stop": stopped("TimedOut")}, "TimedOut", True, "because"),
        ({"containers": ended(143), "stop": stopped("Terminated")}, "Terminated", True, "because"),
        ({"containers": ended(143), "stop": stopped("Interrupted")}, "Interrupted", False, "because"),
        ({"containers": (), "stop": stopped("CannotPullContainer")}, "CannotPullContainer", True, "because"),
        ({"phase": "Succeeded", "containers": ended(0), "stop": stopped("TimedOut")}, "Completed", True, ""),
        (GONE, "NodeLost", False, "the pod vanished with node n1 before it had ended"),
        ({**GONE, "disrupted": "DeletionByPodGC"}, "Interrupted", False, "vanished"),
        ({**GONE, "stop": stopped("TimedOut")}, "TimedOut", True, "because"),
        ({"containers": ended(143), "disrupted": "DeletionByTaintManager"}, "Interrupted", False, "DeletionByTaintManager"),  # noqa: E501
        ({"containers": (), "reason": "OutOfcpu", "message": "no room"}, "PodRejected", False, "refused the pod: OutOfcpu: no room"),  # noqa: E501
        ({"containers": (), "reason": "NodeAffinity"}, "PodRejected", False, "NodeAffinity"),
        ({"containers": ended(143), "reason": "DeadlineExceeded"}, "TimedOut", True, "activeDeadlineSeconds"),
        ({"containers": ended(143), "deleting": NOW}, "PodDeleted", False, "deleted from outside"),
        ({"containers": ended(127, reason="StartError", message="exec: not found")}, "CannotStartContainer", True, "exec: not found"),  # noqa: E501
        ({"containers": ended(128, reason="ContainerCannotRun")}, "CannotStartContainer", True, "did not start"),
        ({"containers": ended(137, reason="ContainerStatusUnknown")}, "NodeLost", False, "lost container 'main'"),
        ({"containers": ()}, "Error", True, "failed without saying why"),
        ({"containers": (), "message": "sentence"}, "Error", True, "sentence"),
    ],
)  # fmt: skip
def test_every_end_has_a_reason(fields: dict[str, Any], reason: str, counted: bool, words: str) -> None:
    end = judge(pod(**{"phase": "Failed", **fields}))
    assert (end.reason, end.counted) == (reason, counted)
    assert words in end.message
    assert reason in AWS_NAMES


def test_the_container_that_was_killed_is_to_blame_then_the_first_that_failed() -> None:
    first = exited(1, NOW + 1, name="a")
    killed = exited(137, NOW + 5, name="b", reason="OOMKilled")
    fine = exited(0, NOW, name="c")
    assert judge(failed(containers=(fine, first, killed))).container == "b"
    assert judge(failed(containers=(fine, exited(2, NOW + 3, name="x"), first))).container == "a"
    assert judge(failed(containers=(exited(4, init=True, name="init"),))).exit_code == 4


class TestAttempts:
    """status.attempts: what ran where, when, how it ended, and for how much."""

    def known(self, *things: Any) -> Any:
        return store(environment(), machine(), node(), *things)

    def test_an_attempt_that_succeeded(self) -> None:
        view, ended_pod = job(), succeeded(finished=NOW + 60, containers=(exited(0, NOW + 60, started=NOW),))
        (entry,) = ended_attempts(self.known(view), view, [ended_pod])
        assert entry == Attempt(
            number=1, pod="job-1", node="n1", compute_environment="pool", instance_type="c8", capacity_type="OnDemand",
            started_at="2027-01-15T08:00:00Z", stopped_at="2027-01-15T08:01:00Z", exit_code=0, reason="Completed",
            counted=True, cost="0.000708",
        )  # fmt: skip

    def test_an_attempt_on_record_as_ended_is_never_judged_again(self) -> None:
        view = job(status={"phase": "Runnable", "attempts": [attempt(1, "Error", message="first words")]})
        (entry,) = ended_attempts(self.known(view), view, [failed(stop=stopped("TimedOut"))])
        assert (entry.reason, entry.message) == ("Error", "first words")

    def test_what_was_recorded_while_the_node_lived_is_kept_and_priced(self) -> None:
        open_ = attempt(1, None, instanceType="c8", capacityType="OnDemand", startedAt="2027-01-15T08:00:00Z")
        view = job(status={"phase": "Running", "attempts": [open_]})
        lost = pod(gone=True, phase="Running", containers=(running(NOW),), deleting=NOW + 60)
        (entry,) = ended_attempts(store(environment(), view), view, [lost])
        assert (entry.instance_type, entry.capacity_type, entry.started_at) == (
            "c8",
            "OnDemand",
            "2027-01-15T08:00:00Z",
        )
        assert (entry.reason, entry.stopped_at, entry.cost) == ("NodeLost", "2027-01-15T08:01:00Z", "0.000708")

    def test_an_attempt_on_record_as_running_whose_pod_is_nowhere_was_lost(self) -> None:
        view = job(status={"phase": "Running", "attempts": [attempt(1, None, startedAt="2027-01-15T08:00:00Z")]})
        (entry,) = ended_attempts(self.known(view), view, [])
        assert (entry.reason, entry.counted, entry.stopped_at) == ("NodeLost", False, "2027-01-15T08:00:00Z")
        assert "pod job-1 vanished with node n1 while no operator was watching" in str(entry.message)

    def test_a_running_attempt_is_open(self) -> None:
        entry = open_attempt(self.known(), pod(phase="Running", containers=(running(NOW),)))
        assert not entry.ended
        assert (entry.started_at, entry.instance_type, entry.cost) == ("2027-01-15T08:00:00Z", "c8", None)

    def test_the_start_does_not_move_when_the_attempt_ends(self) -> None:
        both = (running(NOW, name="a"), running(NOW + 7, name="b"))
        live = pod(phase="Running", containers=both)
        done = newer(live, phase="Succeeded", containers=(exited(0, NOW + 9, started=NOW, name="a"),
                     exited(0, NOW + 9, started=NOW + 7, name="b")))  # fmt: skip
        (entry,) = ended_attempts(self.known(), job(), [done])
        assert entry.started_at == open_attempt(self.known(), live).started_at == "2027-01-15T08:00:07Z"


class TestMoney:
    def test_an_attempt_costs_its_largest_share_of_the_node_for_its_time(self) -> None:
        assert cost(C8, "OnDemand", Resources(cpu=8000, memory=2**30, pods=1), 3600) == "0.340000"
        assert cost(C8, "OnDemand", Resources(cpu=1000, memory=8 * 2**30), 3600) == "0.170000"
        assert cost(C8, "Spot", Resources(cpu=4000), 1800) == "0.030000"
        assert cost(C8, "Spot", Resources(cpu=4000), None) == "0.000000"

    @pytest.mark.parametrize("seconds", [0, 0.4, 1])
    def test_what_ran_within_a_second_is_paid_for_one(self, seconds: float) -> None:
        assert cost(C8, "OnDemand", Resources(cpu=8000), seconds) == "0.000094"

    def test_a_job_costs_the_sum_and_wastes_what_brought_no_success(self) -> None:
        tries = [attempt(1, "Error", cost="0.25"), attempt(2, "Interrupted"), attempt(3, "Completed", cost="0.5")]
        assert job_cost(convert(tries, list[Attempt])) == {"amount": "0.75", "wasted": "0.25"}
        assert job_cost(convert([attempt(1, "Error")], list[Attempt])) is None
