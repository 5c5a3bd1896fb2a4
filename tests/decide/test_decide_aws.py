"""What docs/aws-batch.md says of a field and no other test shows."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model.plan import Start
from batchyard.world.views import Policy
from builders import (
    C2,
    C8,
    NOW,
    decided,
    definition,
    environment,
    job,
    machine,
    newer,
    node,
    only,
    pod,
    pool_of,
    queue,
    revision,
    running,
    started,
    store,
    template,
)

Body = dict[str, Any]


@pytest.mark.parametrize(("shape", "goes"), [(C2, "small"), (C8, "large")])
def test_a_job_asks_for_an_instance_type_by_a_label(shape: Any, goes: str) -> None:
    wanted = template(nodeSelector={"batchyard.dev/instance-type": shape.name})
    pool = [environment(shapes=(C2, C8)), queue(), machine("small", C2), machine("large", C8)]
    plan = decided(*pool, node("small", C2), node("large", C8), job(template=wanted))
    assert started(plan) == [("job-1", goes)]


def test_an_unmanaged_environment_keeps_to_its_maximum() -> None:
    pool = environment(managed=False, selector={"pool": "batch"}, shapes=(), provider="", max_vcpus=2)
    theirs = node("theirs", env="", labels={"pool": "batch"}, taints=())
    busy = [pod(f"j{i}", on="theirs", phase="Running", containers=(running(),)) for i in range(2)]
    others = [job(f"j{i}") for i in range(2)]
    assert started(decided(pool, queue(), theirs, *others[:1], *busy[:1], job())) == [("job-1", "")]
    assert started(decided(pool, queue(), theirs, *others, *busy, job())) == []


@pytest.mark.parametrize("group", ["containers", "initContainers"])
def test_everything_of_a_container_is_overridden_by_its_name(group: str) -> None:
    pod_template = template()
    pod_template["spec"].setdefault(group, []).append({"name": "other", "image": "old", "args": ["old"]})
    change = {
        "name": "other", "image": "new", "command": ["run"], "args": ["a", "b"], "env": [{"name": "A", "value": "1"}],
        "resources": {"requests": {"cpu": "2"}, "limits": {"memory": "2Gi"}},
    }  # fmt: skip
    plan = decided(*pool_of("n1"), job(template=pod_template, overrides={"containers": [change]}))
    other = only(plan, Start).manifest["spec"][group][-1]
    assert {name: other[name] for name in change if name != "env"} == {k: v for k, v in change.items() if k != "env"}
    assert other["env"][-1] == {"name": "A", "value": "1"}


def test_a_multi_node_job_goes_to_spot_too() -> None:
    pool = pool_of("n1", "n2", capacity_type="Spot")
    assert started(decided(*pool, job(template=template("8"), multiNode={"nodes": 2}))) == [("job-0-1", "n1")]


def test_a_queue_is_given_a_policy_and_loses_it_while_jobs_wait() -> None:
    known = store(*pool_of("n1"), Policy(name="fair", uid="uid-fair"), job("none"), job("some", share="a"))
    assert {name for name, _ in started(decide(known, NOW))} == {"none-1", "some-1"}
    known.apply(newer(known.queues["default"], policy="fair", generation=2))
    assert started(decide(known, NOW)) == [("some-1", "n1")]
    known.apply(newer(known.queues["default"], policy="", generation=3))
    assert {name for name, _ in started(decide(known, NOW))} == {"none-1", "some-1"}


def test_a_reference_is_replaced_in_an_override_too() -> None:
    kept = definition(parameters={"scene": {"default": "a.blend"}})
    change = {"name": "main", "command": ["render", "Ref::scene"], "env": [{"name": "SCENE", "value": "of Ref::scene"}]}
    mine = job(definition={"name": "render"}, overrides={"containers": [change]})
    main = only(decided(*pool_of("n1"), kept, revision(kept), mine), Start).manifest["spec"]["containers"][0]
    assert (main["command"], main["env"][-1]["value"]) == (["render", "a.blend"], "of a.blend")
