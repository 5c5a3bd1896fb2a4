"""One intended write, and the ways it can end."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum

from batchyard.kube.session import Response

CREATED_BEFORE = "AlreadyExists"


class Kind(Enum):
    """How a write ended; in each case the watch tells the rest.

    DONE        the server did it
    CONFLICT    409: it exists already (create), or somebody wrote first (patch): decide again
    GONE        404: there is no such object, or no such namespace
    REFUSED     any other 4xx, among them a quota's 403 to a creation; or we do not lead
    UNKNOWN     no clear answer before the deadline; it may have happened
    SUPERSEDED  a later intent for the same key took its place, or it was withdrawn; it may have been tried
    """

    DONE = "Done"
    CONFLICT = "Conflict"
    GONE = "Gone"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"
    SUPERSEDED = "Superseded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an intent: the last status (0 if none), the answer's body, the server's own sentence and reason."""

    kind: Kind
    status: int = 0
    body: bytes = b""
    message: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """A write we want: at most one per key is in flight, and only the latest per key waits.

    Lower lanes go first. `settled` is called exactly once, in the loop. Creations must have deterministic names,
    because any request is sent again when its answer is lost. A callable body is asked anew at each sending.
    """

    key: Hashable
    lane: int
    method: str
    path: str
    body: bytes | Callable[[], bytes] | None
    settled: Callable[[Outcome], None]
    content_type: str = ""
    params: Mapping[str, str] | None = None


def outcome_of(intent: Intent, answer: Response) -> Outcome | None:
    """Read an answer; None means: to be sent again."""
    if answer.ok:
        return Outcome(Kind.DONE, answer.status, answer.body)
    failure = answer.failure()
    kind = _kind(intent.method, answer.status, failure.reason)
    return kind and Outcome(kind, answer.status, answer.body, failure.message, failure.reason)


def _kind(method: str, status: int, reason: str) -> Kind | None:
    if status in (401, 408, 429) or status >= 500:
        return None
    if status == 409:
        # A create answered with a plain Conflict lost a race inside the server (a quota's count), and exists not yet.
        return None if method == "POST" and reason != CREATED_BEFORE else Kind.CONFLICT
    if status == 403 and method != "POST":
        return None  # no quota counts these: rights are being changed, or an API server that starts knows none yet
    return Kind.GONE if status == 404 else Kind.REFUSED
