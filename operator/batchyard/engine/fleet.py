"""The machines: providers are looked at, told to launch and to retire; what they say goes into the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from math import inf
from time import time
from typing import Any

import structlog

from batchyard.engine.bell import Bell
from batchyard.model.labels import CONFIGURATION
from batchyard.model.machine import LaunchOrder, Machine, MachineState
from batchyard.model.plan import Retire
from batchyard.pools.base import Provider, ProviderError
from batchyard.telemetry import metrics
from batchyard.world.notes import Refusal
from batchyard.world.store import Store

log = structlog.get_logger(__name__)

LAUNCH_SECONDS = 120.0
RETIRE_SECONDS = 120.0
OBSERVE_SECONDS = 30.0
IDLE_OBSERVE = 5.0  # between looks at a provider without machines
STOCK_OUT_SECONDS = 180.0  # a shape that could not be had is not asked for again for so long
_LASTING = frozenset({"InsufficientCapacity", "ShapeTooLarge"})
REST_SECONDS = 5.0  # a machine that never came up is replaced at once, the next after so long, then twice that
Build = Callable[[], Coroutine[Any, Any, Provider]]


@dataclass(frozen=True, slots=True)
class World:
    """What the fleet works on: the store, the bell, how to remove a node object, how to tell the user."""

    store: Store
    bell: Bell
    unregister: Callable[[str], None]
    tell: Callable[[str, str, str], None]  # environment, reason, message
    now: Callable[[], float] = time
    leads: Callable[[], bool] = lambda: True  # asked before every launch and retirement: machines cost money


@dataclass(frozen=True, slots=True)
class Berth:
    """Whose a machine is, and when its provider had taken the launch (seconds): inf while that is under way."""

    provider: str
    taken: float = 0.0


class Fleet:
    """All providers in use, one task per verb; a provider that hangs or fails harms only its own environments."""

    def __init__(self, world: World, builds: Mapping[str, Build], observe_every: float = 1.0) -> None:
        self._world = world
        self._builds = builds
        self._every = observe_every
        self._providers: dict[str, Provider] = {}
        self._berths: dict[str, Berth] = {}  # by machine; also those whose environment is gone
        self._tasks: set[asyncio.Task[None]] = set()

    def launch(self, order: LaunchOrder) -> None:
        """Begin a launch; the machine counts from this moment."""
        if not self._world.leads():
            return
        now = self._world.now()
        self._world.store.machines[order.name] = Machine(
            order.name, order.environment, order.shape.name, order.capacity_type, MachineState.Launching, now,
            configuration=order.labels.get(CONFIGURATION, ""),
            price_per_hour=order.shape.price_asked(order.capacity_type),
        )  # fmt: skip
        self._berths[order.name] = Berth(order.provider, inf)
        log.info("launch", machine=order.name, environment=order.environment, instance_type=order.shape.name)
        self._spawn(self._launch(order))

    def retire(self, verb: Retire) -> None:
        """Begin to remove a machine; nothing is placed on it from this moment."""
        if not self._world.leads():
            return
        log.info("retire", machine=verb.machine, environment=verb.environment, reason=verb.reason)
        if verb.fault:
            self._blame(verb.environment, f"node {verb.machine} {verb.reason}")
            self._rest(verb)
        self._world.store.retire(verb.machine, verb.reason)
        self._spawn(self._retire(verb))

    def _rest(self, verb: Retire) -> None:
        """Ask less and less often for a shape whose machines never work, so that others have their turn."""
        store, now = self._world.store, self._world.now()
        machine = store.machines.get(verb.machine)
        if machine is None or store.has_worked(verb.machine):
            return
        where = (verb.environment, machine.instance_type)
        before = store.unavailable.get(where)
        tries = before.tries + 1 if before and now < before.until + 2 * STOCK_OUT_SECONDS else 1
        pause = min(REST_SECONDS * 2 ** (tries - 2), STOCK_OUT_SECONDS) if tries > 1 else 0.0
        store.unavailable[where] = Refusal("NodeFailed", f"node {verb.machine} {verb.reason}", now + pause, tries)

    async def watch(self) -> None:
        """Look at the providers of all environments, for ever."""
        while True:
            for name in self._in_use():
                await self.observe(name)
            await asyncio.sleep(self._every if self._world.store.machines else min(IDLE_OBSERVE, self._every * 5))

    def _in_use(self) -> list[str]:
        store = self._world.store
        return sorted({view.provider for view in store.environments.values() if view.provider} | set(self._providers))

    async def observe(self, name: str) -> None:
        """Take in what one provider has; its failure is told to the environments that use it."""
        store, at = self._world.store, self._world.now()
        try:
            async with asyncio.timeout(OBSERVE_SECONDS):
                provider = await self.provider(name)
                seen = {machine.name: machine for machine in await provider.observe()}
        except (ProviderError, TimeoutError, OSError) as error:
            self._problem(name, str(error) or "the provider did not answer")
            return
        for machine in self._younger_than(at, name) - set(seen) - {found.ordered_as for found in seen.values()}:
            seen[machine] = store.machines[machine]
        for machine in seen:
            self._berths.setdefault(machine, Berth(name))
        before = (dict(store.machines), name in store.observed_at, store.provider_problems.pop(name, None))
        store.observe(name, seen.values(), at)
        if before != (store.machines, True, None) or any(node not in store.nodes for node in store.live_on):
            self._world.bell.ring()

    def _younger_than(self, at: float, provider: str) -> set[str]:
        """Return the machines that a look begun at `at` may have missed: their launch was under way, or came later."""
        machines = self._world.store.machines
        ours = ((name, berth) for name, berth in self._berths.items() if berth.provider == provider)
        return {name for name, berth in ours if berth.taken >= at and name in machines}

    def _problem(self, name: str, message: str) -> None:
        store = self._world.store
        if store.provider_problems.get(name) != message:
            log.warning("provider cannot be used", provider=name, error=message)
            store.provider_problems[name] = message
            self._world.bell.ring()

    async def provider(self, name: str) -> Provider:
        """Return a provider, built at its first use; ProviderError if this operator has none of that name."""
        if name not in self._providers:
            if name not in self._builds:
                raise ProviderError(f"provider {name!r} is not available in this operator")
            built = await self._builds[name]()
            self._providers.setdefault(name, built)  # another may have built it meanwhile
        return self._providers[name]

    async def _launch(self, order: LaunchOrder) -> None:
        asked = False
        try:
            async with asyncio.timeout(LAUNCH_SECONDS):
                provider = await self.provider(order.provider)
                asked = True
                await provider.launch(order)
            self._berths[order.name] = Berth(order.provider, self._world.now())
            metrics.node_started(order.environment)
        except (ProviderError, TimeoutError, OSError) as error:
            self._refuse(order, error, asked=asked)
        finally:
            self._world.bell.ring()

    def _refuse(self, order: LaunchOrder, error: Exception, *, asked: bool) -> None:
        store, now = self._world.store, self._world.now()
        reason = error.reason if isinstance(error, ProviderError) else "LaunchTimedOut"
        message = str(error) or f"no answer within {LAUNCH_SECONDS:g} s"
        log.warning("launch failed", machine=order.name, environment=order.environment, reason=reason, error=message)
        where = (order.environment, order.shape.name)
        before = store.unavailable.get(where)
        lasting = before is not None and now < before.until + 2 * STOCK_OUT_SECONDS
        tries = before.tries + (now >= before.until) if before and lasting else 1  # many may fail at once
        # Capacity comes back after minutes; a provider that has failed may be well again at once.
        pause = STOCK_OUT_SECONDS if reason in _LASTING else min(REST_SECONDS * 2 ** (tries - 1), STOCK_OUT_SECONDS)
        store.unavailable[where] = Refusal(reason, message, now + pause, tries)
        if asked and reason not in _LASTING:
            # Perhaps it was done all the same: the machine counts, and costs, until a look says that it is not there.
            self._berths[order.name] = Berth(order.provider, now)
        else:
            store.machines.pop(order.name, None)
            self._berths.pop(order.name, None)
        self._blame(order.environment, f"node {order.name} could not be launched: {message}")

    def _blame(self, environment: str, message: str) -> None:
        metrics.node_failed(environment)
        self._world.store.blamed[environment].append(message)
        self._world.tell(environment, "NodeFailed", message)

    async def _retire(self, verb: Retire) -> None:
        store, delay = self._world.store, 1.0
        machine = store.machines.get(verb.machine)
        while machine is not None and self._world.leads():
            try:
                async with asyncio.timeout(RETIRE_SECONDS):
                    owner = self._berths.get(verb.machine, Berth(verb.provider))
                    await (await self.provider(owner.provider)).retire(verb.machine)
                break
            except (ProviderError, TimeoutError, OSError) as error:
                log.warning("retire failed, trying again", machine=verb.machine, error=str(error))
                await asyncio.sleep(delay)
                delay = min(delay * 2, 60.0)
        store.machines.pop(verb.machine, None)
        self._berths.pop(verb.machine, None)
        store.retiring.pop(verb.machine, None)
        store.touch_node(verb.machine)
        self._world.unregister(verb.machine)
        self._world.bell.ring()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("defect in the fleet", exc_info=task.exception())
            asyncio.get_running_loop().call_exception_handler(
                {"message": "defect in the fleet", "exception": task.exception()}
            )

    async def close(self) -> None:
        """Let go of what is under way; the next operator finds the machines by their labels."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
