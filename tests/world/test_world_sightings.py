"""What is seen of pods of definitions: until they end, of the newest revision, of so many, and over restarts."""

from __future__ import annotations

from typing import Any

import pytest

from batchyard.model.resources import Resources
from batchyard.world.sightings import PODS, Sightings, Stay, Use, on_record, source, stay
from batchyard.world.snapshot import fork
from batchyard.world.views import Container, Definition, Key, Pod
from builders import NOW, definition, exited, job, newer, pod, store, succeeded, template

MI = 2**20
RENDER = Key("default", "render")
RECORD = {"revision": 1, "pods": 2, "asked": {"cpu": "1", "memory": "1Gi"}, "used": {"cpu": "300m", "memory": "70Mi"}}


def use(cpu: int = 100, memory: int = 50) -> Use:
    return Use(Resources(cpu=1000, memory=2**30, pods=1), Resources(cpu=cpu, memory=memory * MI))


def made(name: str = "a", **fields: Any) -> Pod:
    return pod(name, revision=1, **fields)


def test_the_most_of_a_pod_counts_once_it_has_ended() -> None:
    seen, what, one = Sightings(), definition(), made()
    seen.see(what, one, use(100, 90))
    seen.see(what, one, use(400, 20))
    seen.settle({Key("default", "a-1"): one})
    assert (seen[RENDER].ended, seen.fresh) == ({}, set())
    assert seen[RENDER].floor == Resources(cpu=400, memory=90 * MI), "a live one shows what is surely needed"
    seen.settle({})
    assert seen[RENDER].ended == {"uid-a-1": use(400, 90)}
    assert (seen[RENDER].live, seen.fresh) == ({}, {RENDER})


def test_another_pod_of_the_same_name_is_another() -> None:
    seen, what = Sightings(), definition()
    seen.see(what, made(), use())
    seen.settle({Key("default", "a-1"): made(uid="uid-later")})
    assert list(seen[RENDER].ended) == ["uid-a-1"]


def test_of_many_pods_the_latest_are_kept() -> None:
    seen, what = Sightings(), definition()
    for number in range(PODS + 10):
        seen.see(what, made(uid=str(number)), use())
        seen.settle({})
        seen.hear(what, succeeded("a", uid=str(number)))
    assert list(seen[RENDER].ended) == list(seen[RENDER].stays) == [str(number) for number in range(10, PODS + 10)]


def test_a_new_revision_begins_anew_and_a_definition_that_is_gone_leaves_nothing() -> None:
    known = store(definition(), job("a", definition={"name": "render"}), succeeded("a", revision=1))
    assert list(known.sightings[RENDER].stays) == ["uid-a-1"]
    known.apply(definition(generation=2))
    known.apply(succeeded("a", attempt=2, revision=1))
    assert known.sightings[RENDER].revision == 1, "an older revision's pods say nothing of the newest"
    known.apply(succeeded("a", attempt=3, revision=2))
    assert list(known.sightings[RENDER].stays) == ["uid-a-3"]
    known.remove(definition(generation=2))
    assert (dict(known.sightings), known.sightings.fresh) == ({}, set())


def test_one_that_was_made_anew_under_its_name_begins_anew() -> None:
    known = store(definition(), job("a", definition={"name": "render"}), succeeded("a", revision=1))
    known.apply(newer(definition(), uid="uid-another"))
    assert dict(known.sightings) == {}


def test_what_ends_in_a_replay_has_not_been_seen() -> None:
    known = store(definition(), job("a", definition={"name": "render"}), succeeded("a", revision=1))
    known.sightings.fresh.clear()
    twin = fork(known, [])
    twin.apply(succeeded("a", attempt=2, revision=1))
    assert list(twin.sightings[RENDER].stays) == ["uid-a-2"]
    assert (list(known.sightings[RENDER].stays), known.sightings.fresh) == (["uid-a-1"], set())


def test_a_restart_begins_with_what_is_on_record() -> None:
    what, seen = definition(status={"advice": RECORD}), Sightings()
    seen.see(what, made(), use())
    assert [(each.used.cpu, each.used.memory) for each in seen[RENDER].ended.values()] == [(300, 70 * MI)] * 2
    seen.settle({})
    assert len(seen[RENDER].ended) == 3, "those on record and the new one"


@pytest.mark.parametrize(
    "record",
    [{}, {**RECORD, "revision": 2}, {**RECORD, "used": {"memory": "x"}}, {**RECORD, "pods": "many"}, {"revision": 1}],
)
def test_a_record_of_another_revision_or_one_that_cannot_be_read_says_nothing(record: dict[str, Any]) -> None:
    assert on_record(definition(status={"advice": record})) == {}


MORE = {"containers": [{"name": "main", "resources": {"requests": {"memory": "9Gi"}}}]}
ARGS = {"containers": [{"name": "main", "args": ["x"]}]}


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        ({"definition": {"name": "render"}}, True),
        ({"definition": {"name": "render"}, "overrides": ARGS}, True),
        ({"definition": {"name": "render"}, "overrides": MORE}, False),  # the template does not ask for that
        ({"definition": {"name": "other"}}, False),
        ({"template": template()}, False),
        ({"definition": {"name": "render"}, "multiNode": {"groups": [{"nodes": "0:", "template": template()}]}}, False),
    ],
)
def test_whose_pods_tell_of_a_definition(spec: dict[str, Any], counts: bool) -> None:
    known: dict[Key, Definition] = {RENDER: definition()}
    assert (source(job("a", **spec), known, made()) is not None) is counts


def test_pods_of_an_older_revision_tell_nothing() -> None:
    known = {RENDER: definition(generation=2)}
    assert source(job("a", definition={"name": "render"}), known, made()) is None


def test_how_long_a_pod_waited_and_ran() -> None:
    fetch = Container(name="fetch", state="terminated", started=NOW + 5, finished=NOW + 25, init=True)
    main = exited(0, NOW + 100, started=NOW + 40)
    ended = succeeded("a", containers=(fetch, main), acknowledged=NOW)
    assert stay(ended) == Stay("n1", 20.0, 80.0), "5 s for the first image, 15 s for the second"
    assert stay(newer(ended, acknowledged=None)) is None
    assert stay(newer(ended, containers=())) is None


def test_a_job_with_a_checkpoint_of_its_own_has_waited_nobody_knows_for_what() -> None:
    late = succeeded("a", revision=1, acknowledged=NOW - 60)  # it began to run 50 s later
    for spec, waited in (({}, 50.0), ({"checkpoint": {"claimName": "results"}}, 0.0)):
        known = store(definition(), job("a", definition={"name": "render"}, **spec), late)
        assert known.sightings[RENDER].stays["uid-a-1"] == Stay("n1", waited, 10.0)


def test_one_that_was_killed_for_want_of_memory_says_what_it_had() -> None:
    killed = exited(137, NOW, reason="OOMKilled")
    found = stay(succeeded("a", containers=(killed,)))
    assert found is not None
    assert found.starved == 2**30
    seen = Sightings()
    seen.hear(definition(), succeeded("a", containers=(killed,)))
    assert seen[RENDER].floor.memory == 2**30
