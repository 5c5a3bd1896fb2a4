"""The status of an array stays below 200 kB whatever its children do, and loses nothing that is not to be had again."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import orjson
import pytest

from batchyard.decide.cycle import Standing
from batchyard.decide.record import compose
from batchyard.decide.summary import ATTEMPTS
from batchyard.decide.tally import Tally
from batchyard.model.phase import Phase
from batchyard.world import parse
from batchyard.world.children import ROUGH, Recorded, recorded
from batchyard.world.indexes import full, gather, text
from batchyard.world.views import Attempt
from builders import job_body

SIZE = 100_000
LIMIT = 200_000  # bytes of the whole object
CHANCE = random.Random(4)
KINDS = [(counted + free, counted) for counted in range(10) for free in range(22) if counted + free]
LONG = "x" * 63
# Characters that take most bytes in JSON: a control character, and one beyond the basic plane.
WORDS = {"plain": "word " * 400, "control": "\x01" * 2000, "emoji": "\U0001f4a5" * 2000}

State = tuple[str, tuple[int, int] | None]  # what a child is, and its (attempts, counted)


def alternating(index: int) -> State:
    return ("succeeded", "failed")[index % 2], None


def anything(_: int) -> State:
    what = CHANCE.choice(["succeeded", "failed", "running", "waiting"])
    return what, CHANCE.choice([None, *KINDS]) if what in ("running", "waiting") else None


def all_retried(_: int) -> State:
    return CHANCE.choice(["running", "waiting"]), CHANCE.choice(KINDS)


def counted_only(_: int) -> State:
    number = CHANCE.randrange(1, 10)
    return CHANCE.choice(["running", "waiting", "failed", "succeeded"]), (number, number)


def ten_of_each(_: int) -> State:
    number = CHANCE.randrange(10)
    return CHANCE.choice(["running", "waiting"]), (number, number) if number else None


def halves(_: int) -> State:
    return CHANCE.choice(["succeeded", "failed"]), None


def one_kind_each_third(index: int) -> State:
    return ("running", "waiting", "failed")[index % 3], KINDS[index % len(KINDS)] if index % 3 < 2 else None


def everyone(_: int) -> State:
    return "succeeded", None


PATTERNS = [alternating, anything, all_retried, counted_only, ten_of_each, halves, one_kind_each_third, everyone]


def attempts(words: str) -> list[Attempt]:
    """Return far more failed attempts than are kept, with the longest names and messages that there are."""
    return [
        Attempt(
            number=1 + number % 10, index=99_000 + number, pod=f"{LONG[:50]}-{99_000 + number}-1", node=LONG,
            compute_environment=LONG, instance_type=LONG, capacity_type="OnDemand", container=LONG, exit_code=137,
            started_at="2027-01-15T08:00:00Z", stopped_at=f"2027-01-15T08:{number // 60:02}:{number % 60:02}Z",
            reason="CannotStartContainer", message=WORDS[words], counted=True, cost="123456.123456",
        )
        for number in range(300)
    ]  # fmt: skip


def tally_of(states: Iterable[State], new: list[Attempt]) -> Tally:
    sets, groups = defaultdict(list), defaultdict(list)
    for index, (what, kind) in enumerate(states):
        sets[what].append(index)
        if kind is not None and what in ("running", "waiting"):
            groups[kind].append(index)
    live = gather(sets["running"], SIZE)
    return Tally(
        SIZE, full(SIZE), Recorded(), gather(sets["succeeded"], SIZE), gather(sets["failed"], SIZE), live, live, live,
        retried={kind: gather(group, SIZE) for kind, group in groups.items()}, new=new,
    )  # fmt: skip


def written(tally: Tally) -> dict[str, Any]:
    """Return the whole object as the API server would keep it."""
    body = job_body("a", array={"size": SIZE, "tolerateFailures": "50%"})
    standing = Standing(parse.job(body), Phase.Running, message="m" * 4000, children=tally)
    status = {name: value for name, value in compose(standing, ()).items() if value is not None}
    return {**body, "status": status}


@pytest.mark.parametrize(
    ("pattern", "words"),
    [*((pattern, "control") for pattern in PATTERNS), (all_retried, "plain"), (all_retried, "emoji")],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_any_pattern_stays_small_and_comes_back(pattern: Callable[[int], State], words: str) -> None:
    tally = tally_of(map(pattern, range(SIZE)), attempts(words))
    body = written(tally)
    encoded = orjson.dumps(body)
    assert len(encoded) < LIMIT
    back = recorded(parse.job(orjson.loads(encoded)))
    assert (back.succeeded, back.failed, back.running) == (tally.succeeded, tally.failed, tally.there)
    counted: defaultdict[int, int] = defaultdict(int)
    for (_, number), group in tally.retried.items():
        counted[number] |= group
    again: defaultdict[int, int] = defaultdict(int)
    for _, number, group in back.retried:
        again[number] |= group
    assert again == counted, "how many attempts each child has used up is never lost"
    for number, _, group in back.retried:
        for (real, _), members in tally.retried.items():
            assert not group & members or number == real or (number > ROUGH and number - ROUGH >= real)
    kept = body["status"]["array"]["attempts"]
    assert len(kept) <= ATTEMPTS
    assert kept[-1]["index"] == 99_299, "the last attempt is always told"


def test_the_longest_that_users_write_fits_too() -> None:
    body = written(tally_of(map(all_retried, range(SIZE)), attempts("control")))
    scattered = text(gather((index for index in range(SIZE) if CHANCE.random() < 0.5), SIZE))
    body["spec"]["array"]["indexes"] = scattered
    body["spec"]["stop"] = {"mode": "Terminate", "reason": "r" * 1024, "indexes": scattered}
    assert len(orjson.dumps(body)) < LIMIT


def test_the_attempts_of_few_are_told_whole() -> None:
    tally = tally_of([("failed", None)] * SIZE, attempts("plain")[:5])
    kept = written(tally)["status"]["array"]["attempts"]
    assert [each["message"] for each in kept] == [WORDS["plain"]] * 5


def test_attempts_that_succeeded_make_room_for_those_that_failed() -> None:
    made = attempts("plain")
    done = [msgspec.structs.replace(each, reason="Completed", message=None) for each in made[::2]]
    kept = written(tally_of([("succeeded", None)] * SIZE, [*done, *made[1::2]]))["status"]["array"]["attempts"]
    assert all(each["reason"] != "Completed" for each in kept)


def test_what_is_written_twice_is_written_the_same() -> None:
    """From the record alone, without pods, the next status is the same."""
    body = written(tally_of(map(anything, range(SIZE)), attempts("plain")))
    record = recorded(parse.job(body))
    again = Tally(
        SIZE, full(SIZE), record, record.succeeded, record.failed, record.running, record.running, record.running,
        retried={(attempts, counted): group for attempts, counted, group in record.retried},
    )  # fmt: skip
    assert written(again)["status"]["array"] == body["status"]["array"]
