"""Full lists of our own kinds: before the first decision, and again and again, because kopf misses deletions."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec
import structlog

from batchyard.engine.ingest import PARSERS, Ingest, Listing
from batchyard.kube.paths import batchyard
from batchyard.kube.session import ApiError, Session, UnreachableError

log = structlog.get_logger(__name__)

FIRST_SECONDS = 10.0


async def list_all(session: Session, ingest: Ingest) -> None:
    """Take a full list of every kind of ours; raises ApiError, UnreachableError."""
    for plural in PARSERS:
        await list_kind(session, ingest, plural)


async def list_kind(session: Session, ingest: Ingest, plural: str) -> None:
    """Take a full list of one kind, of all places where we see it; raises ApiError, UnreachableError."""
    listing, version = Listing(ingest, plural), ""
    for place in ingest.scope.places_of(plural):
        async with aclosing(session.pages(batchyard(plural, place), msgspec.Raw)) as pages:
            async for page in pages:
                listing.take(page.items)
                version = version or page.version  # the earliest: what came after it may be missing from a list
    listing.end(version)


async def resync(session: Session, ingest: Ingest, every: float) -> None:
    """List everything again every so many seconds, for ever; the world's errors are tried again.

    The first time is soon: what was deleted between our first list and kopf's is told by nobody.
    """
    pause = min(FIRST_SECONDS, every)
    while True:
        await asyncio.sleep(pause)
        pause = every
        try:
            await list_all(session, ingest)
        except (ApiError, UnreachableError) as error:
            log.warning("full list failed, trying again later", error=str(error))
