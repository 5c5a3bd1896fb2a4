"""Advice end to end, against a small HTTP server: what is asked, how often, and what is written on a definition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import orjson
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from batchyard.engine.advice import Advisor, Sources
from batchyard.engine.answers import Answers
from batchyard.engine.bell import Bell
from batchyard.engine.fleet import Fleet
from batchyard.engine.hands import Hands
from batchyard.engine.imagesizes import ImageSizes
from batchyard.engine.usage import Usage
from batchyard.kube.session import Session
from batchyard.kube.write import Writer
from batchyard.model.resources import Resources
from batchyard.world.store import Store
from batchyard.world.views import Key
from builders import NOW, definition, job, pod, pool_of, running, store, succeeded, valid
from kube.stub import Stub, answer, listing, status, stub_server
from kube.things import anonymous

METRICS = "/apis/metrics.k8s.io/v1beta1/pods"
RENDER = Key("default", "render")


def metrics(name: str, cpu: str = "100000000n", memory: str = "51200Ki") -> dict[str, Any]:
    """Return a PodMetrics as metrics-server sends it."""
    usage = {"cpu": cpu, "memory": memory}
    return {"metadata": {"name": name, "namespace": "default"}, "timestamp": "2027-01-15T08:00:00Z", "window": "15s",
            "containers": [{"name": "main", "usage": usage}]}  # fmt: skip


class Desk:
    """An advisor over a store, with a clock that stands still."""

    def __init__(self, stub: Stub, session: Session, known: Store) -> None:
        self.stub, self.store, self.at = stub, known, 0.0
        self.writer = Writer(session)
        bell = Bell()
        hands = Hands(known, bell, self.writer, cast(Fleet, None), Answers(known, bell, session), "batchyard-system")
        self.usage = Usage(session, ("",), 60.0, lambda: self.at)
        sources = Sources(self.usage, ImageSizes(session), lambda: NOW)
        self.advisor = Advisor(hands, sources, 60.0, lambda: self.at)

    async def look(self, after: float = 60.0) -> None:
        self.at += after
        await self.advisor.look()
        await self.writer.drain()

    @property
    def asked(self) -> list[str]:
        return [path for method, path, *_ in self.stub.seen if method == "GET"]

    @property
    def written(self) -> list[dict[str, Any]]:
        return [orjson.loads(body)["status"] for method, _, _, body in self.stub.seen if method == "PATCH"]


def three() -> Store:
    """Return three pods of one definition that run; its image names no version."""
    jobs = [job(name, definition={"name": "render"}) for name in "abc"]
    pods = [pod(name, revision=1, phase="Running", containers=(running(),)) for name in "abc"]
    return store(*pool_of("n1"), definition(status=valid()), *jobs, *pods)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stub_server() as server:
        yield server


@pytest.fixture
async def session(stub: Stub) -> AsyncIterator[Session]:
    async with Session(anonymous(stub.url)) as made:
        yield made


@pytest.fixture
async def desk(stub: Stub, session: Session) -> AsyncIterator[Desk]:
    async def serve(request: web.Request) -> web.StreamResponse:
        if request.path == METRICS:
            return await listing(0, *(metrics(f"{name}-1") for name in "abc"))(request)
        if request.path == "/api/v1/nodes/n1":
            images = [{"names": ["docker.io/library/busybox:latest"], "sizeBytes": 2 * 2**30}]
            return await answer({"status": {"images": images}})(request)
        return await answer({})(request)

    stub.default = serve
    made = Desk(stub, session, three())
    running_ = asyncio.create_task(made.writer.run())
    yield made
    await made.writer.close()
    await running_


def conditions(written: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in written["conditions"]}


async def test_a_definition_is_told_at_most_once_in_ten_minutes(desk: Desk) -> None:
    await desk.look()
    assert [conditions(each) for each in desk.written] == [
        {"Valid": ("True", "Accepted"), "ImagesReady": ("False", "ImageUnpinned")}
    ]
    for name in "abc":
        desk.store.apply(succeeded(name, revision=1))
    await desk.look()
    assert len(desk.written) == 1, "what has been written a minute ago rests"
    await desk.look(600)
    assert len(desk.written) == 2
    assert conditions(desk.written[1])["RightSized"] == ("False", "RequestsTooLarge")
    assert desk.written[1]["advice"]["suggested"] == {"cpu": "150m", "memory": "64Mi"}
    assert desk.written[1]["advice"]["savesPerThousandPods"] == "0.100347", "of ten seconds each"
    (told,) = [c for c in desk.written[1]["conditions"] if c["type"] == "ImagesReady"]
    assert "2.0 GiB" not in told["message"], "why and whether are the same: it is not written for that"
    await desk.look(6000)
    assert len(desk.written) == 2


async def test_one_request_a_look_and_none_where_no_pod_of_a_definition_lives(desk: Desk) -> None:
    await desk.look()
    await desk.look()
    assert desk.asked == [METRICS] * 2
    assert desk.stub.seen[0][2] == {"labelSelector": "batchyard.dev/job-uid", "limit": "500"}
    for name in "abc":
        desk.store.apply(succeeded(name, revision=1))
    await desk.look(600)
    await desk.look(600)
    assert desk.asked == [METRICS, METRICS, "/api/v1/nodes/n1"], "a node is asked once for an image"


async def test_a_definition_is_told_of_its_images_once_it_is_checked(desk: Desk) -> None:
    desk.store.apply(definition(status={}))
    await desk.look()
    assert desk.written == []
    desk.store.apply(definition(status=valid()))
    await desk.look()
    assert len(desk.written) == 1


async def test_somebody_else_s_pods_say_nothing(desk: Desk) -> None:
    desk.store.remove(desk.store.pods[Key("default", "a-1")])
    await desk.look()
    assert len(desk.store.sightings[RENDER].live) == 2


async def test_without_a_metrics_api_it_is_quiet_and_asks_seldom(stub: Stub, session: Session) -> None:
    at = [0.0]
    usage = Usage(session, ("",), 60.0, lambda: at[0])
    stub.then(status(404, "NotFound"), status(503, "ServiceUnavailable"), listing(0, metrics("a-1")))
    with capture_logs() as lines:
        for moment in (0, 60, 299, 300, 599, 600):
            at[0] = moment
            found = await usage.now()
    assert len(stub.seen) == 3
    assert found == {Key("default", "a-1"): Resources(cpu=100, memory=50 * 2**20)}
    assert [(line["event"].partition(":")[0], line["log_level"]) for line in lines] == [
        ("no metrics API", "info"), ("metrics API found", "info"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "broken", [status(403, "Forbidden", "no right"), status(500, "InternalError"), answer({"items": [{"x": 1}]})]
)
async def test_one_that_fails_is_named_once(stub: Stub, session: Session, broken: Any) -> None:
    at = [0.0]
    usage = Usage(session, ("",), 60.0, lambda: at[0])
    stub.then(broken, broken)
    with capture_logs() as lines:
        for moment in (0, 300):
            at[0] = moment
            assert await usage.now() == {}
    (line,) = lines
    assert line["log_level"] == "warning"


@pytest.mark.parametrize(
    ("cpu", "memory", "read"),
    [("1n", "1Ki", (1, 1024)), ("250m", "3Mi", (250, 3 * 2**20)), ("2", "4096", (2000, 4096)), ("0", "0", (0, 0))],
)
async def test_amounts_as_any_server_may_write_them(
    stub: Stub, session: Session, cpu: str, memory: str, read: tuple[int, int]
) -> None:
    stub.then(listing(0, metrics("a-1", cpu, memory)))
    (found,) = (await Usage(session, ("",), 60.0).now()).values()
    assert (found.cpu, found.memory) == read


async def test_in_some_namespaces_each_is_asked(stub: Stub, session: Session) -> None:
    stub.default = listing(0)
    assert await Usage(session, ("one", "two"), 60.0).now() == {}
    paths = [path for _, path, *_ in stub.seen]
    assert paths == [f"/apis/metrics.k8s.io/v1beta1/namespaces/{name}/pods" for name in ("one", "two")]


async def test_a_node_that_is_gone_is_asked_once(stub: Stub, session: Session) -> None:
    sizes = ImageSizes(session)
    stub.then(status(404, "NotFound"))
    assert await sizes.learn(["docker.io/library/app:1"], "n1")
    assert not await sizes.learn(["docker.io/library/app:1"], "n1")
    assert sizes == {"docker.io/library/app:1": 0}
