"""What the provider tells Karpenter, and what it makes of Karpenter's answers."""

from __future__ import annotations

from datetime import datetime

import pytest
from karpenter_claims import CREATED, Claims

from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, MachineState, Shape, Taint
from batchyard.model.resources import Resources
from batchyard.pools import karpenter
from batchyard.pools.base import ProviderError
from batchyard.pools.karpenter import DEADLINE, KarpenterProvider, claim

CLASS = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
SHAPE = Shape("c7g.large", Resources(cpu=2000, memory=2**32, pods=29))
NOW = 1_800_000_000.0


def order(name: str = "env-abcdef-0", **settings: object) -> LaunchOrder:
    labels = {
        names.PROVIDER: "karpenter",
        names.ENVIRONMENT: "env",
        names.INSTANCE_TYPE: SHAPE.name,
        names.CAPACITY_TYPE: "Spot",
        "node.kubernetes.io/instance-type": SHAPE.name,
        "kubernetes.io/os": "linux",
        "team": "a",
    }
    taints = (Taint(names.ENVIRONMENT, "env"),)
    return LaunchOrder(name, "env", SHAPE, "Spot", labels, taints, "karpenter", {"nodeClassRef": CLASS, **settings})


def provider(claims: Claims) -> KarpenterProvider:
    return KarpenterProvider(claims.functions(), claims.complaints, lambda: NOW, 0.001)


@pytest.fixture
def claims() -> Claims:
    return Claims()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(karpenter, "EVENT_SECONDS", 0.01)


def requirements(body: dict[str, object]) -> dict[str, list[str]]:
    return {each["key"]: each["values"] for each in body["spec"]["requirements"]}  # type: ignore[index]


def test_a_claim_asks_for_exactly_the_shape_and_is_never_disrupted() -> None:
    body = claim(order(zones=["a", "b"]))
    assert requirements(body) == {
        "karpenter.sh/capacity-type": ["spot"],
        "kubernetes.io/os": ["linux"],
        "node.kubernetes.io/instance-type": ["c7g.large"],
        "topology.kubernetes.io/zone": ["a", "b"],
    }
    assert body["metadata"]["name"] == "env-abcdef-0"
    assert body["metadata"]["labels"]["team"] == "a"
    assert "karpenter.sh/nodepool" not in body["metadata"]["labels"]
    assert body["metadata"]["annotations"] == {"karpenter.sh/do-not-disrupt": "true"}
    assert body["spec"]["expireAfter"] == "Never"
    assert body["spec"]["nodeClassRef"] == CLASS
    assert body["spec"]["taints"] == [{"key": names.ENVIRONMENT, "value": "env", "effect": "NoSchedule"}]


def test_a_zone_of_the_node_template_is_asked_for_alone() -> None:
    given = order(zones=["a", "b"])
    labels = {**given.labels, "topology.kubernetes.io/zone": "b"}
    body = claim(LaunchOrder(given.name, "env", SHAPE, "OnDemand", labels, (), "karpenter", given.settings))
    assert requirements(body)["topology.kubernetes.io/zone"] == ["b"]
    assert requirements(body)["karpenter.sh/capacity-type"] == ["on-demand"]


async def test_a_machine_goes_by_its_nodes_name_as_soon_as_it_has_one(claims: Claims) -> None:
    one = provider(claims)
    await claims.create(claim(order()))
    seen = [(await one.observe())[0] for _ in range(3)]
    assert [m.name for m in seen] == ["env-abcdef-0", "env-abcdef-0", "ip-0.internal"]
    assert [m.state for m in seen] == [MachineState.Launching, MachineState.Launching, MachineState.Running]
    assert {m.ordered_as for m in seen} == {"env-abcdef-0"}
    assert seen[2].launched_at == datetime.fromisoformat(CREATED).timestamp()
    assert (seen[2].environment, seen[2].instance_type, seen[2].capacity_type) == ("env", SHAPE.name, "Spot")


@pytest.mark.parametrize("restarted", [False, True])
async def test_either_name_retires_it_at_once(claims: Claims, restarted: bool) -> None:
    one = provider(claims)
    await one.launch(order())
    await one.observe()
    node = claims.node_of("env-abcdef-0")
    assert node
    await (provider(claims) if restarted else one).retire(node)
    assert claims.deleted == ["env-abcdef-0"]


async def test_what_is_left_on_a_retired_node_has_no_more_time(claims: Claims) -> None:
    await provider(claims).launch(order())
    kept = claims.bodies["env-abcdef-0"]
    await provider(claims).retire("env-abcdef-0")
    assert kept["metadata"]["annotations"][DEADLINE] == "2027-01-15T08:00:00Z"


async def test_a_notice_is_a_deletion_with_a_deadline_that_a_second_one_does_not_move(claims: Claims) -> None:
    one = provider(claims)
    await one.launch(order())
    await one.interrupt("env-abcdef-0", 120.0)
    await one.interrupt("env-abcdef-0", 3600.0)
    meta = claims.bodies["env-abcdef-0"]["metadata"]
    assert meta["annotations"][DEADLINE] == "2027-01-15T08:02:00Z"
    assert meta["deletionTimestamp"]
    (machine,) = await one.observe()
    assert (machine.state, machine.gone_at) == (MachineState.Interrupted, NOW + 120)


async def test_a_claim_that_somebody_else_deletes_is_an_interruption(claims: Claims) -> None:
    one = provider(claims)
    await one.launch(order())
    await one.observe()
    await claims.delete("env-abcdef-0")
    (machine,) = await one.observe()
    assert machine.state is MachineState.Interrupted


async def test_a_stock_out_is_told_as_such_and_leaves_nothing(claims: Claims) -> None:
    claims.stocked = False
    with pytest.raises(ProviderError, match="no offering") as told:
        await provider(claims).launch(order())
    assert told.value.reason == "InsufficientCapacity"
    assert await provider(claims).observe() == []


async def test_a_claim_that_vanishes_without_an_event_is_no_stock_out(claims: Claims) -> None:
    claims.stocked = claims.tells = False
    with pytest.raises(ProviderError, match="EC2NodeClass default is Ready") as told:
        await provider(claims).launch(order())
    assert told.value.reason == "LaunchFailed"


async def test_what_the_cloud_says_against_a_launch_fails_the_machine(claims: Claims) -> None:
    claims.complaint = "LaunchFailed: not authorised"
    with pytest.raises(ProviderError, match="not authorised"):
        await provider(claims).launch(order())
    (machine,) = await provider(claims).observe()
    assert (machine.state, machine.message) == (MachineState.Failed, "LaunchFailed: not authorised")
    await provider(claims).retire(machine.name)
    assert claims.paid() == []


@pytest.mark.parametrize("labels", [{}, {names.PROVIDER: "karpenter", names.ENVIRONMENT: "env"}])
async def test_a_claim_of_somebody_else_is_let_alone(claims: Claims, labels: dict[str, str]) -> None:
    await claims.create({"metadata": {"name": "his", "labels": labels}})
    assert await provider(claims).observe() == []
    await provider(claims).retire("his")
    with pytest.raises(ProviderError, match="no machine his"):
        await provider(claims).interrupt("his", 1.0)
    assert claims.deleted == []


def test_an_order_for_another_provider_is_refused() -> None:
    given = order()
    with pytest.raises(ProviderError, match="not for Karpenter"):
        claim(LaunchOrder(given.name, "env", SHAPE, "Spot", {}, (), "karpenter", given.settings))
