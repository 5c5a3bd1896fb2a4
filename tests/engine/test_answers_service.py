"""The Service of a multi-node job comes before its main pod, whatever the API server says to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import pytest

from batchyard.engine.answers import Answers
from batchyard.engine.bell import Bell
from batchyard.engine.taken import First
from batchyard.kube.outcome import Kind, Outcome
from batchyard.kube.session import Session, UnreachableError
from batchyard.model.labels import ATTEMPT, JOB_UID
from batchyard.model.plan import Start
from batchyard.world import parse
from batchyard.world.assume import assume_start
from batchyard.world.store import Store
from batchyard.world.views import Key

SERVICE = {"kind": "Service", "metadata": {"name": "a", "namespace": "n", "ownerReferences": [{"uid": "u"}]}}
POD = {
    "metadata": {"name": "a-0-1", "namespace": "n", "labels": {JOB_UID: "u", ATTEMPT: "1"}},
    "spec": {"nodeName": "node", "containers": []},
}
EXISTS = Outcome(Kind.CONFLICT, 409, b"", "exists", "AlreadyExists")


@dataclass
class Answer:
    """What a stand-in for the API server says to a GET."""

    status: int
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return self.status < 300


@dataclass
class Scene:
    """A store with a job whose main pod is assumed; `found` is what stands there under the Service's name."""

    found: Any = None
    created: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store()
        meta = {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "1"}
        self.store.apply(parse.job({"metadata": meta, "spec": {"queue": "q"}}))
        self.answers = Answers(self.store, Bell(), cast(Session, self))
        self.verb = Start("u", 1, "env", POD, SERVICE)
        self.pod = assume_start(self.store, self.verb, 0.0)

    async def request(self, method: str, path: str) -> Answer:
        assert (method, path) == ("GET", "/api/v1/namespaces/n/services/a")
        if self.found is None:
            raise UnreachableError("no route")
        return Answer(404) if self.found == {} else Answer(200, orjson.dumps(self.found))

    async def hear(self, outcome: Outcome) -> None:
        first = First(self.verb, self.pod, "services", SERVICE)
        self.answers.prepared(first, outcome, lambda: self.created.append("pod"))
        for _ in range(5):
            await asyncio.sleep(0)

    @property
    def assumed(self) -> bool:
        return Key("n", "a-0-1") in self.store.pods


async def test_the_pod_follows_the_service() -> None:
    scene = Scene()
    await scene.hear(Outcome(Kind.DONE, 201, orjson.dumps(SERVICE)))
    assert (scene.created, scene.assumed) == (["pod"], True)


async def test_one_of_an_earlier_attempt_will_do() -> None:
    scene = Scene(SERVICE)
    await scene.hear(EXISTS)
    assert (scene.created, scene.assumed) == (["pod"], True)


@pytest.mark.parametrize("owners", [{}, {"ownerReferences": [{"uid": "another"}]}])
async def test_one_of_somebody_else_is_told_and_waited_for(owners: dict[str, Any]) -> None:
    scene = Scene({"metadata": {"name": "a", **owners}})
    await scene.hear(EXISTS)
    assert (scene.created, scene.assumed) == ([], False)
    assert scene.store.refusals["u"].reason == "ServiceNameTaken"


@pytest.mark.parametrize("found", [{}, None], ids=["gone again", "unreachable"])
async def test_what_is_not_known_is_decided_anew(found: Any) -> None:
    scene = Scene(found)
    await scene.hear(EXISTS)
    assert (scene.created, scene.assumed) == ([], False)
    assert not scene.store.refusals


async def test_a_right_that_is_missing_is_told() -> None:
    scene = Scene()
    words = 'services is forbidden: User "x" cannot create resource "services"'
    await scene.hear(Outcome(Kind.REFUSED, 403, b"", words, "Forbidden"))
    assert (scene.created, scene.assumed) == ([], False)
    assert scene.store.refusals["u"].reason == "OperatorForbidden"
