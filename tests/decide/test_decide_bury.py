"""What becomes of finished jobs is kept before they are forgotten: few writes, bounded, and never too early."""

from typing import Any

import msgspec
import orjson
import pytest

from batchyard.decide import decide
from batchyard.decide.expire import BATCH, BATCH_BYTES, LARGEST, MOST
from batchyard.model.plan import Bury, Forget, Plan
from batchyard.world.outcomes import CONFIGMAP, Outcomes, engrave, outcome
from batchyard.world.outcomes import outcomes as parsed
from batchyard.world.parse import rfc3339
from batchyard.world.store import Store
from batchyard.world.views import Job
from builders import NOW, job, namespace, newer, of, only, store, version


def done(name: str = "a", stopped: float = NOW, uid: str = "", **fields: Any) -> Job:
    status = {"phase": "Succeeded", "reason": "Completed", "stoppedAt": rfc3339(stopped), **fields}
    meta = {"uid": uid} if uid else {}
    return job(name, status=status, ttlSecondsAfterFinished=0, meta=meta)


def kept(*jobs: Job, owner: str = "uid-default", **texts: str) -> Outcomes:
    every = {**{each.name: engrave(outcome(each, each.status)) for each in jobs}, **texts}
    return Outcomes(
        name=f"{CONFIGMAP}default", version=version(), uid="u", namespace="default", owner=owner, texts=every
    )


def carried_out(known: Store, plan: Plan) -> None:
    """Have a burial succeed."""
    verb = only(plan, Bury)
    view = known.outcomes.get(CONFIGMAP + verb.namespace)
    texts = {**(view.texts if view else {}), **verb.texts}
    known.apply(kept(owner=verb.owner, **{name: text for name, text in texts.items() if text is not None}))
    known.burials[verb.namespace] = NOW + 1


def test_first_the_outcome_then_the_end() -> None:
    known = store(namespace(), done())
    plan = decide(known, NOW)
    assert not of(plan, Forget)
    verb = only(plan, Bury)
    assert (verb.namespace, verb.owner, verb.anew) == ("default", "uid-default", True)
    assert orjson.loads(verb.texts["a"] or "") == {
        "stoppedAt": rfc3339(NOW),
        "uid": "uid-a",
        "phase": "Succeeded",
        "reason": "Completed",
    }
    carried_out(known, plan)
    plan = decide(known, NOW)
    assert only(plan, Forget).uid == "uid-a"
    assert not of(plan, Bury)


def test_what_is_kept_of_another_job_of_the_name_does_not_do() -> None:
    known = store(namespace(), done(uid="before"), done())
    known.remove_job("before")
    known.apply(kept(done(uid="before")))
    plan = decide(known, NOW)
    assert not of(plan, Forget)
    assert '"uid-a"' in (only(plan, Bury).texts["a"] or "")
    assert not only(plan, Bury).anew


def test_one_write_at_a_time_and_one_a_second() -> None:
    known = store(namespace(), done())
    known.burials["default"] = float("inf")
    assert not decide(known, NOW).verbs
    known.burials["default"] = NOW + 0.7
    plan = decide(known, NOW)
    assert not plan.verbs
    assert plan.wake == NOW + 0.7
    assert of(decide(known, NOW + 0.7), Bury)


def test_namespaces_do_not_wait_for_each_other() -> None:
    others = [job("a", status={"phase": "Failed"}, ttlSecondsAfterFinished=0, meta={"namespace": "other", "uid": "o"})]
    known = store(namespace(), namespace("other"), done(), *others)
    assert [verb.namespace for verb in of(decide(known, NOW), Bury)] == ["default", "other"]


def test_of_a_namespace_that_goes_nothing_is_kept() -> None:
    for spaces in ([], [newer(namespace(), deleting=NOW)]):
        plan = decide(store(*spaces, done()), NOW)
        assert of(plan, Forget)
        assert not of(plan, Bury)


def test_a_batch_has_a_size() -> None:
    known = store(namespace(), *(done(f"j{n:04}") for n in range(BATCH + 5)))
    assert len(only(decide(known, NOW), Bury).texts) == BATCH
    wordy = {"phase": "Failed", "reason": "Error", "message": "ä" * 5000}
    known = store(namespace(), *(done(f"j{n:04}", **wordy) for n in range(BATCH)))
    verb = only(decide(known, NOW), Bury)
    assert 100 < len(verb.texts) < BATCH
    assert len(orjson.dumps(dict(verb.texts))) < 2 * BATCH_BYTES


def test_the_oldest_go_first() -> None:
    old = [done(f"old{n}", NOW - 10 + n) for n in range(5)]
    texts = {f"j{n:04}": engrave(outcome(each, each.status)) for n in range(MOST - 5) for each in [old[4]]}
    known = store(namespace(), kept(*old, **texts), done("new1"), done("new2"))
    verb = only(decide(known, NOW), Bury)
    assert [name for name, text in verb.texts.items() if text is None] == ["old0", "old1"]


def test_all_of_them_have_room_in_an_object() -> None:
    big = {f"j{n}": "x" * 3_000 for n in range(300)}
    known = store(namespace(), kept(**big), done("new"))
    verb = only(decide(known, NOW), Bury)
    left = {**big, **verb.texts}
    assert sum(len(name) + len(text) for name, text in left.items() if text) < LARGEST


def test_a_new_job_of_the_name_has_the_old_tombstone_removed() -> None:
    known = store(namespace(), kept(done(uid="before"), done("b")), job("a"))
    plan = decide(known, NOW)
    assert dict(only(plan, Bury).texts) == {"a": None}
    carried_out(known, plan)
    assert not known.taken
    assert not of(decide(known, NOW + 2), Bury)


def test_one_that_comes_later_has_it_removed_too() -> None:
    known = store(namespace(), kept(done(uid="before")))
    assert not of(decide(known, NOW), Bury)
    known.apply(job("a"))
    assert dict(only(decide(known, NOW), Bury).texts) == {"a": None}


def test_those_of_an_earlier_namespace_go() -> None:
    known = store(namespace(), kept(done("x"), done("y"), owner="before"), done())
    verb = only(decide(known, NOW), Bury)
    assert [name for name, text in verb.texts.items() if text is None] == ["x", "y"]
    assert (verb.owner, verb.anew) == ("uid-default", False)


@pytest.mark.parametrize(
    "meta", [{}, {"labels": {"batchyard.dev/outcomes": "jobs"}, "ownerReferences": [{"uid": "n"}]}]
)
def test_a_configmap(meta: Any) -> None:
    view = parsed({"metadata": {"name": "c", "uid": "u", "resourceVersion": "3", **meta}, "data": {"a": "{}"}})
    expected = Outcomes(
        name="c", uid="u", version="3", namespace="jobs" if meta else "", owner="n" if meta else "", texts={"a": "{}"}
    )
    assert view == expected


def test_an_older_answer_takes_nothing_back() -> None:
    known = store(namespace())
    early, late = kept(done("a")), kept(done("a"), done("b"))
    known.apply(late)
    known.apply(early)
    assert known.outcomes[late.name] is late
    known.remove(msgspec.structs.replace(late, version=version()))
    assert not known.outcomes
