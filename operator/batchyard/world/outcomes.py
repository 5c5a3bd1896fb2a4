"""How a job ended, for those that wait for it: read from the job, or from the tombstone that it leaves by its TTL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from batchyard.model.labels import OUTCOMES
from batchyard.model.phase import Phase
from batchyard.world.views import Job, JobStatus, View

CONFIGMAP = "batchyard-outcomes-"  # and the namespace of the jobs
LONGEST_MESSAGE = 300  # characters of a tombstone
LONGEST_SET = 2_000


class Outcome(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True, gc=False):
    """What is on record of a job; `stopped_at` comes first, so that texts of tombstones sort by age.

    `succeeded` are the indexes of an array that ended well, None if they were too scattered to be kept; `failed` and
    `indexes` (those that run at all, None for all) are known only while the job is there.
    """

    stopped_at: str = ""
    uid: str
    phase: Phase
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    size: int = 0
    succeeded: str | None = None
    failed: str = ""
    indexes: str | None = None


class Outcomes(View, frozen=True, kw_only=True, gc=False):
    """The ConfigMap that keeps the tombstones of one namespace: texts by job name, and that namespace's uid."""

    namespace: str
    owner: str = ""
    texts: dict[str, str] = msgspec.field(default_factory=dict)


def outcome(job: Job, status: JobStatus) -> Outcome:
    """Return what a status says of a job."""
    array, done = job.spec.array, status.array
    return Outcome(
        stopped_at=status.stopped_at or "",
        uid=job.uid,
        phase=status.phase,
        reason=status.reason or "",
        message=status.message or "",
        exit_code=status.attempts[-1].exit_code if status.attempts else None,
        size=array.size if array else 0,
        succeeded=done.succeeded if done else "",
        failed=done.failed if done else "",
        indexes=array.indexes if array else None,
    )


def engrave(outcome: Outcome) -> str:
    """Write a tombstone: what does not fit is cut, or left out where half of it would be wrong."""
    kept = outcome.succeeded if outcome.size and len(outcome.succeeded or "") <= LONGEST_SET else None
    message = "" if outcome.phase == Phase.Succeeded else outcome.message[:LONGEST_MESSAGE]
    short = msgspec.structs.replace(outcome, message=message, succeeded=kept, failed="", indexes=None)
    return msgspec.json.encode(short).decode()


def read(text: str) -> Outcome | None:
    """Read a tombstone, None if somebody has damaged it."""
    try:
        return msgspec.json.decode(text, type=Outcome)
    except msgspec.DecodeError:
        return None


def outcomes(body: Mapping[str, Any]) -> Outcomes:
    """Return the tombstones that a ConfigMap keeps."""
    meta = body["metadata"]
    owners: list[dict[str, str]] = meta.get("ownerReferences") or [{}]
    return Outcomes(
        name=meta["name"],
        uid=meta.get("uid", ""),
        version=meta.get("resourceVersion", ""),
        namespace=(meta.get("labels") or {}).get(OUTCOMES, ""),
        owner=owners[0].get("uid", ""),
        texts=dict(body.get("data") or {}),
    )
