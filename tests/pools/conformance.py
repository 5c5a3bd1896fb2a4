"""What every provider of machines must keep to, whatever may break: the suite that all of them pass.

A provider joins by a yard: a class like `Yard` below, registered in tests/pools/yards.py. `test_conformance.py` then
runs every rule of this file in that yard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import pytest

from batchyard.model.machine import LaunchOrder, Machine, MachineState
from batchyard.pools.base import Provider, ProviderError

T = TypeVar("T")
ENVIRONMENT = "conformance"


class Fault(StrEnum):
    """How a call breaks: nothing was done, or all was done and only the answer is missing or never comes."""

    Refused = "Refused"
    AnswerLost = "AnswerLost"
    Hang = "Hang"


class Line:
    """The wire between a provider and what makes its machines: every call of the provider is carried by it.

    Cut at the n-th call from now it stays broken until it is mended, as for an operator that dies there.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.hangs = asyncio.Event()
        self._cut: tuple[int, Fault] | None = None

    @property
    def broke(self) -> bool:
        """Whether a call has met the cut."""
        return self._cut is not None and self.calls >= self._cut[0]

    def cut(self, at: int, fault: Fault) -> None:
        self.calls, self._cut = 0, (at, fault)
        self.hangs.clear()

    def mend(self) -> None:
        self.calls, self._cut = 0, None

    async def carry(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work, unless the line is broken; ProviderError then, as from the provider's own wall."""
        self.calls += 1
        at, fault = self._cut or (self.calls + 1, Fault.Refused)
        if self.calls < at:
            return await work()
        if self.calls > at or fault is Fault.Refused:
            raise ProviderError("the line is broken", reason="ProviderUnavailable")
        await work()
        if fault is Fault.Hang:
            self.hangs.set()
            await asyncio.Event().wait()
        raise ProviderError("the answer was lost", reason="ProviderUnavailable")

    async def try_out(self, verb: Coroutine[Any, Any, T]) -> T | None:
        """Return what the verb does; None when it failed, or hung so that its caller gave up."""
        asked, hung = asyncio.create_task(verb), asyncio.create_task(self.hangs.wait())
        await asyncio.wait({asked, hung}, return_when=asyncio.FIRST_COMPLETED)
        for task in (asked, hung):
            task.cancel()
        try:
            return await asked
        except (ProviderError, asyncio.CancelledError):
            return None


class Yard(Protocol):
    """One kind of provider with the real thing behind it."""

    line: Line
    faults: Sequence[Fault]  # those to try at every call; fewer where a machine takes seconds
    dies: bool  # whether a machine really ends after an interruption's notice

    def provider(self) -> Provider:
        """Return a new provider at each call, as after a restart; all its calls go over `line`."""

    def stranger(self) -> Provider | None:
        """Return a provider of another cluster with the same account; None where a provider sees one cluster only."""

    def order(self, name: str) -> LaunchOrder:
        """Return an order for the environment ENVIRONMENT."""

    async def existing(self) -> list[str]:
        """Return the names of all machines that exist, and cost, an entry for each; asked without the provider."""

    async def noticed(self, name: str) -> bool:
        """Say whether the world can see that a machine was given notice."""


@dataclass
class Break:
    """The line cut at one call while the block runs; `met` says afterwards whether there was such a call."""

    line: Line
    at: int
    fault: Fault
    met: bool = True

    def __enter__(self) -> None:
        self.line.cut(self.at, self.fault)

    def __exit__(self, *_: object) -> None:
        self.met = self.line.broke
        self.line.mend()

    def __str__(self) -> str:
        return f"{self.fault} at call {self.at}"


@dataclass
class Trial:
    """A yard in use by one test, and what was launched there."""

    yard: Yard
    names: list[str] = field(default_factory=list)

    def new(self) -> LaunchOrder:
        self.names.append(f"{ENVIRONMENT}-{uuid4().hex[:8]}-0")
        return self.yard.order(self.names[-1])

    async def launched(self) -> LaunchOrder:
        order = self.new()
        await self.yard.provider().launch(order)
        return order

    async def existing(self) -> list[str]:
        """Return what exists of this test's machines."""
        return sorted(name for name in await self.yard.existing() if name in self.names)

    async def observed(self) -> dict[str, Machine]:
        """Return what a new provider sees of this test's machines."""
        seen = [machine for machine in await self.yard.provider().observe() if machine.name in self.names]
        assert len({machine.name for machine in seen}) == len(seen), "a machine was observed twice"
        return {machine.name: machine for machine in seen}

    def breaks(self) -> Iterator[Break]:
        """Yield a break at the first call, the second, and so on until a verb has no more calls; so for every fault."""
        for fault in self.yard.faults:
            for at in count(1):
                here = Break(self.yard.line, at, fault)
                yield here
                if not here.met:
                    assert at > 1, "no call of the verb goes over the line"
                    break

    async def clear(self) -> None:
        """Retire everything; nothing may be left."""
        self.yard.line.mend()
        for name in self.names:
            await self.yard.provider().retire(name)
        assert await self.existing() == []
        self.names.clear()


async def wait_for(ask: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await ask():  # noqa: ASYNC110 what is waited for is outside this process
            await asyncio.sleep(0.1)


async def observe_tells_whose_and_what_a_machine_is(trial: Trial) -> None:
    order = await trial.launched()
    machine = (await trial.observed())[order.name]
    assert (machine.environment, machine.instance_type) == (ENVIRONMENT, order.shape.name)
    assert machine.capacity_type == order.capacity_type
    assert machine.state in {MachineState.Launching, MachineState.Running}
    await trial.yard.provider().launch(order)
    again = (await trial.observed())[order.name]
    assert again.launched_at == machine.launched_at, "launching again made the machine younger"


async def launch_again_and_at_once_makes_one(trial: Trial) -> None:
    order, one = trial.new(), trial.yard.provider()
    verbs = (one.launch(order), one.launch(order), trial.yard.provider().launch(order))
    ends = await asyncio.gather(*verbs, return_exceptions=True)
    assert all(end is None or isinstance(end, ProviderError) for end in ends), ends
    await trial.yard.provider().launch(order)
    assert await trial.existing() == [order.name]


async def launch_that_breaks_anywhere_is_neither_paid_twice_nor_orphaned(trial: Trial) -> None:
    for where in trial.breaks():
        order = trial.new()
        with where:
            await trial.yard.line.try_out(trial.yard.provider().launch(order))
        seen = await trial.observed()
        assert set(await trial.existing()) <= set(seen), f"{where} left an orphan"
        assert all(machine.environment == ENVIRONMENT for machine in seen.values())
        await trial.yard.provider().launch(order)
        assert await trial.existing() == [order.name], where
        await trial.clear()


async def retire_returns_when_the_machine_is_gone_and_may_be_repeated(trial: Trial) -> None:
    gone, stays = await trial.launched(), await trial.launched()
    await trial.yard.provider().retire(gone.name)
    assert await trial.existing() == [stays.name]
    assert set(await trial.observed()) == {stays.name}
    await trial.yard.provider().retire(gone.name)
    one = trial.yard.provider()
    await asyncio.gather(one.retire(stays.name), one.retire(stays.name), trial.yard.provider().retire(stays.name))
    assert await trial.existing() == []


async def retire_of_what_never_was_is_done_at_once(trial: Trial) -> None:
    await trial.yard.provider().retire(f"{ENVIRONMENT}-never-0")


async def retire_that_breaks_anywhere_ends_when_repeated(trial: Trial) -> None:
    for where in trial.breaks():
        order = await trial.launched()
        with where:
            done = await trial.yard.line.try_out(_said(trial.yard.provider().retire(order.name)))
        existing = await trial.existing()
        assert not (done and existing), f"{where}: retire returned and the machine was still there"
        assert set(existing) <= set(await trial.observed()), f"{where} left an orphan"
        await trial.yard.provider().retire(order.name)
        assert await trial.existing() == [], where


async def observe_that_breaks_says_so_and_never_that_nothing_is_there(trial: Trial) -> None:
    order = await trial.launched()
    for where in trial.breaks():
        with where:
            seen = await trial.yard.line.try_out(trial.yard.provider().observe())
        assert seen is None or order.name in {machine.name for machine in seen}, where


async def _said(verb: Awaitable[None]) -> bool:
    await verb
    return True


async def interrupt_gives_notice_and_then_the_machine_ends(trial: Trial) -> None:
    order = await trial.launched()
    await wait_for(lambda: _runs(trial, order.name))
    await trial.yard.provider().interrupt(order.name, 1.0)
    await wait_for(lambda: trial.yard.noticed(order.name))
    if trial.yard.dies:
        await wait_for(lambda: _is_gone(trial, order.name))
    await trial.yard.provider().retire(order.name)
    assert await trial.existing() == []


async def interrupt_of_what_is_not_there_says_so(trial: Trial) -> None:
    with pytest.raises(ProviderError) as told:
        await trial.yard.provider().interrupt(f"{ENVIRONMENT}-never-0", 1.0)
    assert told.value.reason == "NotFound"


async def machines_of_another_cluster_are_let_alone(trial: Trial) -> None:
    stranger, order = trial.yard.stranger(), await trial.launched()
    if stranger is None:
        return
    assert order.name not in {machine.name for machine in await stranger.observe()}
    await stranger.retire(order.name)
    assert await trial.existing() == [order.name]


async def _runs(trial: Trial, name: str) -> bool:
    machine = (await trial.observed()).get(name)
    return machine is not None and machine.state is MachineState.Running


async def _is_gone(trial: Trial, name: str) -> bool:
    seen = (await trial.observed()).get(name)
    return seen is None and name not in await trial.existing()


RULES: tuple[Callable[[Trial], Awaitable[None]], ...] = (
    observe_tells_whose_and_what_a_machine_is,
    launch_again_and_at_once_makes_one,
    launch_that_breaks_anywhere_is_neither_paid_twice_nor_orphaned,
    retire_returns_when_the_machine_is_gone_and_may_be_repeated,
    retire_of_what_never_was_is_done_at_once,
    retire_that_breaks_anywhere_ends_when_repeated,
    observe_that_breaks_says_so_and_never_that_nothing_is_there,
    interrupt_gives_notice_and_then_the_machine_ends,
    interrupt_of_what_is_not_there_says_so,
    machines_of_another_cluster_are_let_alone,
)
