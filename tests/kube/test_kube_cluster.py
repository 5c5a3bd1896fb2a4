"""The same against the real API server: nothing it does may surprise us."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from batchyard.kube import paths
from batchyard.kube.lease import Candidate, LeaseMetadata, Terms
from batchyard.kube.session import Credentials, Session
from batchyard.kube.watch import Target, Watcher
from batchyard.kube.write import Effort, Intent, Kind, Outcome, Writer
from kube.cable import cable_to
from kube.things import DEADLINE, QUICK, SOON, Memory, Thing, until

pytestmark = pytest.mark.cluster

KUBECONFIG = os.environ.get("KUBECONFIG") or str(Path(__file__).parents[2] / ".cluster/kubeconfig")


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with Session(Credentials.load(KUBECONFIG)) as opened:
        yield opened


@pytest.fixture
async def namespace(session: Session) -> AsyncIterator[str]:
    name = f"kube-test-{uuid4().hex[:8]}"
    body = orjson.dumps({"metadata": {"name": name}})
    (await session.request("POST", paths.core("namespaces"), body=body)).expect_ok()
    yield name
    (await session.request("DELETE", paths.core("namespaces", name=name))).expect_ok()


@pytest.fixture
async def writer(session: Session) -> AsyncIterator[Writer]:
    writer = Writer(session)
    task = asyncio.create_task(writer.run())
    yield writer
    async with asyncio.timeout(DEADLINE):
        await writer.close()
        await task


class Maps:
    """Intents on the ConfigMaps of one namespace, and how they ended."""

    def __init__(self, namespace: str, writer: Writer) -> None:
        self.namespace = namespace
        self.writer = writer
        self.outcomes: list[tuple[str, Outcome]] = []

    def send(self, method: str, name: str, **metadata: object) -> None:
        value = str(metadata.pop("value", ""))
        body = {"metadata": {"name": name, "labels": {"test": "yes"}, **metadata}, "data": {"value": value}}
        path = paths.core("configmaps", self.namespace, "" if method == "POST" else name)
        encoded = None if method == "DELETE" else orjson.dumps(body)
        self.writer.submit(Intent(name, 1, method, path, encoded, lambda end: self.outcomes.append((name, end))))

    async def settled(self) -> list[Outcome]:
        async with asyncio.timeout(DEADLINE):
            await self.writer.drain()
        outcomes, self.outcomes = self.outcomes, []
        return [outcome for _, outcome in outcomes]


@pytest.fixture
def maps(namespace: str, writer: Writer) -> Maps:
    return Maps(namespace, writer)


async def test_what_is_written_is_watched(session: Session, namespace: str, maps: Maps) -> None:
    maps.send("POST", "before", value="1")
    await maps.settled()
    sink = Memory()
    target = Target(paths.core("configmaps", namespace), Thing, label_selector="test=yes")
    watcher = Watcher(session, target, sink, QUICK)
    task = asyncio.create_task(watcher.run())
    await until(watcher.synced.is_set)
    assert list(sink.things) == ["before"], "kube-root-ca.crt has no such label"
    for number in range(50):
        maps.send("POST", f"m{number}", value="1")
    assert {end.kind for end in await maps.settled()} == {Kind.DONE}
    for number in range(50):
        maps.send("PATCH", f"m{number}", value="2")
    assert {end.kind for end in await maps.settled()} == {Kind.DONE}
    await until(lambda: len(sink.things) == 51 and {t.data["value"] for t in sink.things.values()} == {"1", "2"})
    for number in range(50):
        maps.send("DELETE", f"m{number}")
    await maps.settled()
    await until(lambda: list(sink.things) == ["before"])
    assert len(sink.lists) == 1
    task.cancel()


async def test_deleted_unseen_is_found_by_the_next_list(session: Session, namespace: str, maps: Maps) -> None:
    for name in ("stays", "goes"):
        maps.send("POST", name)
    await maps.settled()
    sink = Memory()
    target = Target(paths.core("configmaps", namespace), Thing, label_selector="test=yes")
    first = asyncio.create_task(Watcher(session, target, sink, QUICK).run())
    await until(lambda: len(sink.things) == 2)
    first.cancel()
    maps.send("DELETE", "goes")
    await maps.settled()
    second = asyncio.create_task(Watcher(session, target, sink, QUICK).run())
    await until(lambda: list(sink.things) == ["stays"])
    second.cancel()


async def test_a_version_from_the_far_past_lists_anew(session: Session, namespace: str, maps: Maps) -> None:
    maps.send("POST", "one")
    await maps.settled()
    sink = Memory()
    watcher = Watcher(session, Target(paths.core("configmaps", namespace), Thing, "test=yes"), sink, QUICK)
    watcher._version, watcher._relist_at = "1", float("inf")
    task = asyncio.create_task(watcher.run())
    await until(watcher.synced.is_set)
    assert list(sink.things) == ["one"]
    task.cancel()


async def test_pages_hold_every_object_once(session: Session, namespace: str, maps: Maps) -> None:
    for number in range(1100):
        maps.send("POST", f"m{number}")
    assert {end.kind for end in await maps.settled()} == {Kind.DONE}
    listed = await session.list(paths.core("configmaps", namespace), Thing, {"labelSelector": "test=yes"})
    assert len(listed.items) == len({item.metadata.name for item in listed.items}) == 1100
    assert int(listed.version) > 0


async def test_of_many_writes_to_one_object_the_last_one_counts(session: Session, namespace: str, maps: Maps) -> None:
    maps.send("POST", "one", value="0")
    await maps.settled()
    for number in range(1, 101):
        maps.send("PATCH", "one", value=str(number))
        if number % 20 == 0:
            await asyncio.sleep(0)
    kinds = [outcome.kind for outcome in await maps.settled()]
    assert kinds.count(Kind.DONE) < 20
    assert kinds.count(Kind.DONE) + kinds.count(Kind.SUPERSEDED) == 100
    found = await session.get_json(paths.core("configmaps", namespace, "one"))
    assert found["data"]["value"] == "100"


async def test_conflicts_and_refusals_come_with_reasons(session: Session, namespace: str, maps: Maps) -> None:
    maps.send("POST", "one", value="0")
    [created] = await maps.settled()
    version = orjson.loads(created.body)["metadata"]["resourceVersion"]
    maps.send("POST", "one", value="1")
    [existing] = await maps.settled()
    assert (existing.kind, existing.reason) == (Kind.CONFLICT, "AlreadyExists")
    maps.send("PATCH", "one", value="2", resourceVersion=version)
    assert [end.kind for end in await maps.settled()] == [Kind.DONE]
    maps.send("PATCH", "one", value="3", resourceVersion=version)
    [conflict] = await maps.settled()
    assert (conflict.kind, conflict.reason) == (Kind.CONFLICT, "Conflict")
    assert "has been modified" in conflict.message
    maps.send("PATCH", "absent", value="3")
    assert [end.kind for end in await maps.settled()] == [Kind.GONE]
    maps.send("POST", "Not_a_Name")
    [invalid] = await maps.settled()
    assert (invalid.kind, invalid.reason) == (Kind.REFUSED, "Invalid")
    assert "metadata.name" in invalid.message


async def test_an_exceeded_quota_says_so(session: Session, namespace: str, maps: Maps) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/configmaps": "0"}}}
    body = orjson.dumps(quota)
    (await session.request("POST", paths.core("resourcequotas", namespace), body=body)).expect_ok()
    names = (f"m{number}" for number in count())
    async with asyncio.timeout(DEADLINE):
        while True:  # a new quota counts from when the server's admission has seen it
            maps.send("POST", next(names))
            [last] = await maps.settled()
            if last.kind is not Kind.DONE:
                break
    assert (last.kind, last.status, last.reason) == (Kind.REFUSED, 403, "Forbidden")
    assert "exceeded quota: none" in last.message


async def test_a_cut_cable_loses_nothing(session: Session, namespace: str) -> None:
    direct = session.credentials
    async with (
        cable_to(direct.server) as cable,
        Session(replace(direct, server=f"https://127.0.0.1:{cable.port}")) as shaky,
    ):
        sink, writer = Memory(), Writer(shaky, effort=Effort(backoff=SOON))
        maps = Maps(namespace, writer)
        target = Target(paths.core("configmaps", namespace), Thing, label_selector="test=yes")
        watcher = Watcher(shaky, target, sink, QUICK)
        tasks = [asyncio.create_task(watcher.run()), asyncio.create_task(writer.run())]
        await until(watcher.synced.is_set)
        for wave in range(3):
            for number in range(100):
                maps.send("POST", f"m{wave}-{number}")
            await until(lambda wave=wave: len(sink.things) > wave * 100 + 20)
            cable.cut()
            await until(lambda seen=cable.breaks: cable.breaks > seen + 20)
            cable.mend()
            ends = await maps.settled()
            assert {end.kind for end in ends} <= {Kind.DONE, Kind.CONFLICT}, "made, or found made"
            await until(lambda wave=wave: len(sink.things) == (wave + 1) * 100)
        assert len(sink.lists) == 1, "a cut is no reason to list anew"
        for task in tasks:
            task.cancel()


async def test_two_candidates_one_leader_and_a_successor(session: Session, namespace: str) -> None:
    terms = Terms(duration=2.0, renew_deadline=1.5, retry_period=0.3)
    place = LeaseMetadata(name="batchyard", namespace=namespace)
    one, two = (Candidate(session, place, name, terms) for name in ("one", "two"))
    first = asyncio.create_task(one.run())
    await until(one.elected.is_set)
    second = asyncio.create_task(two.run())
    lease = paths.lease(namespace, "batchyard")
    renewals: set[str] = set()
    async with asyncio.timeout(DEADLINE):
        while len(renewals) < 10:
            renewals.add((await session.get_json(lease))["spec"]["renewTime"])
            await asyncio.sleep(terms.retry_period / 4)
    assert one.token.valid()
    assert not two.elected.is_set(), "more than a duration has passed"
    first.cancel()
    await until(two.elected.is_set)
    assert not one.token.valid(), "the old token expired before the new one began"
    spec = (await session.get_json(lease))["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 1)
    second.cancel()
    with suppress(asyncio.CancelledError):
        await second
    await two.release()
    three = Candidate(session, place, "three", replace(terms, duration=3600, renew_deadline=3000))
    third = asyncio.create_task(three.run())
    await until(three.elected.is_set)
    third.cancel()
