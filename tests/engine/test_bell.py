"""The bell slices a stream of rings into windows."""

from __future__ import annotations

import asyncio
from time import monotonic

from batchyard.engine.bell import IDLE, LONGEST, Bell


async def test_silence_ends_the_wait_at_its_deadline() -> None:
    began = monotonic()
    await Bell().wait(0.02)
    assert monotonic() - began >= 0.02


async def test_a_ring_before_the_wait_is_not_lost() -> None:
    bell = Bell()
    bell.ring()
    async with asyncio.timeout(5):
        await bell.wait(None)


async def test_many_rings_make_one_window() -> None:
    bell, windows = Bell(), 0
    for _ in range(100):
        bell.ring()
    async with asyncio.timeout(5):
        assert await bell.wait(None) == 100
    windows += 1
    began = monotonic()
    assert await bell.wait(3 * IDLE) == 0
    assert monotonic() - began >= 3 * IDLE, "the rings of the first window must not open a second one"


async def test_a_bell_that_never_rests_still_lets_go() -> None:
    bell = Bell()

    async def ring_for_ever() -> None:
        while True:
            bell.ring()
            await asyncio.sleep(0)

    ringing = asyncio.create_task(ring_for_ever())
    began = monotonic()
    async with asyncio.timeout(5):
        await bell.wait(None)
    assert monotonic() - began >= LONGEST * 0.9
    ringing.cancel()


async def test_a_loop_rests_before_it_listens() -> None:
    bell = Bell()
    bell.ring()
    began = monotonic()
    await bell.wait(None, rest=0.05)
    assert monotonic() - began >= 0.05
