"""Advice on definitions: a look every minute at what pods use and at what has ended, a write where a verdict turns.

It decides nothing of jobs and costs them nothing: one request a look for what pods use, none where no pod of a
definition lives; at most a write of a definition in ten minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from random import random
from time import monotonic

import structlog

from batchyard.decide.advice import advice, images_of, is_valid
from batchyard.decide.attempts import node_price
from batchyard.decide.images import canonical
from batchyard.engine.apply import report
from batchyard.engine.hands import Hands
from batchyard.engine.imagesizes import ImageSizes
from batchyard.engine.usage import Usage
from batchyard.model.resources import Resources
from batchyard.world.sightings import Sighting, Use, source
from batchyard.world.views import Definition, Pod, key

log = structlog.get_logger(__name__)

REST = 10.0  # times the pause between looks: a definition is written no sooner again
SLICE = 500  # pods or definitions that are looked at before others have their turn: a few milliseconds
NODES = 3  # that are asked for their images in one look


@dataclass(frozen=True, slots=True)
class Sources:
    """Where is looked up what the store does not know."""

    usage: Usage
    sizes: ImageSizes
    now: Callable[[], float]  # the API server's time


class Advisor:
    """Looks every so many seconds, for ever."""

    def __init__(self, hands: Hands, sources: Sources, every: float, clock: Callable[[], float] = monotonic) -> None:
        self._hands = hands
        self._store = hands.store
        self._sources = sources
        self._every = every
        self._clock = clock
        self._looked: dict[str, int] = {}  # uid of a definition -> the generation that was looked at
        self._written: dict[str, float] = {}  # the same -> when

    async def run(self) -> None:
        """Look for ever, at other times than other operators."""
        while True:
            await asyncio.sleep(self._every * (0.75 + 0.5 * random()))  # noqa: S311
            if self._hands.leads():
                await self.look()

    async def look(self) -> None:
        """Look once."""
        await self._see()
        self._store.sightings.settle(self._store.pods)
        asked = 0
        for count, definition in enumerate(self._due(), start=1):
            if asked < NODES:
                asked += await self._measure(definition)
            self._judge(definition)
            if not count % SLICE:
                await asyncio.sleep(0)

    async def _see(self) -> None:
        if not self._anything_lives():
            return
        used = iter((await self._sources.usage.now()).items())
        while some := list(islice(used, SLICE)):
            for where, amounts in some:
                self._use(self._store.pods.get(where), amounts)
            await asyncio.sleep(0)

    def _anything_lives(self) -> bool:
        live = self._store.live_on.values()
        return any(pod.job and self._source(pod) is not None for pods in live for pod in pods.values())

    def _source(self, pod: Pod) -> Definition | None:
        return source(self._store.jobs.get(pod.job), self._store.definitions, pod)

    def _use(self, pod: Pod | None, used: Resources) -> None:
        if pod is None or pod.final or not pod.uid or not pod.job:
            return
        definition = self._source(pod)
        if definition is not None:
            use = Use(pod.requests, used, *node_price(self._store, pod))
            self._store.sightings.see(definition, pod, use)

    def _due(self) -> list[Definition]:
        """Return the definitions that are new or of which pods have ended, and that may be written now."""
        store, fresh = self._store, self._store.sightings.fresh
        there = {definition.uid for definition in store.definitions.values()}
        self._looked = {uid: generation for uid, generation in self._looked.items() if uid in there}
        self._written = {uid: at for uid, at in self._written.items() if uid in there}
        return [
            definition
            for where, definition in store.definitions.items()
            if (where in fresh or self._looked.get(definition.uid) != definition.generation)
            and is_valid(definition)
            and self._rested(definition)
        ]

    def _rested(self, definition: Definition) -> bool:
        last = self._written.get(definition.uid)
        return last is None or self._clock() - last >= REST * self._every

    def _seen(self, definition: Definition) -> Sighting:
        found = self._store.sightings.get(key(definition))
        return found if found and found.revision == definition.generation else Sighting(definition.generation)

    async def _measure(self, definition: Definition) -> bool:
        """Ask one node for the images of a definition whose sizes nobody knows; say whether it was asked."""
        names = [canonical(name) for name in images_of(definition.blueprint)] if definition.blueprint else []
        last = next(reversed(self._seen(definition).stays.values()), None)
        return last is not None and await self._sources.sizes.learn(names, last.node)

    def _judge(self, definition: Definition) -> None:
        if self._store.definitions.get(key(definition)) is not definition:
            return  # it has changed while a node was asked: next time
        self._store.sightings.fresh.discard(key(definition))
        self._looked[definition.uid] = definition.generation
        try:
            found = advice(definition, self._seen(definition), self._sources.sizes, self._sources.now())
        except Exception:  # a defect of ours, in what nothing depends on
            log.exception("defect: no advice on a definition", definition="/".join(key(definition)))
            return
        if found is not None:
            self._written[definition.uid] = self._clock()
            report(self._hands, found, self._sources.now())
