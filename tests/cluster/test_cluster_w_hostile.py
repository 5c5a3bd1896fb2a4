"""Bad and hostile objects on the real API server: no crash, nothing done in a forger's name, nobody else delayed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from cluster.lab import Lab
from cluster.rest import Body, Refused, place, until
from cluster.specs_of_jobs import managed, shape, simulated
from properties.hostile import schema_of, values

SYSTEM = "batchyard-system"
SOON = 30
SECRET = "s3cr3t-marker-7f1e"
QUEUE_OF_NOBODY = "nobody"


@pytest.fixture(scope="module")
def yard(lab: Lab) -> Lab:
    """The lab with a namespace of a user who means ill, one of another user, and a queue for both."""
    space = lab.new_namespace("hostile")
    lab.recorder.forged.add(space)
    lab.environment("rampart", managed("simulated", [shape(8)], 64))
    lab.queue("rampart", "rampart")
    lab.queue("gate", "rampart", state="Held")
    other = lab.new_namespace("bystander")
    lab.recorder.forged.add(other)
    return replace(lab, namespace=space)


@pytest.fixture(autouse=True)
def unharmed(yard: Lab) -> Iterator[None]:
    """After each test the same process runs, has nothing to complain of, and serves somebody else at once."""
    assert yard.operator.process is not None
    pid, before = yard.operator.process.pid, len(yard.operator.complaints())
    yield
    assert yard.operator.alive
    assert yard.operator.process.pid == pid
    assert yard.operator.complaints()[before:] == []
    _bystander(yard)


_count = iter(range(10_000))


def _bystander(yard: Lab) -> None:
    name, space = f"bystander-{next(_count)}", yard.named("bystander")
    yard.job(name, "rampart", space, template=simulated())
    yard.succeeded(name, SOON, space)


def _pod(yard: Lab, name: str, job: Body, space: str = "", *, owned: bool = True, **notes: str) -> str:
    """Make a pod with our labels and annotations that has succeeded, owned by the job if it is in its namespace."""
    space = space or yard.namespace
    owner = {"apiVersion": "batchyard.dev/v1alpha1", "kind": "Job", "name": job["metadata"]["name"],
             "uid": job["metadata"]["uid"], "controller": True}  # fmt: skip
    labels = {"batchyard.dev/job-uid": owner["uid"], "batchyard.dev/attempt": "1", "batchyard.dev/array-index": "7"}
    meta = {"name": name, "labels": labels, "annotations": {f"batchyard.dev/{k}": v for k, v in notes.items()}}
    if space == yard.namespace and owned:
        meta["ownerReferences"] = [owner]
    body = {"kind": "Pod", "metadata": meta, "spec": {"containers": [{"name": "main", "image": "x"}]}}
    uid: str = yard.api.create(body, space)["metadata"]["uid"]
    path = place("Pod", space, name) + "/status"
    yard.api.call("PATCH", path, {"status": {"phase": "Succeeded"}}, "application/merge-patch+json")
    return uid


BAD: dict[str, tuple[Body, str]] = {
    "affinity": ({"affinity": {"nodeAffinity": True}}, "template.spec.affinity.nodeAffinity"),
    "terms": (
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [1]}}}},
        "nodeSelectorTerms[0]",
    ),
    "tolerations": ({"tolerations": ["all"]}, "template.spec.tolerations[0]"),
    "volumes": ({"volumes": [{"persistentVolumeClaim": "x"}]}, "template.spec.volumes[0].persistentVolumeClaim"),
    "overhead": ({"overhead": {"cpu": [1]}}, "template.spec.overhead"),
    "claims": ({"resourceClaims": [{"name": "x"}], "volumes": [5]}, "template.spec.volumes[0]"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_pod_could_have_fails_the_job_with_its_field(yard: Lab, name: str) -> None:
    fields, words = BAD[name]
    template = simulated()
    template["spec"] |= fields
    yard.job(f"bad-{name}", "rampart", template=template)
    status = yard.failed(f"bad-{name}", SOON)
    assert status["reason"] == "InvalidTemplate"
    assert words in status["message"]
    (condition,) = [c for c in status["conditions"] if c["type"] == "Failed"]
    assert words in condition["message"]


@pytest.mark.parametrize("amount", ["1e999999999", "1e30", "9999999999999999999999Ei"])
def test_an_amount_beyond_everything_is_too_large_and_no_more(yard: Lab, amount: str) -> None:
    name = f"amount-{abs(hash(amount)) % 10**6}"
    yard.job(name, "rampart", template=simulated(memory=amount))
    assert "needs memory" in yard.reason(name, "JobTooLarge", SOON)["status"]["message"]


def test_gt_without_a_number_matches_nothing(yard: Lab) -> None:
    template = simulated()
    for term in ({"key": "x", "operator": "Gt"}, {"key": "x", "operator": "Lt", "values": ["many"]}):
        required = {"nodeSelectorTerms": [{"matchExpressions": [term]}]}
        template["spec"]["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
        yard.job(f"gt-{term['operator'].lower()}", "rampart", template=template)
        yard.reason(f"gt-{term['operator'].lower()}", "NoMatchingNode", SOON)


def test_a_pod_that_pretends_to_be_a_jobs_is_neither_counted_nor_touched(yard: Lab) -> None:
    victim = yard.job("victim", "gate", template=simulated())
    body = yard.reason(victim, "QueueHeld", SOON)
    far = yard.named("bystander")
    forged = {("decoy-1", yard.namespace): "", ("victim-7-1", yard.namespace): "", ("victim-1", far): ""}
    for name, space in forged:
        forged[name, space] = _pod(yard, name, body, space, **{"timeout-seconds": "1"})
    unowned = _pod(yard, "unowned-1", body, owned=False)
    _bystander(yard)
    assert yard.read(victim)["status"]["phase"] == "Runnable", "nobody else's success is this job's"
    yard.api.patch("JobQueue", yard.named("gate"), {"spec": {"state": "Enabled"}})
    ended = yard.succeeded(victim, SOON)
    yard.api.patch("JobQueue", yard.named("gate"), {"spec": {"state": "Held"}})
    assert [(a["number"], a["pod"]) for a in ended["attempts"]] == [(1, "victim-1")]
    for name in ("decoy-1", "victim-7-1", "unowned-1"):
        pod = yard.api.get("Pod", name, yard.namespace)
        assert pod["metadata"].get("deletionTimestamp") is None, f"{name} is not ours to remove"
        assert pod["metadata"]["uid"] in {unowned, *forged.values()}


@pytest.mark.parametrize(
    "text", ["²", "9" * 5000, '{"licence": -1000000}', '{"at": 1e300, "reason": "x", "message": ""}']
)
def test_marks_of_ours_that_say_nonsense_harm_nobody(yard: Lab, text: str) -> None:
    job = yard.job(f"marked-{next(_count)}", "gate", template=simulated())
    body = yard.reason(job, "QueueHeld", SOON)
    marks = {"timeout-seconds": text, "stop": text, "consumables": text, "gang": text, "share": text[:200]}
    _pod(yard, f"{job}-1", body, **marks)
    _bystander(yard)


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Running", "attempts": [{"number": 10**18, "startedAt": "0001-01-01T00:00:00+14:00", "cost": "1e9"}]},
        {"phase": "Runnable", "waiting": {"since": "9999-12-31T23:59:59-12:00", "position": 1}},
        {
            "phase": "Failed",
            "stoppedAt": "0001-01-01T00:00:00+14:00",
            "attempts": [{"number": 1, "reason": "OutOfMemory"}],
        },
        {"phase": "Submitted", "array": {"size": 3, "succeeded": "0-99999", "failed": "bits:AAAA", "running": "x"}},
        {"phase": "Starting", "multiNode": {"nodes": 10**18, "mainPod": "x"}},
    ],
    ids=lambda status: status["phase"],
)
@pytest.mark.parametrize("spec", [{}, {"array": {"size": 3}}], ids=["plain", "array"])
def test_a_status_that_a_user_writes_harms_nobody(yard: Lab, status: Body, spec: Body) -> None:
    name = yard.job(f"edited-{next(_count)}", "gate", template=simulated(), **spec)
    yard.reason(name, "QueueHeld", SOON)
    path = place("Job", yard.namespace, name) + "/status"
    assert _answer(lambda: yard.api.call("PATCH", path, {"status": status}, "application/merge-patch+json")) in (
        200,
        422,
    )


def _answer(call: Callable[[], Any]) -> int:
    try:
        call()
    except Refused as refused:
        return refused.status
    return 200


def test_a_revision_that_somebody_forged_is_not_run(yard: Lab) -> None:
    yard.definition("true", template=simulated())
    until(
        lambda: (yard.api.get("JobDefinition", "true", yard.namespace).get("status") or {}).get("phase") == "Valid",
        SOON,
    )
    uid = yard.api.get("JobDefinition", "true", yard.namespace)["metadata"]["uid"]
    evil = simulated()
    evil["spec"] |= {"nodeName": "anywhere", "hostNetwork": True}
    far = yard.named("bystander")
    for space, name in ((yard.namespace, "true-forged-1"), (far, f"true-{uid[:8]}-1")):
        meta = {"name": name, "labels": {"batchyard.dev/definition-uid": uid},
                "annotations": {"batchyard.dev/definition": "true"}}  # fmt: skip
        made = {"kind": "ControllerRevision", "metadata": meta, "revision": 1, "data": {"template": evil}}
        yard.api.create(made, space)
    _bystander(yard)
    yard.job("of-true", "rampart", definition={"name": "true"})
    yard.succeeded("of-true", SOON)
    spec = yard.api.get("Pod", "of-true-1", yard.namespace)["spec"]
    assert "hostNetwork" not in spec
    assert spec["nodeName"] != "anywhere"


def test_tombstones_that_somebody_damaged_are_none(yard: Lab) -> None:
    name = f"batchyard-outcomes-{yard.namespace}"
    texts = {"ghost": "{", "ghoul": '{"uid": 5}', "wraith": "\u0000" + "9" * 5000, "shade": '{"phase": "Succeeded"}'}
    meta = {"name": name, "labels": {"batchyard.dev/outcomes": yard.namespace}}
    if yard.api.find("ConfigMap", name, SYSTEM) is None:
        yard.api.create({"kind": "ConfigMap", "metadata": meta}, SYSTEM)
    yard.api.patch("ConfigMap", name, {"data": texts}, SYSTEM)
    for job in texts:
        yard.job(f"mourns-{job}", "rampart", template=simulated(), dependsOn=[{"job": job}])
        yard.reason(f"mourns-{job}", "DependencyNotFound", SOON)
    yard.api.patch("ConfigMap", name, {"data": dict.fromkeys(texts)}, SYSTEM)


def test_a_job_near_the_limit_of_an_object_is_told_or_run(yard: Lab) -> None:
    for name, count, words in (("heavy", 9, "x"), ("unicode", 6, "🧨"), ("nul", 1, "\x00")):
        template = simulated()
        size = 100_000 // len(words.encode())
        template["spec"]["containers"][0]["env"] = [{"name": f"E{n}", "value": words * size} for n in range(count)]
        yard.job(name, "rampart", template=template)
        yard.phase(name, "Succeeded", "Failed", seconds=SOON)


def test_a_crowd_of_everything_at_once(yard: Lab) -> None:
    template = simulated()
    main = template["spec"]["containers"][0]
    template["spec"]["containers"] = [{**main, "name": f"c{n}", "args": ["x"] * 1000} for n in range(10)]
    template["spec"]["nodeSelector"] = {f"key-{n}": "v" for n in range(1000)}
    yard.job("crowd", "rampart", template=template, dependsOn=[{"job": f"nobody-{n}"} for n in range(100)])
    yard.reason("crowd", "DependencyNotFound", SOON)
    with pytest.raises(Refused, match="dependsOn"):
        yard.job("mob", "rampart", template=template, dependsOn=[{"job": f"nobody-{n}"} for n in range(1000)])


def test_names_as_long_as_they_may_be(yard: Lab) -> None:
    space = yard.named("n" * (63 - len(yard.named(""))))
    yard.api.create({"kind": "Namespace", "metadata": {"name": space, "labels": {"batchyard-test": yard.run}}})
    yard.made.append(("Namespace", space))
    until(lambda: yard.api.find("ServiceAccount", "default", space))
    yard.job("j" * 50, "rampart", space, template=simulated())
    yard.succeeded("j" * 50, SOON, space)
    yard.job("9" * 50, "rampart", space, template=simulated(), array={"size": 2})
    yard.succeeded("9" * 50, SOON, space)


def test_what_a_template_says_in_our_name_is_left_out(yard: Lab) -> None:
    template = simulated()
    ours = {"batchyard.dev/job-uid": "x", "batchyard.dev/stop": "{}", "batchyard.dev/queue": "x"}
    template["metadata"] = {"labels": ours, "annotations": {**template["metadata"]["annotations"], **ours}}
    yard.job("masked", "rampart", template=template)
    yard.succeeded("masked", SOON)
    meta = yard.api.get("Pod", "masked-1", yard.namespace)["metadata"]
    assert meta["labels"]["batchyard.dev/job-uid"] == yard.read("masked")["metadata"]["uid"]
    assert not ours.keys() & meta["annotations"].keys()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nodeName": "control-plane"}, "nodeName is chosen by Batchyard"),
        ({"priorityClassName": "system-node-critical"}, "priorityClassName system-... is for the cluster's own Pods"),
        ({"schedulingGates": [{"name": "x"}]}, "schedulingGates are not for Jobs"),
        ({"ephemeralContainers": [{"name": "x"}]}, "ephemeralContainers cannot stand in a template"),
    ],
)
def test_what_would_reach_further_than_the_user_may_is_refused_at_once(yard: Lab, fields: Body, words: str) -> None:
    template = simulated()
    template["spec"] |= fields
    with pytest.raises(Refused) as refused:
        yard.job("reaching", "rampart", template=template)
    assert words in refused.value.message


def test_owners_cannot_be_given_in_a_template(yard: Lab) -> None:
    template = simulated()
    template["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}]
    with pytest.raises(Refused, match="ownerReferences"):
        yard.job("adopted", "rampart", template=template)


def test_a_definition_of_another_namespace_is_not_found(yard: Lab) -> None:
    yard.definition("theirs", yard.named("bystander"), template=simulated())
    yard.job("thief", "rampart", definition={"name": "theirs"})
    assert f"in namespace '{yard.namespace}'" in yard.reason("thief", "DefinitionNotFound", SOON)["status"]["message"]


def test_a_service_account_that_is_not_there_is_said_with_the_api_servers_sentence(yard: Lab) -> None:
    template = simulated()
    template["spec"]["serviceAccountName"] = "of-another-namespace"
    yard.job("impostor", "rampart", template=template)
    status = yard.reason("impostor", "PodRefused", SOON)["status"]
    assert "service account" in status["message"].replace("serviceaccount", "service account")


def test_a_namespace_that_is_being_deleted_gets_nothing_and_delays_nobody(yard: Lab) -> None:
    space = yard.new_namespace("doomed")
    hold = {"kind": "ConfigMap", "metadata": {"name": "hold", "finalizers": ["example.org/hold"]}}
    yard.api.create(hold, space)
    for n in range(3):
        yard.job(f"doomed-{n}", "gate", space, template=simulated())
    yard.api.delete("Namespace", space)
    _bystander(yard)
    assert yard.api.list("Pod", space) == []
    yard.api.patch("ConfigMap", "hold", {"metadata": {"finalizers": None}}, space)


def test_no_secret_gets_into_logs_events_or_conditions(yard: Lab) -> None:
    env, template = [{"name": "TOKEN", "value": f"{SECRET}-env"}], simulated()
    main = template["spec"]["containers"][0]
    main |= {"env": env, "command": ["login", f"--password={SECRET}-command"]}
    override = {"containers": [{"name": "main", "env": [{"name": "KEY", "value": f"{SECRET}-override"}]}]}
    yard.job("discreet", "rampart", template=template, overrides=override)
    yard.succeeded("discreet", SOON)
    declared = {"password": {"type": "String"}}
    main["command"] = ["login", "Ref::password"]
    yard.definition("login", template=template, parameters=declared)
    yard.job("logs-in", "rampart", definition={"name": "login"}, parameters={"password": f"{SECRET}-parameter"})
    yard.succeeded("logs-in", SOON)
    for name, field in (("volumeMounts", [{"name": "none", "mountPath": "/x"}]), ("envFrom", [f"{SECRET}-junk", 1])):
        main[name] = field
        yard.job(f"refused-{name.lower()}", "rampart", template=template, overrides=override)
        status = yard.failed(f"refused-{name.lower()}", SOON)
        assert SECRET not in json.dumps(status), "what is wrong is named, not what is secret"
    for name in ("discreet", "logs-in"):
        assert SECRET not in json.dumps(yard.read(name)["status"])
    for event in yard.api.list("Event", yard.namespace):
        assert SECRET not in json.dumps(event)
    assert SECRET not in yard.operator.log.read_text(errors="replace")


@seed(20261124)
@settings(max_examples=25, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(values(schema_of("batchjobs")["properties"]["spec"], "spec", ("rampart", QUEUE_OF_NOBODY)))
def _submit_fuzz(yard: Lab, spec: Body) -> None:
    body = {"kind": "Job", "metadata": {"generateName": "fuzz-"}}
    sound = {"template": simulated(), "queue": yard.named("rampart")}
    for attempt in (spec, {**sound, **{k: v for k, v in spec.items() if k in ("template", "retry", "overrides")}}):
        whole = {**body, "spec": {**attempt, "queue": yard.named("rampart")}}
        # 500: of what the schema lets in, the API server cannot compute all rules (an amount with a long exponent).
        assert _answer(lambda whole=whole: yard.api.create(whole, yard.namespace)) in (200, 400, 422, 500)


def test_a_sample_of_what_the_schema_lets_in(yard: Lab) -> None:
    _submit_fuzz(yard)
    _bystander(yard)
    until(lambda: all((j.get("status") or {}).get("phase") != "Submitted" for j in _fuzzed(yard)), SOON)


def _fuzzed(yard: Lab) -> list[Any]:
    return [job for job in yard.api.list("Job", yard.namespace) if job["metadata"]["name"].startswith("fuzz-")]
