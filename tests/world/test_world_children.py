"""Pods of an array's children in the store: dropped once their end is on record, counted as long as they are there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.world.children import attempts_on_record, has_ended, recorded, to_run
from batchyard.world.indexes import full, gather, lowest, members, parse
from batchyard.world.store import Store
from batchyard.world.views import Job, Key, Pod
from builders import failed, job, newer, pod, store, succeeded


def array(size: int = 300, **on_record: Any) -> Job:
    return job("a", {"phase": "Running", "array": {"size": size, **on_record}}, array={"size": size})


def child(index: int, attempt: int = 1, make: Any = succeeded, **fields: Any) -> Pod:
    name = f"a-{index}-{attempt}"
    made: Pod = make("a", attempt, name=name, uid=f"uid-{name}", index=index, **fields)
    return made


def views(known: Store) -> set[str]:
    return set(known.pods_of.get("uid-a", {}))


def test_a_finished_pod_is_dropped_once_its_childs_end_is_on_record() -> None:
    known = store(array(), child(0), child(1), child(2, make=pod))
    assert views(known) == {"a-0-1", "a-1-1", "a-2-1"}
    known.apply(newer(array(succeeded="0")))
    assert views(known) == {"a-1-1", "a-2-1"}
    known.apply(newer(child(0)))
    assert views(known) == {"a-1-1", "a-2-1"}, "a late event or a full list brings nothing back"
    assert set(known.kept["uid-a"]) == {"a-0-1", "a-1-1"}, "but the API server has it"


def test_a_record_under_way_drops_nothing() -> None:
    known = store(array(), child(0))
    status = array(succeeded="0").status
    known.assume_status("uid-a", status)
    assert views(known) == {"a-0-1"}
    assert not known.is_on_record(known.pods[Key("default", "a-0-1")])
    known.settle_status("uid-a", status)
    assert views(known) == {"a-0-1"}, "whether it was written must be heard from the API server"
    known.apply(newer(array(succeeded="0")))
    assert views(known) == set()


def test_failed_attempts_of_a_child_that_goes_on_stay_known() -> None:
    """Their nodes, memory and times are needed for the next attempt."""
    known = store(array(retried=[{"attempts": 1, "counted": 1, "indexes": "3"}]), child(3, make=failed))
    assert views(known) == {"a-3-1"}
    assert known.is_on_record(known.pods[Key("default", "a-3-1")]), "its node may go"
    known.apply(newer(array(failed="3")))
    assert views(known) == set()


def test_a_live_pod_of_a_child_that_has_ended_is_astray() -> None:
    known = store(array(), child(0, make=pod))
    known.apply(newer(array(failed="0")))
    assert [each.name for each in known.strays.values()] == ["a-0-1"]


def test_finished_pods_are_counted_until_they_are_gone() -> None:
    known = store(array(), child(5), child(105), child(106, make=failed), child(107, make=pod))
    assert known.kept["uid-a"] == {"a-5-1": (0, True), "a-105-1": (1, True), "a-106-1": (1, False)}
    known.remove(child(5))
    gone = known.purge("uid-a", (1, True))
    assert set(known.kept["uid-a"]) == {"a-106-1"}
    known.apply(newer(child(105)))
    assert set(known.kept["uid-a"]) == {"a-106-1"}, "its deletion is under way"
    known.purged("uid-a", (1, True), gone)
    assert set(known.kept["uid-a"]) == {"a-105-1", "a-106-1"}, "it was not deleted after all"
    known.remove_job("uid-a")
    assert "uid-a" not in known.kept


def test_a_queue_counts_children_that_have_ended_and_not_their_array() -> None:
    done = {"succeeded": "0-1", "failed": "2", "counts": {"succeeded": 2, "failed": 1}}
    known = store(array(3, **done))
    assert known.finished["default"] == {"Succeeded": 2, "Failed": 1}
    known.remove_job("uid-a")
    assert known.finished["default"].total() == 0


def test_what_is_on_record() -> None:
    groups = [{"attempts": 2, "counted": 1, "indexes": "4,6"}, {"attempts": 108, "counted": 1, "indexes": "5"}]
    known = array(succeeded="0-1", failed="2", running="3-6", retried=groups)
    assert [has_ended(known, index) for index in (0, 2, 3, 299)] == [True, True, False, False]
    assert [attempts_on_record(known, index) for index in (3, 4, 5)] == [0, 2, 8], "what is above 100 is at most"
    assert recorded(known).ended == full(3)


@pytest.mark.parametrize(("indexes", "size"), [("0-9", 10), ("3", 300)])
def test_which_children_are_to_run(indexes: str, size: int) -> None:
    chosen = job("a", array={"size": size, "indexes": indexes})
    assert to_run(chosen) == parse(indexes)


@given(st.sets(st.integers(0, 400)), st.integers(0, 500))
def test_sets(indexes: set[int], count: int) -> None:
    gathered = gather(indexes, 401)
    assert list(members(gathered)) == sorted(indexes)
    assert list(members(lowest(gathered, count))) == sorted(indexes)[:count]


@pytest.mark.parametrize("damaged", ["bits:", "bits:AAAA", "bits:eJwB", "bits:ä", "bits:eJxj"])
def test_a_damaged_bitmap_is_told_in_a_sentence(damaged: str) -> None:
    with pytest.raises(ValueError, match="copy it whole"):
        parse(damaged)
