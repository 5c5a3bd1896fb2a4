"""A job as it changes: by a watch that is begun again when it ends, and that outlives short silences of the server."""

from __future__ import annotations

import time
from collections.abc import Iterator

from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Refusal, Unreachable
from batchyard.cli.words import name

WATCH_SECONDS = 240
PATIENCE_SECONDS = 120.0  # without an answer, until we give up
_PAUSE_SECONDS = 1.0


def changes(cluster: Cluster, job: Body) -> Iterator[Body]:
    """Yield the job now and whenever it changes; Refusal when it is deleted, Unreachable when nobody answers."""
    heard = time.monotonic()
    while True:
        try:
            latest = _same(cluster, job)
            heard = time.monotonic()
            yield latest
            yield from _watched(cluster, latest)
        except Unreachable:
            if time.monotonic() - heard > PATIENCE_SECONDS:
                raise
            time.sleep(_PAUSE_SECONDS)
        except Refusal as refused:
            if refused.code not in (410, 429) and refused.code < 500:
                raise
            time.sleep(_PAUSE_SECONDS)


def _same(cluster: Cluster, job: Body) -> Body:
    latest = cluster.get("Job", name(job), job["metadata"]["namespace"])
    if latest["metadata"]["uid"] != job["metadata"]["uid"]:
        raise _deleted(job)
    return latest


def _watched(cluster: Cluster, latest: Body) -> Iterator[Body]:
    events = cluster.watch(
        cluster.path("Job", latest["metadata"]["namespace"]),
        WATCH_SECONDS,
        fieldSelector=f"metadata.name={name(latest)}",
        resourceVersion=latest["metadata"]["resourceVersion"],
    )
    for event in events:
        if event["type"] == "DELETED":
            raise _deleted(latest)
        if event["type"] == "ERROR":  # too old a version: begin with what is there now
            return
        yield event["object"]


def _deleted(job: Body) -> Refusal:
    return Refusal(404, f"job {name(job)!r} was deleted before it ended, so its outcome is not known")
