"""The engine: everything that runs beside kopf, started in order and ended together."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from time import monotonic, time
from typing import Any

import structlog

from batchyard.engine.advice import Advisor, Sources
from batchyard.engine.answers import Answers
from batchyard.engine.apply import apply, unregister
from batchyard.engine.badge import wear
from batchyard.engine.bell import Bell
from batchyard.engine.explain import Explain
from batchyard.engine.fleet import Fleet, World
from batchyard.engine.forecast import Forecast
from batchyard.engine.hands import Hands
from batchyard.engine.imagesizes import ImageSizes
from batchyard.engine.ingest import PARSERS, Ingest
from batchyard.engine.loop import Loop
from batchyard.engine.measure import Measure
from batchyard.engine.offers import Desk, Inquiries
from batchyard.engine.providers import builds
from batchyard.engine.resync import list_kind, resync
from batchyard.engine.scope import Scope
from batchyard.engine.serve import Health, Server
from batchyard.engine.usage import Usage
from batchyard.engine.watches import watchers
from batchyard.kube.credentials import Credentials
from batchyard.kube.lease import Candidate, LeaseMetadata, Terms
from batchyard.kube.session import ApiError, Session, UnreachableError
from batchyard.kube.write import Effort, Writer
from batchyard.model.plan import Plan, Tell
from batchyard.settings import Settings
from batchyard.world.store import Store

log = structlog.get_logger(__name__)

LEASE = "batchyard-operator"
DEFECT = "defect: the operator ends and starts anew"


class Engine:
    """One operator: `open`, then `start`, which returns when everything is listed and the first decision may fall."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self.store = Store()
        self.bell = Bell()
        self.ingest = Ingest(self.store, self.bell, Scope(settings.namespaces))
        self._settings = settings
        self._credentials = credentials
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Put everything together and listen on the HTTP port; raises OSError if that is taken."""
        settings = self._settings
        self._session = Session(self._credentials, settings.connections)
        # Connections of its own: a crowd of writes must not keep the Lease from being renewed.
        self._lease_session = Session(self._credentials, 2)
        place = LeaseMetadata(LEASE, settings.namespace)
        self._candidate = Candidate(
            self._lease_session, place, settings.identity, Terms.lasting(settings.lease_seconds)
        )
        leads = self._candidate.token.valid
        self._writer = Writer(self._session, leads, Effort(most=settings.connections))
        self._watchers = watchers(self._session, self.ingest, settings.relist_seconds, settings.namespace)
        self._candidate.horizon = lambda: max(self.ingest.newest, *(watcher.newest for watcher in self._watchers))
        kinds = builds(self._session, settings.namespace, self.store.settings_of, settings.off)
        world = World(self.store, self.bell, self._unregister, self._tell, self._now, leads)
        self._fleet = Fleet(world, kinds, settings.observe_seconds)
        self._inquiries = Inquiries(Desk(self.store, self.bell, self._fleet.provider, self._now))
        answers = Answers(self.store, self.bell, self._session, self._now)
        self._hands = Hands(self.store, self.bell, self._writer, self._fleet, answers, settings.namespace, leads)
        self._loop = Loop(self._hands, self._now)
        self._measure = Measure(self.store, self._watchers)
        self._measure.leads = leads
        self._forecast = Forecast(self.store)
        health = Health(self._loop, self._watchers, settings.stale_seconds, self._candidate)
        self._server = Server(self.store, health, Explain(self.store, self._forecast), settings.page)
        try:
            await self._server.start(settings.host, settings.port)
        except OSError:
            await self._session.close()
            await self._lease_session.close()
            raise

    async def start(self) -> None:
        """Wait until we lead, list everything, then begin to decide; standing by costs nothing but the Lease."""
        self._run(self._candidate.run())
        if self._settings.pod:
            self._run(self._wear_badge())
        await self._candidate.elected.wait()
        self._run(self._resign())
        self._loop.last_cycle = monotonic()
        self._run(self._writer.run())
        await self._know_everything()
        self._run(self._loop.run())
        self._measure.begin(lambda: self._loop.last_cycle)
        self._run(self._forecast.run())
        if self._settings.advice:
            self._run(self._advise())
        self._run(resync(self._session, self.ingest, self._settings.relist_seconds))
        log.info("operator runs", jobs=len(self.store.jobs), nodes=len(self.store.nodes), port=self._server.port)

    def _now(self) -> float:
        """Return the time by the API server's clock: our own may be wrong, and pods and nodes have none but its."""
        return time() + self._lease_session.clock_error

    async def _know_everything(self) -> None:
        for watcher in self._watchers:
            self._run(watcher.run())
        for plural in PARSERS:
            await self._list(plural)
        for watcher in self._watchers:
            await watcher.synced.wait()
        providers = {view.provider for view in self.store.environments.values() if view.provider}
        for provider in sorted(providers):
            await self._fleet.observe(provider)
        self._run(self._fleet.watch())
        self._run(self._inquiries.run())

    async def _list(self, plural: str) -> None:
        """List a kind, again and again until it is listed: of many kinds listed in a row, one may always fail."""
        delay = 0.5
        while True:
            try:
                return await list_kind(self._session, self.ingest, plural)
            except (ApiError, UnreachableError) as error:
                log.warning("cannot list yet, trying again", kind=plural, error=str(error))
                await asyncio.sleep(delay)
                delay = min(delay * 2, 10.0)

    def _unregister(self, node: str) -> None:
        unregister(self._hands, node, self._now())

    def _tell(self, environment: str, reason: str, message: str) -> None:
        view = self.store.environments.get(environment)
        if view is not None:
            verb = Tell("ComputeEnvironment", "", view.name, view.uid, True, reason, message[:900])
            apply(self._hands, Plan([verb]), self._now())

    async def _wear_badge(self) -> None:
        await wear(self._lease_session, LeaseMetadata(self._settings.pod, self._settings.namespace), self._candidate)

    async def _advise(self) -> None:
        every = self._settings.advice_seconds
        usage = Usage(self._session, self.ingest.scope.places, every)
        await Advisor(self._hands, Sources(usage, ImageSizes(self._session), self._now), every).run()

    async def _resign(self) -> None:
        await self._candidate.lost.wait()
        log.critical("no longer the leader: the operator ends")
        os.kill(os.getpid(), signal.SIGTERM)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A defect of ours: end the process, so that a fresh one rebuilds everything from the API server."""
        if task.cancelled() or task.exception() is None:
            return
        log.critical(DEFECT, exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)

    async def stop(self) -> None:
        """End everything; what was decided and not written is decided again by the next one."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._fleet.close()
        await self._hands.answers.close()
        await self._server.stop()
        self._measure.close()
        await self._candidate.release()
        await self._session.close()
        await self._lease_session.close()
