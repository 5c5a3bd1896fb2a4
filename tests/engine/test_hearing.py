"""What an answer to our own write has told is no news when the watch tells it too; what is doubtful is heard again."""

from __future__ import annotations

from typing import Any

import pytest

from batchyard.engine.bell import Bell
from batchyard.engine.ingest import Ingest, Table
from batchyard.engine.loop import BUSY_REST, LONGEST_REST, rest_after
from batchyard.model.phase import Phase
from batchyard.model.plan import Lane, Record
from batchyard.world import parse
from batchyard.world.assume import assume_status
from batchyard.world.store import Store
from batchyard.world.views import Key, Pod
from builders import job_body, pod


class Counting(Bell):
    """A bell that counts its rings."""

    def __init__(self) -> None:
        super().__init__()
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


def told(version: int, phase: str) -> dict[str, Any]:
    return job_body(status={"phase": phase}, meta={"resourceVersion": str(version)})


@pytest.fixture
def ingest() -> Ingest:
    return Ingest(Store(), Counting())


def rings(ingest: Ingest) -> int:
    assert isinstance(ingest.bell, Counting)
    return ingest.bell.rung


def test_the_watch_tells_no_news_of_what_an_answer_has_told(ingest: Ingest) -> None:
    ingest.store.apply(parse.job(told(7, "Running")))
    ingest.take("batchjobs", "MODIFIED", told(7, "Running"))
    assert (rings(ingest), ingest.newest) == (0, 7), "and yet it was there"
    ingest.take("batchjobs", "MODIFIED", told(8, "Succeeded"))
    assert rings(ingest) == 1
    assert ingest.store.jobs["uid-job"].status.phase == Phase.Succeeded


def test_after_a_write_whose_end_is_unknown_the_same_version_counts(ingest: Ingest) -> None:
    store = ingest.store
    store.apply(parse.job(told(7, "Running")))
    status = assume_status(store, Record("uid-job", {"phase": "Succeeded"}, Lane.Outcome))
    store.settle_status("uid-job", status)
    ingest.take("batchjobs", "MODIFIED", told(7, "Running"))
    assert rings(ingest) == 1
    assert store.jobs["uid-job"].status.phase == Phase.Running


def test_that_a_job_is_gone_is_always_news(ingest: Ingest) -> None:
    ingest.store.apply(parse.job(told(7, "Running")))
    ingest.take("batchjobs", "DELETED", told(7, "Running"))
    assert rings(ingest) == 1
    assert "uid-job" not in ingest.store.jobs


def test_of_a_pod_too(ingest: Ingest) -> None:
    store, made = ingest.store, pod(version="5")

    def heard(view: Pod) -> bool:
        return store.has_heard_pod(Key(view.namespace, view.name), view.uid, view.version)

    table: Table[Pod] = Table(ingest, lambda view: view, list, heard)
    store.apply(made)
    table.apply("ADDED", made)
    assert rings(ingest) == 0
    table.apply("MODIFIED", pod(version="6", phase="Running"))
    table.apply("DELETED", pod(version="6", phase="Running"))
    assert rings(ingest) == 2
    table.apply("ADDED", pod(version="7", uid="another"))
    assert rings(ingest) == 3


def test_the_more_happens_the_longer_the_loop_rests() -> None:
    assert rest_after(0.001, 1) == pytest.approx(0.003), "in quiet times only as long as the decision took, thrice"
    assert 0.003 < rest_after(0.001, 5) < rest_after(0.001, 10) < BUSY_REST
    assert rest_after(0.001, 1000) == BUSY_REST
    assert rest_after(0.02, 1000) == pytest.approx(0.06)
    assert rest_after(10, 1) == LONGEST_REST
