"""A docker engine that hangs, is away or refuses harms nobody who waits for it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from batchyard.pools.base import ProviderError
from batchyard.pools.docker import DockerProvider
from batchyard.pools.docker_engine import Engine


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[str]:
    """The address of an engine that takes every connection and never answers."""
    address = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen(16)
        yield f"unix://{address}"


def engine(address: str, timeout: float) -> Engine:
    return Engine(lambda: docker.DockerClient(base_url=address, version="1.41", timeout=2), timeout=timeout)


async def test_a_hung_engine_is_given_up_in_time_and_the_loop_goes_on(silent: str) -> None:
    provider = DockerProvider("some-cluster", engine=engine(silent, 0.3))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    began = time.monotonic()
    with pytest.raises(ProviderError, match=r"did not answer within 0\.3 s") as refusal:
        await provider.observe()
    ticking.cancel()
    assert refusal.value.reason == "ProviderUnavailable"
    assert time.monotonic() - began < 1
    assert ticks > 10


async def test_more_calls_than_threads_to_a_hung_engine_all_end_in_time(silent: str) -> None:
    provider = DockerProvider("some-cluster", engine=engine(silent, 0.3))
    began = time.monotonic()
    answers = await asyncio.gather(*(provider.retire(f"node-{n}") for n in range(30)), return_exceptions=True)
    assert all(isinstance(answer, ProviderError) for answer in answers)
    assert time.monotonic() - began < 1


async def test_no_engine_is_said_in_a_sentence(tmp_path: Path) -> None:
    provider = DockerProvider("some-cluster", engine=engine(f"unix://{tmp_path}/none.sock", 5))
    with pytest.raises(ProviderError, match="no docker engine answers") as refusal:
        await provider.observe()
    assert refusal.value.reason == "ProviderUnavailable"


async def test_a_defect_in_our_own_work_is_not_taken_for_the_engines(silent: str) -> None:
    def defective(client: docker.DockerClient) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        await engine(silent, 5).call(defective)


async def test_calls_run_beside_each_other(silent: str) -> None:
    both = threading.Barrier(2, timeout=5)
    wall = engine(silent, 5)
    await asyncio.gather(wall.call(lambda _: both.wait()), wall.call(lambda _: both.wait()))
