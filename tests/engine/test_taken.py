"""A pod that was to be made is there already: ours from before a crash, another's, or gone again."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import orjson
import pytest

from batchyard.engine.answers import Answers
from batchyard.engine.bell import Bell
from batchyard.engine.taken import NAME_TAKEN_SECONDS
from batchyard.kube.outcome import Kind, Outcome
from batchyard.kube.session import Response, Session, UnreachableError
from batchyard.model.labels import ATTEMPT, JOB_UID
from batchyard.model.plan import Start
from batchyard.world import parse
from batchyard.world.assume import assume_start
from batchyard.world.store import Store
from batchyard.world.views import Key, Pod
from builders import NOW, job_body, owned_by

NAME = Key("default", "job-1")


def body(owner: str, **meta: Any) -> dict[str, Any]:
    labels = {JOB_UID: owner, ATTEMPT: "1"}
    meta = {"labels": labels, "ownerReferences": owned_by(owner), **meta}
    return {"metadata": {**NAME._asdict(), **meta}, "spec": {"nodeName": "n1", "containers": []}}


class Cable:
    """A session on which one thing stands under the pod's name; None of it: nobody answers."""

    def __init__(self, found: Response | None) -> None:
        self.found = found

    async def request(self, method: str, path: str) -> Response:
        assert (method, path) == ("GET", "/api/v1/namespaces/default/pods/job-1")
        if self.found is None:
            raise UnreachableError("no route")
        return self.found


async def exists(found: Response | None) -> Store:
    """Return the store after a start was answered with: there is one of that name."""
    store = Store()
    store.apply(parse.job(job_body()))
    verb = Start("uid-job", 1, "pool", body("uid-job"))
    pod: Pod = assume_start(store, verb, NOW)
    answers = Answers(store, Bell(), cast(Session, Cable(found)), lambda: NOW)
    answers.started(verb, pod, Outcome(Kind.CONFLICT, 409, b"", "exists", "AlreadyExists"))
    assert NAME in store.pods, "nothing is taken back before we have looked"
    for _ in range(5):
        await asyncio.sleep(0)
    return store


async def test_ours_is_adopted() -> None:
    store = await exists(Response(200, orjson.dumps(body("uid-job", uid="p", resourceVersion="7")), {}))
    assert store.pods[NAME].uid == "p"
    assert not store.refusals


@pytest.mark.parametrize("owner", ["uid-other", ""])
async def test_anothers_is_told_and_waited_for(owner: str) -> None:
    store = await exists(Response(200, orjson.dumps(body(owner, uid="p")), {}))
    assert NAME not in store.pods
    refusal = store.refusals["uid-job"]
    assert (refusal.reason, refusal.until) == ("PodNameTaken", NOW + NAME_TAKEN_SECONDS)
    assert "a pod named 'job-1' that is not this job's stands in the way; delete it" in refusal.message


@pytest.mark.parametrize("found", [Response(404, b"", {}), None], ids=["gone again", "unreachable"])
async def test_what_is_not_known_is_decided_anew(found: Response | None) -> None:
    store = await exists(found)
    assert NAME not in store.pods
    assert not store.refusals
