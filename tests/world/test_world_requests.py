"""What a pod takes of its node, as kube-scheduler and the kubelet count it (KEP-753)."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.model.resources import Resources
from batchyard.world.raw import PodSpec
from batchyard.world.requests import requests


def container(cpu: int = 0, memory: int = 0, *, sidecar: bool = False, **limits: Any) -> dict[str, Any]:
    resources = {"requests": {"cpu": f"{cpu}m", "memory": str(memory)}, "limits": limits}
    return {"name": "c", "resources": resources, **({"restartPolicy": "Always"} if sidecar else {})}


def of(*main: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **spec: Any) -> Resources:
    return requests(msgspec.convert({"containers": list(main), "initContainers": list(init), **spec}, PodSpec))


@pytest.mark.parametrize(
    ("main", "init", "cpu"),
    [
        ((100, 200), (), 300),
        ((100,), ((500, False),), 500),  # the largest init container
        ((100,), ((50, False), (80, False)), 100),
        ((100,), ((50, True),), 150),  # a sidecar stays
        ((100,), ((50, True), (200, False)), 250),  # an init container runs beside the sidecars before it
        ((100,), ((200, False), (50, True)), 200),
        ((10,), ((50, True), (60, True), (5, False)), 120),
    ],
)
def test_init_containers_and_sidecars(main: tuple[int, ...], init: tuple[tuple[int, bool], ...], cpu: int) -> None:
    taken = of(*map(container, main), init=tuple(container(c, sidecar=s) for c, s in init))
    assert taken.cpu == cpu


def test_overhead_comes_on_top_and_a_pod_counts_as_one() -> None:
    taken = of(container(100, 1000), overhead={"cpu": "250m", "memory": "120Mi"})
    assert taken == Resources(cpu=350, memory=1000 + 120 * 2**20, pods=1)


def test_a_limit_without_a_request_is_the_request_resource_by_resource() -> None:
    resources = {"requests": {"cpu": "100m"}, "limits": {"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": 1}}
    taken = of({"name": "c", "resources": resources})
    assert taken == Resources(cpu=100, memory=2**30, pods=1, extended=(("nvidia.com/gpu", 1),))


def test_a_container_without_resources_takes_only_its_place() -> None:
    assert of({"name": "a"}, {"name": "b", "resources": {}}) == Resources(pods=1)


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=5),
)
def test_a_pod_takes_what_its_busiest_moment_takes(main: list[int], init: list[tuple[int, bool]]) -> None:
    beside, moments = 0, []
    for cpu, sidecar in init:
        moments.append(beside + cpu)
        beside += cpu if sidecar else 0
    moments.append(beside + sum(main))
    taken = of(*map(container, main), init=tuple(container(c, sidecar=s) for c, s in init))
    assert taken.cpu == max(moments)
