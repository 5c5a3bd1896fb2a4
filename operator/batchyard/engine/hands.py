"""What a plan is carried out with, and how a write goes out; a rare one at most once in a few seconds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import orjson

from batchyard.engine.answers import Answers
from batchyard.engine.bell import Bell
from batchyard.engine.events import event
from batchyard.engine.fleet import Fleet
from batchyard.kube.paths import core
from batchyard.kube.write import Intent, Outcome, Writer
from batchyard.model.plan import Lane, Tell
from batchyard.world.parse import rfc3339
from batchyard.world.store import Store

RETRY_SECONDS = 5.0  # before a refused Keep, Check or Hold is tried again


@dataclass(slots=True)
class Hands:
    """What a plan is carried out with."""

    store: Store
    bell: Bell
    writer: Writer
    fleet: Fleet
    answers: Answers
    namespace: str  # the operator's own
    leads: Callable[[], bool] = lambda: True
    busy: dict[Hashable, float] = field(default_factory=dict)  # rare writes under way or resting -> until


@dataclass(frozen=True, slots=True)
class Write:
    """One request of a plan: lower lanes first; `then` hears how it ended."""

    key: Hashable
    lane: Lane
    method: str
    path: str
    body: Any
    then: Callable[[Outcome], None]
    params: dict[str, str] | None = None


def submit(hands: Hands, write: Write) -> None:
    """Send a write."""
    body = write.body
    encoded = body if callable(body) or body is None else orjson.dumps(body)
    hands.writer.submit(
        Intent(write.key, int(write.lane), write.method, write.path, encoded, write.then, params=write.params)
    )


def claim(hands: Hands, key: Hashable, now: float) -> bool:
    """Say whether a rare write may go out; each at most once in a few seconds, however often it is decided."""
    if hands.busy.get(key, 0.0) > now:
        return False
    hands.busy[key] = now + RETRY_SECONDS
    return True


def tell(hands: Hands, verb: Tell, now: float) -> None:
    """Post an event."""
    namespace, body = event(verb, rfc3339(int(now)), int(now * 1e6))
    path = core("events", namespace)
    key = ("event", body["metadata"]["name"])
    submit(hands, Write(key, Lane.Waiting, "POST", path, body, lambda _: None))
