"""One HTTP port: /metrics, /healthz, /readyz, the status page at /, and why a job waits under /v1/explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from batchyard.engine import page
from batchyard.engine.explain import Explain
from batchyard.engine.loop import Loop
from batchyard.engine.status import Overview, joined
from batchyard.kube.lease import Candidate
from batchyard.kube.watch import Watcher
from batchyard.world.store import Store


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the loop turns and every watch is alive; `stale` in seconds. Who stands by has neither, and is well."""

    loop: Loop
    watching: Sequence[Watcher[Any]]
    stale: float
    candidate: Candidate | None = None

    @property
    def standby(self) -> Candidate | None:
        """Return our candidacy if another one leads, or nobody yet."""
        return self.candidate if self.candidate is not None and not self.candidate.elected.is_set() else None

    def problems(self) -> list[str]:
        """Return what is stale, in words."""
        now = monotonic()
        if self.standby is not None:
            silent = now - self.standby.last_answer
            return [f"lease: no answer from the API server for {silent:.0f} s"] if silent > self.stale else []
        found = [
            f"watch of {w.resource}: no sign of life for {now - w.last_byte:.0f} s"
            for w in self.watching
            if now - w.last_byte > self.stale
        ]
        if now - self.loop.last_cycle > self.stale:
            found.append(f"loop: no cycle for {now - self.loop.last_cycle:.0f} s")
        return found

    def unready(self) -> list[str]:
        """Return what keeps us from being of use, in words."""
        if self.standby is not None:
            return [] if self.standby.answered else ["lease: no answer from the API server yet"]
        return [f"watch of {w.resource}: first list not here yet" for w in self.watching if not w.synced.is_set()]

    def told(self) -> dict[str, Any]:
        """Return who we are, who leads, and what is wrong, as the status page says it."""
        return {
            "role": "leader" if self.standby is None else "standby",
            "identity": self.candidate.identity if self.candidate else "",
            "leader": self.candidate.leader if self.candidate else "",
            "problems": self.problems() + self.unready(),
            "cycleSecondsAgo": None if self.standby else round(monotonic() - self.loop.last_cycle, 1),
        }


class Server:
    """The HTTP server; `port` is the one it really has."""

    def __init__(self, store: Store, health: Health, explained: Explain, show: bool = True) -> None:
        self._store = store
        self._health = health
        self._explained = explained
        self._overview = Overview(store)
        self._show = show  # the status page
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError if the port is taken."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/v1/explain/{namespace}/{job}", self._explain),
                web.get("/v1/queues/{name}", self._queue),
            ]
        )
        if self._show:
            app.add_routes([*page.routes(), web.get("/v1/status", self._status)])
        app.on_response_prepare.append(page.guard)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer(self._health.problems())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self._health.problems() + self._health.unready())

    async def _status(self, _: web.Request) -> web.Response:
        told = self._health.told()
        sections = b"{}" if told["role"] == "standby" else await self._overview.sections()
        return web.Response(body=joined(told, sections), content_type="application/json")

    async def _explain(self, request: web.Request) -> web.Response:
        if self._health.standby is not None:
            leader = self._health.standby.leader or "nobody yet"
            return _json({"error": f"this operator stands by and knows no jobs; {leader} leads"}, status=503)
        namespace, name = request.match_info["namespace"], request.match_info["job"]
        for job in self._store.jobs.values():
            if (job.namespace, job.name) == (namespace, name):
                return _json(await self._explained.job(job))
        return _json({"error": f"no Job {name!r} in namespace {namespace!r}"}, status=404)

    async def _queue(self, request: web.Request) -> web.Response:
        queue = self._store.queues.get(request.match_info["name"])
        if queue is None:
            return _json({"error": f"no JobQueue {request.match_info['name']!r}"}, status=404)
        return _json({"name": queue.name, "state": queue.state, **queue.status})


def _answer(problems: list[str]) -> web.Response:
    return web.Response(text="\n".join(problems) or "ok", status=503 if problems else 200)


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
