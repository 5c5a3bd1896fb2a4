"""Answers come late, in any order, or not at all; what was decided last keeps its say."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import orjson
import pytest

from batchyard.engine import answers
from batchyard.engine.answers import Answers
from batchyard.engine.bell import Bell
from batchyard.kube.backoff import Backoff
from batchyard.kube.outcome import Kind, Outcome
from batchyard.kube.session import Response, Session, UnreachableError
from batchyard.model.labels import ATTEMPT, JOB_UID
from batchyard.model.phase import Phase
from batchyard.model.plan import Lane, Record, Start
from batchyard.world import parse
from batchyard.world.assume import assume_start, assume_status
from batchyard.world.store import Store
from batchyard.world.views import Key
from builders import owned_by

RUNNING = {"phase": "Running", "attempts": [{"number": 1, "pod": "a-1", "startedAt": "2026-01-01T00:00:01Z"}]}
ENDED = {**RUNNING["attempts"][0], "reason": "Completed", "stoppedAt": "2026-01-01T00:00:02Z"}  # type: ignore[dict-item]
SUCCEEDED = {"phase": "Succeeded", "attempts": [ENDED], "stoppedAt": "2026-01-01T00:00:02Z"}


def body(version: int, status: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": str(version), "generation": 1}
    return {"metadata": {**meta, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"queue": "q"}, "status": status}


def pod_body(phase: str = "Succeeded") -> dict[str, Any]:
    labels = {JOB_UID: "u", ATTEMPT: "1"}
    meta = {
        "name": "a-1",
        "namespace": "n",
        "uid": "p",
        "resourceVersion": "5",
        "labels": labels,
        "ownerReferences": owned_by("u"),
    }
    return {"metadata": meta, "spec": {"nodeName": "node", "containers": []}, "status": {"phase": phase}}


class World:
    """A store with one job, and the answers to what was written of it; the session is asked in doubt only."""

    def __init__(self) -> None:
        self.store, self.session = Store(), Cable()
        self.answers = Answers(self.store, Bell(), cast(Session, self))
        self.store.apply(parse.job(body(1, {})))

    async def request(self, *words: Any) -> Response:
        return await self.session.request(*words)

    def start(self) -> None:
        verb = Start("u", 1, "env", pod_body())
        pod = assume_start(self.store, verb, 0.0)
        self.answers.started(verb, pod, Outcome(Kind.DONE, 201, orjson.dumps(pod_body())))

    def record(self, status: dict[str, Any]) -> Any:
        job = self.store.jobs["u"]
        assumed = assume_status(self.store, Record("u", status, Lane.Outcome))
        return lambda outcome: self.answers.recorded(job, assumed, outcome)


def done(version: int, status: dict[str, Any]) -> Outcome:
    return Outcome(Kind.DONE, 200, orjson.dumps(body(version, status)))


async def test_the_answer_to_an_earlier_write_does_not_bring_a_finished_job_back() -> None:
    world = World()
    world.start()
    progress = world.record(RUNNING)
    end = world.record(SUCCEEDED)
    progress(done(2, RUNNING))
    assert world.store.jobs["u"].status.phase is Phase.Succeeded
    assert world.store.jobs["u"].version == "2", "the next write must carry the newest version"
    assert not world.store.active
    assert world.store.pods, "nothing is dropped before the end is on record"
    end(done(3, SUCCEEDED))
    assert world.store.jobs["u"].status.phase is Phase.Succeeded
    assert not world.store.pods


async def test_an_event_of_an_earlier_write_does_not_bring_it_back_either() -> None:
    world = World()
    world.start()
    world.record(SUCCEEDED)
    world.store.apply(parse.job(body(2, RUNNING)))
    assert world.store.jobs["u"].status.phase is Phase.Succeeded
    assert world.store.pods


async def test_a_superseded_write_changes_nothing() -> None:
    world = World()
    first = world.record(RUNNING)
    world.record(SUCCEEDED)
    first(Outcome(Kind.SUPERSEDED))
    assert world.store.jobs["u"].status.phase is Phase.Succeeded


async def test_a_job_that_vanished_while_we_wrote_is_forgotten() -> None:
    world = World()
    world.record(RUNNING)(Outcome(Kind.GONE, 404))
    assert not world.store.jobs
    assert not world.store.pending


async def test_a_refused_pod_is_taken_back_and_explains_itself() -> None:
    world = World()
    verb = Start("u", 1, "env", pod_body("Pending"))
    pod = assume_start(world.store, verb, 0.0)
    assert world.store.used["node"].pods == 1
    world.answers.started(verb, pod, Outcome(Kind.REFUSED, 422, b"", "Pod is invalid: image", "Invalid"))
    assert world.store.pods.get(Key("n", "a-1")) is None
    assert not any(used.pods for used in world.store.used.values())
    assert world.store.refusals["u"].reason == "InvalidTemplate"


async def test_what_we_do_not_lead_to_write_is_not_the_jobs_fault() -> None:
    world = World()
    verb = Start("u", 1, "env", pod_body("Pending"))
    pod = assume_start(world.store, verb, 0.0)
    world.answers.started(verb, pod, Outcome(Kind.REFUSED, reason="NotLeader", message="not leader"))
    assert not world.store.refusals


async def test_a_vanished_pod_is_buried_once_its_end_is_on_record() -> None:
    world = World()
    world.start()
    live = world.store.pods[Key("n", "a-1")]
    world.store.apply(msgspec.structs.replace(live, phase="Running", version="6"))
    world.store.remove(world.store.pods[Key("n", "a-1")])
    assert world.store.pods[Key("n", "a-1")].gone
    lost = {**ENDED, "reason": "NodeLost", "counted": False}
    world.record({"phase": "Runnable", "attempts": [lost]})(done(2, {"phase": "Runnable", "attempts": [lost]}))
    assert not world.store.pods


class Cable:
    """A session that answers with what is given, in turn; None: nobody answers."""

    def __init__(self, *answers: Response | None) -> None:
        self.answers = list(answers)

    async def request(self, *_: Any) -> Response:
        answer = self.answers.pop(0)
        if answer is None:
            raise UnreachableError("cut")
        return answer


async def test_whether_a_status_was_written_is_asked_until_the_answer_is_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch has nothing more to tell: without an answer the job would stand as assumed until the next list."""
    monkeypatch.setattr(answers, "AGAIN", Backoff(first=0.001, longest=0.001))
    world, there = World(), Response(200, orjson.dumps(body(4, RUNNING)), {})
    world.session = Cable(None, Response(500, b"", {}), Response(429, b"", {}), there)
    world.record(SUCCEEDED)(Outcome(Kind.CONFLICT, 409))
    async with asyncio.timeout(5):
        while world.session.answers:  # noqa: ASYNC110 the answers are asked for by a task of its own
            await asyncio.sleep(0.001)
    assert world.store.jobs["u"].version == "4"
    assert world.store.jobs["u"].status.phase is Phase.Running
    assert "u" in world.store.active


async def test_who_ends_asks_no_more() -> None:
    """The session is closed then, and would raise what nobody expects."""
    world = World()
    world.session = Cable(*[None] * 99)
    world.record(SUCCEEDED)(Outcome(Kind.CONFLICT, 409))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await world.answers.close()
    assert len(world.session.answers) == 98
