"""Several containers on real kubelets: before, beside and together, and the essential ones decide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from batchyard.model.labels import ESSENTIAL, STOP
from cluster.lab import Lab, Refused
from cluster.rest import until
from cluster.specs_of_jobs import JOB_IMAGE, managed, shape

Body = dict[str, Any]
FOR_EVER = "while :; do sleep 0.2; done"
SECONDS = 120


def pod_of(**scripts: str) -> Body:
    """Return a template of containers that run these scripts and share the folder /shared."""
    claims = {"requests": {"cpu": "50m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    containers = [
        {"name": name, "image": JOB_IMAGE, "command": ["sh", "-c", script], "resources": claims, "volumeMounts": mounts}
        for name, script in scripts.items()
    ]
    volumes = [{"name": "shared", "emptyDir": {}}]
    return {"spec": {"terminationGracePeriodSeconds": 2, "containers": containers, "volumes": volumes}}


def rule(name: str, essential: bool = True, **waits: str) -> Body:
    depends = [{"name": other, "condition": condition} for other, condition in waits.items()]
    return {"name": name, "essential": essential, **({"dependsOn": depends} if depends else {})}


JOBS: dict[str, tuple[Body, list[Body]]] = {
    "beside": (
        pod_of(main="sleep 2", log=f"trap 'exit 1' TERM; {FOR_EVER}"),
        [rule("main", log="Start"), rule("log", essential=False)],
    ),
    "in-order": (
        pod_of(main='[ "$(cat /shared/data)" = fetched ]', fetch="sleep 1; echo -n fetched >/shared/data"),
        [rule("main", fetch="Success"), rule("fetch", essential=False)],
    ),
    "first-fails": (
        pod_of(main="echo never", fetch="echo no such data; exit 4"),
        [rule("main", fetch="Success"), rule("fetch", essential=False)],
    ),
    "let-pass": (
        pod_of(main='[ "$(cat /shared/checked)" = badly ]', check="echo -n badly >/shared/checked; exit 3"),
        [rule("main", check="Complete"), rule("check", essential=False)],
    ),
    "essential-fails": (pod_of(main="sleep 1; echo broken; exit 3", peer=FOR_EVER), [rule("main"), rule("peer")]),
    "essential-done": (pod_of(main="sleep 1", helper=FOR_EVER), [rule("helper", essential=False)]),
    "helper-fails": (pod_of(main="sleep 2", helper="exit 5"), [rule("helper", essential=False)]),
    "in-line": (pod_of(main="sleep 1", peer=FOR_EVER), [rule("main", peer="Start")]),
}


@pytest.fixture(scope="module")
def crew(lab: Lab) -> Lab:
    """The lab with all jobs of this file submitted at once."""
    lab = replace(lab, namespace=lab.new_namespace("vessel"))
    lab.environment("vessel", managed("docker", [shape(2)], 2))
    lab.queue("vessel", "vessel")
    for name, (template, containers) in JOBS.items():
        lab.job(name, "vessel", template=template, containers=containers)
    return lab


def pod(lab: Lab, name: str) -> Body:
    found: Body = lab.api.get("Pod", f"{name}-1", lab.namespace)
    return found


def state(body: Body, name: str) -> Body:
    """Return how a container of a pod stands."""
    status = body["status"]
    everyone = [*status.get("initContainerStatuses", ()), *status["containerStatuses"]]
    found: Body = next(c for c in everyone if c["name"] == name)
    return found


def ended(body: Body, name: str) -> Body:
    found: Body = state(body, name)["state"]["terminated"]
    return found


def test_a_sidecar_starts_first_and_ends_with_the_main_container_without_a_word_from_us(crew: Lab) -> None:
    (attempt,) = crew.succeeded("beside", SECONDS)["attempts"]
    assert (attempt["reason"], attempt["exitCode"]) == ("Completed", 0)
    body = until(lambda: _final(crew, "beside"))
    assert body["status"]["phase"] == "Succeeded", "its own exit code does not matter"
    assert ended(body, "log")["exitCode"] != 0
    assert state(body, "log")["restartCount"] == 0
    assert ended(body, "log")["startedAt"] <= ended(body, "main")["startedAt"]
    assert STOP not in body["metadata"]["annotations"]


def _final(lab: Lab, name: str) -> Body | None:
    body = pod(lab, name)
    return body if body["status"]["phase"] in ("Succeeded", "Failed") else None


def test_success_of_another_container_comes_first(crew: Lab) -> None:
    crew.succeeded("in-order", SECONDS)
    body = pod(crew, "in-order")
    assert ended(body, "fetch")["finishedAt"] <= ended(body, "main")["startedAt"]


def test_a_container_whose_success_is_waited_for_fails_the_attempt(crew: Lab) -> None:
    (attempt,) = crew.failed("first-fails", SECONDS)["attempts"]
    assert (attempt["reason"], attempt["exitCode"], attempt["container"]) == ("Error", 4, "fetch")
    assert "no such data" in attempt["message"]


def test_complete_lets_a_failure_pass_and_notes_it(crew: Lab) -> None:
    crew.succeeded("let-pass", SECONDS)
    assert ended(pod(crew, "let-pass"), "check")["message"].strip() == "exited with code 3"


def test_an_essential_container_that_fails_ends_the_attempt_while_another_runs(crew: Lab) -> None:
    (attempt,) = crew.failed("essential-fails", SECONDS)["attempts"]
    assert (attempt["reason"], attempt["exitCode"], attempt["container"]) == ("Error", 3, "main")
    assert "broken" in attempt["message"]
    body = pod(crew, "essential-fails")
    assert body["metadata"]["annotations"][ESSENTIAL] == "main,peer"
    assert ended(body, "peer")["exitCode"] in (137, 143)


def test_an_essential_container_that_is_done_ends_the_attempt_well_though_the_pod_has_failed(crew: Lab) -> None:
    (attempt,) = crew.succeeded("essential-done", SECONDS)["attempts"]
    assert (attempt["reason"], attempt["exitCode"]) == ("Completed", 0)
    body = pod(crew, "essential-done")
    assert (body["status"]["phase"], body["status"]["reason"]) == ("Failed", "DeadlineExceeded")


def test_a_container_that_is_not_essential_may_fail(crew: Lab) -> None:
    (attempt,) = crew.succeeded("helper-fails", SECONDS)["attempts"]
    assert attempt["message"] == "not essential: container 'helper' exited with code 5"
    assert STOP not in pod(crew, "helper-fails")["metadata"]["annotations"]


def test_an_essential_container_starts_before_the_one_that_waits_for_its_start(crew: Lab) -> None:
    crew.succeeded("in-line", SECONDS)
    body = pod(crew, "in-line")
    assert [container["name"] for container in body["spec"]["containers"]] == ["peer", "main"]
    assert ended(body, "peer")["startedAt"] <= ended(body, "main")["startedAt"]


def test_a_helper_that_runs_on_while_no_operator_is_there_is_stopped_by_the_next(crew: Lab) -> None:
    template = pod_of(main="sleep 3", helper=FOR_EVER)
    crew.job("orphan", "vessel", template=template, containers=[rule("helper", essential=False)])
    crew.phase("orphan", "Running", seconds=SECONDS)
    crew.operator.kill()
    until(lambda: "terminated" in state(pod(crew, "orphan"), "main")["state"])
    crew.operator.start()
    (attempt,) = crew.succeeded("orphan", SECONDS)["attempts"]
    assert (attempt["reason"], attempt["exitCode"]) == ("Completed", 0)


def test_rules_that_cannot_be_kept_make_a_definition_invalid_and_fail_its_jobs(crew: Lab) -> None:
    template = pod_of(main="true", check="true")
    del template["spec"]["containers"][1]["command"]
    containers = [rule("main", check="Complete"), rule("check", essential=False)]
    crew.definition("wrapped", template=template, containers=containers)
    crew.job("wrapped", "vessel", definition={"name": "wrapped"})
    status = crew.failed("wrapped")
    assert status["reason"] == "InvalidContainers"
    (valid,) = until(lambda: crew.api.get("JobDefinition", "wrapped", crew.namespace)["status"]["conditions"])
    assert (valid["status"], valid["reason"]) == ("False", "InvalidContainers")
    assert valid["message"] == status["message"]
    assert "'check', which has no command" in valid["message"]


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([rule("x")], "spec.containers names a container that spec.template.spec.containers does not have"),
        ([rule("main", log="Start"), rule("log", main="Start")], "in a circle"),
        ([rule("main", log="Success")], "must have essential: false"),
        ([rule("main", essential=False), rule("log", essential=False)], "leaves no container essential"),
    ],
)
def test_what_can_be_seen_at_submission_is_refused_then(crew: Lab, containers: list[Body], words: str) -> None:
    with pytest.raises(Refused) as refused:
        crew.job("mistaken", "vessel", template=pod_of(main="true", log="true"), containers=containers)
    assert words in refused.value.message
