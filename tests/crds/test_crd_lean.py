"""A write of a Job's status costs the API server little, and no rule is lost for that."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from crd_features import GOOD_FEATURES
from crd_server import Server
from kubernetes import client
from specs import GOOD, changed

from batchyard.model.api import RULES
from batchyard.model.crd import root
from batchyard.model.job import JobSpec
from batchyard.model.kind import JOB
from batchyard.model.lean import joined

MOST_EVALUATIONS = 3


def said(rule: dict[str, Any]) -> str:
    return str(rule.get("message", "")) + str(rule.get("messageExpression", ""))


def test_no_message_is_lost() -> None:
    everything = "".join(said(rule) for rule in root(JOB)[RULES])
    rules = [*JOB.rules, *JobSpec.rules]
    assert [rule.message for rule in rules if json.dumps(rule.message)[1:-1] not in everything] == []


def test_rules_are_few() -> None:
    assert len(root(JOB)[RULES]) == MOST_EVALUATIONS
    assert RULES not in root(JOB)["properties"]["spec"]
    assert RULES not in json.dumps(root(JOB)["properties"]["status"])


def test_a_rule_on_one_field_stands_there() -> None:
    rule = root(JOB)["properties"]["spec"]["properties"]["retry"]["properties"]["evaluateOnExit"]["items"]["properties"]
    assert rule["onReason"][RULES][0]["rule"].startswith("self.matches(")


def test_a_guard_of_several_rules_is_asked_once() -> None:
    cels = ["!has(self.a) || self.a > 1", "self.b > 1", "!has(self.a) || self.a < 9"]
    rule = joined([{"rule": cel, "message": cel} for cel in cels])
    assert rule["rule"] == "(!has(self.a) || (self.a > 1) && (self.a < 9)) && ((self.b > 1))"


@pytest.mark.cluster
def test_all_that_is_wrong_is_said_once(server: Server) -> None:
    bad = {**GOOD[JOB], "parameters": {"a": 1}, "array": {"size": 2}, "multiNode": {"nodes": 2}}
    message = server.refusal(server.create, JOB, bad)
    sentences = [
        "spec.parameters are those of a definition; leave them out, or write the values into spec.template",
        "spec has both array and multiNode; leave one of them out, or submit one multi-node Job per index",
        'spec.multiNode.groups is missing; to run spec.template on every node write groups: [{nodes: "0:"}]',
    ]
    assert message.endswith(f" is invalid: spec: Invalid value: {'; also: '.join(sentences)}")


@pytest.fixture
def job(server: Server, fresh: str) -> Iterator[dict]:
    server.create(JOB, GOOD[JOB], fresh, keep=True)
    yield server.set_status(JOB, fresh, {"phase": "Running", "message": "before"})
    server.delete(JOB, fresh)


@pytest.mark.cluster
def test_all_changes_are_said(server: Server, job: dict) -> None:
    spec = {**job["spec"], "queue": "other", "share": "a", "retry": {"attempts": 2}}
    message = server.refusal(server.replace, JOB, job, spec)
    for field in ("queue", "share", "retry"):
        assert f"spec.{field} cannot be changed after submission" in message


@pytest.mark.cluster
@pytest.mark.parametrize(
    "status", [None, {}, {"phase": "Failed"}, {"phase": "Running", "message": "before", "reason": ""}]
)
@pytest.mark.parametrize(
    "spec", [{"queue": "other"}, {"array": {"size": 2}, "stop": {"mode": "Cancel", "indexes": "3"}}]
)
def test_another_status_in_the_body_lets_no_spec_pass(server: Server, job: dict, status: Any, spec: dict) -> None:
    body = (
        {**deepcopy(job), "status": status} if status is not None else {k: v for k, v in job.items() if k != "status"}
    )
    assert "spec." in server.refusal(server.replace, JOB, body, {**job["spec"], **spec})


@pytest.mark.cluster
def test_a_write_of_status_does_not_reach_spec(server: Server, job: dict) -> None:
    body = {"status": {"phase": "Failed"}, "spec": {"queue": "other"}, "metadata": {"labels": {"a": "b"}}}
    place = ("batchyard.dev", "v1alpha1", server.namespace, "batchjobs", job["metadata"]["name"])
    written = server.api.patch_namespaced_custom_object_status(*place, body)
    assert written["status"]["phase"] == "Failed"
    assert written["spec"] == job["spec"]


@pytest.mark.cluster
@pytest.mark.parametrize("cost", ["much", "-1", "1e3"])
def test_a_status_takes_no_cost_that_is_none(server: Server, job: dict, cost: str) -> None:
    with pytest.raises(client.ApiException, match=r"status\.cost\.amount"):
        server.set_status(JOB, job["metadata"]["name"], {"cost": {"amount": cost, "wasted": "0"}})


@pytest.mark.cluster
def test_what_cannot_change_and_the_status_are_owned_as_a_whole(server: Server, fresh: str) -> None:
    spec = changed(GOOD[JOB], "", {**GOOD_FEATURES[0], "retry": {"attempts": 2}})
    server.create(JOB, spec, fresh, keep=True)
    server.set_status(JOB, fresh, {"phase": "Running"})
    submitted, told = (entry["fieldsV1"] for entry in server.read(JOB, fresh)["metadata"]["managedFields"])
    server.delete(JOB, fresh)
    assert submitted["f:spec"]["f:template"] == submitted["f:spec"]["f:retry"] == told["f:status"] == {}
    assert "f:size" in submitted["f:spec"]["f:array"]
