"""Providers are asked for the sizes and prices that specs leave to them: at once, and then every ten minutes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

import structlog

from batchyard.engine.bell import Bell
from batchyard.model.offer import UNREACHABLE, Inquiry, Offer, Problem, Quotation
from batchyard.pools.base import Catalogue, Provider, ProviderError
from batchyard.world.offers import inquiry
from batchyard.world.store import Store
from batchyard.world.views import Environment

log = structlog.get_logger(__name__)

EVERY = 600.0  # seconds between questions; what of it is fresh enough not to be read again is the provider's to know
AGAIN = 60.0  # after a question without an answer, then twice that, up to EVERY
JITTER = 0.1  # part of these: the operators of one account shall not all ask at once
ANSWER_SECONDS = 180.0
LOOK = 1.0  # seconds between looks for environments that are new or changed


@dataclass(frozen=True, slots=True)
class Desk:
    """Where questions come from and answers go: the store, the bell, how to come by a provider, the clocks."""

    store: Store
    bell: Bell
    provider: Callable[[str], Awaitable[Provider]]
    now: Callable[[], float]
    clock: Callable[[], float] = monotonic


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for an environment, and when it is due again; `pause` is how long a failure had to wait."""

    uid: str
    inquiry: Inquiry
    due: float
    pause: float = 0.0


class Inquiries:
    """Keeps what providers offer up to date in the store; one that hangs keeps only its own environments waiting."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._asked: dict[str, Asked] = {}
        self._under_way: set[str] = set()

    async def run(self) -> None:
        """Ask for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                for view, asks in self.due():
                    self._under_way.add(view.name)
                    group.create_task(self.ask(view, asks))
                await asyncio.sleep(LOOK)

    def due(self) -> list[tuple[Environment, Inquiry]]:
        """Return the environments whose providers are to be asked now, and what."""
        store = self._desk.store
        views = [view for view in store.environments.values() if view.entries and not view.deleting]
        for name in (self._asked.keys() | store.offers.keys()) - {view.name for view in views}:
            self._asked.pop(name, None)
            store.offers.pop(name, None)
        return [(view, asks) for view in views if (asks := inquiry(view)) is not None and self._is_due(view, asks)]

    def _is_due(self, view: Environment, asks: Inquiry) -> bool:
        before = self._asked.get(view.name)
        if view.name in self._under_way:
            return False
        return before is None or (before.uid, before.inquiry) != (view.uid, asks) or self._desk.clock() >= before.due

    async def ask(self, view: Environment, asks: Inquiry) -> None:
        """Ask for one environment, and take in the answer."""
        try:
            told = await self._answer(view, asks)
        finally:
            self._under_way.discard(view.name)
        self._asked[view.name] = self._next(view, asks, told)
        if self._desk.store.quote(view, told, self._desk.now()):
            said = [problem.message for problem in told.problems]
            log.info("offers", environment=view.name, types=len(told.offers), problems=said)
            self._desk.bell.ring()

    def _next(self, view: Environment, asks: Inquiry, told: Quotation) -> Asked:
        before, pause = self._asked.get(view.name), 0.0
        if any(problem.reason == UNREACHABLE for problem in told.problems):
            pause = min(max(AGAIN, 2 * before.pause if before else 0.0), EVERY)
        spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 it is no secret
        return Asked(view.uid, asks, self._desk.clock() + (pause or EVERY) * spread, pause)

    async def _answer(self, view: Environment, asks: Inquiry) -> Quotation:
        """Return the provider's answer; one that gives none has told nothing new of any name."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                provider = await self._desk.provider(view.provider)
                if isinstance(provider, Catalogue):
                    return await provider.offers(asks)
            message = f"provider {view.provider} knows no sizes and prices; write them in spec.instanceTypes"
        except (ProviderError, TimeoutError, OSError) as error:
            message = str(error) or f"provider {view.provider} did not answer within {ANSWER_SECONDS:g} s"
        return Quotation(tuple(map(Offer, asks.names)), (Problem(UNREACHABLE, message),))
