"""Jobs go where others stay on for long: long ones gather, and what is soon empty is left to become so."""

from __future__ import annotations

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model.machine import Shape
from batchyard.model.plan import Start
from batchyard.model.resources import Resources, read
from batchyard.world.store import Store
from builders import (
    C8,
    NOW,
    RUNS,
    attempt,
    definition,
    environment,
    job,
    machine,
    newer,
    node,
    of,
    only,
    pod,
    pool_of,
    queue,
    revision,
    running,
    store,
    succeeded,
    template,
)  # fmt: skip

HOUR = 3600


def of_kind(name: str, kind: str, **fields: Any) -> Any:
    return job(name, definition={"name": kind}, **fields)


def learnt(kind: str, minutes: int) -> Any:
    """Return a finished job, by which all of its kind are expected to take so long."""
    times = {
        "startedAt": "2027-01-15T01:00:00Z",
        "stoppedAt": f"2027-01-15T{1 + minutes // 60:02}:{minutes % 60:02}:00Z",
    }
    status = {"phase": "Succeeded", "attempts": [attempt(1, "Completed", **times)]}
    return job(f"old-{kind}", status, definition={"name": kind})


def scene(*things: Any) -> Store:
    """Return two nodes of eight vCPUs, and the kinds `long` (three hours) and `short` (three minutes) and `new`."""
    kinds = [definition(name) for name in ("long", "short", "new")]
    known = store(*pool_of("n1", "n2"), *kinds, *map(revision, kinds), learnt("long", 180), learnt("short", 3))
    for thing in things:
        known.apply(thing)
    return known


def on(name: str, kind: str, where: str, cpu: int = 1, **fields: Any) -> list[Any]:
    """Return a job that runs since NOW, and its pod."""
    takes = Resources(cpu=cpu * 1000, memory=2**30, pods=1)
    return [of_kind(name, kind), pod(name, on=where, requests=takes, **RUNS, **fields)]


def place(known: Store, now: float = NOW) -> str:
    return str(only(decide(known, now), Start).manifest["spec"]["nodeName"])


LONG_AND_SHORT = [*on("a", "long", "n1", 1), *on("b", "short", "n2", 4)]  # n2 is fuller, n1 is busy for longer


@pytest.mark.parametrize(
    ("waits", "running", "where"),
    [
        ("long", LONG_AND_SHORT, "n1"),
        ("short", LONG_AND_SHORT, "n2"),  # it ends no later than what is there: the fullest is best
        ("long", [*on("a", "long", "n1", 1), *on("b", "long", "n2", 4)], "n2"),
        ("long", [*on("a", "short", "n1", 1), *on("b", "short", "n2", 4)], "n2"),
        ("short", [*on("a", "short", "n2", 1)], "n2"),  # rather than on one that is idle
        ("new", LONG_AND_SHORT, "n1"),  # of its queue half take three hours
        ("long", [*on("a", "long", "n1", 1), *on("b", "long", "n2", 4, timeout=60)], "n1"),  # its timeout ends it
        ("long", [*on("a", "long", "n1", 8), *on("b", "short", "n2", 4)], "n2"),  # where there is room
    ],
)
def test_a_pod_goes_to_the_fullest_node_that_others_keep_busy(waits: str, running: list[Any], where: str) -> None:
    assert place(scene(*running, of_kind("j", waits))) == where


def test_what_nobody_knows_the_end_of_gathers_too() -> None:
    ends = pod("b", on="n1", requests=Resources(cpu=4000), timeout=600, **RUNS)
    running = [job("a"), pod("a", on="n2", **RUNS), job("b"), ends]
    assert place(store(*pool_of("n1", "n2"), *running, job("j"))) == "n2"


@pytest.mark.parametrize(("hours", "where"), [(0.7, "n2"), (0.8, "n1")])
def test_less_than_a_quarter_of_the_run_does_not_count(hours: float, where: str) -> None:
    """What has three hours to run keeps a node up for as long as what runs there is older."""
    since = {**RUNS, "containers": (running(NOW - hours * HOUR),)}
    older = pod("b", on="n2", requests=Resources(cpu=4000, memory=2**30, pods=1), **since)
    assert place(scene(*on("a", "long", "n1"), of_kind("b", "long"), older, of_kind("j", "long"))) == where


def test_where_one_has_been_put_the_next_may_follow_in_the_same_decision() -> None:
    plan = decide(scene(*on("b", "short", "n2", 5), of_kind("i", "long"), of_kind("j", "long")), NOW)
    assert [start.manifest["spec"]["nodeName"] for start in of(plan, Start)] == ["n2", "n2"]


def test_when_the_long_one_has_ended_its_node_is_left_alone() -> None:
    known = scene(*LONG_AND_SHORT, *on("c", "short", "n1", 1))
    known.apply(newer(succeeded("a", on="n1")))
    known.apply(of_kind("j", "long"))
    assert place(known) == "n2"


def test_devices_are_left_to_those_who_need_them() -> None:
    rich = Shape("rich", read({"cpu": "8", "memory": "16Gi", "nvidia.com/gpu": "1"}, pods=110), "3")
    things = [environment(shapes=(C8, rich)), queue(), machine("n1", rich), machine("n2"), node("n1", rich), node("n2")]
    busy = [job("a"), pod("a", on="n1", requests=Resources(cpu=4000, pods=1), **RUNS)]
    assert place(store(*things, *busy, job("j", template=template("2")))) == "n2"
