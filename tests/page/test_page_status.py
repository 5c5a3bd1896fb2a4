"""What /v1/status says, that it is small and quickly made, and what is said with the page; no browser."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter, process_time
from typing import Any, cast

import aiohttp
import pytest
from scene import HOSTILE, afternoon, crowd, hostile, operator, standby

import builders as b
from batchyard.engine import status_walk
from batchyard.engine.status import LARGEST, Overview
from batchyard.world.store import Store

CROWD = int(os.environ.get("BATCHYARD_PAGE_JOBS", "3000"))


@asynccontextmanager
async def served(store: Store, **more: Any) -> AsyncIterator[str]:
    server = operator(store, **more)
    await server.start("127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop()


async def sections(store: Store, now: float = b.NOW) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await Overview(store, lambda: now).sections())
    return found


def row(table: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [item for item in table["items"] if item["name"] == name]
    return cast("dict[str, Any]", found)


async def test_queues_tell_their_counts_and_why_the_first_in_line_waits() -> None:
    found = await sections(afternoon())
    assert [item["name"] for item in found["queues"]["items"]] == ["urgent", "default", "nightly"]
    urgent, default, nightly = found["queues"]["items"]
    assert (urgent["head"]["name"], urgent["oldestSeconds"]) == ("hotfix", 15)
    assert urgent["head"]["reason"] == "NodesStarting"
    assert "spot-9kd4-1" in urgent["head"]["message"]
    assert default["jobs"]["running"] == 8
    assert (nightly["phase"], nightly["head"]["reason"]) == ("Held", "QueueHeld")
    assert (urgent["budget"]["amount"], urgent["budget"]["window"], default["budget"]) == ("50", "24 h", None)
    assert [(each["share"], each["amount"]) for each in urgent["shareBudgets"]] == [("team*", "20")]
    assert default["cost"] == {"jobs": 18, "amount": "1.584330", "wasted": "1.270120"}


async def test_environments_tell_their_size_and_price() -> None:
    spot = row((await sections(afternoon()))["environments"], "spot")
    assert spot["nodes"] == {"ready": 3, "launching": 1, "draining": 0, "failed": 0}
    assert spot["vCpus"] == {"min": 0, "desired": 32, "provisioned": 24, "used": 32, "max": 32}
    assert spot["pricePerHour"] == "0.48", "four machines at 0.12, the one that starts too"
    lab = row((await sections(afternoon()))["environments"], "lab")
    assert (lab["phase"], lab["pricePerHour"]) == ("Invalid", "0")
    assert "docker.sock" in lab["message"]


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("too-large", "JobTooLarge", "needs cpu 64"),
        ("simulate", "ConsumableTooLarge", "matlab"),
        ("report", "WaitingForDependencies", "waits for 2 of 2"),
        ("backup", "QueueHeld", "held"),
        ("lost", "QueueNotFound", "nowhere"),
    ],
)
async def test_what_waits_says_why(name: str, reason: str, words: str) -> None:
    found = row((await sections(afternoon()))["waiting"], name)
    assert found["reason"] == reason
    assert words in found["message"]
    assert found["created"] < b.NOW


async def test_places_are_those_of_the_line_and_come_with_an_estimate() -> None:
    waiting = (await sections(afternoon()))["waiting"]
    default = [item for item in waiting["items"] if item["queue"] == "default" and item["position"]]
    assert [item["position"] for item in default] == list(range(1, len(default) + 1))
    (coming,) = [item["estimatedStart"] for item in default if item["name"] == "transcode-0"]
    assert b.NOW < coming["p50"] < coming["p90"]
    assert row(waiting, "too-large")["estimatedStart"] is None
    assert waiting["total"] == sum(entry["jobs"] for entry in waiting["reasons"]) >= len(waiting["items"])


async def test_what_runs_says_where_since_when_and_in_which_attempt() -> None:
    running = (await sections(afternoon()))["running"]
    encode = row(running, "encode-3")
    assert (encode["node"], encode["environment"], encode["attempt"]) == ("spot-7hx2-1", "spot", 2)
    assert encode["since"] == b.NOW - 430
    frames = row(running, "frames")
    assert (frames["pods"], frames["node"], frames["nodes"]) == (2, "spot-9kd4-0", 1)


async def test_what_has_ended_says_how_the_latest_first() -> None:
    found = await sections(afternoon())
    assert [item["name"] for item in found["ended"]["items"]] == ["thumbnails", "train", "licence-check", "etl"]
    train = row(found["ended"], "train")
    assert (train["phase"], train["reason"], train["attempts"], train["cost"]) == (
        "Failed",
        "OutOfMemory",
        3,
        "1.270000",
    )
    assert found["cost"]["pricePerHour"] == "0.8200"
    assert (found["cost"]["amount"], found["cost"]["wasted"]) == ("1.584330", "1.270120")


async def test_looking_changes_nothing_that_is_decided() -> None:
    looked, left = afternoon(), afternoon()
    await sections(looked)
    assert repr(b.decide(looked, b.NOW + 3).verbs) == repr(b.decide(left, b.NOW + 3).verbs)


async def test_many_jobs_give_a_small_answer_and_never_hold_the_loop() -> None:
    store = crowd(CROWD)
    longest, over = 0.0, asyncio.Event()

    async def pulse() -> None:
        nonlocal longest
        while not over.is_set():
            began = process_time()  # of the processor: whoever else is busy on this machine does not count
            await asyncio.sleep(0)
            longest = max(longest, process_time() - began)

    beat = asyncio.create_task(pulse())
    overview, began, cpu = Overview(store, lambda: b.NOW), perf_counter(), process_time()
    answer = await overview.sections()
    took, cpu = perf_counter() - began, process_time() - cpu
    over.set()
    await beat
    print(f"\n{CROWD} jobs: {len(answer)} bytes, {cpu:.3f} CPU-s in {took:.3f} s, longest hold {longest:.4f} s")
    assert len(answer) <= LARGEST
    found = json.loads(answer)
    assert found["waiting"]["total"] >= CROWD
    assert len(found["waiting"]["items"]) <= 2 * status_walk.KEPT
    assert longest < 0.05


async def test_rows_give_way_until_the_answer_is_small_enough() -> None:
    store = hostile()
    for number in range(300):
        store.apply(b.queue(f"q-{number}", status={"message": "\x00" * 5000}))
    answer = await Overview(store).sections()
    assert len(answer) <= LARGEST
    assert json.loads(answer)["queues"]["total"] == 303


async def test_all_who_ask_at_once_share_one_walk_and_it_is_good_for_a_second() -> None:
    clock = [100.0]
    overview = Overview(afternoon(), clock=lambda: clock[0])
    answers = await asyncio.gather(*(overview.sections() for _ in range(20)))
    assert len(set(answers)) == 1
    clock[0] += 0.9
    await overview.sections()
    assert overview.walks == 1
    clock[0] += 0.2
    await overview.sections()
    assert overview.walks == 2


async def test_the_page_is_served_with_headers_that_shut_strangers_out() -> None:
    async with served(hostile()) as url, aiohttp.ClientSession() as client:
        for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
            answer = await client.get(url + path)
            assert (answer.status, answer.content_type) == (200, kind)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        answer = await client.get(url + "/v1/status")
        assert answer.content_type == "application/json"
        found = await answer.json()
        assert (found["role"], found["problems"]) == ("leader", [])
        assert {queue["message"] for queue in found["queues"]["items"]} == {HOSTILE}, "escaped where it is shown"
        for path in ("/", "/v1/status"):
            for verb in ("post", "put", "delete", "patch"):
                assert (await getattr(client, verb)(url + path)).status == 405


async def test_every_link_is_relative_so_that_any_prefix_will_do() -> None:
    async with served(Store()) as url, aiohttp.ClientSession() as client:
        for path in ("/", "/page.css", "/page.js"):
            text = await (await client.get(url + path)).text()
            assert (
                re.findall(r"""(?:href|src|action)=["']/|url\(["']?/|(?:fetch|ask\w*)\([`"']/|https?://""", text) == []
            )


async def test_a_standby_says_so_and_who_leads() -> None:
    async with served(Store(), candidate=standby("batchyard-0")) as url, aiohttp.ClientSession() as client:
        found = await (await client.get(url + "/v1/status")).json()
        assert (found["role"], found["leader"], found["identity"]) == ("standby", "batchyard-0", "other")
        assert "queues" not in found
        answer = await client.get(url + "/v1/explain/a/b")
        assert answer.status == 503
        assert "this operator stands by and knows no jobs; batchyard-0 leads" in await answer.text()


async def test_the_page_can_be_switched_off() -> None:
    async with served(Store(), show=False) as url, aiohttp.ClientSession() as client:
        for path, status in (("/", 404), ("/v1/status", 404), ("/healthz", 200)):
            assert (await client.get(url + path)).status == status
