"""Room for a multi-node job: for all of its pods at once or for none, and only the main pod at first."""

import json
from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.machine import MachineState
from batchyard.model.plan import Check, Launch, Report, Start
from batchyard.model.resources import Resources
from batchyard.world import parse
from batchyard.world.notes import Refusal
from batchyard.world.views import Definition, Job
from builders import (
    C2,
    NOW,
    attempt,
    decided,
    definition,
    definition_body,
    environment,
    failed,
    job,
    machine,
    node,
    of,
    only,
    pod,
    pool_of,
    queue,
    revision,
    started,
    status,
    store,
    template,
    told,
)

FULL = template("8")


def gang(name: str = "job", nodes: int = 3, cpu: str = "8", **spec: Any) -> Job:
    """Return a job that needs so many nodes, each whole unless said."""
    return job(name, **{"template": template(cpu), "multiNode": {"nodes": nodes}, **spec})


def kept(start: Start) -> dict[str, str]:
    found: dict[str, str] = json.loads(start.manifest["metadata"]["annotations"][names.GANG])
    return found


def busy(name: str, on: str, cpu: int = 8000) -> Any:
    return pod(name, on=on, requests=Resources(cpu=cpu, pods=1))


class TestTheStart:
    def test_only_the_main_pod_is_made_and_it_keeps_the_nodes_of_all(self) -> None:
        plan = decided(*pool_of("n1", "n2", "n3"), gang(multiNode={"nodes": 3, "mainNode": 1}))
        start = only(plan, Start)
        assert started(plan) == [("job-1-1", "n2")]
        assert kept(start) == {"0": "n1", "1": "n2", "2": "n3"}

    def test_it_finds_the_variables_of_aws_batch_and_its_names(self) -> None:
        start = only(decided(*pool_of("n1", "n2", "n3"), gang(multiNode={"nodes": 3, "mainNode": 1})), Start)
        spec, meta = start.manifest["spec"], start.manifest["metadata"]
        found = {entry["name"]: entry["value"] for entry in spec["containers"][0]["env"]}
        assert found["AWS_BATCH_JOB_MAIN_NODE_INDEX"] == found["AWS_BATCH_JOB_NODE_INDEX"] == "1"
        assert found["AWS_BATCH_JOB_NUM_NODES"] == "3"
        assert found["BATCHYARD_MAIN_NODE_HOST"] == "job-1.job.default.svc"
        assert "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS" not in found
        assert (spec["hostname"], spec["subdomain"], meta["labels"][names.NODE_INDEX]) == ("job-1", "job", "1")

    def test_a_service_without_an_address_comes_before_it(self) -> None:
        start = only(decided(*pool_of("n1", "n2", "n3"), gang()), Start)
        assert start.service is not None
        meta, spec = start.service["metadata"], start.service["spec"]
        assert (meta["name"], meta["namespace"], meta["ownerReferences"][0]["uid"]) == ("job", "default", "uid-job")
        assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)
        assert spec["selector"] == {names.JOB_UID: "uid-job"}

    def test_a_service_cannot_begin_with_a_digit(self) -> None:
        start = only(decided(*pool_of("n1", "n2", "n3"), gang("3d")), Start)
        assert start.service is not None
        assert start.service["metadata"]["name"] == start.manifest["spec"]["subdomain"] == "job-3d"

    def test_a_plain_job_has_neither(self) -> None:
        start = only(decided(*pool_of("n1"), job(template=template())), Start)
        assert start.service is None
        assert "hostname" not in start.manifest["spec"]

    def test_what_a_template_says_of_our_marks_is_nobodys_word(self) -> None:
        asks = template()
        asks["metadata"] = {"labels": {names.NODE_INDEX: "4"}, "annotations": {names.GANG: '{"0":"n9"}'}}
        meta = only(decided(*pool_of("n1"), job(template=asks)), Start).manifest["metadata"]
        assert names.NODE_INDEX not in meta["labels"]
        assert "annotations" not in meta

    def test_groups_run_their_own_templates_where_these_fit(self) -> None:
        groups = [{"nodes": "0", "template": template("1")}, {"nodes": "1:", "template": template("6")}]
        things = [*pool_of("big1", "big2"), machine("small", C2), node("small", C2)]
        start = only(decided(*things, job(multiNode={"nodes": 3, "groups": groups}, template=None)), Start)
        assert kept(start) == {"0": "small", "1": "big1", "2": "big2"}

    def test_each_node_takes_one_pod_of_the_job_however_small(self) -> None:
        plan = decided(*pool_of("n1"), gang(nodes=2, cpu="1"))
        assert not started(plan)
        assert len(of(plan, Launch)) == 1

    def test_the_pods_that_fit_on_few_nodes_are_given_theirs_first(self) -> None:
        special = node("n1", labels={**node("n1").labels, "disk": "fast"})
        groups = [{"nodes": "0"}, {"nodes": "1", "template": template("1", nodeSelector={"disk": "fast"})}]
        things = [environment(max_vcpus=16), queue(), machine("n1"), special, machine("n2"), node("n2")]
        start = only(decided(*things, job(multiNode={"nodes": 2, "groups": groups})), Start)
        assert kept(start) == {"0": "n2", "1": "n1"}

    def test_after_an_out_of_memory_only_the_main_nodes_group_gets_more(self) -> None:
        groups = [{"nodes": "0"}, {"nodes": "1:"}]
        again = {"phase": "Runnable", "attempts": [attempt(1, "OutOfMemory", container="main")]}
        retry = {"attempts": 3, "onOutOfMemory": {"memoryFactor": "2"}}
        spec = {"multiNode": {"nodes": 2, "groups": groups}, "retry": retry}
        plan = decided(*pool_of("n1", "n2"), job(status=again, **spec))
        main = only(plan, Start).manifest["spec"]["containers"][0]
        assert main["resources"]["requests"]["memory"] == str(2 * 2**30)


class TestAllOrNothing:
    def test_nothing_is_started_or_launched_for_a_part_of_it(self) -> None:
        known = store(*pool_of("n1", "n2", max_vcpus=24), busy("x", "n2"), gang(nodes=3))
        plan = decide(known, NOW)
        assert not started(plan)
        assert not of(plan, Launch)
        said = told(known)
        assert said["reason"] == "AtMaxVCpus"
        assert said["message"] == (
            "needs 3 nodes with cpu 8, memory 1024Mi, pods 1 each of 'pool' at once; there is 16000m of 24 vCPUs free"
        )

    def test_need_and_have_are_told_where_the_free_room_lies_badly(self) -> None:
        known = store(*pool_of("n1", "n2", max_vcpus=16), busy("x", "n2", 4000), gang(nodes=2, cpu="6"))
        assert not started(decide(known, NOW))
        said = told(known)
        assert said["waiting"]["environments"][0]["need"] == "2 nodes with cpu 6, memory 1024Mi, pods 1 each"
        assert said["waiting"]["environments"][0]["have"] == "room for 1"

    def test_all_nodes_are_launched_at_once_and_it_waits_for_the_last(self) -> None:
        known = store(environment(), queue(), gang(nodes=3))
        assert len(of(decide(known, NOW), Launch)) == 3
        coming = [machine(f"n{i}", state=MachineState.Launching, launched_at=NOW - 5) for i in range(3)]
        known = store(environment(), queue(), *coming, node("n0"), gang(nodes=3))
        plan = decide(known, NOW)
        assert not started(plan)
        assert not of(plan, Launch)
        assert told(known)["message"] == "node n1 of 'pool' is starting (1 of 3 nodes are ready)"

    def test_where_one_launch_is_impossible_none_is_made(self) -> None:
        known = store(environment(), queue(), gang(nodes=3))
        known.unavailable["pool", "c8"] = Refusal("InsufficientCapacity", "none left", NOW + 100)
        plan = decide(known, NOW)
        assert not of(plan, Launch)
        assert told(known)["reason"] == "InsufficientCapacity"

    def test_all_of_it_goes_to_one_environment(self) -> None:
        things = [environment("one", max_vcpus=16), environment("two"), queue(environments=("one", "two"))]
        nodes = [t for i in (1, 2) for t in (machine(f"n{i}", environment="one"), node(f"n{i}", env="one"))]
        plan = decided(*things, *nodes, gang(nodes=3))
        assert not started(plan)
        assert [launch.order.environment for launch in of(plan, Launch)] == ["two"] * 3

    def test_what_waits_for_its_nodes_keeps_them(self) -> None:
        coming = machine("n2", state=MachineState.Launching, launched_at=NOW - 5)
        things = [environment(max_vcpus=16), queue(), machine("n1"), node("n1"), coming]
        plan = decided(*things, gang("big", nodes=2), job("small"), now=NOW + 1000)
        assert not plan.verbs or not of(plan, Start)

    @pytest.mark.parametrize(("nodes", "limit", "fits"), [(2, 16, True), (3, 16, False), (3, 24, True)])
    def test_more_than_max_vcpus_is_said_at_once_even_behind_others(self, nodes: int, limit: int, fits: bool) -> None:
        known = store(*pool_of("n1", "n2", max_vcpus=limit), busy("x", "n1"), busy("y", "n2"))
        known.apply(job("first", template=FULL))
        known.apply(gang("wide", nodes=nodes))
        said = told(known, "wide")
        assert (said["reason"] != "JobTooLarge") is fits
        if not fits:
            assert said["message"] == (
                "needs 3 nodes with cpu 8, memory 1024Mi, pods 1 each, that is 24 vCPUs; 'pool' has maxVCpus 16"
            )

    def test_one_pod_that_fits_nowhere_is_told_so(self) -> None:
        assert told(store(environment(), queue(), gang(cpu="99")))["message"].startswith("needs cpu 99; the largest")

    def test_nodes_of_somebody_else_may_be_too_few(self) -> None:
        mine = [node(f"m{i}", env="", labels={"pool": "batch"}, taints=()) for i in range(2)]
        unmanaged = environment(managed=False, selector={"pool": "batch"}, shapes=(), provider="", max_vcpus=0)
        said = told(store(unmanaged, queue(), *mine, gang(nodes=3)))
        assert said["message"].endswith("'pool' has 2 such nodes")


class TestInLine:
    def test_two_that_fit_alone_and_not_together_run_one_after_the_other(self) -> None:
        things = pool_of("n1", "n2", "n3", "n4", max_vcpus=32)
        plan = decided(*things, gang("a"), gang("b"))
        assert started(plan) == [("a-0-1", "n1")]
        for first, second in (("a", "b"), ("b", "a")):
            priorities = {first: 5, second: 0}
            plan = decided(*things, *(gang(name, priority=p) for name, p in priorities.items()))
            assert [start.job for start in of(plan, Start)] == [f"uid-{first}"]

    def test_small_jobs_behind_it_do_not_take_what_becomes_free(self) -> None:
        things = [*pool_of("n1", "n2", max_vcpus=16), busy("x", "n2", 1000), gang("wide", nodes=2)]
        small = [job(f"s{i}", meta={"creationTimestamp": "2027-01-15T09:00:00Z"}) for i in range(5)]
        assert not started(decided(*things, *small))

    def test_small_jobs_before_it_go_first(self) -> None:
        things = [*pool_of("n1", "n2", max_vcpus=16), gang("wide", nodes=2)]
        assert started(decided(*things, job("urgent", priority=1)))[0][0] == "urgent-1"

    def test_it_counts_as_one_running_job(self) -> None:
        limited = queue(max_running=2)
        things = [environment(max_vcpus=64), limited, *(t for i in range(6) for t in (machine(f"n{i}"), node(f"n{i}")))]
        plan = decided(*things, gang("a", nodes=2), gang("b", nodes=2), gang("c", nodes=2))
        assert [start.job for start in of(plan, Start)] == ["uid-a", "uid-b"]

    def test_another_environment_is_taken_whole(self) -> None:
        things = [
            environment("one", max_vcpus=16),
            environment("two", max_vcpus=16),
            queue(environments=("one", "two")),
        ]
        nodes = [
            t
            for e in ("one", "two")
            for i in (1, 2)
            for t in (machine(f"{e}{i}", environment=e), node(f"{e}{i}", env=e))
        ]
        on_one = pod("x", on="one1", environment="one", requests=Resources(cpu=8000, pods=1))
        start = only(decided(*things, *nodes, on_one, gang(nodes=2)), Start)
        assert set(kept(start).values()) == {"two1", "two2"}


class TestKubeScheduler:
    def test_its_pods_are_pinned_to_the_nodes_that_were_chosen(self) -> None:
        labels = {"pool": "batch", "kubernetes.io/hostname": "m1.example"}
        mine = node("m1", env="", labels=labels, taints=())
        other = node("m2", env="", labels={"pool": "batch"}, taints=())
        unmanaged = environment(managed=False, selector={"pool": "batch"}, shapes=(), provider="", max_vcpus=0)
        start = only(decided(unmanaged, queue(), mine, other, gang(nodes=2)), Start)
        assert "nodeName" not in start.manifest["spec"]
        assert start.manifest["spec"]["nodeSelector"] == {"pool": "batch", "kubernetes.io/hostname": "m1.example"}
        assert kept(start) == {"0": "m1", "1": "m2"}

    def test_on_our_own_nodes_too(self) -> None:
        asks = template("8", topologySpreadConstraints=[{"maxSkew": 1}])
        start = only(decided(*pool_of("n1", "n2"), job(template=asks, multiNode={"nodes": 2})), Start)
        assert start.manifest["spec"]["nodeSelector"] == {names.ENVIRONMENT: "pool", "kubernetes.io/hostname": "n1"}


class TestBadInput:
    @pytest.mark.parametrize(
        ("multi", "sentence"),
        [
            ({"nodes": 3, "groups": [{"nodes": "0"}, {"nodes": "2:"}]}, "leaves out node 1"),
            ({"nodes": 3, "mainNode": 3}, "spec.multiNode.mainNode is 3; nodes count from 0 to 2"),
            ({"nodes": 3, "groups": [{"nodes": "2:0"}]}, "write the lower index first"),
            ({"nodes": 3, "groups": [{"nodes": "0:7"}]}, "nodes count from 0 to 2"),
        ],
    )
    def test_it_fails_with_the_field_and_the_fix(self, multi: dict[str, Any], sentence: str) -> None:
        said = status(decided(*pool_of("n1"), job(multiNode=multi)))
        assert (said["phase"], said["reason"]) == ("Failed", "InvalidMultiNode")
        assert sentence in said["message"]

    def test_groups_of_a_definition_are_named_with_it(self) -> None:
        kind = definition(multiNode={"nodes": 2, "groups": [{"nodes": "0"}, {"nodes": "1:"}]})
        wrong = job(definition={"name": "render"}, multiNode={"nodes": 1})
        said = status(decided(*pool_of("n1"), kind, revision(kind), wrong, now=NOW + 2))
        assert said["message"].startswith("JobDefinition 'render': spec.multiNode.groups[1].nodes is '1:'")

    def test_a_job_overrides_the_number_of_nodes_of_its_definition(self) -> None:
        kind = definition(multiNode={"nodes": 2, "groups": [{"nodes": "0"}, {"nodes": "1:"}]})
        things = [*pool_of("n1", "n2", "n3"), kind, revision(kind)]
        start = only(decided(*things, job(definition={"name": "render"}, multiNode={"nodes": 3})), Start)
        assert set(kept(start)) == {"0", "1", "2"}
        fixed = definition(multiNode={"nodes": 2, "groups": [{"nodes": "0:1"}]})
        things = [*pool_of("n1", "n2", "n3"), fixed, revision(fixed)]
        said = status(decided(*things, job(definition={"name": "render"}, multiNode={"nodes": 3}), now=NOW + 2))
        assert "every group has a fixed end" in said["message"]

    def test_overrides_reach_the_containers_of_every_group_and_know_them_all(self) -> None:
        other = {"spec": {"containers": [{"name": "other", "image": "x"}]}}
        groups = [{"nodes": "0"}, {"nodes": "1", "template": other}]
        spec = {"multiNode": {"nodes": 2, "groups": groups}}
        for name in ("main", "other"):
            over = {"containers": [{"name": name, "command": ["x"]}]}
            assert started(decided(*pool_of("n1", "n2"), job(overrides=over, **spec)))
        over = {"containers": [{"name": "nobody", "command": ["x"]}]}
        assert status(decided(*pool_of("n1", "n2"), job(overrides=over, **spec)))["reason"] == "InvalidOverrides"

    def test_a_node_where_a_worker_never_ran_is_not_taken_again(self) -> None:
        main = failed(
            attempt=1, on="n1", name="job-0-1", node_index=0, gang={"0": "n1", "1": "n2"}, reason="NodeShutdown"
        )
        worker = pod(name="job-1-1", uid="w", node_index=1, on="n2", phase="Failed", reason="OutOfcpu", containers=())
        things = [*pool_of("n2", "n3", "n4"), gang(nodes=2), main, worker]
        assert set(kept(only(decided(*things, now=NOW + 60), Start)).values()) == {"n3", "n4"}


def test_a_gang_of_a_thousand_is_placed_in_a_moment() -> None:
    things = [environment(max_vcpus=8000), queue()]
    nodes = [t for i in range(1000) for t in (machine(f"n{i:04}"), node(f"n{i:04}"))]
    plan = decided(*things, *nodes, gang(nodes=1000))
    assert len(kept(only(plan, Start))) == 1000


def nodes_of(main: int, *groups: dict[str, Any]) -> Definition:
    """Return a definition that has templates in its groups only."""
    body = definition_body(multiNode={"nodes": 2, "mainNode": main, "groups": list(groups)})
    del body["spec"]["template"]
    return parse.definition(body)


def test_a_definition_without_a_template_of_its_own_is_judged_by_its_main_nodes() -> None:
    groups = [{"nodes": "0", "template": template("1")}, {"nodes": "1", "template": template("2")}]
    kind = nodes_of(1, *groups)
    sample = only(decided(kind, revision(kind)), Check).manifest
    assert sample["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "2"
    groups[0]["template"]["spec"]["containers"][0]["command"] = ["Ref::nothing"]
    kind = nodes_of(1, *groups)
    said = only(decided(kind, revision(kind)), Report).status
    assert "uses Ref::nothing, which spec.parameters does not declare" in said["message"]
