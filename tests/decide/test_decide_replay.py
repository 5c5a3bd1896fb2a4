"""When waiting jobs are expected to start: decisions played forward."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.decide.front import line
from batchyard.decide.replay import replay
from batchyard.model.resources import Resources
from batchyard.world.estimates import Histories
from batchyard.world.snapshot import fork
from batchyard.world.store import Store
from builders import C2, NOW, attempt, environment, job, machine, node, pod, pool_of, queue, running, store, template

FULL = {"template": template("8")}
TAKEN: dict[str, Any] = {"requests": Resources(cpu=8000, memory=2**30, pods=1)}


def runs(name: str, since: float = NOW, **fields: Any) -> Any:
    return pod(name, phase="Running", containers=(running(since),), **{**TAKEN, **fields})


def starts(known: Store, *names: str, part: float = 0.5, cycles: int = 100) -> dict[str, float]:
    """Return in how many seconds each job starts."""
    uids = [f"uid-{name}" for name in names]
    found = replay(fork(known, uids), (NOW, part), uids, cycles)
    return {uid.removeprefix("uid-"): at - NOW for uid, at in found.items()}


def finished(name: str, seconds: float, definition: str = "", queue_: str = "default") -> Any:
    ran = attempt(1, "Completed", startedAt="2027-01-15T07:00:00Z", stoppedAt=f"2027-01-15T07:{seconds / 60:02.0f}:00Z")
    source = {"definition": {"name": definition}} if definition else {}
    return job(name, {"phase": "Succeeded", "attempts": [ran]}, queue=queue_, **source)


class TestReplay:
    def test_jobs_start_one_after_the_other_as_timeouts_allow(self) -> None:
        known = store(*pool_of("n1", max_vcpus=8), job("a", **FULL), runs("a", NOW - 100, timeout=600))
        for name in ("b", "c"):
            known.apply(job(name, timeout={"attemptDurationSeconds": 300}, **FULL))
        # c starts when b, which starts three seconds after its pod was made, has run for 300.
        assert starts(known, "b", "c") == {"b": 500, "c": 803}

    def test_what_its_kind_has_run_says_more_than_the_timeout(self) -> None:
        known = store(*pool_of("n1", max_vcpus=8), job("b", **FULL), job("a", **FULL), runs("a", NOW, timeout=3600))
        for index, minutes in enumerate((1, 2, 3, 4, 20)):
            known.apply(finished(f"old{index}", 60 * minutes))
        assert starts(known, "b") == {"b": 180}
        assert starts(known, "b", part=0.9) == {"b": 1200}

    def test_one_that_has_outrun_the_half_is_measured_by_those_that_took_longer(self) -> None:
        known = store(*pool_of("n1", max_vcpus=8), job("b", **FULL), job("a", **FULL), runs("a", NOW - 200))
        for index, minutes in enumerate((1, 2, 3, 4, 20)):
            known.apply(finished(f"old{index}", 60 * minutes))
        assert starts(known, "b") == {"b": 1200 - 200}

    def test_nothing_is_said_where_nobody_knows_an_end(self) -> None:
        assert starts(store(*pool_of("n1", max_vcpus=8), job("b", **FULL), job("a", **FULL), runs("a")), "b") == {}

    def test_a_new_node_takes_as_long_as_its_siblings_took(self) -> None:
        slow = machine("n1", C2, launched_at=NOW - 100)
        sibling = node("n1", C2, ready_changed=NOW - 60)
        known = store(environment(shapes=(C2,)), queue(), slow, sibling, job("a", template=template("2")))
        known.apply(runs("a", requests=Resources(cpu=2000, pods=1)))
        known.apply(job("b", template=template("2")))
        assert starts(known, "b") == {"b": 40}

    def test_a_backoff_is_waited_for(self) -> None:
        again = {"phase": "Runnable", "attempts": [attempt(1, "Error")]}
        retry = {"attempts": 2, "backoff": {"initialSeconds": 60}}
        assert starts(store(*pool_of("n1"), job("a", again, retry=retry)), "a") == {"a": 60}

    def test_it_gives_up_after_so_many_decisions(self) -> None:
        limit = {"attemptDurationSeconds": 60}
        jobs = [job(f"j{i}", timeout=limit, **FULL) for i in range(9)]
        known = store(*pool_of("n1", max_vcpus=8), *jobs)
        assert set(starts(known, *(f"j{i}" for i in range(9)), cycles=3)) == {"j0", "j1", "j2"}

    def test_the_store_is_as_before(self) -> None:
        known = store(*pool_of("n1", max_vcpus=8), job("a", **FULL), runs("a", timeout=600), job("b", **FULL))
        before = decide(known, NOW)
        starts(known, "b")
        assert decide(known, NOW) == before
        assert not known.histories.samples


class TestLine:
    def test_it_tells_position_and_the_vcpus_ahead(self) -> None:
        known = store(*pool_of(), job("a", template=template("3")), job("b", template=template("500m")), job("c"))
        found = line(known, NOW)
        assert [(uid, place.number, place.ahead) for uid, place in found.items()] == [
            ("uid-a", 1, 0), ("uid-b", 2, 3000), ("uid-c", 3, 3500),
        ]  # fmt: skip


class TestHistories:
    @pytest.mark.parametrize(("part", "seconds"), [(0.0, 60), (0.5, 120), (0.9, 180)])
    def test_the_definition_says_more_than_the_queue(self, part: float, seconds: float) -> None:
        known = Histories()
        for index, minutes in enumerate((1, 2, 3)):
            known.learn(finished(f"d{index}", 60 * minutes, "render"))
            known.learn(finished(f"o{index}", 3000))
        assert known.lasts(job(definition={"name": "render"}), part, 0) == seconds
        assert known.lasts(job("other"), 0.9, 0) == 3000

    def test_a_job_is_learnt_from_once(self) -> None:
        known = Histories()
        for _ in range(3):
            known.learn(finished("a", 60))
        assert [list(runs_) for runs_ in known.samples.values()] == [[60]]
