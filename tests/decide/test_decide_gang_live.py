"""A multi-node job that lives: workers follow the main pod, its end is the end of all, and nobody takes their room."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.machine import MachineState, Taint
from batchyard.model.plan import Plan, Record, Remove, Retire, Start, Stop
from batchyard.model.resources import Resources
from batchyard.world.notes import Refusal
from batchyard.world.store import Store
from batchyard.world.views import Job, Node, Pod
from builders import (
    NOW,
    RUNS,
    attempt,
    environment,
    exited,
    job,
    machine,
    newer,
    node,
    of,
    only,
    pod,
    pool_of,
    queue,
    started,
    status,
    stopped,
    store,
    template,
    waiting,
)

WHOLE = Resources(cpu=8000, memory=2**30, pods=1)
ENDED: dict[str, Any] = {"phase": "Succeeded", "containers": (exited(0),)}
FAILED: dict[str, Any] = {"phase": "Failed", "containers": (exited(3),)}
NODES = ("n1", "n2", "n3")
RECORDED = {"nodes": 3, "started": 3, "running": 3, "mainPod": "job-0-1"}


def gang(status_: dict[str, Any] | None = None, **spec: Any) -> Job:
    return job(status=status_, **{"template": template("8"), "multiNode": {"nodes": 3}, **spec})


def main(number: int = 1, **fields: Any) -> Pod:
    """Return the main pod: on n1, with n2 and n3 kept for the others."""
    kept = {str(index): name for index, name in enumerate(NODES)}
    given = {"name": f"job-0-{number}", "uid": f"main-{number}", "node_index": 0, "gang": kept, "ip": "10.0.0.1"}
    return pod(attempt=number, **{"on": "n1", "requests": WHOLE, **given, **fields})


def worker(index: int, number: int = 1, **fields: Any) -> Pod:
    given = {"name": f"job-{index}-{number}", "uid": f"w{index}-{number}", "node_index": index}
    return pod(attempt=number, **{"on": NODES[index], "requests": WHOLE, **given, **fields})


def scene(*more: Any, **fields: Any) -> Store:
    return store(*pool_of(*NODES, **{"max_vcpus": 24, **fields}), *more)


def told(plan: Plan) -> list[tuple[str, str]]:
    """Return (pod, reason) of every order to end."""
    return [(verb.pod, verb.reason) for verb in plan.verbs if isinstance(verb, (Stop, Remove))]


class TestWorkersFollow:
    def test_they_are_made_when_the_main_node_runs_and_has_an_address(self) -> None:
        plan = decide(scene(gang(), main(**RUNS)), NOW)
        assert started(plan) == [("job-1-1", "n2"), ("job-2-1", "n3")]
        first = of(plan, Start)[0]
        found = {entry["name"]: entry["value"] for entry in first.manifest["spec"]["containers"][0]["env"]}
        assert found["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] == "10.0.0.1"
        assert (found["AWS_BATCH_JOB_NODE_INDEX"], found["AWS_BATCH_JOB_MAIN_NODE_INDEX"]) == ("1", "0")
        assert first.service is None
        assert names.GANG not in first.manifest["metadata"].get("annotations", {})
        assert names.TIMEOUT not in first.manifest["metadata"].get("annotations", {})

    @pytest.mark.parametrize(
        "more", [{"containers": ()}, {"ip": ""}, {"uid": "", "version": ""}, {"removing": True}, {"deleting": NOW}]
    )
    def test_not_before(self, more: dict[str, Any]) -> None:
        assert not started(decide(scene(gang(), main(**{**RUNS, **more})), NOW))

    def test_only_those_that_are_missing_are_made(self) -> None:
        assert started(decide(scene(gang(), main(**RUNS), worker(1)), NOW)) == [("job-2-1", "n3")]
        assert started(decide(scene(gang(), main(**RUNS), worker(1, uid="", version=""), worker(2)), NOW)) == []

    def test_each_group_runs_its_own(self) -> None:
        groups = [{"nodes": "0"}, {"nodes": "1:", "template": template("8", hostNetwork=True)}]
        plan = decide(scene(gang(multiNode={"nodes": 3, "groups": groups}), main(**RUNS)), NOW)
        assert all(start.manifest["spec"]["hostNetwork"] for start in of(plan, Start))

    def test_none_is_made_once_the_job_is_to_stop(self) -> None:
        plan = decide(scene(gang(stop={"mode": "Terminate"}), main(**RUNS)), NOW)
        assert not started(plan)
        assert told(plan) == [("job-0-1", "Terminated")]
        assert started(decide(scene(gang(stop={"mode": "Cancel"}), main(**RUNS)), NOW))

    def test_a_refused_worker_is_tried_again_later(self) -> None:
        known = scene(gang(), main(**RUNS))
        known.refusals["uid-job"] = Refusal("QuotaExceeded", "exceeded quota", NOW + 5)
        plan = decide(known, NOW)
        assert not started(plan)
        assert plan.wake == NOW + 5
        assert len(started(decide(known, NOW + 5))) == 2

    def test_one_that_ran_and_has_gone_is_not_made_again(self) -> None:
        known = scene(gang({"phase": "Running", "multiNode": RECORDED}), main(**RUNS), worker(1, **RUNS))
        assert not started(decide(known, NOW))
        assert not told(decide(known, NOW))

    def test_what_was_recorded_of_an_earlier_attempt_does_not_count(self) -> None:
        before = {"phase": "Running", "multiNode": RECORDED, "attempts": [attempt(1, "Error")]}
        assert len(started(decide(scene(gang(before), main(2, **RUNS)), NOW))) == 2

    def test_through_kube_scheduler_they_are_pinned(self) -> None:
        mine = [node(n, env="", labels={"pool": "x", names.HOSTNAME: f"{n}.local"}, taints=()) for n in NODES]
        own = environment(managed=False, selector={"pool": "x"}, shapes=(), provider="", max_vcpus=0)
        plan = decide(store(own, queue(), *mine, gang(), main(**RUNS)), NOW)
        assert [s.manifest["spec"]["nodeSelector"][names.HOSTNAME] for s in of(plan, Start)] == ["n2.local", "n3.local"]


class TestTheReservation:
    """From the main pod's creation on, whatever becomes of the operator, the room of the others is theirs."""

    def test_nobody_else_starts_there(self) -> None:
        known = scene(gang(), main(), job("small"))
        assert not started(decide(known, NOW))

    def test_it_counts_as_used(self) -> None:
        known = scene(gang(), main(uid="", version=""), max_vcpus=32)
        known.apply(job("other", template=template("8")))
        known.apply(node("n4"))
        known.observe("docker", [machine(n) for n in (*NODES, "n4")], NOW)
        assert started(decide(known, NOW)) == [("other-1", "n4")]
        known.apply(newer(environment(), max_vcpus=24, generation=2))
        assert not started(decide(known, NOW))

    def test_only_what_is_left_beside_it_is_given_away(self) -> None:
        known = scene(gang(template=template("6")), main(requests=Resources(cpu=6000, pods=1)))
        known.apply(job("fits", template=template("2")))
        known.apply(job("not", template=template("3")))
        assert [name for name, _ in started(decide(known, NOW))] == ["fits-1"]

    def test_nodes_that_are_kept_are_not_idle(self) -> None:
        late = NOW + 10_000
        retired = {verb.machine for verb in of(decide(scene(gang(), main()), late), Retire)}
        assert retired == set()
        ended = scene(gang({"phase": "Running", "multiNode": RECORDED}), main(**RUNS), worker(1, **ENDED))
        assert {verb.machine for verb in of(decide(ended, late), Retire)} == {"n2", "n3"}

    def test_a_worker_that_ended_before_all_had_started_keeps_its_node_for_the_record(self) -> None:
        known = scene(gang(), main(**RUNS), worker(1, **ENDED), worker(2, uid="", version=""))
        assert not of(decide(known, NOW + 10_000), Retire)

    def test_it_ends_with_the_main_pod(self) -> None:
        known = scene(gang(retry={"attempts": 1}), main(**FAILED), job("small"))
        assert started(decide(known, NOW))[0][0] == "small-1"

    def test_the_room_of_a_pinned_pod_is_counted_on_its_node(self) -> None:
        mine = [node(n, env="", labels={"pool": "x"}, taints=()) for n in NODES]
        own = environment(managed=False, selector={"pool": "x"}, shapes=(), provider="", max_vcpus=0)
        unbound = main(on="", acknowledged=None, uid="", version="")
        known = store(own, queue(), *mine, gang(multiNode={"nodes": 2}), unbound, job("j", template=template("8")))
        known.apply(newer(unbound, gang={"0": "n1", "1": "n2"}))
        known.apply(job("k", template=template("8")))
        assert len(started(decide(known, NOW))) == 1


class TestTheEnd:
    def test_the_main_nodes_end_stops_the_others_and_is_recorded_at_once(self) -> None:
        known = scene(gang(), main(**ENDED), worker(1, **RUNS), worker(2, **RUNS))
        plan = decide(known, NOW)
        assert told(plan) == [("job-1-1", "MainEnded"), ("job-2-1", "MainEnded")]
        said = status(plan)
        assert (said["phase"], said["attempts"][0]["reason"], said["attempts"][0]["pod"]) == (
            "Running",
            "Completed",
            "job-0-1",
        )
        assert "2 others are being stopped" in said["message"]

    @pytest.mark.parametrize(("fields", "phase"), [(ENDED, "Succeeded"), (FAILED, "Failed")])
    def test_the_job_ends_as_the_main_node_when_all_have_ended(self, fields: dict[str, Any], phase: str) -> None:
        ended = {"phase": "Failed", "containers": (exited(143),), "stop": stopped("MainEnded")}
        said = status(decide(scene(gang(), main(**fields), worker(1, **ended), worker(2, **ENDED)), NOW))
        assert said["phase"] == phase
        assert len(said["attempts"]) == 1

    def test_a_workers_death_alone_does_nothing(self) -> None:
        known = scene(gang(), main(**RUNS), worker(1, **FAILED), worker(2, **RUNS))
        plan = decide(known, NOW)
        assert not told(plan)
        assert not started(plan)
        known.remove(worker(2, **RUNS))
        assert not told(decide(known, NOW))

    def test_a_retry_waits_for_every_pod_of_the_attempt_before(self) -> None:
        known = scene(gang(retry={"attempts": 2}), main(**FAILED), worker(1, stop=stopped("MainEnded"), **RUNS))
        assert not started(decide(known, NOW))
        known.apply(newer(worker(1, **FAILED), stop=stopped("MainEnded")))
        assert [name for name, _ in started(decide(known, NOW))] == ["job-0-2"]

    def test_the_timeout_is_the_main_nodes(self) -> None:
        known = scene(gang(), main(timeout=60, **RUNS), worker(1, **RUNS), worker(2, **RUNS))
        assert told(decide(known, NOW + 60)) == [("job-0-1", "TimedOut")]

    def test_terminate_stops_all(self) -> None:
        known = scene(gang(stop={"mode": "Terminate"}), main(**RUNS), worker(1, **RUNS), worker(2))
        assert {reason for _, reason in told(decide(known, NOW))} == {"Terminated"}
        assert len(told(decide(known, NOW))) == 3

    def test_a_reclaimed_main_node_is_a_free_retry_of_the_whole(self) -> None:
        ended = {"phase": "Failed", "containers": (exited(143),)}
        lost = main(**ended, stop=stopped("Interrupted"))
        known = scene(gang(), lost, worker(1, **ended, stop=stopped("MainEnded")), worker(2, **ENDED))
        assert started(decide(known, NOW))[0][0] == "job-0-2"

    def test_a_reclaimed_worker_that_has_run_is_a_workers_death(self) -> None:
        known = scene(gang(), main(**RUNS), worker(1, **RUNS), worker(2, **RUNS))
        known.apply(newer(node("n2"), taints=(Taint(names.INTERRUPTED),)))
        assert told(decide(known, NOW)) == [("job-1-1", "Interrupted")]

    def test_a_worker_of_another_attempt_is_stopped(self) -> None:
        known = scene(gang(), main(2, **RUNS), worker(1, 1, **RUNS), worker(1, 2, **RUNS), worker(2, 2, **RUNS))
        assert told(decide(known, NOW)) == [("job-1-1", "MainEnded")]

    def test_workers_without_a_main_pod_are_stopped_and_the_attempt_was_lost(self) -> None:
        record = {"phase": "Running", "attempts": [attempt(1, None, pod="job-0-1")]}
        known = scene(gang(record), worker(1, **RUNS), worker(2, **RUNS))
        plan = decide(known, NOW)
        assert {reason for _, reason in told(plan)} == {"MainEnded"}
        assert status(plan)["attempts"][0]["reason"] == "NodeLost"
        known = scene(gang(record), worker(1, **FAILED), worker(2, **FAILED))
        assert started(decide(known, NOW)) == [("job-0-2", "n2")]

    def test_all_nodes_are_paid_for_until_the_main_one_ends(self) -> None:
        hour = {"phase": "Succeeded", "containers": (exited(0, NOW, started=NOW - 3600),)}
        others = {"phase": "Failed", "containers": (exited(143, NOW + 30, started=NOW - 1800),)}
        known = scene(gang(), main(**hour), worker(1, **others), worker(2, **others))
        assert status(decide(known, NOW + 60))["attempts"][0]["cost"] == "0.680000"


class TestNeverRan:
    """A worker that never ran leaves the others waiting for ever: the attempt is ended (ADR 0013)."""

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"phase": "Failed", "reason": "OutOfcpu", "containers": ()}, "PodRejected"),
            ({"phase": "Failed", "containers": (), "stop": stopped("Interrupted")}, "Interrupted"),
            ({"phase": "Failed", "containers": (), "stop": stopped("CannotPullContainer")}, "CannotPullContainer"),
            ({"phase": "Pending", "gone": True, "containers": ()}, "NodeLost"),
        ],
    )  # fmt: skip
    def test_it_ends_the_attempt_for_its_own_reason(self, fields: dict[str, Any], reason: str) -> None:
        plan = decide(scene(gang(), main(**RUNS), worker(1, **fields), worker(2, **RUNS)), NOW)
        assert told(plan) == [("job-0-1", reason)]
        assert "node 1 of the job never ran" in of(plan, Stop)[0].message

    def test_an_image_that_never_comes_stops_the_worker_first(self) -> None:
        known = scene(gang(), main(**RUNS), worker(1, containers=(waiting("ErrImagePull"),)), worker(2, **RUNS))
        assert told(decide(known, NOW + 60)) == [("job-1-1", "CannotPullContainer")]

    @pytest.mark.parametrize(
        ("machine_", "node_", "reason"),
        [
            (machine("n2", state=MachineState.Interrupted), node("n2"), "Interrupted"),
            (machine("n2"), node("n2", taints=(Taint(names.INTERRUPTED),)), "Interrupted"),
            (None, None, "NodeLost"),
        ],
    )  # fmt: skip
    def test_a_kept_node_that_goes_ends_the_attempt(self, machine_: Any, node_: Node | None, reason: str) -> None:
        things = [thing for thing in (machine_, node_) if thing is not None]
        kept = [machine("n1"), machine("n3"), node("n1"), node("n3")]
        known = store(environment(), queue(), gang(), main(created=NOW - 5, ip="", **RUNS), *things, *kept)
        plan = decide(known, NOW)
        assert told(plan) == [("job-0-1", reason)]
        assert "node n2, which was kept for node 1 of the job" in of(plan, Stop)[0].message

    def test_it_is_looked_at_again_when_a_kept_node_changes(self) -> None:
        known = scene(gang(), main(ip="", **RUNS))
        assert not told(decide(known, NOW))
        known.apply(newer(node("n3"), taints=(Taint(names.INTERRUPTED),)))
        assert told(decide(known, NOW)) == [("job-0-1", "Interrupted")]

    def test_a_node_that_is_not_known_again_yet_is_waited_for(self) -> None:
        things = [environment(), queue(), machine("n1"), machine("n2"), machine("n3"), node("n1"), node("n3")]
        plan = decide(store(*things, gang(), main(**RUNS)), NOW)
        assert started(plan) == [("job-2-1", "n3")]
        assert not told(plan)

    def test_a_while_without_all_workers_ends_the_attempt(self) -> None:
        known = scene(gang(), main(**RUNS))
        known.refusals["uid-job"] = Refusal("QuotaExceeded", "exceeded quota", NOW + 900)
        assert not told(decide(known, NOW + 299))
        assert decide(known, NOW + 5).wake == NOW + 300
        plan = decide(known, NOW + 300)
        assert told(plan) == [("job-0-1", "PodRejected")]
        assert "exceeded quota" in only(plan, Stop).message

    def test_a_worker_that_may_never_be_made_fails_the_job(self) -> None:
        known = scene(gang(), main(**RUNS))
        known.refusals["uid-job"] = Refusal("InvalidTemplate", "spec.x is invalid", float("inf"))
        assert told(decide(known, NOW)) == [("job-0-1", "PodRejected")]
        known.apply(newer(main(phase="Failed", containers=(exited(143),)), stop=stopped("PodRejected")))
        said = status(decide(known, NOW + 5))
        assert (said["phase"], said["reason"], said["message"]) == ("Failed", "InvalidTemplate", "spec.x is invalid")

    def test_a_pinned_pod_that_finds_no_place_ends_the_attempt(self) -> None:
        mine = [node(n, env="", labels={"pool": "x"}, taints=()) for n in NODES]
        own = environment(managed=False, selector={"pool": "x"}, shapes=(), provider="", max_vcpus=0)
        lonely = worker(1, on="", acknowledged=None, unschedulable="0/3 nodes are available")
        known = store(own, queue(), *mine, gang(), main(**RUNS), lonely, worker(2, **RUNS))
        assert not told(decide(known, NOW + 299))
        assert told(decide(known, NOW + 300)) == [("job-1-1", "PodRejected")]
        stuck = store(own, queue(), *mine, gang(), main(on="", acknowledged=None))
        assert told(decide(stuck, NOW + 300)) == [("job-0-1", "PodRejected")]

    def test_a_definition_that_is_gone_before_the_workers_came(self) -> None:
        known = scene(gang(definition={"name": "gone"}, template=None), main(**RUNS))
        assert told(decide(known, NOW)) == [("job-0-1", "PodRejected")]
        done = {"phase": "Running", "multiNode": RECORDED}
        known = scene(gang(done, definition={"name": "gone"}, template=None), main(**RUNS))
        assert not told(decide(known, NOW))


class TestStatus:
    def test_how_many_have_started_and_run_is_told(self) -> None:
        known = scene(gang({"phase": "Submitted"}), main(**RUNS), worker(1, **RUNS), worker(2))
        said = status(decide(known, NOW + 5))
        assert said["phase"] == "Running"
        assert said["multiNode"] == {"nodes": 3, "started": 3, "running": 2, "mainPod": "job-0-1"}
        assert said["message"] == "attempt 1: 2 of 3 nodes run; the main one on node n1"

    def test_changes_of_how_many_run_are_told_every_half_minute(self) -> None:
        known = scene(gang({"phase": "Submitted"}), main(**RUNS), worker(1, **RUNS), worker(2))
        plan = decide(known, NOW + 5)
        known.noted.update(plan.notes)
        said = {k: v for k, v in status(plan).items() if v is not None}
        known.apply(newer(gang(said)))
        known.apply(newer(worker(2, **RUNS)))
        plan = decide(known, NOW + 6)
        assert not of(plan, Record)
        assert plan.wake == NOW + 35
        assert status(decide(known, NOW + 35))["multiNode"]["running"] == 3

    def test_it_stays_when_the_job_has_ended(self) -> None:
        done = {"phase": "Running", "multiNode": RECORDED}
        said = status(decide(scene(gang(done), main(**ENDED), worker(1, **ENDED), worker(2, **ENDED)), NOW))
        assert said["multiNode"] == {**RECORDED, "running": 0}

    @pytest.mark.parametrize("fields", [ENDED, FAILED])
    def test_a_job_that_ended_before_anything_was_written_tells_it_too(self, fields: dict[str, Any]) -> None:
        said = status(decide(scene(gang(), main(**fields), worker(1, **ENDED), worker(2, **FAILED)), NOW))
        assert said["multiNode"] == {**RECORDED, "running": 0}

    def test_it_counts_as_one_running_job(self) -> None:
        things = [
            environment(max_vcpus=64),
            queue(max_running=2),
            *(t for n in (*NODES, "n4", "n5") for t in (machine(n), node(n))),
        ]
        known = store(*things, gang(), main(**RUNS), worker(1), worker(2), job("a"), job("b"))
        assert started(decide(known, NOW)) == [("a-1", "n4")]


def test_the_main_pod_alone_is_judged() -> None:
    """A worker's exit code, message or node never stands in the record of an attempt."""
    known = scene(gang(), main(**FAILED), worker(1, phase="Failed", containers=(exited(9),)), worker(2, **ENDED))
    (entry,) = status(decide(known, NOW))["attempts"]
    assert (entry["exitCode"], entry["node"], entry["pod"]) == (3, "n1", "job-0-1")
