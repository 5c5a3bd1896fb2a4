"""The contract for checkpoints: word of the end, time until it comes, and what the next attempt finds."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.machine import MachineState, Taint
from batchyard.model.plan import Plan, Remove, Start, Stop
from batchyard.world.views import StopOrder
from builders import (
    NOW,
    RUNS,
    attempt,
    decided,
    definition,
    environment,
    exited,
    job,
    machine,
    node,
    only,
    pod,
    pool_of,
    queue,
    revision,
    status,
    stopped,
    store,
)  # fmt: skip


def reclaimed(notice: float | None, taint: str = "", **fields: Any) -> list[Any]:
    """A job that runs on a node which the provider, or a taint, says will go after `notice` seconds."""
    state = {} if taint else {"state": MachineState.Interrupted, "gone_at": None if notice is None else NOW + notice}
    taints = (*node().taints, Taint(taint)) if taint else node().taints
    return [environment(), queue(), machine("n1", **state), node("n1", taints=taints), job(), pod(**RUNS, **fields)]


class TestGrace:
    @pytest.mark.parametrize(
        ("notice", "grace", "until", "patient"),
        [
            (120, 30, 110, True),
            (120, 200, 110, False),
            (60, 2, 50, True),
            (12, 2, 6, True),
            (5, 30, 2.5, False),
            (None, 30, 30, False),
        ],
    )
    def test_a_pod_has_the_notice_less_ten_seconds(
        self, notice: float | None, grace: int, until: float, patient: bool
    ) -> None:
        stop = only(decided(*reclaimed(notice, grace=grace)), Stop)
        assert (stop.reason, stop.until, stop.patient) == ("Interrupted", NOW + until, patient)

    @pytest.mark.parametrize(
        ("taint", "until"),
        [("aws-node-termination-handler/spot-itn", 110), ("cloud.google.com/impending-node-termination", 20)],
    )
    def test_the_clouds_notices_have_known_lengths(self, taint: str, until: float) -> None:
        assert only(decided(*reclaimed(None, taint, grace=5)), Stop).until == NOW + until

    def test_others_leave_the_pods_own_grace(self) -> None:
        stop = only(decided(*reclaimed(None, "karpenter.sh/disrupted", grace=7)), Stop)
        assert (stop.until, stop.patient) == (NOW + 7, False)

    def test_sigterm_comes_when_the_file_has_had_time_to_say_why(self) -> None:
        order = StopOrder(reason="Interrupted", message="", at=NOW, until=NOW + 110)
        known = store(*reclaimed(120, stop=order))
        first = decide(known, NOW + 1)
        assert not [verb for verb in first.verbs if isinstance(verb, (Stop, Remove))]
        assert first.wake == NOW + 2
        removal = only(decide(known, NOW + 2), Remove)
        assert (removal.uid, removal.grace) == ("uid-job-1", 108)

    def test_after_a_restart_it_gets_what_is_left(self) -> None:
        order = StopOrder(reason="Interrupted", message="", at=NOW, until=NOW + 110)
        assert only(decided(*reclaimed(120, stop=order), now=NOW + 100), Remove).grace == 10

    def test_no_other_end_is_told_to_the_program(self) -> None:
        timed_out = job(timeout={"attemptDurationSeconds": 60})
        stop = only(decided(*pool_of("n1"), timed_out, pod(timeout=60, **RUNS), now=NOW + 60), Stop)
        assert (stop.reason, stop.until, stop.patient) == ("TimedOut", None, False)


class TestEnd:
    def ended(self, finished: float, deleting: float | None, reason: str = "Interrupted") -> Plan:
        given = {"phase": "Succeeded", "containers": (exited(0, finished),), "stop": stopped(reason, NOW)}
        return decided(*pool_of("n1"), job(), pod(deleting=deleting, **given), now=NOW + 60)

    def test_a_program_that_saved_its_state_and_exited_with_0_is_not_done(self) -> None:
        told = status(self.ended(NOW + 3, NOW + 110))
        assert (told["phase"], told["attempts"][0]["reason"]) == ("Runnable", "Interrupted")
        assert told["attempts"][0]["counted"] is False

    def test_one_that_had_ended_before_is(self) -> None:
        assert status(self.ended(NOW - 6, NOW + 110))["phase"] == "Succeeded"

    def test_one_that_the_kubelet_says_succeeded_though_told_to_stop_is(self) -> None:
        """By its own deadline a pod fails, whatever its program says: so this one had ended before."""
        assert status(self.ended(NOW + 3, None))["phase"] == "Succeeded"

    @pytest.mark.parametrize(
        ("finished", "deleting", "at", "phase"),
        [
            (NOW + 3, NOW + 30, NOW, "Runnable"),  # Karpenter, Cluster API or kubectl drain had it go
            (NOW - 6, NOW + 30, NOW, "Succeeded"),  # it had ended, and its node was drained afterwards
            (NOW + 3, None, NOW, "Succeeded"),  # nobody had it go in the end
            (NOW + 3, NOW + 30, None, "Succeeded"),  # somebody deleted it, which is not its node's fault
        ],
    )
    def test_one_that_others_sent_away_is_not_done_either(
        self, finished: float, deleting: float | None, at: float | None, phase: str
    ) -> None:
        why = {"disrupted": "EvictionByEvictionAPI", "disrupted_at": at} if at else {}
        ended = pod(phase="Succeeded", containers=(exited(0, finished),), deleting=deleting, **why)
        told = status(decided(*pool_of("n1"), job(), ended, now=NOW + 60))
        assert (told["phase"], told["attempts"][0]["counted"]) == (phase, phase == "Succeeded")


def variables(start: Start) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in start.manifest["spec"]["containers"][0]["env"]}


class TestResumes:
    @pytest.mark.parametrize(
        ("attempts", "resumes"),
        [
            ([], None),
            ([attempt(reason="Interrupted", counted=False, startedAt="2027-01-15T08:00:00Z")], "1"),
            ([attempt(startedAt="2027-01-15T08:00:00Z")], "1"),
            ([attempt(startedAt="2027-01-15T08:00:00Z"), attempt(2, "PodRejected", counted=False)], "1"),
            ([attempt(reason="PodRejected", counted=False)], None),
        ],
        ids=["first", "interrupted", "failed", "the last one never ran", "none ever ran"],
    )
    def test_from_the_last_attempt_that_ran(self, attempts: list[Any], resumes: str | None) -> None:
        known = job(
            status={"phase": "Runnable", "attempts": attempts}, retry={"attempts": 5, "avoidFailedNodes": False}
        )
        start = only(decided(*pool_of("n1"), known, now=NOW + 9), Start)
        assert variables(start).get("BATCHYARD_RESUMED_FROM_ATTEMPT") == resumes

    def test_a_child_from_the_one_before(self) -> None:
        retried = {"size": 2, "succeeded": "0", "retried": [{"attempts": 2, "indexes": "1"}]}
        start = only(
            decided(*pool_of("n1"), job(array={"size": 2}, status={"phase": "Running", "array": retried})), Start
        )
        assert variables(start)["BATCHYARD_RESUMED_FROM_ATTEMPT"] == "2"


def spec(checkpoint: Any, **fields: Any) -> Start:
    return next(v for v in decided(*pool_of("n1"), job(checkpoint=checkpoint, **fields)).verbs if isinstance(v, Start))


def volumes(start: Start) -> dict[str, Any]:
    return {volume["name"]: volume for volume in start.manifest["spec"].get("volumes", ())}


class TestVolume:
    def test_an_ordinary_job_has_none_of_it_and_costs_no_write(self) -> None:
        start = only(decided(*pool_of("n1"), job()), Start)
        assert start.claim is None
        assert not volumes(start)
        assert not [name for name in variables(start) if name.startswith("BATCHYARD")]

    def test_an_empty_checkpoint_is_the_file_alone(self) -> None:
        start = spec({})
        (item,) = volumes(start)["batchyard-interruption"]["downwardAPI"]["items"]
        assert item["fieldRef"]["fieldPath"] == f"metadata.annotations['{names.DEADLINE}']"
        assert variables(start)["BATCHYARD_INTERRUPTION_FILE"] == "/batchyard/interruption/deadline"
        assert (start.claim, list(volumes(start))) == (None, ["batchyard-interruption"])
        assert start.manifest["spec"]["nodeName"] == "n1"

    def test_a_claim_that_is_there_is_mounted_as_it_is(self) -> None:
        start = spec({"claimName": "results", "mountPath": "/state"})
        assert volumes(start)["batchyard-checkpoint"]["persistentVolumeClaim"] == {"claimName": "results"}
        mounts = start.manifest["spec"]["containers"][0]["volumeMounts"]
        assert {"name": "batchyard-checkpoint", "mountPath": "/state"} in mounts
        assert variables(start)["BATCHYARD_CHECKPOINT_DIR"] == "/state"
        assert start.claim is None
        assert "nodeName" not in start.manifest["spec"]  # where a claim can be used only kube-scheduler knows

    def test_children_have_directories_of_their_own_in_it(self) -> None:
        start = spec({"claimName": "results"}, array={"size": 2})
        mounts = start.manifest["spec"]["containers"][0]["volumeMounts"]
        assert {"name": "batchyard-checkpoint", "mountPath": "/checkpoint", "subPath": "0"} in mounts

    @pytest.mark.parametrize(("fields", "name"), [({}, "job-checkpoint"), ({"array": {"size": 2}}, "job-0-checkpoint")])
    def test_a_claim_of_a_size_is_made_for_the_job_and_goes_with_it(self, fields: Any, name: str) -> None:
        start = spec({"size": "1Gi", "storageClassName": "fast"}, **fields)
        assert start.claim is not None
        assert start.claim["metadata"]["name"] == name
        assert start.claim["metadata"]["ownerReferences"][0]["uid"] == "uid-job"
        assert start.claim["spec"] == {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
            "resources": {"requests": {"storage": "1Gi"}},
        }  # fmt: skip
        assert volumes(start)["batchyard-checkpoint"]["persistentVolumeClaim"] == {"claimName": name}

    def test_a_definition_may_say_it_and_a_job_otherwise(self) -> None:
        kept = definition(checkpoint={"claimName": "theirs"})
        scene = [*pool_of("n1"), kept, revision(kept, checkpoint={"claimName": "theirs"})]
        first = only(decided(*scene, job(definition={"name": "render"})), Start)
        assert volumes(first)["batchyard-checkpoint"]["persistentVolumeClaim"] == {"claimName": "theirs"}
        other = only(decided(*scene, job(definition={"name": "render"}, checkpoint={"size": "2Gi"})), Start)
        assert other.claim is not None

    def test_each_node_of_a_multi_node_job_has_its_own(self) -> None:
        keeps = job(multiNode={"nodes": 2}, checkpoint={"size": "1Gi"})
        start = only(decided(*pool_of("n1", "n2"), keeps), Start)
        assert start.claim is not None
        assert start.claim["metadata"]["name"] == "job-0-checkpoint"
        assert volumes(start)["batchyard-checkpoint"]["persistentVolumeClaim"] == {"claimName": "job-0-checkpoint"}
