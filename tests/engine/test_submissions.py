"""What becomes of submissions: the job counts at once, a refusal is told once, a name that is taken is looked into."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import orjson
import pytest

from batchyard.engine.bell import Bell
from batchyard.engine.submissions import Submissions
from batchyard.kube.outcome import Kind, Outcome
from batchyard.kube.session import Response, Session
from batchyard.model.plan import Submit
from batchyard.world.schedules import schedule
from batchyard.world.store import Store
from builders import job_body, metadata, namespace, template

SPEC = {"queue": "q", "template": template()}
VERB = Submit("uid-s", 5, {"metadata": {"name": "s-5", "namespace": "default"}, "spec": SPEC})


def there(owner: str = "uid-s") -> bytes:
    owners = [{"apiVersion": "batchyard.dev/v1alpha1", "kind": "JobSchedule", "name": "s", "uid": owner}]
    return orjson.dumps(job_body("s-5", None, {"ownerReferences": owners}))


class Cable:
    """A session that answers one body to every request."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.answer = Response(status, body, {})

    async def request(self, *_: Any, **__: Any) -> Response:
        return self.answer


class Desk:
    """A schedule whose job is being created."""

    def __init__(self, cable: Cable | None = None) -> None:
        self.store, self.tasks = Store(), list[asyncio.Task[None]]()
        body = {
            "metadata": metadata("s", namespace="default"),
            "spec": {"schedule": "@daily", "jobTemplate": {"spec": SPEC}},
        }
        self.store.apply(namespace())
        self.store.apply(schedule(body))
        self.store.submitting["uid-s"] = 5
        self.submissions = Submissions(self.store, Bell(), cast(Session, cable), self._later)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    @property
    def names(self) -> list[str]:
        return [job.name for job in self.store.jobs_of_schedule("uid-s")]


async def test_a_created_job_counts_at_once() -> None:
    desk = Desk()
    assert desk.submissions.submitted(VERB, Outcome(Kind.DONE, 201, there())) is None
    assert desk.names == ["s-5"]
    assert desk.store.fired == {"uid-s": 5}
    assert desk.store.submitting == {}


async def test_a_refusal_is_kept_and_told_once() -> None:
    desk, no = Desk(), Outcome(Kind.REFUSED, 403, message="exceeded quota: none", reason="Forbidden")
    told = desk.submissions.submitted(VERB, no)
    assert told is not None
    assert (told.kind, told.name, told.reason, told.message) == (
        "JobSchedule", "s", "SubmissionRefused", "exceeded quota: none",
    )  # fmt: skip
    first = desk.store.refusals["uid-s"]
    assert (first.reason, first.tries) == ("QuotaExceeded", 1)
    assert desk.submissions.submitted(VERB, no) is None
    assert desk.store.refusals["uid-s"].tries == 2
    assert desk.store.submitting == {}
    desk.submissions.submitted(VERB, Outcome(Kind.DONE, 201, there()))
    assert "uid-s" not in desk.store.refusals


@pytest.mark.parametrize("kind", [Kind.SUPERSEDED, Kind.REFUSED])
async def test_what_is_not_known_is_decided_again_and_is_nobodys_fault(kind: Kind) -> None:
    desk = Desk()
    assert desk.submissions.submitted(VERB, Outcome(kind, reason="NotLeader")) is None
    assert (desk.names, desk.store.submitting, desk.store.refusals) == ([], {}, {})


@pytest.mark.parametrize("outcome", [Outcome(Kind.CONFLICT, 409), Outcome(Kind.UNKNOWN)])
async def test_ours_from_before_a_crash_or_of_an_unknown_end_is_adopted(outcome: Outcome) -> None:
    desk = Desk(Cable(there()))
    desk.submissions.submitted(VERB, outcome)
    assert desk.store.submitting == {"uid-s": 5}, "nothing is submitted before we have looked"
    await asyncio.gather(*desk.tasks)
    assert (desk.names, desk.store.submitting) == (["s-5"], {})


async def test_somebody_elses_stands_in_the_way() -> None:
    desk = Desk(Cable(there("uid-other")))
    desk.submissions.submitted(VERB, Outcome(Kind.CONFLICT, 409))
    await asyncio.gather(*desk.tasks)
    assert desk.names == []
    refusal = desk.store.refusals["uid-s"]
    assert refusal.reason == "JobNameTaken"
    assert "a Job named 's-5' that is not this schedule's stands in the way; delete it" in refusal.message


async def test_one_that_is_gone_again_is_submitted_again() -> None:
    desk = Desk(Cable(b"{}", 404))
    desk.submissions.submitted(VERB, Outcome(Kind.CONFLICT, 409))
    await asyncio.gather(*desk.tasks)
    assert (desk.names, desk.store.submitting, desk.store.refusals) == ([], {}, {})
