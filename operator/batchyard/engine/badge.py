"""The pod that leads wears a label, so that its Service finds it: who stands by knows no jobs."""

from __future__ import annotations

import asyncio
from itertools import count

import orjson
import structlog

from batchyard.kube.backoff import Backoff
from batchyard.kube.lease import Candidate, LeaseMetadata
from batchyard.kube.paths import core
from batchyard.kube.session import ApiError, Session, UnreachableError
from batchyard.model.labels import LEADER

log = structlog.get_logger(__name__)

AGAIN = Backoff(first=0.5, longest=10.0)
_FINAL = frozenset({403, 404})  # no right to, or no such pod: jobs run all the same


async def wear(session: Session, pod: LeaseMetadata, candidate: Candidate) -> None:
    """Take the label off that an earlier life of the pod may have left, and put it on when we lead."""
    await _label(session, pod, None)
    await candidate.elected.wait()
    await _label(session, pod, "true")


async def _label(session: Session, pod: LeaseMetadata, value: str | None) -> None:
    path = core("pods", pod.namespace, pod.name)
    body = orjson.dumps({"metadata": {"labels": {LEADER: value}}})
    for failures in count(1):
        try:
            (await session.request("PATCH", path, body=body)).expect_ok()
            return
        except (ApiError, UnreachableError) as error:
            if isinstance(error, ApiError) and error.status.code in _FINAL:
                log.warning("pod not labelled; its Service finds no leader", pod=pod.name, error=error.status.message)
                return
        await asyncio.sleep(AGAIN.delay(failures))
