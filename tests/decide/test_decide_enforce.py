"""What a live pod is told: time is up, the user wants it stopped, its node goes, its image never comes."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.machine import MachineState, Taint
from batchyard.model.plan import Plan, Remove, Start, Stop
from builders import (
    NOW,
    RUNS,
    attempt,
    decided,
    definition,
    environment,
    failed,
    job,
    machine,
    newer,
    node,
    of,
    only,
    pod,
    pool_of,
    queue,
    revision,
    started,
    status,
    stopped,
    store,
    succeeded,
    waiting,
)

HOUR = {"timeout": {"attemptDurationSeconds": 3600}}
TERMINATE = {"stop": {"mode": "Terminate", "reason": "enough"}}
CANCEL = {"stop": {"mode": "Cancel", "reason": "changed my mind"}}


def quiet(plan: Plan) -> bool:
    return not of(plan, Stop) and not of(plan, Remove) and not of(plan, Start)


class TestTimeout:
    def test_it_counts_from_the_attempts_own_start(self) -> None:
        known = store(*pool_of("n1"), job(**HOUR), pod(created=NOW - 9000, timeout=3600, **RUNS))
        plan = decide(known, NOW + 3599)
        assert quiet(plan)
        assert plan.wake == NOW + 3600
        stop = only(decide(known, NOW + 3600), Stop)
        assert (stop.pod, stop.uid, stop.reason) == ("job-1", "uid-job-1", "TimedOut")
        assert "3600 s" in stop.message

    def test_starting_does_not_count(self) -> None:
        assert quiet(decided(*pool_of("n1"), job(**HOUR), pod(created=NOW - 9000, timeout=60), now=NOW + 3000))

    def test_the_timeout_stands_on_the_pod_of_the_attempt(self) -> None:
        kept = definition(timeout={"attemptDurationSeconds": 60})
        start = only(decided(*pool_of("n1"), kept, revision(kept), job(definition={"name": "render"})), Start)
        assert start.manifest["metadata"]["annotations"] == {names.TIMEOUT: "60"}
        start = only(decided(*pool_of("n1"), job()), Start)
        assert "annotations" not in start.manifest["metadata"]

    def test_an_attempt_keeps_its_timeout_whatever_becomes_of_its_definition(self) -> None:
        known = store(*pool_of("n1"), job(definition={"name": "gone"}), pod(timeout=60, **RUNS))
        assert quiet(decide(known, NOW + 59))
        assert only(decide(known, NOW + 60), Stop).reason == "TimedOut"

    def test_it_is_told_once_and_removed_if_it_does_not_listen(self) -> None:
        told = pod(stop=stopped("TimedOut", NOW), grace=30, **RUNS)
        known = store(*pool_of("n1"), job(**HOUR), told)
        plan = decide(known, NOW + 89)
        assert quiet(plan)
        assert plan.wake == NOW + 90
        assert only(decide(known, NOW + 90), Remove).grace is None
        known.apply(newer(told, deleting=NOW + 90))
        assert quiet(decide(known, NOW + 9999))

    def test_what_is_not_carried_out_is_ordered_again(self) -> None:
        known = store(*pool_of("n1"), job(**TERMINATE), pod(**RUNS))
        assert of(decide(known, NOW), Stop) == of(decide(known, NOW + 1), Stop) != []
        known.apply(newer(pod(**RUNS), removing=True))
        assert quiet(decide(known, NOW + 2))

    def test_an_order_that_has_not_reached_the_api_server_is_not_overtaken_by_the_removal(self) -> None:
        told = pod(stop=stopped("TimedOut", NOW), stopping=True, grace=30, **RUNS)
        known = store(*pool_of("n1"), job(**HOUR), told)
        assert quiet(decide(known, NOW + 9999)), "the pod would go without a word of why"
        known.apply(newer(told, stopping=False))
        assert only(decide(known, NOW + 9999), Remove)


class TestStop:
    @pytest.mark.parametrize("mode", ["Cancel", "Terminate"])
    @pytest.mark.parametrize("phase", ["Submitted", "Pending", "Runnable"])
    def test_what_has_not_started_is_cancelled(self, mode: str, phase: str) -> None:
        plan = decided(*pool_of("n1"), job(status={"phase": phase}, stop={"mode": mode, "reason": "enough"}))
        assert (status(plan)["phase"], status(plan)["reason"], status(plan)["message"]) == (
            "Failed",
            "Cancelled",
            "enough",
        )
        assert quiet(plan)

    @pytest.mark.parametrize("fields", [{}, RUNS])
    def test_cancel_leaves_what_has_started_alone(self, fields: dict[str, Any]) -> None:
        assert quiet(decided(*pool_of("n1"), job(**CANCEL), pod(**fields)))

    @pytest.mark.parametrize("fields", [{}, RUNS])
    def test_terminate_stops_what_has_started(self, fields: dict[str, Any]) -> None:
        stop = only(decided(*pool_of("n1"), job(**TERMINATE), pod(**fields)), Stop)
        assert (stop.reason, stop.message) == ("Terminated", "enough")

    def test_a_pod_that_no_kubelet_has_seen_is_removed(self) -> None:
        remove = only(decided(*pool_of("n1"), job(**TERMINATE), pod(on="", acknowledged=None)), Remove)
        assert (remove.reason, remove.grace) == ("Terminated", None)

    def test_a_pod_that_the_api_server_has_not_named_yet_is_waited_for(self) -> None:
        assert quiet(decided(*pool_of("n1"), job(**TERMINATE), pod(uid="", version="", acknowledged=None)))

    def test_a_stopped_attempt_ends_the_job(self) -> None:
        plan = decided(*pool_of("n1"), job(retry={"attempts": 5}, **TERMINATE), failed(stop=stopped("Terminated")))
        assert (status(plan)["phase"], status(plan)["reason"]) == ("Failed", "Terminated")

    def test_a_program_that_ended_well_before_the_stop_reached_it_has_succeeded(self) -> None:
        plan = decided(*pool_of("n1"), job(**TERMINATE), succeeded(stop=stopped("Terminated")))
        assert status(plan)["phase"] == "Succeeded"

    def test_between_attempts_a_stop_cancels(self) -> None:
        plan = decided(*pool_of("n1"), job(retry={"attempts": 3}, **CANCEL), failed())
        assert (status(plan)["reason"], len(status(plan)["attempts"])) == ("Cancelled", 1)

    def test_a_stop_does_not_hide_how_the_job_had_failed(self) -> None:
        plan = decided(*pool_of("n1"), job(**CANCEL), failed(code=3))
        assert (status(plan)["reason"], status(plan)["attempts"][0]["exitCode"]) == ("Error", 3)

    def test_a_job_without_queue_or_definition_can_be_cancelled(self) -> None:
        assert status(decided(job(definition={"name": "x"}, **CANCEL)))["reason"] == "Cancelled"

    def test_nothing_starts_of_a_job_that_is_being_deleted(self) -> None:
        going = {"meta": {"deletionTimestamp": "2027-01-15T08:00:00Z"}}
        assert quiet(decided(*pool_of("n1"), job(**going)))
        assert quiet(decided(*pool_of("n1"), job(retry={"attempts": 3}, **going), failed()))


class TestInterruption:
    """A reclaimed or failed node: its pods are stopped, requeued at the front, and no attempt is burnt."""

    @pytest.mark.parametrize(
        ("machine_", "node_", "words"),
        [
            ({"state": MachineState.Interrupted}, {}, "node n1 is being reclaimed (interruption notice)"),
            ({"state": MachineState.Failed, "message": "disk"}, {}, "node n1 has failed: disk"),
            ({}, {"taints": (Taint(names.INTERRUPTED),)}, "node n1 is being reclaimed (taint batchyard.dev/interrupted)"),  # noqa: E501
            ({}, {"taints": (Taint("karpenter.sh/disrupted"),)}, "taint karpenter.sh/disrupted"),
        ],
    )  # fmt: skip
    def test_the_pods_of_a_node_that_goes_are_stopped(
        self, machine_: dict[str, Any], node_: dict[str, Any], words: str
    ) -> None:
        plan = decided(environment(), queue(), machine(**machine_), node(**node_), job(), pod(**RUNS))
        stop = only(plan, Stop)
        assert stop.reason == "Interrupted"
        assert words in stop.message

    def test_nothing_more_starts_there(self) -> None:
        plan = decided(environment(max_vcpus=8), queue(), machine(state=MachineState.Interrupted), node(), job())
        assert not started(plan)

    def test_the_job_goes_on_elsewhere_at_the_front_with_its_attempts_untouched(self) -> None:
        once = job("once")
        plan = decided(
            *pool_of("n2"), once, failed("once", stop=stopped("Interrupted")), *(job(f"j{i}") for i in range(9))
        )
        assert started(plan)[0] == ("once-2", "n2")

    def test_a_pod_put_off_its_node_by_the_cluster_is_the_same(self) -> None:
        plan = decided(*pool_of("n2"), job(), failed(disrupted="DeletionByTaintManager"))
        assert started(plan) == [("job-2", "n2")]

    def test_a_node_and_machine_both_gone_run_nothing_any_more(self) -> None:
        known = store(environment(), queue(), job(), pod(created=NOW - 50, **RUNS))
        remove = only(decide(known, NOW), Remove)
        assert (remove.grace, remove.uid) == (0, "uid-job-1")

    @pytest.mark.parametrize("there", [node(), machine()], ids=["node", "machine"])
    def test_as_long_as_one_of_both_is_there_a_pod_may_run(self, there: Any) -> None:
        assert quiet(decided(environment(), queue(), there, job(), pod(created=NOW - 50, **RUNS)))

    def test_before_the_provider_was_looked_at_nothing_is_certain(self) -> None:
        known = store(environment(), queue(), job(), pod(created=NOW - 50, **RUNS), observed=NOW - 60)
        assert quiet(decide(known, NOW))

    def test_a_pod_that_is_gone_is_a_free_retry(self) -> None:
        known = store(*pool_of("n2"), job(), pod(**RUNS))
        known.remove(pod(**RUNS))
        plan = decide(known, NOW)
        assert started(plan) == [("job-2", "n2")]

    def test_a_job_that_nodes_fail_for_ever_is_told_so(self) -> None:
        tries = [attempt(n, "Interrupted", counted=False) for n in range(1, 22)]
        plan = decided(*pool_of("n2"), job(status={"phase": "Runnable", "attempts": tries}))
        assert (status(plan)["phase"], status(plan)["reason"]) == ("Failed", "InfrastructureFailures")


class TestNeverStarts:
    @pytest.mark.parametrize(
        ("reason", "patience", "token"),
        [
            ("ErrImagePull", 60, "CannotPullContainer"), ("ImagePullBackOff", 60, "CannotPullContainer"),
            ("InvalidImageName", 0, "CannotPullContainer"), ("CreateContainerConfigError", 60, "CannotStartContainer"),
        ],
    )  # fmt: skip
    def test_a_container_that_cannot_start_fails_the_attempt_after_a_while(
        self, reason: str, patience: float, token: str
    ) -> None:
        known = store(*pool_of("n1"), job(), pod(containers=(waiting(reason, "manifest unknown"),)))
        if patience:
            assert quiet(decide(known, NOW + patience - 1))
            assert decide(known, NOW + 5).wake == NOW + patience
        stop = only(decide(known, NOW + patience), Stop)
        assert stop.reason == token
        assert "manifest unknown" in stop.message

    @pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", ""])
    def test_one_that_is_on_its_way_is_waited_for(self, reason: str) -> None:
        assert quiet(decided(*pool_of("n1"), job(), pod(containers=(waiting(reason),)), now=NOW + 9999))


def test_a_live_pod_of_a_finished_job_is_removed() -> None:
    done = job(status={"phase": "Failed", "stoppedAt": "2027-01-15T08:00:00Z"})
    assert only(decided(*pool_of("n1"), done, pod(**RUNS)), Remove).uid == "uid-job-1"
    assert quiet(decided(*pool_of("n1"), done, pod(deleting=NOW, **RUNS)))
    assert quiet(decided(*pool_of("n1"), pod(**RUNS))), "the garbage collector sees to pods of deleted jobs"
