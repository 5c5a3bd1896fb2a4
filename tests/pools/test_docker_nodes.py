"""The four verbs on real docker nodes: each may be repeated, survives a restart, and leaves nothing."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import docker
import pytest
from docker_nodes import Lab, order, until

from batchyard.model.machine import MachineState
from batchyard.pools.base import ProviderError

pytestmark = pytest.mark.nodes


def containers(lab: Lab) -> list[docker.models.containers.Container]:
    return lab.engine.containers.list(all=True, filters={"label": f"batchyard.dev/cluster={lab.cluster}"})


def volumes(lab: Lab, *names: str) -> set[str]:
    """The volumes that the nodes have, and their notices."""
    mounts = [mount for name in names for mount in lab.engine.containers.get(name).attrs["Mounts"]]
    return {mount["Name"] for mount in mounts if mount["Type"] == "volume"} | {f"batchyard-notice-{n}" for n in names}


def remaining(lab: Lab, volumes: set[str]) -> set[str]:
    return volumes & {volume.name for volume in lab.engine.volumes.list()}


def test_two_nodes_launched_at_once_run_pods_and_reach_each_other(lab: Lab) -> None:
    lab.names += ["docker-a", "docker-b"]

    async def both() -> None:
        provider = lab.provider
        await asyncio.gather(provider.launch(order("docker-a")), provider.launch(order("docker-b")))

    asyncio.run(both())
    for name in ("docker-a", "docker-b"):
        until(lambda name=name: lab.ready(name) == "True")
    endpoints = {lab.node(name).status.daemon_endpoints.kubelet_endpoint.port for name in ("docker-a", "docker-b")}
    assert len(endpoints) == 2
    lab.run("serves", "docker-a", "sh", "-c", "while true; do echo it is me | nc -l -p 8000; done")
    address = lab.phase("serves", "Running").status.pod_ip
    lab.run("asks", "docker-b", "sh", "-c", f"until nc {address} 8000 </dev/null; do sleep 0.1; done")
    asking = lab.phase("asks", "Succeeded")
    assert lab.logs("asks") == "it is me\n"
    assert asking.status.pod_ip.rpartition(".")[0] != address.rpartition(".")[0]
    had = volumes(lab, "docker-a", "docker-b")
    assert len(remaining(lab, had)) == 4
    for name in ("docker-a", "docker-b"):
        lab.retire(name)
    assert containers(lab) == []
    assert not remaining(lab, had)


def test_launching_again_changes_nothing_and_a_new_provider_finds_the_node(lab: Lab) -> None:
    lab.launch("docker-twice")
    first = containers(lab)
    lab.launch("docker-twice")
    assert containers(lab) == first
    machine = lab.observe()["docker-twice"]
    assert (machine.environment, machine.instance_type, machine.capacity_type) == ("docker-tests", "c1", "Spot")
    assert machine.state is MachineState.Running
    assert abs(machine.launched_at - time.time()) < 60


def test_two_providers_that_launch_the_same_node_at_once_make_one(lab: Lab) -> None:
    lab.names.append("docker-race")

    async def both() -> None:
        await asyncio.gather(*(lab.provider.launch(order("docker-race")) for _ in range(2)))

    asyncio.run(both())
    until(lambda: lab.ready("docker-race") == "True")
    assert [container.name for container in containers(lab)].count("docker-race") == 1


def test_retiring_ends_every_process_of_the_node_and_may_be_repeated(lab: Lab) -> None:
    lab.launch("docker-retired")
    lab.run("orphan", "docker-retired", "sleep", "4242")
    lab.phase("orphan", "Running")
    pids = [int(row[1]) for row in lab.engine.containers.get("docker-retired").top()["Processes"] if "4242" in row[-1]]
    assert pids
    lab.retire("docker-retired")
    assert not any(alive(pid) for pid in pids)
    assert "docker-retired" not in lab.observe()
    lab.retire("docker-retired")


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return b"4242" in line.read()
    except OSError:
        return False


def test_an_interrupted_node_shows_its_notice_and_vanishes_at_its_end(lab: Lab) -> None:
    lab.launch("docker-spot")
    had = volumes(lab, "docker-spot")
    asyncio.run(lab.provider.interrupt("docker-spot", 2))
    began = time.monotonic()
    assert lab.observe()["docker-spot"].state is MachineState.Interrupted
    asyncio.run(lab.provider.interrupt("docker-spot", 60))
    until(lambda: "docker-spot" not in lab.observe(), 10)
    assert time.monotonic() - began >= 1.5
    assert "docker-spot" not in [container.name for container in containers(lab)]
    assert not remaining(lab, had)


def test_interrupting_what_is_not_there_says_so(lab: Lab) -> None:
    with pytest.raises(ProviderError, match="no docker node docker-none is running"):
        asyncio.run(lab.provider.interrupt("docker-none", 5))


def test_a_node_whose_kubelet_ends_has_failed_and_says_why(lab: Lab) -> None:
    lab.names.append("docker-broken")
    bad = replace(order("docker-broken"), labels={"kubernetes.io/not-allowed": "x"})
    asyncio.run(lab.provider.launch(bad))
    until(lambda: lab.observe()["docker-broken"].state is MachineState.Failed)
    assert "not-allowed" in lab.observe()["docker-broken"].message


def test_a_dead_node_turns_unready_within_seconds(lab: Lab) -> None:
    lab.launch("docker-dies")
    lab.engine.containers.get("docker-dies").kill()
    began = time.monotonic()
    assert lab.observe()["docker-dies"].state is MachineState.Failed
    until(lambda: lab.ready("docker-dies") == "Unknown", 40)
    print(f"\na dead node was noticed by Kubernetes after {time.monotonic() - began:.0f} s")


def test_a_container_that_was_made_and_never_started_is_started_by_the_next_launch(lab: Lab) -> None:
    lab.launch("docker-crash")
    made = lab.engine.containers.get("docker-crash")
    host, labels, image = made.attrs["HostConfig"], made.labels, made.image.tags[0]
    lab.retire("docker-crash")
    lab.core.delete_node("docker-crash")
    environment = ["NODE_NAME=docker-crash", "NODE_LABELS=a=b"]
    api = lab.engine.api
    volumes = {"/var/lib/containerd": {}, "/var/lib/kubelet": {}}
    api.create_container_from_config(
        {"Image": image, "Labels": labels, "Env": environment, "HostConfig": host, "Volumes": volumes}, "docker-crash"
    )
    assert lab.launch("docker-crash") < 30
    assert lab.observe()["docker-crash"].state is MachineState.Running


def test_an_image_that_the_engine_lacks_is_named(lab: Lab) -> None:
    with pytest.raises(ProviderError, match="batchyard/none:1"):
        asyncio.run(lab.provider.launch(order("docker-noimage", image="batchyard/none:1")))
    assert "docker-noimage" not in lab.observe()


def test_a_shape_larger_than_the_host_is_refused_in_numbers(lab: Lab) -> None:
    with pytest.raises(ProviderError, match=r"instance type c1 has cpu 1000; the docker host has only \d+"):
        asyncio.run(lab.provider.launch(order("docker-huge", cpu=10**6)))
    assert "docker-huge" not in lab.observe()
