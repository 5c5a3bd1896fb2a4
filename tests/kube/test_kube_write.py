"""The writer against a real server: order, coalescing, one request per key, and every way an intent can end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from aiohttp import web

from batchyard.kube.concurrency import Concurrency
from batchyard.kube.session import Response, Session
from batchyard.kube.write import Effort, Intent, Kind, Outcome, Writer
from kube.stub import Answer, Stub, answer, hang, status
from kube.things import DEADLINE, SOON, until

EFFORT = Effort(backoff=SOON, deadline=5.0)


class Book:
    """The outcomes by key, in the order in which they came."""

    def __init__(self) -> None:
        self.entries: list[tuple[object, Outcome]] = []

    def intent(self, key: str, body: str = "", lane: int = 1, method: str = "PATCH") -> Intent:
        path = "/api/v1/namespaces/n/configmaps" + ("" if method == "POST" else f"/{key}")
        return Intent(key, lane, method, path, body.encode(), lambda outcome: self.entries.append((key, outcome)))

    def kinds(self) -> list[tuple[object, Kind]]:
        return [(key, outcome.kind) for key, outcome in self.entries]

    @property
    def last(self) -> Outcome:
        return self.entries[-1][1]


@asynccontextmanager
async def writing(
    session: Session, effort: Effort = EFFORT, guard: Callable[[], bool] = lambda: True
) -> AsyncIterator[tuple[Writer, Book]]:
    writer = Writer(session, guard, effort)
    task = asyncio.create_task(writer.run())
    try:
        yield writer, Book()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def drained(writer: Writer) -> None:
    async with asyncio.timeout(DEADLINE):
        await writer.drain()


def gate() -> tuple[asyncio.Event, Answer]:
    """An answer that comes when the event is set."""
    opened = asyncio.Event()

    async def respond(request: web.Request) -> web.StreamResponse:
        await opened.wait()
        return await answer()(request)

    return opened, respond


async def test_lower_lanes_go_first_and_within_a_lane_the_oldest(stub: Stub, session: Session) -> None:
    stub.default = answer()
    async with writing(session, replace(EFFORT, start=1, most=1)) as (writer, book):
        for key, lane in [("status1", 3), ("pod1", 0), ("status2", 3), ("pod2", 0), ("progress", 2)]:
            writer.submit(book.intent(key, lane=lane))
        await drained(writer)
    assert [key for key, _ in book.entries] == ["pod1", "pod2", "progress", "status1", "status2"]


async def test_only_the_latest_intent_of_a_key_is_sent_in_the_first_ones_place(stub: Stub, session: Session) -> None:
    stub.default = answer()
    async with writing(session, replace(EFFORT, start=1, most=1)) as (writer, book):
        for key, body in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3")]:
            writer.submit(book.intent(key, body))
        assert book.kinds() == [("a", Kind.SUPERSEDED)] * 2
        await drained(writer)
    assert stub.bodies == [b"a3", b"b1"]
    assert book.kinds()[2:] == [("a", Kind.DONE), ("b", Kind.DONE)]


async def test_one_request_per_key_while_other_keys_go_on(stub: Stub, session: Session) -> None:
    opened, gated = gate()
    stub.then(gated)
    stub.default = answer()
    async with writing(session) as (writer, book):
        writer.submit(book.intent("a", "a1"))
        await stub.until_seen(1)
        writer.submit(book.intent("a", "a2"))
        writer.submit(book.intent("a", "a3"))
        writer.submit(book.intent("b", "b1"))
        await stub.until_seen(2)
        assert stub.bodies == [b"a1", b"b1"]
        opened.set()
        await drained(writer)
    assert stub.bodies == [b"a1", b"b1", b"a3"]
    assert [kind for key, kind in book.kinds() if key == "a"] == [Kind.SUPERSEDED, Kind.DONE, Kind.DONE]


async def test_no_more_requests_at_once_than_allowed(stub: Stub, session: Session) -> None:
    async def slow(_: web.Request) -> web.StreamResponse:
        for _ in range(20):
            await asyncio.sleep(0)
        return web.json_response({})

    stub.default = slow
    async with writing(session, replace(EFFORT, start=3, most=5)) as (writer, book):
        for number in range(200):
            writer.submit(book.intent(f"k{number}"))
        await drained(writer)
    assert len(book.entries) == 200
    assert 3 < stub.most_in_flight <= 5


@pytest.mark.parametrize(
    ("method", "reply", "kind", "reason"),
    [
        ("POST", answer({"kind": "Pod"}, 201), Kind.DONE, ""),
        ("DELETE", answer({"kind": "Status"}, 202), Kind.DONE, ""),
        ("POST", status(409, "AlreadyExists", 'pods "a" already exists'), Kind.CONFLICT, "AlreadyExists"),
        ("PATCH", status(409, "Conflict", "the object has been modified"), Kind.CONFLICT, "Conflict"),
        ("PATCH", status(404, "NotFound", 'pods "a" not found'), Kind.GONE, "NotFound"),
        ("POST", status(403, "Forbidden", 'pods "a" is forbidden: exceeded quota: q'), Kind.REFUSED, "Forbidden"),
        ("POST", status(422, "Invalid", "spec.x: Required value"), Kind.REFUSED, "Invalid"),
        ("POST", status(400, "BadRequest", "no"), Kind.REFUSED, "BadRequest"),
    ],
)
async def test_clear_answers_settle_at_once_with_the_servers_own_words(
    stub: Stub, session: Session, method: str, reply: Answer, kind: Kind, reason: str
) -> None:
    stub.then(reply)
    async with writing(session) as (writer, book):
        writer.submit(book.intent("a", "{}", method=method))
        await drained(writer)
    assert (book.last.kind, book.last.reason) == (kind, reason)
    if kind is not Kind.DONE:
        assert book.last.message
    assert len(stub.seen) == 1


async def test_a_quotas_race_is_no_proof_that_the_pod_exists(stub: Stub, session: Session) -> None:
    stub.then(status(409, "Conflict", "cannot be fulfilled on resourcequotas"), answer({}, 201))
    async with writing(session) as (writer, book):
        writer.submit(book.intent("a", "{}", method="POST"))
        await drained(writer)
    assert book.kinds() == [("a", Kind.DONE)]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_rights_that_are_missing_for_a_moment_are_no_refusal(stub: Stub, session: Session, method: str) -> None:
    """An API server that has just started knows of no ClusterRole yet."""
    stub.then(status(403, "Forbidden", 'clusterrole.rbac.authorization.k8s.io "batchyard" not found'), answer({}))
    async with writing(session) as (writer, book):
        writer.submit(book.intent("a", "{}", method=method))
        await drained(writer)
    assert book.kinds() == [("a", Kind.DONE)]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_unclear_answers_are_tried_again(stub: Stub, session: Session, method: str) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    stub.then(status(500, "InternalError"), cut, hang(), status(503, "ServiceUnavailable"), answer())
    async with writing(session) as (writer, book):
        writer.submit(book.intent("a", "same", method=method))
        await drained(writer)
    assert book.kinds() == [("a", Kind.DONE)]
    assert stub.bodies[-1] == b"same"
    assert len(stub.seen) >= 5


async def test_a_create_whose_answer_was_lost_ends_as_existing(stub: Stub, session: Session) -> None:
    stub.then(hang(), status(409, "AlreadyExists", "already exists"))
    async with writing(session) as (writer, book):
        writer.submit(book.intent("a", "{}", method="POST"))
        await drained(writer)
    assert book.last.kind is Kind.CONFLICT
    assert book.last.reason == "AlreadyExists"


async def test_unknown_after_the_deadline(stub: Stub, session: Session) -> None:
    stub.default = status(500, "InternalError", "failed calling webhook")
    async with writing(session, replace(EFFORT, deadline=0.1)) as (writer, book):
        writer.submit(book.intent("a"))
        await drained(writer)
    assert book.last == Outcome(Kind.UNKNOWN, 500, message="failed calling webhook")
    assert len(stub.seen) > 1


async def test_an_object_that_always_fails_does_not_hold_up_others(stub: Stub, session: Session) -> None:
    async def bad_a(request: web.Request) -> web.StreamResponse:
        return await (status(500, "InternalError") if request.path.endswith("/a") else answer())(request)

    stub.default = bad_a
    async with writing(session, replace(EFFORT, start=1, most=1)) as (writer, book):
        writer.submit(book.intent("a", lane=0))
        for number in range(20):
            writer.submit(book.intent(f"b{number}"))
        await until(lambda: len(book.entries) == 20)
        assert {kind for _, kind in book.kinds()} == {Kind.DONE}


async def test_a_later_intent_overtakes_one_that_rests_before_its_retry(stub: Stub, session: Session) -> None:
    stub.then(status(500, "InternalError", Retry_After="600"), answer())
    async with writing(session, replace(EFFORT, deadline=6000)) as (writer, book):
        writer.submit(book.intent("a", "old"))
        await stub.until_seen(1)
        await stub.quiet()
        await until(lambda: writer.resting == 1)
        writer.submit(book.intent("a", "new"))
        await drained(writer)
    assert stub.bodies == [b"old", b"new"]
    assert book.kinds() == [("a", Kind.SUPERSEDED), ("a", Kind.DONE)]


async def test_a_withdrawn_retry_leaves_no_timer_behind(stub: Stub, session: Session) -> None:
    stub.then(status(500, "InternalError", Retry_After="1"))
    loop = asyncio.get_running_loop()
    errors: list[object] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    async with writing(session) as (writer, book):
        writer.submit(book.intent("a"))
        await until(lambda: writer.resting == 1)
        assert writer.withdraw("a")
        overdue = loop.time() + 1.2
        await until(lambda: loop.time() > overdue)
    assert (errors, len(stub.seen)) == ([], 1)
    assert book.kinds() == [("a", Kind.SUPERSEDED)]


def test_one_overload_halves_once_and_success_adds_one_per_window() -> None:
    concurrency = Concurrency(16, 32)
    together = concurrency.epoch
    for _ in range(16):
        concurrency.overloaded(together)
    assert concurrency.limit == 8
    concurrency.overloaded(concurrency.epoch)
    assert concurrency.limit == 4
    for _ in range(4):
        concurrency.succeeded()
    assert concurrency.limit == 5
    for _ in range(1000):
        concurrency.succeeded()
    assert concurrency.limit == 32
    for _ in range(10):
        concurrency.overloaded(concurrency.epoch)
    assert concurrency.limit == 1


async def test_too_many_requests_waits_as_told_and_halves_once_then_grows(stub: Stub, session: Session) -> None:
    stub.then(*[status(429, "TooManyRequests", Retry_After="1") for _ in range(8)])
    stub.default = answer()
    loop = asyncio.get_running_loop()
    async with writing(session, replace(EFFORT, start=8, most=32)) as (writer, book):
        started = loop.time()
        for number in range(8):
            writer.submit(book.intent(f"k{number}"))
        await stub.until_seen(8)
        await drained(writer)
        assert loop.time() - started >= 1.0
        assert len(stub.seen) == 16
        assert {kind for _, kind in book.kinds()} == {Kind.DONE}
        assert 4 <= writer.limit < 8
        for number in range(200):
            writer.submit(book.intent(f"k{number}"))
        await drained(writer)
        assert writer.limit > 8


async def test_without_leadership_nothing_is_sent(stub: Stub, session: Session) -> None:
    leading = True
    stub.then(status(500, "InternalError"))

    async def lose(request: web.Request) -> web.StreamResponse:
        nonlocal leading
        leading = False
        return await status(500, "InternalError")(request)

    stub.then(lose)
    async with writing(session, guard=lambda: leading) as (writer, book):
        writer.submit(book.intent("a"))
        await drained(writer)
        writer.submit(book.intent("b"))
        await drained(writer)
    assert book.kinds() == [("a", Kind.REFUSED), ("b", Kind.REFUSED)]
    assert book.last.message == "not leader"
    assert len(stub.seen) == 2


async def test_withdrawn_intents_are_not_sent(stub: Stub, session: Session) -> None:
    opened, gated = gate()
    stub.then(gated)
    stub.default = answer()
    async with writing(session, replace(EFFORT, start=1, most=1)) as (writer, book):
        writer.submit(book.intent("a", "a1"))
        await stub.until_seen(1)
        writer.submit(book.intent("a", "a2"))
        writer.submit(book.intent("b", "b1"))
        assert writer.withdraw("a")
        assert writer.withdraw("b")
        assert not writer.withdraw("a"), "in flight: too late"
        assert not writer.withdraw("c")
        opened.set()
        await drained(writer)
    assert stub.bodies == [b"a1"]
    assert book.kinds() == [("a", Kind.SUPERSEDED), ("b", Kind.SUPERSEDED), ("a", Kind.DONE)]


async def test_what_settled_raises_ends_run(stub: Stub, session: Session) -> None:
    stub.default = answer()

    def broken(_: Outcome) -> None:
        raise LookupError("ours")

    writer = Writer(session, effort=EFFORT)
    writer.submit(replace(Book().intent("a"), settled=broken))
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(ExceptionGroup) as caught:
            await writer.run()
    assert caught.group_contains(LookupError, match="ours")


async def test_drain_waits_for_what_settled_callbacks_submit(stub: Stub, session: Session) -> None:
    stub.default = answer()
    async with writing(session) as (writer, book):
        follow_up = book.intent("b")
        writer.submit(replace(book.intent("a"), settled=lambda _: writer.submit(follow_up)))
        await drained(writer)
    assert book.kinds() == [("b", Kind.DONE)]


async def test_close_lets_the_request_in_flight_end_and_drops_the_rest(stub: Stub, session: Session) -> None:
    opened, gated = gate()
    stub.then(gated)
    writer, book = Writer(session, effort=replace(EFFORT, start=1, most=1)), Book()
    run = asyncio.create_task(writer.run())
    for key in ("a", "b", "c"):
        writer.submit(book.intent(key))
    await stub.until_seen(1)
    closing = asyncio.create_task(writer.close())
    opened.set()
    async with asyncio.timeout(DEADLINE):
        await closing
        await run
    writer.submit(book.intent("d"))
    assert book.kinds() == [("b", Kind.SUPERSEDED), ("c", Kind.SUPERSEDED), ("a", Kind.DONE), ("d", Kind.REFUSED)]


async def test_every_intent_settles_exactly_once_in_a_storm(stub: Stub, session: Session) -> None:
    replies = [
        answer(),
        status(500, "InternalError"),
        status(409, "Conflict"),
        status(429, "TooManyRequests"),
        answer(),
    ]
    turn = iter(range(1_000_000))
    current: dict[str, int] = {}

    async def storm(request: web.Request) -> web.StreamResponse:
        current[request.path] = current.get(request.path, 0) + 1
        assert current[request.path] == 1, "two requests for one key"
        try:
            await asyncio.sleep(0)
            return await replies[next(turn) % len(replies)](request)
        finally:
            current[request.path] -= 1

    stub.default = storm
    settled: list[int] = []
    async with writing(session) as (writer, book):
        for number in range(1500):
            intent = book.intent(f"k{number * 7 % 97}", str(number), lane=number % 3)
            writer.submit(replace(intent, settled=lambda _, number=number: settled.append(number)))
            if number % 10 == 0:
                writer.withdraw(f"k{number * 3 % 97}")
            if number % 50 == 0:
                await asyncio.sleep(0)
        await drained(writer)
        assert writer.unsettled == 0
    assert sorted(settled) == list(range(1500))


def test_retry_after_reads_seconds_only() -> None:
    assert Response(429, b"", {"retry-after": "3"}).retry_after == 3.0
    assert Response(429, b"", {"retry-after": "Mon, 23 Nov 2026 18:00:00 GMT"}).retry_after == 0.0
    assert Response(429, b"", {}).retry_after == 0.0
