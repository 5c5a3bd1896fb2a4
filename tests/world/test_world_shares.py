"""The ledger of shares: nothing is lost and nothing counted twice, in whatever order things are heard."""

from __future__ import annotations

import random
from math import exp
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.model.resources import Resources
from batchyard.world.parse import rfc3339
from batchyard.world.snapshot import fork
from batchyard.world.store import Store
from batchyard.world.views import Pod, Queue
from builders import NOW, exited, newer, pod, queue, running, store

DECAY = 600.0


def told(usage: float, at: float, share: str = "a") -> dict[str, Any]:
    return {"shares": [{"share": share, "usage": str(usage), "updatedAt": rfc3339(at)}]}


def fair(**status: Any) -> Queue:
    return queue(policy="fair", status=status)


def holds(name: str, since: float, cpu: int = 1000, **fields: Any) -> Pod:
    given = {"queue": "default", "share": "a", "created": since, "requests": Resources(cpu=cpu, pods=1), **fields}
    return pod(name, containers=(running(since),), **given)


def over(view: Pod, at: float) -> Pod:
    return newer(view, phase="Succeeded", containers=(exited(0, at),))


def usage(known: Store, now: float, share: str = "a") -> float:
    account = known.ledger.accounts["default"].get(share)
    return account.usage(now, DECAY) if account else 0.0


def used(start: float, end: float, now: float, vcpus: float = 1.0) -> float:
    return vcpus * DECAY * (exp((end - now) / DECAY) - exp((start - now) / DECAY))


def test_a_live_pod_counts_from_its_creation_and_an_ended_one_until_its_end() -> None:
    known = store(fair(), view := holds("x", NOW, 2000))
    assert usage(known, NOW + 60) == pytest.approx(used(NOW, NOW + 60, NOW + 60, 2))
    known.apply(over(view, NOW + 60))
    assert usage(known, NOW + 100) == pytest.approx(used(NOW, NOW + 60, NOW + 100, 2))


def test_what_is_told_again_counts_once() -> None:
    known = store(fair(), view := holds("x", NOW))
    ended = over(view, NOW + 60)
    for event in (ended, ended, newer(ended), newer(ended, deleting=NOW + 70)):
        known.apply(event)
    known.remove(newer(ended))
    known.replace([], [ended], "1")
    assert usage(known, NOW + 100) == pytest.approx(used(NOW, NOW + 60, NOW + 100))


def test_a_pod_that_was_never_made_counts_nothing() -> None:
    known = store(fair(), view := holds("x", NOW, uid="", version=""))
    known.retract_pod(("default", view.name))  # type: ignore[arg-type]
    assert usage(known, NOW + 60) == 0
    assert not known.ledger.accounts["default"]


def test_what_the_status_has_counted_is_not_counted_again() -> None:
    known = store(fair(**told(500, NOW)), view := holds("x", NOW - 100), over(holds("y", NOW - 90), NOW - 5))
    assert usage(known, NOW + 60) == pytest.approx(500 * exp(-0.1) + used(NOW, NOW + 60, NOW + 60))
    known.apply(over(view, NOW + 30))
    assert usage(known, NOW + 60) == pytest.approx(500 * exp(-0.1) + used(NOW, NOW + 30, NOW + 60))


def test_what_ended_while_no_operator_ran_counts_as_long_as_its_pod_is_there() -> None:
    known = store(over(holds("y", NOW - 50), NOW + 20), fair(**told(500, NOW)))
    assert usage(known, NOW + 60) == pytest.approx(500 * exp(-0.1) + used(NOW, NOW + 20, NOW + 60))


def test_an_older_status_takes_nothing_back() -> None:
    known = store(fair(**told(100, NOW)), view := holds("x", NOW - 10))
    known.apply(over(view, NOW + 5))
    before = usage(known, NOW + 10)
    newest = known.queues["default"]
    known.apply(newer(newest, status=told(before, NOW + 10)))
    for late in (told(100, NOW), {}):
        known.apply(newer(newest, status=late))
        assert usage(known, NOW + 10) == pytest.approx(before)


def test_a_pod_whose_end_nobody_saw_counts_as_far_as_it_was_told_of() -> None:
    known = store(fair(**told(100, NOW)), view := holds("x", NOW - 10))
    known.remove(view)
    assert usage(known, NOW + 60) == pytest.approx(100 * exp(-0.1))


def test_what_happens_in_a_copy_is_not_counted() -> None:
    known = store(fair(), view := holds("x", NOW))
    twin = fork(known, ())
    twin.apply(over(view, NOW + 5))
    twin.apply(holds("y", NOW + 5, share="b"))
    assert usage(known, NOW + 60) == pytest.approx(used(NOW, NOW + 60, NOW + 60))
    assert usage(twin, NOW + 60) == pytest.approx(used(NOW, NOW + 5, NOW + 60))
    assert list(known.ledger.accounts["default"]) == ["a"]


def test_a_queue_made_anew_begins_anew() -> None:
    known = store(old := fair(**told(500, NOW)))
    known.remove(old)
    known.apply(msgspec.structs.replace(fair(), uid="other"))
    assert usage(known, NOW) == 0


def test_without_a_policy_nothing_is_kept_of_what_has_ended() -> None:
    known = store(over(holds("y", NOW - 50), NOW), view := holds("x", NOW))
    known.apply(queue())
    known.apply(over(view, NOW + 5))
    assert not known.ledger.accounts["default"] or not known.ledger.accounts["default"]["a"].ended


PODS = st.lists(st.tuples(st.integers(-200, 100), st.integers(1, 200), st.sampled_from([500, 1000, 3000])), max_size=6)


@given(PODS, st.integers(0, 100), st.randoms(use_true_random=False))
def test_in_any_order_it_comes_to_the_same(pods: list[tuple[int, int, int]], stamp: int, order: random.Random) -> None:
    """The truth is the integral over all that was held after the status was written."""
    now, at = NOW + 300, NOW + stamp
    queued, truth = fair(**told(100, at)), 100 * exp((at - now) / DECAY)
    events: list[list[Any]] = [[queued]]
    for number, (start, seconds, cpu) in enumerate(pods):
        view = holds(f"x{number}", NOW + start, cpu)
        end = NOW + start + seconds
        later = newer(view)
        final = over(later, end)
        events.append([view, later, *([final, final] if end <= now else [])])
        truth += max(used(max(NOW + start, at), min(end, now), now, cpu / 1000), 0.0)
    known = Store()
    while any(events):
        line = order.choice([line for line in events if line])
        known.apply(line.pop(0))
    assert usage(known, now) == pytest.approx(truth, abs=1e-6)
