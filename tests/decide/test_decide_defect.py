"""A defect of ours that one job brings out is that job's trouble: it says so, and all the others go on."""

from __future__ import annotations

from importlib import import_module

import pytest

from batchyard.decide.cycle import Cycle, Standing
from batchyard.model.phase import Phase
from batchyard.model.plan import Record, Remove, Stop
from batchyard.world.schedules import schedule
from batchyard.world.views import Job
from builders import NOW, decided, definition, job, metadata, of, pool_of, running, started, template
from builders import pod as running_pod

record, settle = (import_module(f"batchyard.decide.{name}") for name in ("record", "settle"))


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = settle.stand

    def stand(cycle: Cycle, who: Job) -> Standing:
        if who.name == "poison":
            raise KeyError("a secret word")
        return honest(cycle, who)

    monkeypatch.setattr(settle, "stand", stand)


@pytest.mark.usefixtures("poisoned")
def test_the_others_start_and_the_defect_is_named_without_the_jobs_own_words() -> None:
    plan = decided(*pool_of("n1"), job("poison"), job("sound"))
    assert started(plan) == [("sound-1", "n1")]
    ((who, what),) = plan.defects
    assert who == "default/poison"
    assert what.startswith("KeyError at test_decide_defect.py:")
    assert "secret" not in what
    assert plan.wake is not None
    assert plan.wake <= NOW + settle.DEFECT_SECONDS, "it is looked at again"


@pytest.mark.usefixtures("poisoned")
def test_what_runs_is_left_running() -> None:
    live = running_pod("poison", phase="Running", containers=(running(),))
    plan = decided(*pool_of("n1"), job("poison", status={"phase": "Running"}), live)
    assert [*of(plan, Stop), *of(plan, Remove)] == []
    assert all(r.status["phase"] == "Running" for r in of(plan, Record))


@pytest.mark.parametrize("module", ["fire", "revise"])
def test_one_schedule_or_definition_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    def fails(*_: object) -> None:
        raise OverflowError("no")

    monkeypatch.setattr(
        import_module(f"batchyard.decide.{module}"), {"fire": "_look", "revise": "_revise"}[module], fails
    )
    spec = {"schedule": "rate(1 minute)", "jobTemplate": {"spec": {"queue": "default", "template": template()}}}
    other = schedule({"metadata": metadata("nightly", namespace="default"), "spec": spec})
    plan = decided(*pool_of("n1"), other, definition(), job("sound"))
    assert started(plan) == [("sound-1", "n1")]
    assert [who for who, _ in plan.defects] == [{"fire": "default/nightly", "revise": "default/render"}[module]]


def test_what_cannot_be_said_of_one_is_said_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = record._final

    def final(cycle: Cycle, standing: Standing) -> None:
        if standing.job.name == "poison":
            raise ValueError("no")
        honest(cycle, standing)

    monkeypatch.setattr(record, "_final", final)
    stop = {"mode": "Cancel"}
    plan = decided(*pool_of("n1"), job("poison", stop=stop), job("sound", stop=stop))
    assert [r.status["phase"] for r in of(plan, Record)] == [str(Phase.Failed)]
    assert [who for who, _ in plan.defects] == ["default/poison"]
