"""Start and end: kopf is tuned, logs in with our credentials, and the engine runs beside it."""

from __future__ import annotations

import asyncio
import gc
import os
from typing import Any

import kopf

from batchyard.engine.engine import Engine
from batchyard.handlers.session import kopf_session
from batchyard.handlers.storage import NoDiffBase, NoProgress
from batchyard.kube.credentials import Credentials

LAST_SECONDS = 10.0  # from when we are to end until we have
EXIT_HUNG = 70


def register(registry: kopf.OperatorRegistry, engine: Engine, credentials: Credentials) -> None:
    """Register the handlers of the operator's own life."""

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        tune(settings)
        await engine.start()

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        # Watchers of kopf's that wait to log in again may keep it from ending; nobody would start us anew.
        asyncio.get_running_loop().call_later(LAST_SECONDS, os._exit, EXIT_HUNG)
        await engine.stop()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(aiohttp_session=kopf_session(credentials), server=credentials.server)


def tune(settings: kopf.OperatorSettings) -> None:
    """Switch off what writes to users' objects and what costs time (measured; see docs/adr)."""
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    # Legal only because there are no create, update, delete or resume handlers: changes are never detected by kopf.
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500  # else the first list is one answer, held whole until it is worked off
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = (0.2, 0.5, 1, 2, 5)
    settings.queueing.worker_limit = None
    # A worker that waits for the next event of an object holds the last one, some 15 KiB; to begin anew costs 40 µs.
    settings.queueing.idle_timeout = 0.25
    # Bodies of events end in cycles: the young are collected often, the old, which are many and none, hardly ever.
    gc.set_threshold(10_000, 50, 100)
