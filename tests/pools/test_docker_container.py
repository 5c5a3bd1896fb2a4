"""What a docker node is given and how its container is read, without an engine."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchyard.model.machine import LaunchOrder, MachineState, Shape, Taint
from batchyard.model.resources import Resources
from batchyard.pools import docker_container as containers
from batchyard.pools.base import ProviderError
from batchyard.pools.docker import _options
from batchyard.pools.docker_container import Options
from batchyard.pools.docker_files import Credentials, Place, archive, kubelet_configuration, pod_network
from batchyard.pools.docker_network import is_reachable, server_inside

MIB = 2**20
HOST = Resources(cpu=8000, memory=16384 * MIB)
SHAPE = Shape("c2", Resources(cpu=2000, memory=4096 * MIB, pods=50))
ORDER = LaunchOrder("n-1", "spot", SHAPE, "Spot", {"a": "b"}, (Taint("k", "v", "NoExecute"),), "docker")
WIDE = Resources(cpu=1, memory=1, pods=1, extended=(("nvidia.com/gpu", 1),))


def listed(state: str, **labels: str) -> dict[str, Any]:
    """An entry of the engine's list, as it gives it."""
    mine = containers.labels(ORDER, "uid", 3, 1000.0) | labels
    return {"Id": "x", "State": state, "Status": f"{state} some time ago", "Labels": mine}


def test_what_the_host_has_beyond_the_shape_is_reserved() -> None:
    configuration = kubelet_configuration(ORDER, HOST, Place(0, "host"))
    assert configuration["systemReserved"] == {"cpu": "6000m", "memory": str(12288 * MIB)}
    assert configuration["maxPods"] == 50
    assert configuration["registerWithTaints"] == [{"key": "k", "value": "v", "effect": "NoExecute"}]


def test_nobody_reaches_the_kubelet_without_a_certificate_or_a_token() -> None:
    configuration = kubelet_configuration(ORDER, HOST, Place(0, "host"))
    assert configuration["authentication"]["anonymous"] == {"enabled": False}
    assert configuration["authorization"] == {"mode": "Webhook"}
    assert (configuration["readOnlyPort"], configuration["healthzPort"]) == (0, 0)


def test_nodes_on_the_hosts_network_differ_in_port_and_subnet() -> None:
    places = [Place(slot, "host") for slot in range(256)]
    assert len({place.port for place in places}) == 256
    assert len({place.subnet for place in places}) == 256
    assert max(place.port for place in places) < 32768, "the kernel hands out what is above"


def test_a_node_with_a_network_of_its_own_keeps_the_usual_port_and_masquerades() -> None:
    assert Place(7, "kind").port == 10250
    assert pod_network(Place(7, "kind"))["plugins"][0]["ipMasq"]
    assert not pod_network(Place(7, "host"))["plugins"][0]["ipMasq"]


def test_files_are_for_root_only_and_the_token_is_in_one_of_them() -> None:
    packed = archive(ORDER, HOST, Place(0, "host"), Credentials("https://127.0.0.1:6443", "CA", "secret-token"))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        contents = {entry.name: (entry.mode, tar.extractfile(entry).read().decode()) for entry in tar}
    assert {mode for mode, _ in contents.values()} == {0o600}
    assert [name for name, (_, text) in contents.items() if "secret-token" in text] == [
        "etc/batchyard/bootstrap.kubeconfig"
    ]
    assert (
        json.loads(contents["etc/cni/net.d/10-batchyard.conflist"][1])["plugins"][0]["ipam"]["subnet"] == "10.89.0.0/24"
    )


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        (Resources(cpu=9000, memory=1, pods=1), "instance type c2 has cpu 9; the docker host has only 8"),
        (Resources(cpu=1, memory=20000 * MIB, pods=1), "has memory 20000Mi; the docker host has only 16384Mi"),
        (Resources(cpu=1, memory=1, pods=251), "has pods 251; a docker node holds at most 250"),
        (WIDE, "docker nodes have no nvidia.com/gpu; take it out of instance type c2"),
    ],
)
def test_a_shape_that_cannot_be_had_is_refused_in_numbers(resources: Resources, sentence: str) -> None:
    with pytest.raises(ProviderError, match=sentence):
        containers.check_shape(replace(ORDER, shape=replace(SHAPE, resources=resources)), HOST)


def test_the_daemons_of_a_node_get_their_own_room_but_no_more_than_the_host_has() -> None:
    creation = containers.creation(ORDER, Options(), HOST)
    assert creation["mem_limit"] == (4096 + 384) * MIB
    assert creation["nano_cpus"] == 2_500_000_000
    whole = replace(ORDER, shape=replace(SHAPE, resources=Resources(cpu=8000, memory=MIB, pods=1)))
    assert containers.creation(whole, Options(), HOST)["nano_cpus"] == 8_000_000_000


def test_a_directory_of_images_is_mounted_read_only_if_there_is_one(tmp_path: Path) -> None:
    (mount,) = containers.creation(ORDER, Options(images=tmp_path), HOST)["mounts"]
    assert (mount["Source"], mount["Target"], mount["ReadOnly"]) == (str(tmp_path), "/images", True)
    assert containers.creation(ORDER, Options(), HOST)["mounts"] == []


def test_a_directory_of_images_that_is_named_need_not_be_here() -> None:
    assert _options({"imagesDirectory": "/on/the/engine's"}).images == Path("/on/the/engine's")


def test_names_differ_in_their_slots_the_next_free_one_is_taken_and_a_full_engine_says_so() -> None:
    names = [f"node-{number}" for number in range(16)]
    assert len({containers.free_slot([], 256, name) for name in names}) > 12
    taken: list[dict[str, Any]] = []
    for _ in range(4):
        taken.append({"Labels": {containers.SLOT: str(containers.free_slot(taken, 4, "node"))}})
    assert sorted(node["Labels"][containers.SLOT] for node in taken) == ["0", "1", "2", "3"]
    with pytest.raises(ProviderError, match="holds 4 nodes already"):
        containers.free_slot(taken, 4, "node")


def test_everything_of_a_machine_is_read_back_from_its_labels() -> None:
    machine = containers.machine(listed("running"), interrupted=False, now=1010.0)
    assert (machine.name, machine.environment, machine.instance_type) == ("n-1", "spot", "c2")
    assert (machine.capacity_type, machine.launched_at) == ("Spot", 1000.0)


@pytest.mark.parametrize(
    ("state", "age", "interrupted", "expected"),
    [
        ("created", 5, False, MachineState.Launching),
        ("created", 31, False, MachineState.Failed),
        ("running", 5, False, MachineState.Running),
        ("running", 5, True, MachineState.Interrupted),
        ("exited", 5, False, MachineState.Failed),
        ("exited", 5, True, MachineState.Failed),
        ("dead", 5, False, MachineState.Failed),
    ],
)
def test_the_state_follows_the_container(state: str, age: float, interrupted: bool, expected: MachineState) -> None:
    machine = containers.machine(listed(state), interrupted=interrupted, now=1000.0 + age)
    assert machine.state is expected


def test_the_last_complaint_of_a_log_is_found_without_its_header() -> None:
    log = (
        "I1123 18:05:15.511376      52 kubelet_node_status.go:75] fine\n"
        'E1123 18:21:52.504647      50 run.go:72] "command failed" err=<\n\tunknown label x\n >'
    )
    assert containers.last_words(log) == 'its log ends with: "command failed" err=< unknown label x >'
    assert containers.last_words("I1123 18:05:15.511376      52 a.go:75] fine") == ""


def test_on_a_network_of_its_own_a_node_meets_the_api_server_at_its_container() -> None:
    neighbours = [
        {"Names": ["/other"], "Ports": [{"PrivatePort": 80, "PublicPort": 8080}, {"PrivatePort": 9}]},
        {"Names": ["/batchyard-control-plane"], "Ports": [{"PrivatePort": 6443, "PublicPort": 41234}]},
    ]
    inside = server_inside("https://127.0.0.1:41234", "kind", neighbours)
    assert inside == "https://batchyard-control-plane:6443"
    with pytest.raises(ProviderError, match="network kind cannot reach the API server"):
        server_inside("https://127.0.0.1:6443", "kind", neighbours)


def test_an_api_server_that_is_not_on_loopback_is_used_as_it_is() -> None:
    assert is_reachable("https://10.0.0.1:6443", "kind")
    assert is_reachable("https://127.0.0.1:6443", "host")
    assert not is_reachable("https://localhost:6443", "kind")
