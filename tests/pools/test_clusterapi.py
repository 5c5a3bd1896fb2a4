"""What the provider has Cluster API do, and what it makes of Cluster API's answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from clusterapi_orders import NAME, OWN, deployment, order
from clusterapi_world import CREATED, UNINITIALISED, World

from batchyard.model import labels as names
from batchyard.model.machine import Machine, MachineState
from batchyard.pools import clusterapi
from batchyard.pools.base import ProviderError
from batchyard.pools.clusterapi import ClusterApiProvider
from batchyard.pools.clusterapi_set import CLOSED, NODE, OWNER_NAME

NOW = 1_800_000_000.0


@pytest.fixture
async def world() -> World:
    world = World()
    await world.deployments.create(deployment("spot-c8"))
    return world


def provider(world: World, now: float = NOW) -> ClusterApiProvider:
    return ClusterApiProvider(world.kinds, world.nodes.functions(), lambda: [{}], now=lambda: now, poll_seconds=0.001)


async def up(world: World) -> Machine:
    """Launch one machine and look until its node is known."""
    one = provider(world)
    await one.launch(order())
    for _ in range(5):
        (machine,) = await one.observe()
        if machine.state is MachineState.Running:
            return machine
    raise AssertionError(machine)


async def test_a_shape_without_deployment_is_told_with_what_to_do(world: World) -> None:
    world.deployments.bodies.clear()
    with pytest.raises(ProviderError, match="no MachineDeployment spot-c8 in namespace default for shape c8"):
        await provider(world).launch(order())
    assert world.sets.bodies == {}


async def test_nothing_is_made_of_a_deployment_that_is_paused(world: World) -> None:
    (theirs,) = world.deployments.bodies.values()
    words = "Cluster spec.paused is set to true"
    theirs["status"]["conditions"] = [{"type": "Paused", "status": "True", "message": words}]
    with pytest.raises(ProviderError, match=words):
        await provider(world).launch(order())
    assert world.sets.bodies == {}


async def test_a_machine_goes_by_its_nodes_name_as_soon_as_that_wears_its_labels_and_taints(world: World) -> None:
    machine = await up(world)
    (node,) = world.nodes.bodies.values()
    assert (machine.name, machine.ordered_as) == (node["metadata"]["name"], NAME)
    assert order().labels.items() <= node["metadata"]["labels"].items()
    assert node["metadata"]["labels"]["kubernetes.io/os"] == "linux"
    ours = {"key": OWN.key, "value": OWN.value, "effect": OWN.effect}
    assert node["spec"]["taints"] == [UNINITIALISED, ours]
    assert machine.launched_at == datetime.fromisoformat(CREATED).timestamp()
    assert (machine.environment, machine.instance_type, machine.capacity_type) == ("spot", "c8", "Spot")
    assert machine.configuration == "0123456789"


async def test_a_node_that_is_written_meanwhile_is_dressed_at_the_next_look(world: World) -> None:
    real = world.nodes.find

    async def outdated(name: str) -> Any:
        node = await real(name)
        assert node is not None
        return {**node, "metadata": {**node["metadata"], "resourceVersion": "old"}}

    world.nodes.find = outdated  # type: ignore[method-assign]
    await (one := provider(world)).launch(order())
    seen = [(await one.observe())[0].state for _ in range(4)]
    assert set(seen) == {MachineState.Launching}
    world.nodes.find = real  # type: ignore[method-assign]
    assert (await up(world)).state is MachineState.Running


async def test_a_node_of_another_cluster_fails_the_machine(world: World) -> None:
    world.here = False
    one = provider(world)
    await one.launch(order())
    seen = [(await one.observe())[0] for _ in range(4)][-1]
    assert seen.state is MachineState.Failed
    assert "is not in this cluster" in seen.message


@pytest.mark.parametrize("restarted", [False, True])
async def test_either_name_retires_it_without_a_drain(world: World, restarted: bool) -> None:
    one = provider(world)
    machine = await up(world)
    await one.observe()
    await (provider(world) if restarted else one).retire(machine.name)
    assert (world.sets.bodies, world.machines.bodies) == ({}, {})
    assert len(world.undrained) == 1


async def test_a_notice_is_noted_and_whoever_looks_after_it_ends_the_machine(world: World) -> None:
    one, machine = provider(world), await up(world)
    await one.interrupt(machine.name, 120.0)
    await one.interrupt(machine.name, 3600.0)  # the first one counts
    (machine,) = await one.observe()
    assert (machine.state, machine.gone_at) == (MachineState.Interrupted, NOW + 120)
    assert world.going() == []
    seen = await provider(world, NOW + 121).observe()
    assert ([m.name for m in seen], world.going()) == ([machine.name], [machine.ordered_as])
    while seen:
        seen = await provider(world, NOW + 122).observe()
    assert (world.paid(), len(world.undrained)) == ([], 1)


@pytest.mark.parametrize("rids_nodes", [False, True])
async def test_a_machine_that_somebody_deletes_is_an_interruption_and_does_not_come_again(
    world: World, rids_nodes: bool
) -> None:
    world.rids_nodes = rids_nodes
    machine, one = await up(world), provider(world)
    for its in list(world.machines.bodies):
        await world.machines.delete(its)
    seen = await one.observe()
    assert [(m.name, m.state) for m in seen] == [(machine.name, MachineState.Interrupted)]
    while seen:
        seen = await one.observe()
    while world.sets.bodies:
        assert await one.observe() == []
    assert world.machines.bodies == {}
    assert [n for n, b in world.nodes.bodies.items() if "deletionTimestamp" not in b["metadata"]] == []


async def test_a_node_of_the_same_name_that_is_another_machines_is_let_alone(world: World) -> None:
    world.rids_nodes = False
    machine, one = await up(world), provider(world)
    world.nodes.bodies[machine.name]["metadata"]["annotations"][OWNER_NAME] = "spot-abcdef-1"
    world.machines.bodies.clear()
    assert await one.observe() == []
    assert "deletionTimestamp" not in world.nodes.bodies[machine.name]["metadata"]


async def test_a_stock_out_is_told_as_such_and_leaves_nothing(world: World) -> None:
    world.stocked = False
    with pytest.raises(ProviderError, match="there is no c8") as told:
        await provider(world).launch(order())
    assert told.value.reason == "InsufficientCapacity"
    assert await provider(world).observe() == []


async def test_what_the_provider_gives_up_fails_the_machine_with_its_words(world: World) -> None:
    world.said = {"deprecated": {"v1beta1": {"failureReason": "CreateError", "failureMessage": "no such\nimage"}}}
    with pytest.raises(ProviderError, match="no such image") as told:
        await provider(world).launch(order())
    assert told.value.reason == "LaunchFailed"
    (machine,) = await provider(world).observe()
    assert (machine.state, machine.message) == (MachineState.Failed, "no such image")
    await provider(world).retire(machine.name)
    assert world.paid() == []


async def test_what_keeps_cluster_api_from_making_a_machine_is_told(world: World) -> None:
    scaling = {"type": "ScalingUp", "status": "True", "message": "Scaling up is blocked because:\n* no such template"}
    world.blocked = {"conditions": [scaling]}
    with pytest.raises(ProviderError, match="is blocked because: \\* no such template"):
        await provider(world).launch(order())


async def test_a_launch_does_not_wait_for_ever_for_a_word(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusterapi, "LAUNCH_SECONDS", 0.01)
    progress = {"type": "InfrastructureReady", "status": "False", "reason": "NotReady", "message": "cloning"}
    world.said = {"conditions": [progress]}
    await provider(world).launch(order())
    (machine,) = await provider(world).observe()
    assert (machine.name, machine.state) == (NAME, MachineState.Launching)


@pytest.mark.parametrize(("capacity", "state", "ended"), [("Spot", "Interrupted", 1), ("OnDemand", "Failed", 0)])
async def test_a_machine_that_the_cloud_takes_was_reclaimed_and_is_ended_if_it_is_spot(
    world: World, capacity: str, state: str, ended: int
) -> None:
    await up(world)
    (found,) = world.sets.bodies.values()
    found["metadata"]["labels"][names.CAPACITY_TYPE] = capacity
    (its,) = world.machines.bodies.values()
    its["status"]["deprecated"] = {"v1beta1": {"failureMessage": "EC2 instance state is terminated"}}
    (machine,) = await provider(world).observe()
    assert (machine.state, len(world.going())) == (state, ended), "what a failed one leaves is decide's to end"


async def test_what_ails_a_machine_with_a_node_for_a_while_is_not_its_end(world: World) -> None:
    await up(world)
    (its,) = world.machines.bodies.values()
    passing = {"type": "InfrastructureReady", "status": "False", "severity": "Error", "reason": "X", "message": "quota"}
    its["status"]["deprecated"] = {"v1beta1": {"conditions": [passing]}}
    (machine,) = await provider(world).observe()
    assert machine.state is MachineState.Running


@pytest.mark.parametrize("labels", [{}, {names.PROVIDER: "clusterAPI", names.ENVIRONMENT: "spot"}])
async def test_a_machine_set_of_somebody_else_is_let_alone(world: World, labels: dict[str, str]) -> None:
    annotations = {NODE: "his-node", CLOSED: "true"}
    await world.sets.create({"metadata": {"name": "his", "labels": labels, "annotations": annotations}})
    assert await provider(world).observe() == []
    for name in ("his", "his-node"):
        await provider(world).retire(name)
        with pytest.raises(ProviderError, match=f"no machine {name}"):
            await provider(world).interrupt(name, 1.0)
    assert "deletionTimestamp" not in world.sets.bodies["his"]["metadata"]
