"""Mistakes: each gets a clear message, waits if waiting can cure it, and runs as soon as the mistake is mended."""

from __future__ import annotations

import pytest

from cluster.lab import Lab
from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, simulated

SOON = 10  # seconds until a job says what is wrong: a reason to wait must have held for two


def _condition(body: Body, kind: str) -> Body:
    return next((c for c in (body.get("status") or {}).get("conditions") or () if c["type"] == kind), {})


def test_a_job_of_an_unknown_queue_waits_until_it_is_there(story: Lab) -> None:
    story.job("early-bird", "later", template=simulated())
    status = story.reason("early-bird", "QueueNotFound", SOON)["status"]
    assert status["phase"] == "Pending"
    assert f"JobQueue '{story.named('later')}' does not exist" in status["message"]
    assert story.named("main") in status["message"], "it names the queues that there are"
    story.queue("later", "plain")
    story.succeeded("early-bird")


def test_a_job_of_an_unknown_definition_waits_until_it_is_there(story: Lab) -> None:
    story.job("early-reader", "plain", definition={"name": "unwritten"})
    status = story.reason("early-reader", "DefinitionNotFound", SOON)["status"]
    assert status["phase"] == "Pending"
    assert f"'unwritten' does not exist in namespace '{story.namespace}'" in status["message"]
    story.definition("unwritten", template=simulated())
    assert story.succeeded("early-reader")["definitionRevision"] == 1


def test_a_revision_that_does_not_exist_is_said(story: Lab) -> None:
    story.definition("young", template=simulated())
    story.job("from-the-future", "plain", definition={"name": "young", "revision": 7})
    status = story.reason("from-the-future", "RevisionNotFound", SOON)["status"]
    assert "has no revision 7; its newest is 1" in status["message"]
    story.api.delete("Job", "from-the-future", story.namespace)


def test_a_queue_that_the_namespace_may_not_use(story: Lab) -> None:
    story.queue("closed", "plain", namespaceSelector={"matchLabels": {"team": story.run}})
    outside = story.new_namespace("outside")
    story.job("stranger", "closed", outside, template=simulated())
    status = story.reason("stranger", "NamespaceNotAllowed", SOON, outside)["status"]
    assert f"namespace '{outside}' may not use JobQueue '{story.named('closed')}'" in status["message"]
    assert "spec.namespaceSelector" in status["message"]
    story.api.patch("Namespace", outside, {"metadata": {"labels": {"team": story.run}}})
    story.succeeded("stranger", namespace=outside)


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("type", {"size": "many"}, "spec.parameters.size: 'many' is not of type Integer"),
        ("missing", {}, "spec.parameters.size is required (Integer)"),
        ("unknown", {"size": 3, "colour": "red"}, "spec.parameters.colour is not declared"),
        ("choice", {"size": 3, "mode": "odd"}, "spec.parameters.mode: 'odd' is not one of: fast, exact"),
    ],
)
def test_wrong_parameters_fail_with_their_name(story: Lab, name: str, parameters: Body, words: str) -> None:
    if story.api.find("JobDefinition", "strict", story.namespace) is None:
        declared = {
            "size": {"type": "Integer", "required": True},
            "mode": {"type": "String", "enum": ["fast", "exact"]},
        }
        story.definition("strict", parameters=declared, template=simulated())
    story.job(f"parameter-{name}", "plain", definition={"name": "strict"}, parameters=parameters)
    status = story.failed(f"parameter-{name}", SOON)
    assert status["reason"] == "InvalidParameters"
    assert words in status["message"]
    assert story.pods(f"parameter-{name}") == []


def test_a_job_bigger_than_every_shape_is_told_so_at_once_with_numbers(story: Lab) -> None:
    story.environment("small", managed("simulated", [shape(1), shape(2)], 64))
    story.queue("small", "small")
    story.job("too-big", "small", template=simulated(cpu="500m", memory="3Gi"))
    status = story.reason("too-big", "JobTooLarge", SOON)["status"]
    assert status["phase"] == "Runnable"
    assert (
        f"needs memory 3072Mi; the largest node of '{story.named('small')}' offers memory 2048Mi" in status["message"]
    )
    (verdict,) = status["waiting"]["environments"]
    assert (verdict["name"], verdict["verdict"]) == (story.named("small"), "JobTooLarge")
    assert story.nodes("small") == [], "no node was launched for it"
    shapes = {"spec": {"instanceTypes": [shape(1), shape(2), shape(4)]}}
    story.api.patch("ComputeEnvironment", story.named("small"), shapes)
    story.succeeded("too-big")


def test_a_job_that_insists_on_a_capacity_type_that_its_queue_lacks(story: Lab) -> None:
    story.job("picky", "plain", template=simulated(), capacityType="Spot")
    status = story.reason("picky", "CapacityTypeMismatch", SOON)["status"]
    assert f"'{story.named('plain')}' is OnDemand, the job wants Spot" in status["message"]
    story.api.delete("Job", "picky", story.namespace)


def test_a_quota_is_waited_for_with_the_api_servers_own_sentence(story: Lab) -> None:
    namespace = story.new_namespace("quota")
    quota = {"kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    story.api.create(quota, namespace)
    until(lambda: (story.api.get("ResourceQuota", "none", namespace).get("status") or {}).get("hard"))
    story.job("poor", "plain", namespace, template=simulated())
    status = story.reason("poor", "QuotaExceeded", SOON, namespace)["status"]
    assert status["phase"] == "Runnable"
    assert 'pods "poor-1" is forbidden: exceeded quota: none' in status["message"]
    assert "requested: pods=1, used: pods=0, limited: pods=0" in status["message"]
    story.api.patch("ResourceQuota", "none", {"spec": {"hard": {"pods": "5"}}}, namespace)
    assert [a["number"] for a in story.succeeded("poor", namespace=namespace)["attempts"]] == [1]


def test_a_limit_range_refuses_with_the_api_servers_own_sentence(story: Lab) -> None:
    namespace = story.new_namespace("limits")
    limits = {"limits": [{"type": "Container", "max": {"cpu": "500m"}}]}
    story.api.create({"kind": "LimitRange", "metadata": {"name": "small"}, "spec": limits}, namespace)
    template = simulated(cpu="1")
    template["spec"]["containers"][0]["resources"]["limits"] = {"cpu": "1"}
    story.job("greedy", "plain", namespace, template=template)
    status = story.failed("greedy", SOON + 10, namespace)
    assert status["reason"] == "PodForbidden"
    assert 'pods "greedy-1" is forbidden: maximum cpu usage per Container is 500m, but limit is 1' in status["message"]


def test_a_pod_security_level_refuses_with_the_api_servers_own_sentence(story: Lab) -> None:
    namespace = story.new_namespace("restricted", **{"pod-security.kubernetes.io/enforce": "baseline"})
    template = simulated()
    template["spec"]["hostNetwork"] = True
    story.job("rude", "plain", namespace, template=template)
    status = story.failed("rude", SOON, namespace)
    assert status["reason"] == "PodForbidden"
    assert 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)' in status["message"]


def test_a_template_that_the_api_server_refuses_fails_with_its_sentence(story: Lab) -> None:
    template = simulated()
    template["spec"]["containers"][0]["volumeMounts"] = [{"name": "nothing", "mountPath": "/x"}]
    story.job("unmounted", "plain", template=template)
    status = story.failed("unmounted", SOON)
    assert status["reason"] == "InvalidTemplate"
    assert 'spec.containers[0].volumeMounts[0].name: Not found: "nothing"' in status["message"]


def test_a_definition_with_an_invalid_template_says_so_and_its_jobs_fail(story: Lab) -> None:
    template = simulated()
    template["spec"]["containers"][0]["ports"] = [{"containerPort": 70000}]
    story.definition("broken", template=template)
    until(lambda: _condition(story.api.get("JobDefinition", "broken", story.namespace), "Valid"), SOON)
    definition = story.api.get("JobDefinition", "broken", story.namespace)
    valid = _condition(definition, "Valid")
    sentence = "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535"
    assert (valid["status"], valid["reason"]) == ("False", "InvalidTemplate")
    assert sentence in valid["message"]
    assert definition["status"]["phase"] == "Invalid"
    story.job("of-broken", "plain", definition={"name": "broken"})
    status = story.failed("of-broken", SOON)
    assert status["reason"] == "DefinitionInvalid"
    assert sentence in status["message"]
    story.api.patch("JobDefinition", "broken", {"spec": {"template": simulated()}}, story.namespace)
    story.job("of-mended", "plain", definition={"name": "broken"})
    assert story.succeeded("of-mended")["definitionRevision"] == 2


def test_a_typing_error_in_a_definition_is_found(story: Lab) -> None:
    template = simulated()
    template["spec"]["containers"][0]["imagePullPolice"] = "Never"
    story.definition("typo", template=template)
    until(lambda: _condition(story.api.get("JobDefinition", "typo", story.namespace), "Valid"), SOON)
    valid = _condition(story.api.get("JobDefinition", "typo", story.namespace), "Valid")
    assert valid["status"] == "False"
    assert 'unknown field "spec.containers[0].imagePullPolice"' in valid["message"]


def test_a_typing_error_in_an_inline_template_is_found(story: Lab) -> None:
    template = simulated()
    template["spec"]["containers"][0]["comand"] = ["echo"]
    story.job("misspelt", "plain", template=template)
    status = story.failed("misspelt", SOON)
    assert status["reason"] == "InvalidTemplate"
    assert 'unknown field "spec.containers[0].comand"' in status["message"]


def test_a_definition_that_refers_to_an_undeclared_parameter(story: Lab) -> None:
    template = simulated()
    template["spec"]["containers"][0]["command"] = ["echo", "Ref::nobody"]
    story.definition("undeclared", template=template)
    until(lambda: _condition(story.api.get("JobDefinition", "undeclared", story.namespace), "Valid"), SOON)
    valid = _condition(story.api.get("JobDefinition", "undeclared", story.namespace), "Valid")
    assert (valid["status"], valid["reason"]) == ("False", "InvalidTemplate")
    assert "Ref::nobody, which spec.parameters does not declare" in valid["message"]


def test_an_override_of_a_container_that_is_not_there(story: Lab) -> None:
    overrides = {"containers": [{"name": "side", "image": "y"}]}
    story.job("overreach", "plain", template=simulated(), overrides=overrides)
    status = story.failed("overreach", SOON)
    assert status["reason"] == "InvalidOverrides"
    assert "the template has no container 'side'; it has: main" in status["message"]


def test_somebody_elses_pod_in_the_way_is_named_and_left_alone(story: Lab) -> None:
    pod = {"kind": "Pod", "metadata": {"name": "crowded-1"}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
    uid = story.api.create(pod, story.namespace)["metadata"]["uid"]
    story.job("crowded", "plain", template=simulated())
    status = story.reason("crowded", "PodNameTaken", SOON)["status"]
    assert "a pod named 'crowded-1' that is not this job's stands in the way; delete it" in status["message"]
    assert story.api.get("Pod", "crowded-1", story.namespace)["metadata"]["uid"] == uid
    story.api.delete("Pod", "crowded-1", story.namespace)
    story.succeeded("crowded")
