"""Which job starts where, and what those who wait are told."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.machine import MachineState, Taint
from batchyard.model.plan import Launch, Start
from batchyard.model.resources import Resources
from builders import (
    C2,
    C8,
    NOW,
    attempt,
    decided,
    environment,
    failed,
    foreign,
    job,
    machine,
    node,
    of,
    only,
    pod,
    pool_of,
    queue,
    started,
    store,
    template,
    told,
)

FULL = {"template": template("8")}


def environments_of(said: Any) -> list[tuple[str, str]]:
    return [(entry["name"], entry["verdict"]) for entry in said["waiting"]["environments"]]


class TestOrder:
    def test_queue_priority_then_job_priority_then_age_then_name(self) -> None:
        things = [
            *pool_of("n1"), queue("high", priority=9),
            job("young", meta={"creationTimestamp": "2027-01-15T07:00:00Z"}, **FULL),
            job("old", meta={"creationTimestamp": "2027-01-15T06:00:00Z"}, **FULL),
            job("urgent", priority=5, **FULL), job("alike", meta={"creationTimestamp": "2027-01-15T06:00:00Z"}, **FULL),
            job("other", queue="high", **FULL),
        ]  # fmt: skip
        order = []
        while things:
            ((name, _),) = started(decided(*things)) or [("", "")]
            if not name:
                break
            order.append(name.removesuffix("-1"))
            things = [thing for thing in things if getattr(thing, "name", "") != order[-1]]
        assert order == ["other", "urgent", "alike", "old", "young"]

    def test_a_job_that_comes_back_goes_to_the_front_of_its_priority(self) -> None:
        again = {"phase": "Runnable", "attempts": [attempt(1, "Interrupted", counted=False, node="n9")]}
        first = job("first", meta={"creationTimestamp": "2027-01-15T06:00:00Z"}, **FULL)
        plan = decided(*pool_of("n1"), first, job("again", again, **FULL))
        assert started(plan) == [("again-2", "n1")]


class TestFit:
    def test_the_fullest_node_that_fits_is_taken(self) -> None:
        things = [*pool_of("n1", "n2", "n3"), *(pod(f"x{i}", on="n2") for i in range(5)), pod("y", on="n3")]
        assert started(decided(*things, job())) == [("job-1", "n2")]
        assert started(decided(*things, job(template=template("6")))) == [("job-1", "n3")]

    def test_jobs_are_packed_and_no_node_takes_more_than_it_has(self) -> None:
        jobs = [job(f"j{i}", template=template("3")) for i in range(5)]
        plan = decided(*pool_of("n1", "n2", max_vcpus=16), *jobs)
        assert [node_ for _, node_ in started(plan)] == ["n1", "n1", "n2", "n2"]
        assert not of(plan, Launch)

    def test_what_is_assumed_counts(self) -> None:
        known = store(*pool_of("n1", max_vcpus=8), pod("a", on="n1", uid="", requests=Resources(cpu=6000, pods=1)))
        known.apply(job(template=template("3")))
        assert not started(decide(known, NOW))

    def test_pods_of_daemon_sets_count(self) -> None:
        known = store(*pool_of("n1", max_vcpus=8), foreign("proxy", cpu=500), job("a", **FULL), job("b"))
        assert started(decide(known, NOW)) == [("b-1", "n1")]

    @pytest.mark.parametrize(
        "fields",
        [
            {"unschedulable": True}, {"ready": False}, {"deleting": NOW},
            {"taints": (Taint(names.INTERRUPTED, "", "NoSchedule"),)}, {"taints": (Taint("special", "", "NoExecute"),)},
        ],
    )  # fmt: skip
    def test_a_node_that_is_not_fit_for_work_gets_none(self, fields: dict[str, Any]) -> None:
        assert not started(decided(environment(), queue(), machine(), node(**fields), job()))

    @pytest.mark.parametrize(
        ("spec", "goes"),
        [
            ({"nodeSelector": {"disk": "fast"}}, True), ({"nodeSelector": {"disk": "slow"}}, False),
            ({"nodeSelector": {names.INSTANCE_TYPE: "c8"}}, True),
            ({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["fast"]}]}]}}}}, True),
            ({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["3"]}]}]}}}}, False),
        ],
    )  # fmt: skip
    def test_labels_are_met(self, spec: dict[str, Any], goes: bool) -> None:
        view = node(labels={**node().labels, "disk": "fast", "size": "3"})
        plan = decided(environment(labels={"disk": "fast"}), queue(), machine(), view, job(template=template(**spec)))
        assert bool(started(plan)) is goes

    @pytest.mark.parametrize(
        ("toleration", "goes"),
        [
            (None, False), ({"key": "gpu", "value": "yes"}, True), ({"key": "gpu", "value": "no"}, False),
            ({"key": "gpu", "operator": "Exists"}, True), ({"operator": "Exists"}, True),
            ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ],
    )  # fmt: skip
    def test_taints_are_tolerated(self, toleration: dict[str, str] | None, goes: bool) -> None:
        gpu = Taint("gpu", "yes", "NoSchedule")
        own = Taint(names.ENVIRONMENT, "pool")
        spec = {"tolerations": [toleration]} if toleration else {}
        things = [environment(taints=(gpu,)), queue(), machine(), node(taints=(own, gpu))]
        known = store(*things, job(template=template(**spec)))
        assert bool(started(decide(known, NOW))) is goes
        if not goes:
            said = told(known)
            assert said["reason"] == "NoMatchingNode"
            assert "tolerates no taint gpu=yes:NoSchedule" in said["message"]

    def test_a_node_where_the_program_failed_is_taken_last_but_no_new_one_is_launched(self) -> None:
        again = {"phase": "Runnable", "attempts": [attempt(1, "Error", node="n1")]}
        spec = {"status": again, "retry": {"attempts": 3}}
        assert started(decided(*pool_of("n1", "n2"), job(**spec))) == [("job-2", "n2")]
        plan = decided(*pool_of("n1"), job(**spec))
        assert started(plan) == [("job-2", "n1")]
        assert not of(plan, Launch)

    def test_a_node_at_fault_is_not_taken_again_while_another_can_be_had(self) -> None:
        again = {"phase": "Runnable", "attempts": [attempt(1, "PodRejected", node="n1", counted=False)]}
        plan = decided(*pool_of("n1"), job(status=again), now=NOW + 60)
        assert not started(plan)
        assert of(plan, Launch)
        assert started(decided(*pool_of("n1", max_vcpus=8), job(status=again), now=NOW + 60)) == [("job-2", "n1")]

    def test_a_retry_with_a_label_that_only_the_old_node_has_goes_back_there(self) -> None:
        view = node(labels={**node().labels, "rack": "7"})
        again = {"phase": "Runnable", "attempts": [attempt(1, "NodeLost", node="n1", counted=False)]}
        spec = {"template": template(nodeSelector={"rack": "7"})}
        assert started(decided(environment(), queue(), machine(), view, job(status=again, **spec))) == [("job-2", "n1")]

    def test_avoiding_can_be_switched_off(self) -> None:
        again = {"phase": "Runnable", "attempts": [attempt(1, "NodeLost", node="n1", counted=False)]}
        spec = {"retry": {"attempts": 3, "avoidFailedNodes": False}}
        assert started(decided(*pool_of("n1", "n2"), job(status=again, **spec))) == [("job-2", "n1")]


class TestPlaceInLine:
    def test_who_waits_for_room_is_not_overtaken(self) -> None:
        things = [*pool_of("n1", max_vcpus=8), pod("x", on="n1")]
        known = store(*things, job("a", **FULL), job("b"))
        assert not started(decide(known, NOW))
        assert told(known, "b")["reason"] == "BehindOthers"
        assert "'pool' is full and a waits for room there first" in told(known, "b")["message"]

    def test_who_can_never_run_holds_nobody_up(self) -> None:
        plan = decided(*pool_of("n1"), job("a", template=template("99")), job("b"))
        assert started(plan) == [("b-1", "n1")]

    def test_who_fits_nowhere_is_told_so_even_behind_others(self) -> None:
        full = [*pool_of("n1", max_vcpus=8), pod("a", requests=Resources(cpu=8000, pods=1))]
        known = store(*full, job("first", template=template("4")), job("giant", template=template("99")))
        said = told(known, "giant")
        assert (said["reason"], said["message"]) == (
            "JobTooLarge", "needs cpu 99; the largest node of 'pool' offers cpu 8",
        )  # fmt: skip

    def test_who_found_room_elsewhere_holds_nobody_up(self) -> None:
        things = [environment("one", max_vcpus=8), environment("two"), queue(environments=("one", "two"))]
        nodes = [machine("n1", environment="one"), node("n1", env="one"), pod("x", on="n1", environment="one")]
        plan = decided(*things, *nodes, job("a", **FULL), job("b"))
        assert started(plan) == [("b-1", "n1")]
        assert only(plan, Launch).order.environment == "two"

    def test_environments_are_tried_in_the_queues_order(self) -> None:
        things = [environment("one"), environment("two"), queue(environments=("two", "one"))]
        nodes = [t for e in ("one", "two") for t in (machine(f"n-{e}", environment=e), node(f"n-{e}", env=e))]
        assert started(decided(*things, *nodes, job())) == [("job-1", "n-two")]

    def test_a_job_keeps_its_claim_on_a_node_that_is_on_its_way(self) -> None:
        coming = machine(state=MachineState.Launching, launched_at=NOW - 5)
        known = store(environment(), queue(), coming, job("a", **FULL))
        assert not of(
            decide(known, NOW),
            Launch,
        )
        assert told(known, "a")["reason"] == "NodesStarting"
        known.apply(job("b", **FULL))
        assert len(of(decide(known, NOW), Launch)) == 1


class TestVerdicts:
    """A waiting job says why, in numbers, environment by environment."""

    def test_too_large_is_said_with_need_and_have(self) -> None:
        known = store(environment(), queue(), job(template=template("2", "32000Mi")))
        said = told(known)
        assert (said["phase"], said["reason"]) == ("Runnable", "JobTooLarge")
        assert said["message"] == "needs memory 32000Mi; the largest node of 'pool' offers memory 16384Mi"
        entry = said["waiting"]["environments"][0]
        assert entry == {"name": "pool", "verdict": "JobTooLarge", "need": "memory 32000Mi", "have": "memory 16384Mi"}

    def test_too_large_counts_what_a_node_keeps_for_itself(self) -> None:
        small = C8.resources - Resources(memory=2**30)
        known = store(environment(), queue(), machine(), node(allocatable=small), job(template=template("1", "16Gi")))
        assert "offers memory 15360Mi" in told(known)["message"]

    def test_a_device_that_no_node_has(self) -> None:
        asks = template()
        asks["spec"]["containers"][0]["resources"]["limits"] = {"nvidia.com/gpu": "1"}
        said = told(store(environment(), queue(), job(template=asks)))
        assert said["message"] == "needs nvidia.com/gpu 1; the largest node of 'pool' offers nvidia.com/gpu 0"

    def test_an_environment_too_small_for_any_of_its_own_shapes(self) -> None:
        assert "offers none within its maxVCpus" in told(store(environment(max_vcpus=4), queue(), job()))["message"]

    def test_at_max_vcpus(self) -> None:
        known = store(*pool_of("n1", max_vcpus=8), pod("x", on="n1"), job(**FULL))
        said = told(known)
        assert said["reason"] == "AtMaxVCpus"
        assert "'pool' is at its maxVCpus" in said["message"]

    def test_each_environment_has_its_say_and_the_most_hopeful_gives_the_reason(self) -> None:
        things = [
            environment("small", shapes=(C2,)), environment("off", state="Disabled"), environment("bad", invalid="spec.x"),  # noqa: E501
            environment("going", deleting=NOW), environment("spot", capacity_type="Spot"),
            environment("full", max_vcpus=8), machine(environment="full"), node(env="full"),
            pod("x", environment="full"),
            queue(environments=("nowhere", "small", "off", "bad", "going", "spot", "full")),
        ]  # fmt: skip
        said = told(store(*things, job(capacityType="OnDemand", **FULL)))
        assert environments_of(said) == [
            ("nowhere", "EnvironmentNotFound"), ("small", "JobTooLarge"), ("off", "EnvironmentDisabled"),
            ("bad", "EnvironmentInvalid"), ("going", "EnvironmentDeleting"), ("spot", "CapacityTypeMismatch"),
            ("full", "AtMaxVCpus"),
        ]  # fmt: skip
        assert said["reason"] == "AtMaxVCpus"
        for words in ("ComputeEnvironment 'nowhere' does not exist", "'spot' is Spot, the job wants OnDemand"):
            assert words in said["message"]

    def test_a_queue_without_environments(self) -> None:
        assert told(store(queue(environments=()), job()))["reason"] == "NoEnvironments"

    def test_positions_count_per_queue(self) -> None:
        known = store(*pool_of(), queue("q2"), job("a", template=template("99")), job("b", template=template("98")),
                      job("c", queue="q2", template=template("99")))  # fmt: skip
        assert [told(known, name)["waiting"]["position"] for name in "abc"] == [1, 2, 1]


class TestPods:
    def test_the_pod_on_a_managed_node(self) -> None:
        view = job(template={"metadata": {"labels": {"app": "x"}, "annotations": {"a": "b"}}, **template()})
        start = only(decided(*pool_of("n1"), view), Start)
        meta, spec = start.manifest["metadata"], start.manifest["spec"]
        assert (start.job, start.attempt, start.environment) == ("uid-job", 1, "pool")
        assert (meta["name"], meta["namespace"], meta["annotations"]) == ("job-1", "default", {"a": "b"})
        assert meta["labels"] == {
            "app": "x", names.JOB_UID: "uid-job", names.JOB_NAME: "job", names.QUEUE: "default", names.ATTEMPT: "1",
            names.ENVIRONMENT: "pool",
        }  # fmt: skip
        assert [(o["kind"], o["uid"], o["controller"]) for o in meta["ownerReferences"]] == [("Job", "uid-job", True)]
        assert (spec["nodeName"], spec["restartPolicy"]) == ("n1", "Never")
        assert {"key": names.ENVIRONMENT, "operator": "Equal", "value": "pool"} in spec["tolerations"]
        (main,) = spec["containers"]
        assert main["terminationMessagePolicy"] == "FallbackToLogsOnError"
        assert {e["name"]: e["value"] for e in main["env"]} == {
            "AWS_BATCH_JOB_ID": "uid-job", "AWS_BATCH_JOB_ATTEMPT": "1", "AWS_BATCH_JQ_NAME": "default",
            "AWS_BATCH_CE_NAME": "pool",
        }  # fmt: skip

    @pytest.mark.parametrize(
        "spec",
        [
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            {"affinity": {"podAntiAffinity": {}, "podAffinity": {"x": 1}}},
            {"topologySpreadConstraints": [{"maxSkew": 1}]}, {"resourceClaims": [{"name": "r"}]},
            {"schedulerName": "other"},
        ],
    )  # fmt: skip
    def test_what_only_kube_scheduler_can_place_goes_through_it(self, spec: dict[str, Any]) -> None:
        start = only(decided(*pool_of("n1"), job(template=template(**spec))), Start)
        assert "nodeName" not in start.manifest["spec"]
        assert start.manifest["spec"]["nodeSelector"] == {names.ENVIRONMENT: "pool"}

    def test_an_unmanaged_environment_goes_through_kube_scheduler_to_the_nodes_it_selects(self) -> None:
        mine = node("mine", env="", labels={"pool": "batch"}, taints=())
        other = node("other", env="", labels={}, taints=())
        unmanaged = environment(managed=False, selector={"pool": "batch"}, shapes=(), provider="", max_vcpus=0)
        plan = decided(unmanaged, queue(), mine, other, *(job(f"j{i}", template=template("3")) for i in range(4)))
        starts = of(plan, Start)
        assert [s.job for s in starts] == ["uid-j0", "uid-j1"]
        assert starts[0].manifest["spec"]["nodeSelector"] == {"pool": "batch"}
        assert all(t["key"] != names.ENVIRONMENT for t in starts[0].manifest["spec"]["tolerations"])

    @pytest.mark.parametrize("managed", [True, False])
    def test_an_autoscaler_of_others_is_asked_to_let_the_pod_end_unless_its_template_says_otherwise(
        self, managed: bool
    ) -> None:
        pool = pool_of("n1") if managed else (
            environment(managed=False, selector={"pool": "batch"}, shapes=(), provider="", max_vcpus=0),
            queue(),
            node("mine", env="", labels={"pool": "batch"}, taints=()),
        )  # fmt: skip
        evict, disrupt = names.LEFT_ALONE
        may = template("1")
        may["metadata"] = {"annotations": {evict: "true"}}
        plan = decided(*pool, job("plain", template=template("1")), job("may-go", template=may))
        told = {s.job: s.manifest["metadata"].get("annotations", {}) for s in of(plan, Start)}
        assert told["uid-plain"] == ({} if managed else {evict: "false", disrupt: "true"})
        assert told["uid-may-go"] == ({evict: "true"} if managed else {evict: "true", disrupt: "true"})

    def test_pods_that_kube_scheduler_has_yet_to_place_count(self) -> None:
        mine = node("mine", env="", labels={"pool": "batch"}, taints=())
        unmanaged = environment(managed=False, selector={"pool": "batch"}, shapes=(), provider="", max_vcpus=0)
        unbound = [pod(f"x{i}", on="", requests=Resources(cpu=3000, pods=1), acknowledged=None) for i in range(2)]
        known = store(unmanaged, queue(), mine, *unbound, job(template=template("3")))
        assert not started(decide(known, NOW))
        assert told(known)["reason"] == "NodesBusy"

    def test_the_next_attempt_has_the_next_number_even_if_an_earlier_pod_is_not_on_record(self) -> None:
        plan = decided(*pool_of("n1"), job(retry={"attempts": 5}), failed(attempt=1), failed(attempt=2))
        assert started(plan) == [("job-3", "n1")]
