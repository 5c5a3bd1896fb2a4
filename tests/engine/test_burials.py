"""How the outcomes of jobs are written, and what their answers mean."""

from __future__ import annotations

from typing import Any, cast

import orjson
import pytest

from batchyard.engine.answers import Answers
from batchyard.engine.apply import apply
from batchyard.engine.bell import Bell
from batchyard.engine.fleet import Fleet
from batchyard.engine.hands import Hands
from batchyard.kube.outcome import Intent, Kind, Outcome
from batchyard.kube.session import Session
from batchyard.kube.write import Writer
from batchyard.model.plan import Bury, Plan
from batchyard.world.outcomes import outcomes
from batchyard.world.store import Store

NAME = "batchyard-outcomes-jobs"
NOW = 1000.0


class Paper:
    """Takes what is written, and does not send it."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.submit = self.intents.append


def body(version: int = 5, **texts: str) -> dict[str, Any]:
    meta = {"name": NAME, "uid": "c", "resourceVersion": str(version), "labels": {"batchyard.dev/outcomes": "jobs"}}
    return {"metadata": {**meta, "ownerReferences": [{"uid": "n"}]}, "data": texts}


def written(verb: Bury, store: Store) -> Intent:
    paper, bell = Paper(), Bell()
    answers = Answers(store, bell, cast(Session, None))
    hands = Hands(store, bell, cast(Writer, paper), cast(Fleet, None), answers, "system")
    apply(hands, Plan([verb]), NOW)
    (intent,) = paper.intents
    return intent


def sent(intent: Intent) -> dict[str, Any]:
    assert isinstance(intent.body, bytes)
    found: dict[str, Any] = orjson.loads(intent.body)
    return found


def test_the_first_is_created_and_goes_with_its_namespace() -> None:
    store = Store()
    intent = written(Bury("jobs", "n", {"a": "x", "b": None}, anew=True), store)
    assert (intent.method, intent.path) == ("POST", "/api/v1/namespaces/system/configmaps")
    assert sent(intent)["data"] == {"a": "x"}
    assert sent(intent)["metadata"] == {
        "name": NAME,
        "labels": {"batchyard.dev/outcomes": "jobs"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "jobs", "uid": "n"}],
    }
    assert store.burials["jobs"] == float("inf")


def test_later_ones_write_what_has_changed_alone() -> None:
    intent = written(Bury("jobs", "n", {"a": "x", "b": None}, anew=False), Store())
    assert (intent.method, intent.path) == ("PATCH", f"/api/v1/namespaces/system/configmaps/{NAME}")
    assert sent(intent)["data"] == {"a": "x", "b": None}


@pytest.mark.parametrize(
    ("kind", "anew", "rest", "known"),
    [
        (Kind.DONE, True, 1, {"a": "x"}),
        (Kind.CONFLICT, True, 1, {"before": "y"}),  # the watch brings what there is
        (Kind.GONE, False, 1, None),  # somebody deleted it: it is made anew
        (Kind.GONE, True, 5, {"before": "y"}),  # the operator's namespace is missing
        (Kind.REFUSED, False, 5, {"before": "y"}),
        (Kind.UNKNOWN, False, 5, {"before": "y"}),
    ],
)
def test_answers(kind: Kind, anew: bool, rest: float, known: dict[str, str] | None) -> None:
    store = Store()
    store.apply(outcomes(body(4, before="y")))
    intent = written(Bury("jobs", "n", {"a": "x"}, anew), store)
    intent.settled(Outcome(kind, body=orjson.dumps(body(5, a="x"))))
    assert store.burials["jobs"] == NOW + rest
    view = store.outcomes.get(NAME)
    assert (view.texts if view else None) == known


def test_the_more_there_are_the_longer_until_the_next_write() -> None:
    """The API server reads, compares and stores all of them each time."""
    store = Store()
    intent = written(Bury("jobs", "n", {"a": "x"}, anew=False), store)
    intent.settled(Outcome(Kind.DONE, body=orjson.dumps(body(5, **{f"job-{n}": "x" for n in range(5000)}))))
    assert store.burials["jobs"] == NOW + 5
