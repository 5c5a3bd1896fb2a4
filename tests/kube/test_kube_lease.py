"""Leadership over a stub: renewal, a hung call, lost answers, skewed clocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

import orjson
import pytest
from aiohttp import web

from batchyard.kube.lease import Candidate, LeaseMetadata, Terms
from batchyard.kube.session import Session
from kube.stub import Answer, Stub, hang, status
from kube.things import anonymous, until

PLACE = LeaseMetadata(name="batchyard", namespace="batchyard-system")
QUICK = {"duration": 1.3, "renew_deadline": 1.0, "retry_period": 0.1}


class Leases:
    """One lease, with versions and conflicts as the API server has them."""

    def __init__(self, lease: dict[str, object] | None = None) -> None:
        self.lease = lease
        self.version = 0
        self.after: Answer | None = None
        if lease is not None:
            self.touch()

    def touch(self) -> None:
        self.version += 1
        assert self.lease is not None
        self.lease["metadata"] = {"name": "batchyard", "namespace": "n", "resourceVersion": str(self.version)}

    @property
    def spec(self) -> dict[str, object]:
        assert self.lease is not None
        return self.lease["spec"]  # type: ignore[return-value]

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        reply = self._reply(request.method, orjson.loads(await request.read() or b"{}"))
        after, self.after = self.after, None
        return await (after or reply)(request)

    def _reply(self, method: str, body: dict[str, dict[str, object]]) -> Answer:
        if method == "POST":
            if self.lease is not None:
                return status(409, "AlreadyExists")
            self.lease = {"spec": body["spec"]}
            self.touch()
        elif self.lease is None:
            return status(404, "NotFound")
        elif method == "PATCH":
            if body["metadata"]["resourceVersion"] != str(self.version):
                return status(409, "Conflict")
            self.spec.update(body["spec"])
            self.touch()
        return self._show

    async def _show(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self.lease)


@pytest.fixture
async def session(stub: Stub) -> AsyncIterator[Session]:
    async with Session(anonymous(stub.url)) as opened:  # more patient than a lease may be
        yield opened


@pytest.fixture
def leases(stub: Stub) -> Leases:
    leases = Leases()
    stub.default = leases
    return leases


def candidate(session: Session, identity: str, **terms: object) -> Candidate:
    return Candidate(session, PLACE, identity, Terms(**{**QUICK, **terms}))  # type: ignore[arg-type]


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def held_by(identity: str) -> dict[str, object]:
    return {"spec": {"holderIdentity": identity, "leaseDurationSeconds": 1, "leaseTransitions": 3}}


async def test_creates_the_lease_and_renews_it(stub: Stub, leases: Leases, session: Session) -> None:
    one = candidate(session, "one")
    assert not one.token.valid()
    task = asyncio.create_task(one.run())
    await until(lambda: leases.version >= 4)
    assert one.token.valid()
    assert one.elected.is_set()
    assert leases.spec["holderIdentity"] == "one"
    assert leases.spec["acquireTime"] != leases.spec["renewTime"]
    assert [method for method, *_ in stub.seen[:4]] == ["GET", "POST", "PATCH", "PATCH"]
    await stop(task)


async def test_another_takes_over_a_duration_after_the_leader_stops(leases: Leases, session: Session) -> None:
    one, two = candidate(session, "one"), candidate(session, "two")
    first = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    second = asyncio.create_task(two.run())
    version = leases.version
    await until(lambda: leases.version > version + 3)
    assert not two.elected.is_set()
    await stop(first)
    await until(two.elected.is_set)
    assert not one.token.valid(), "never two valid tokens"
    assert leases.spec["holderIdentity"] == "two"
    assert leases.spec["leaseTransitions"] == 1
    await stop(second)


async def test_release_hands_over_at_once(leases: Leases, session: Session) -> None:
    one = candidate(session, "one", duration=3600, renew_deadline=3000)
    first = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    await stop(first)
    await one.release()
    assert not one.token.valid()
    assert leases.spec["holderIdentity"] is None
    two = candidate(session, "two")
    second = asyncio.create_task(two.run())
    await until(two.elected.is_set)
    await stop(second)


async def test_a_hung_call_does_not_outlive_the_token(stub: Stub, leases: Leases, session: Session) -> None:
    one = candidate(session, "one")
    task = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    stub.default = hang()
    loop = asyncio.get_running_loop()
    hung = loop.time()
    await until(lambda: not one.token.valid())
    assert loop.time() - hung < 10, "the request itself would hang for 30 s"
    await until(one.lost.is_set)
    await until(task.done)
    task.result()


async def test_a_short_outage_is_survived(stub: Stub, leases: Leases, session: Session) -> None:
    one = candidate(session, "one", renew_deadline=5.0, duration=6.0)
    task = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    stub.then(status(500, "InternalError"), status(429, "TooManyRequests"), hang())
    await until(lambda: not stub.script)
    version = leases.version
    await until(lambda: leases.version > version)
    assert one.token.valid()
    assert not one.lost.is_set()
    await stop(task)


async def test_a_renewal_whose_answer_was_lost_is_no_loss(leases: Leases, session: Session) -> None:
    one = candidate(session, "one", renew_deadline=5.0, duration=6.0)
    task = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    leases.after = status(500, "InternalError")
    await until(lambda: leases.after is None)
    version = leases.version
    await until(lambda: leases.version > version + 1)
    assert one.token.valid()
    await stop(task)


async def test_a_deleted_lease_is_made_again(leases: Leases, session: Session) -> None:
    one = candidate(session, "one")
    task = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    leases.lease = None
    await until(lambda: leases.lease is not None)
    assert one.token.valid()
    await stop(task)


async def test_a_usurper_ends_leadership_at_the_next_call(leases: Leases, session: Session) -> None:
    one = candidate(session, "one", renew_deadline=3000, duration=3600)
    task = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    leases.spec["holderIdentity"] = "usurper"
    leases.touch()
    await until(one.lost.is_set)
    assert not one.token.valid()
    await until(task.done)


async def test_a_leader_whose_lease_is_older_than_before_steps_down(leases: Leases, session: Session) -> None:
    """Whoever restores etcd rewrites history: all that the leader has seen since never happened."""
    one = candidate(session, "one", renew_deadline=3000, duration=3600)
    leases.version = 70
    task = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    leases.version = 50
    leases.touch()
    await until(one.lost.is_set)
    assert not one.token.valid()
    await until(task.done)
    again = asyncio.create_task(one.run())
    await until(one.token.valid)
    await stop(again)


async def test_a_leader_whose_lease_is_written_before_what_it_has_seen_steps_down(
    leases: Leases, session: Session
) -> None:
    """Nobody renewed the lease since the snapshot, but pods and nodes were seen that never were."""
    one = candidate(session, "one", renew_deadline=3000, duration=3600)
    task = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    one.horizon = lambda: leases.version + 2
    await renewed(leases)
    assert one.token.valid(), "an etcd of their own, that of leases"
    one.horizon = lambda: leases.version
    await renewed(leases)
    assert one.token.valid()
    one.horizon = lambda: leases.version + 2
    await until(one.lost.is_set)
    await until(task.done)


async def renewed(leases: Leases) -> None:
    version = leases.version
    await until(lambda: leases.version > version + 3)


@pytest.mark.parametrize("year", [1999, 2099])
async def test_a_leader_with_another_clock_is_judged_by_its_renewals(
    stub: Stub, leases: Leases, session: Session, year: int
) -> None:
    now = 0.0
    leases.lease = held_by("one") | {"metadata": {}}
    two = candidate(session, "two", clock=lambda: now, retry_period=0.01)
    task = asyncio.create_task(two.run())
    for _ in range(6):
        leases.spec["renewTime"] = datetime(year, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        leases.touch()
        await stub.until_seen(len(stub.seen) + 2)
        now += 0.9
        assert not two.elected.is_set(), "longer than a duration in all, but renewed"
    await stub.until_seen(len(stub.seen) + 2)
    assert not two.elected.is_set(), "not yet a duration since the last renewal"
    now += 0.2
    await until(two.elected.is_set)
    assert leases.spec["leaseTransitions"] == 4
    await stop(task)


async def test_of_two_at_once_one_wins(leases: Leases, session: Session) -> None:
    both = [candidate(session, name) for name in ("one", "two")]
    tasks = [asyncio.create_task(each.run()) for each in both]
    await until(lambda: any(each.elected.is_set() for each in both))
    await until(lambda: leases.version > 3)
    assert [each.elected.is_set() for each in both].count(True) == 1
    for task in tasks:
        await stop(task)
