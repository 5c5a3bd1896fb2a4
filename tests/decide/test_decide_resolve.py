"""What a job runs: its definition's revision, pinned; its own retry and timeout whole."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.decide.resolve import RefusedError, resolve
from batchyard.model.plan import Record, Start
from batchyard.world import parse
from batchyard.world.views import Job
from builders import (
    NOW,
    decided,
    definition,
    definition_body,
    job,
    newer,
    of,
    only,
    pod,
    pool_of,
    revision,
    started,
    status,
    store,
    template,
    valid,
)

FROM = {"name": "render"}


def of_revision(known: object, view: Job) -> int | None:
    return resolve(known, view).revision  # type: ignore[arg-type]


def test_the_newest_revision_is_taken_at_submission() -> None:
    now = definition(generation=3)
    known = store(now, revision(now, 2), revision(now, 3), view := job(definition=FROM))
    assert of_revision(known, view) == 3


def test_the_revision_asked_for_wins() -> None:
    now = definition(generation=3)
    known = store(now, revision(now, 2), revision(now, 3), view := job(definition={"name": "render", "revision": 2}))
    assert of_revision(known, view) == 2


@pytest.mark.parametrize("on_record", [True, False])
def test_a_revision_once_resolved_is_kept(on_record: bool) -> None:
    now = definition(generation=3)
    view = job(definition=FROM, status={"phase": "Runnable", "definitionRevision": 2} if on_record else None)
    pods = [] if on_record else [pod(revision=2)]
    known = store(now, revision(now, 2), revision(now, 3), view, *pods)
    assert of_revision(known, view) == 2


def test_a_job_that_waits_unrecorded_keeps_its_revision_when_the_definition_changes() -> None:
    old = definition()
    view = job(definition=FROM)
    known = store(old, revision(old), view)
    newest = definition(generation=2, template=template("4"))
    known.apply(newest)
    known.apply(revision(newest))
    assert of_revision(known, view) == 1


def test_a_job_waits_for_its_definition_and_says_so() -> None:
    plan = decided(*pool_of("n1"), job(definition=FROM, status={"phase": "Submitted"}), now=NOW)
    assert not started(plan)
    known = store(*pool_of("n1"), view := job(definition=FROM))
    with pytest.raises(RefusedError, match="JobDefinition 'render' does not exist in namespace 'default'") as refused:
        resolve(known, view)
    assert (refused.value.reason, refused.value.final) == ("DefinitionNotFound", False)


def test_it_starts_when_the_definition_has_appeared_and_is_kept() -> None:
    now = definition(status=valid())
    assert not started(decided(*pool_of("n1"), now, job(definition=FROM)))
    plan = decided(*pool_of("n1"), now, revision(now), job(definition=FROM))
    start = only(plan, Start)
    assert start.manifest["metadata"]["labels"]["batchyard.dev/definition-revision"] == "1"


@pytest.mark.parametrize(
    ("asked", "reason", "final"),
    [(9, "RevisionNotFound", False), (1, "RevisionNotFound", True), (3, "RevisionPending", False)],
)
def test_a_revision_that_is_not_there(asked: int, reason: str, final: bool) -> None:
    now = definition(generation=3)
    known = store(now, revision(now, 2), view := job(definition={"name": "render", "revision": asked}))
    with pytest.raises(RefusedError) as refused:
        resolve(known, view)
    assert (refused.value.reason, refused.value.final) == (reason, final)


def test_a_revision_that_the_api_server_judged_invalid_fails_the_job_with_its_sentence() -> None:
    bad = definition(status=valid(1, "False", "InvalidTemplate", "Pod is invalid: no image"))
    plan = decided(*pool_of("n1"), bad, revision(bad), job(definition=FROM), now=NOW + 2)
    assert status(plan)["phase"] == "Failed"
    assert status(plan)["reason"] == "DefinitionInvalid"
    assert "Pod is invalid: no image" in status(plan)["message"]


@pytest.mark.parametrize("array", [None, {"size": 3}])
def test_a_job_of_a_moment_ago_waits_for_the_news_that_its_definition_is_mended(array: Any) -> None:
    bad = definition(status=valid(1, "False", "InvalidTemplate", "Pod is invalid: no image"))
    known = store(*pool_of("n1"), bad, revision(bad))
    changed = definition(generation=2, status=valid(2))
    known.apply(job(definition=FROM, array=array))
    first = decide(known, NOW + 0.5)
    assert not of(first, Record)
    assert first.wake is not None
    assert first.wake <= NOW + 2
    known.apply(changed)
    known.apply(revision(changed))
    starts = of(decide(known, NOW + 1), Start)
    assert {start.manifest["metadata"]["labels"]["batchyard.dev/definition-revision"] for start in starts} == {"2"}


def test_and_fails_when_none_has_come() -> None:
    bad = definition(status=valid(1, "False", "InvalidTemplate", "Pod is invalid: no image"))
    known = store(*pool_of("n1"), bad, revision(bad), job(definition=FROM))
    assert not of(decide(known, NOW + 0.5), Record)
    last = decide(known, NOW + 2)
    assert status(last)["reason"] == "DefinitionInvalid"
    assert last.wake is None or last.wake > NOW + 2, "what is decided is not looked at again"


def test_a_verdict_on_another_revision_does_not_concern_the_job() -> None:
    now = definition(generation=2, status=valid(2, "False", "InvalidTemplate"))
    known = store(now, revision(now, 1), view := job(definition={"name": "render", "revision": 1}))
    assert of_revision(known, view) == 1


def test_retry_timeout_and_priority_of_the_job_replace_the_definitions_whole() -> None:
    spec = {
        "retry": {"attempts": 5, "backoff": {"initialSeconds": 9}},
        "timeout": {"attemptDurationSeconds": 60},
        "priority": 4,
    }
    now = definition(**spec)
    known = store(now, revision(now))
    inherited = resolve(known, job(definition=FROM))
    assert (inherited.retry.attempts, inherited.timeout, inherited.priority) == (5, 60, 4)
    own = {"retry": {"attempts": 2}, "timeout": {"attemptDurationSeconds": 90}, "priority": 0}
    replaced = resolve(known, job(definition=FROM, **own))
    assert (replaced.retry.attempts, replaced.retry.backoff, replaced.timeout, replaced.priority) == (2, None, 90, 0)


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"parameters": {"m": 1}}, "InvalidParameters", "spec.parameters.m is not declared"),
        ({"overrides": {"containers": [{"name": "x"}]}}, "InvalidOverrides", "no container 'x'"),
    ],
)
def test_the_users_mistake_fails_the_job(spec: dict[str, object], reason: str, words: str) -> None:
    now = definition(parameters={"n": {"type": "Integer", "default": 1}}, status=valid())
    plan = decided(*pool_of("n1"), now, revision(now), job(definition=FROM, **spec), now=NOW + 2)
    assert (status(plan)["phase"], status(plan)["reason"]) == ("Failed", reason)
    assert words in status(plan)["message"]


def test_a_quantity_that_is_none_fails_the_job_at_once() -> None:
    plan = decided(*pool_of("n1"), job(template=template(memory="4GiB")))
    assert status(plan)["reason"] == "InvalidTemplate"
    assert "'4GiB' is not a quantity" in status(plan)["message"]


def test_parameters_reach_the_pod() -> None:
    body = definition_body(parameters={"n": {"type": "Integer", "default": 1}})
    body["spec"]["template"]["spec"]["containers"][0]["command"] = ["count", "Ref::n"]
    now = newer(parse.definition(body), status=valid())
    plan = decided(*pool_of("n1"), now, revision(now), job(definition=FROM, parameters={"n": 7}))
    assert only(plan, Start).manifest["spec"]["containers"][0]["command"] == ["count", "7"]
