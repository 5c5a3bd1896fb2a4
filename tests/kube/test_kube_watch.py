"""The watcher against a real server that misbehaves: whatever happens, the sink ends up with what there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from aiohttp import web

from batchyard.kube.backoff import Backoff
from batchyard.kube.session import Session
from batchyard.kube.watch import Pace, Target, Watcher
from kube.stub import Stub, bookmark, event, gone_event, hang, listing, status, stream, thing
from kube.things import DEADLINE, QUICK, Memory, Thing

THINGS = Target("/api/v1/configmaps", Thing)


@asynccontextmanager
async def watching(
    session: Session, pace: Pace = QUICK, target: Target[Thing] = THINGS
) -> AsyncIterator[tuple[Memory, Watcher[Thing]]]:
    sink = Memory()
    watcher = Watcher(session, target, sink, pace)
    task = asyncio.create_task(watcher.run())
    try:
        yield sink, watcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def versions_asked(stub: Stub) -> list[str]:
    return [query["resourceVersion"] for _, _, query, _ in stub.seen if "watch" in query]


async def test_lists_in_pages_then_watches_from_that_version(stub: Stub, session: Session) -> None:
    stub.then(
        listing(7, thing("a", 1), continue_="next"),
        listing(7, thing("b", 2)),
        stream(
            event("ADDED", thing("c", 8)), event("MODIFIED", thing("a", 9)), event("DELETED", thing("b", 10)), hold=True
        ),
    )
    async with watching(session) as (sink, watcher):
        await sink.until(lambda: len(sink.changes) == 3)
        assert watcher.synced.is_set()
    assert sink.lists == [(["a", "b"], "7")]
    assert [change for change, _, _ in sink.changes] == ["ADDED", "MODIFIED", "DELETED"]
    assert sink.versions() == {"a": "9", "c": "8"}
    assert stub.seen[0][2] == {"limit": "500"}
    assert stub.seen[1][2] == {"limit": "500", "continue": "next"}
    assert stub.seen[2][2]["allowWatchBookmarks"] == "true"
    assert versions_asked(stub) == ["7"]


async def test_selectors_go_to_the_server_in_list_and_watch(stub: Stub, session: Session) -> None:
    stub.then(listing(1), stream(hold=True))
    target = replace(THINGS, label_selector="batchyard.dev/job,x in (a, b)", field_selector="spec.nodeName=n1")
    async with watching(session, target=target):
        await stub.until_seen(2)
    for _, _, query, _ in stub.seen:
        assert query["labelSelector"] == "batchyard.dev/job,x in (a, b)"
        assert query["fieldSelector"] == "spec.nodeName=n1"


async def test_reconnects_from_the_last_version_which_a_bookmark_moves(stub: Stub, session: Session) -> None:
    stub.then(
        listing(1),
        stream(event("ADDED", thing("a", 5))),
        stream(bookmark(40)),
        stream(event("MODIFIED", thing("a", 41)), hold=True),
    )
    async with watching(session) as (sink, _):
        await sink.until(lambda: len(sink.changes) == 2)
    assert versions_asked(stub) == ["1", "5", "40"]
    assert len(sink.lists) == 1


@pytest.mark.parametrize("trouble", [status(410, "Expired"), stream(gone_event())], ids=["answer", "event"])
async def test_gone_lists_anew_and_absence_means_deleted(
    stub: Stub, session: Session, trouble: Callable[..., object]
) -> None:
    stub.then(listing(1, thing("a", 1), thing("b", 1)), trouble, listing(9, thing("b", 1)), stream(hold=True))
    async with watching(session) as (sink, _):
        await sink.until(lambda: len(sink.lists) == 2)
        await stub.until_seen(4)
    assert sink.versions() == {"b": "1"}
    assert versions_asked(stub) == ["1", "9"]


async def test_a_page_that_came_too_late_starts_the_list_again_and_delivers_nothing_partial(
    stub: Stub, session: Session
) -> None:
    stub.then(
        listing(1, thing("a", 1), continue_="old"),
        status(410, "Expired"),
        listing(2, thing("a", 1), thing("b", 2)),
        stream(hold=True),
    )
    async with watching(session) as (sink, _):
        await sink.until(lambda: bool(sink.lists))
    assert sink.lists == [(["a", "b"], "2")]


async def test_a_line_cut_in_the_middle_is_asked_for_again(stub: Stub, session: Session) -> None:
    whole = event("MODIFIED", thing("a", 3))
    stub.then(
        listing(1, thing("a", 1)),
        stream(event("MODIFIED", thing("a", 2)), whole[:20], cut=True),
        stream(whole, hold=True),
    )
    async with watching(session) as (sink, _):
        await sink.until(lambda: len(sink.changes) == 2)
    assert sink.changes == [("MODIFIED", "a", "2"), ("MODIFIED", "a", "3")]
    assert versions_asked(stub) == ["1", "2"]


async def test_lines_longer_than_any_buffer_and_split_anywhere_arrive_whole(stub: Stub, session: Session) -> None:
    big = thing("big", 2, "x" * 3_000_000)
    small = event("ADDED", thing("small", 3))
    both = event("ADDED", big) + small
    cuts = [0, 1, 65_536, 1_000_001, 2_999_999, len(both) - len(small) - 1, len(both) - 5, len(both)]
    stub.then(listing(1), stream(*(both[a:b] for a, b in pairwise(cuts)), hold=True))
    async with watching(session) as (sink, _):
        await sink.until(lambda: len(sink.changes) == 2)
    assert len(sink.things["big"].text) == 3_000_000
    assert sink.versions() == {"big": "2", "small": "3"}


async def test_an_event_sent_twice_changes_nothing(stub: Stub, session: Session) -> None:
    twice = event("MODIFIED", thing("a", 2))
    stub.then(listing(1, thing("a", 1)), stream(twice, twice), stream(twice, event("ADDED", thing("b", 3)), hold=True))
    async with watching(session) as (sink, _):
        await sink.until(lambda: "b" in sink.things)
    assert sink.versions() == {"a": "2", "b": "3"}


async def test_silence_reconnects_and_bookmarks_break_it(stub: Stub, session: Session) -> None:
    stub.then(listing(1), stream(bookmark(2), hold=True), stream(event("ADDED", thing("a", 3)), hold=True))
    async with watching(session, replace(QUICK, silence=0.15)) as (sink, _):
        await sink.until(lambda: "a" in sink.things)
    assert versions_asked(stub) == ["1", "2"]


async def test_a_server_that_never_answers_the_watch_is_left(stub: Stub, session: Session) -> None:
    stub.then(listing(1), hang(), stream(event("ADDED", thing("a", 3)), hold=True))
    async with watching(session, replace(QUICK, silence=0.15)) as (sink, _):
        await sink.until(lambda: "a" in sink.things)


async def test_errors_of_the_server_are_retried_without_a_list(stub: Stub, session: Session) -> None:
    stub.then(
        status(500, "InternalError"),
        status(429, "TooManyRequests"),
        listing(4),
        status(503, "ServiceUnavailable"),
        stream(event("ERROR", {"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd"})),
        stream(event("ADDED", thing("a", 5)), hold=True),
    )
    async with watching(session) as (sink, watcher):
        await sink.until(lambda: "a" in sink.things)
        assert watcher.synced.is_set()
    assert versions_asked(stub) == ["4", "4", "4"]
    assert len(sink.lists) == 1


async def test_an_event_that_cannot_be_read_lists_anew(stub: Stub, session: Session) -> None:
    stub.then(
        listing(1),
        stream(b'{"type":"ADDED","object":{"metadata":{"name":7}}}\n', hold=True),
        listing(3, thing("a", 3)),
        stream(hold=True),
    )
    async with watching(session) as (sink, _):
        await sink.until(lambda: len(sink.lists) == 2)
    assert sink.versions() == {"a": "3"}


async def test_lists_again_now_and_then_even_if_the_watch_is_busy(stub: Stub, session: Session) -> None:
    elapsed = 0.0
    late = asyncio.Event()

    async def busy(request: web.Request) -> web.StreamResponse:
        await late.wait()
        return await stream(event("MODIFIED", thing("a", 2)), bookmark(3), hold=True)(request)

    stub.then(listing(1, thing("a", 1), thing("missed", 1)), busy, listing(4, thing("a", 2)), stream(hold=True))
    async with watching(session, replace(QUICK, clock=lambda: elapsed)) as (sink, _):
        await sink.until(lambda: len(sink.lists) == 1)
        elapsed = 1000.0
        late.set()
        await sink.until(lambda: len(sink.lists) == 2)
    assert sink.versions() == {"a": "2"}


async def test_every_byte_is_a_sign_of_life(stub: Stub, session: Session) -> None:
    elapsed = 5.0

    def clock() -> float:
        return elapsed

    release = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return await stream(bookmark(8), event("ADDED", thing("a", 9)), hold=True)(request)

    stub.then(listing(1), slow)
    async with watching(session, replace(QUICK, clock=clock)) as (sink, watcher):
        await sink.until(lambda: bool(sink.lists))
        assert watcher.last_byte == 5.0
        elapsed = 60.0
        release.set()
        await sink.until(lambda: "a" in sink.things)
        assert watcher.last_byte == 60.0


async def test_rests_grow_while_nothing_comes_and_begin_anew_after_an_event(stub: Stub, session: Session) -> None:
    failures: list[int] = []

    class Noted(Backoff):
        __slots__ = ()

        def delay(self, failures_so_far: int, at_least: float = 0.0) -> float:
            failures.append(failures_so_far)
            return 0.001

    closed_at_once, event_then_closed = stream(), stream(event("ADDED", thing("a", 2)))
    stub.then(listing(1), closed_at_once, status(500, "x"), closed_at_once, event_then_closed, status(500, "x"))
    stub.then(stream(event("ADDED", thing("b", 3)), hold=True))
    async with watching(session, replace(QUICK, backoff=Noted())) as (sink, _):
        await sink.until(lambda: "b" in sink.things)
    assert failures == [1, 2, 3, 1]


async def test_what_the_sink_raises_ends_the_watcher(stub: Stub, session: Session) -> None:
    class Broken(Memory):
        def apply(self, change: object, item: object) -> None:
            raise OSError("looks like the world's fault, but is ours")

    stub.then(listing(1), stream(event("ADDED", thing("a", 2)), hold=True))
    watcher = Watcher(session, THINGS, Broken(), QUICK)
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(OSError, match="is ours"):
            await watcher.run()


async def test_cancelling_closes_the_stream(stub: Stub, session: Session) -> None:
    stub.then(listing(1), stream(bookmark(2), hold=True))
    async with watching(session):
        await stub.until_seen(2)
    await stub.quiet()
