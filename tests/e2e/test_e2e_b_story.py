"""From `helm install` to `helm uninstall` and back, with a user's jobs under way; each chapter builds on those before.

Only the release and what belongs to the cluster (environments, queues) are an administrator's doing.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from cluster.rest import Body, until
from cluster.specs_of_jobs import short
from e2e.conftest import Scene
from e2e.people import NAMESPACE, user
from e2e.release import NAMESPACE as SYSTEM

TAKEOVER_SECONDS = 20
END_SECONDS = 600
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MORE = 40  # children of the array that runs while the leader dies

pytestmark = pytest.mark.timeout(900)


def job(scene: Scene, name: str) -> Body:
    return scene.api.get("Job", name, NAMESPACE)


def status(scene: Scene, name: str) -> Body:
    found: Body = job(scene, name).get("status") or {}
    return found


def wait(scene: Scene, name: str, *phases: str, seconds: float = 300) -> Body:
    until(lambda: status(scene, name).get("phase") in phases, seconds, lambda: short(job(scene, name)))
    return status(scene, name)


def test_installed_two_operators_stand_and_one_leads(scene: Scene) -> None:
    scene.release.install()
    names = {pod["metadata"]["name"] for pod in scene.release.pods()}
    assert len(names) == 2
    until(lambda: scene.release.leader() in names, 20)
    scene.recorder.start()


def test_a_user_may_submit_and_nothing_else(scene: Scene) -> None:
    scene.user = user(scene.ground, scene.api, scene.folder)
    assert scene.user.may("create", "batchjobs.batchyard.dev")
    assert not scene.user.may("patch", "batchjobs.batchyard.dev", "--subresource=status")
    for resource in ("computeenvironments.batchyard.dev", "jobqueues.batchyard.dev"):
        assert not scene.user.may("create", resource)
    for resource in ("pods", "secrets", "serviceaccounts"):
        assert not scene.user.may("create", resource)


def test_the_first_job_succeeds(scene: Scene) -> None:
    began = time.monotonic()
    scene.administrator.apply(scene.examples.administrators)
    scene.user.apply([one for one in scene.examples.users if one["metadata"]["name"] == "hello"])
    wait(scene, "hello", "Succeeded", "Failed")
    print(f"first job, its node included: {time.monotonic() - began:.1f} s")
    assert status(scene, "hello")["phase"] == "Succeeded", short(job(scene, "hello"))
    assert "Hello from attempt 1" in scene.user.run("logs", "hello-1")


def test_an_upgrade_in_the_middle_of_all_examples(scene: Scene) -> None:
    scene.user.apply(scene.examples.users)
    wait(scene, "patient", "Running")
    scene.release.upgrade("operator.resources.limits.memory=768Mi")
    limits = {pod["spec"]["containers"][0]["resources"]["limits"]["memory"] for pod in scene.release.pods()}
    assert limits == {"768Mi"}
    assert len(scene.release.pods()) == 2


def test_the_leaders_death_in_the_middle(scene: Scene) -> None:
    scene.user.apply([_through_it()])
    running = until(lambda: status(scene, "through-it").get("array", {}).get("counts", {}).get("running"), 120)
    before = {pod["metadata"]["name"] for pod in scene.release.pods()}
    leader = scene.release.leader()
    assert leader in before
    died = scene.release.kill(leader)
    until(lambda: scene.release.leader() not in ("", leader), TAKEOVER_SECONDS + 10)
    took = time.monotonic() - died
    print(f"{running} children were running; the standby took over after {took:.1f} s")
    assert took < TAKEOVER_SECONDS
    assert scene.release.leader() in before - {leader}, "it was the one that stood by"


def _through_it() -> Body:
    container: Body = {"name": "main", "image": "batchyard.dev/busybox:1", "command": ["sleep", "5"]}
    container["resources"] = {"requests": {"cpu": "100m", "memory": "32Mi"}}
    spec = {
        "queue": "default",
        "array": {"size": MORE, "maxConcurrent": 8},
        "template": {"spec": {"containers": [container]}},
    }
    return {"apiVersion": "batchyard.dev/v1alpha1", "kind": "Job", "metadata": {"name": "through-it"}, "spec": spec}


def test_nothing_was_lost_and_nothing_ran_twice(scene: Scene) -> None:
    wait(scene, "through-it", "Succeeded", "Failed", seconds=END_SECONDS)
    uid = job(scene, "through-it")["metadata"]["uid"]
    pods = scene.recorder.of(uid)
    assert Counter(pod.index for pod in pods) == Counter(str(index) for index in range(MORE))
    assert status(scene, "through-it")["array"]["succeeded"] == f"0-{MORE - 1}"
    assert {pod.phase for pod in pods} == {"Succeeded"}


def test_every_example_ends_as_it_should(scene: Scene) -> None:
    expected = scene.examples.ends

    def ends() -> dict[str, tuple[Any, Any]]:
        found = {name: status(scene, name) for name in expected}
        return {name: (its.get("phase"), its.get("reason")) for name, its in found.items()}

    def others() -> dict[str, Any]:
        return {n: end for n, end in ends().items() if end[0] != expected[n][0] or expected[n][1] not in (None, end[1])}

    until(lambda: not others(), END_SECONDS, lambda: f"otherwise: {others()}")
    assert len(status(scene, "retry")["attempts"]) == 2
    assert scene.recorder.wrongs == []
    assert scene.recorder.broken == []


def test_uninstalled_jobs_and_definitions_stay_and_what_runs_runs_on(scene: Scene) -> None:
    before = {body["metadata"]["uid"]: body["status"] for body in scene.api.list("Job", NAMESPACE)}
    scene.release.uninstall()
    until(lambda: not scene.release.pods(), 60)
    after = {body["metadata"]["uid"]: body["status"] for body in scene.api.list("Job", NAMESPACE)}
    assert after == before
    assert _running(scene, "endless-1")
    names = [one["metadata"]["name"] for one in scene.api.call("GET", CRDS)["items"]]
    assert len([name for name in names if name.endswith(".batchyard.dev")]) >= 7
    assert scene.api.find("ServiceAccount", "batchyard", SYSTEM) is None, "the rights went"


def _running(scene: Scene, pod: str) -> bool:
    return bool(scene.api.get("Pod", pod, NAMESPACE)["status"]["phase"] == "Running")


def test_installed_again_it_goes_on_with_what_it_finds(scene: Scene) -> None:
    scene.release.install()
    stop = '{"spec": {"stop": {"mode": "Terminate", "reason": "seen enough"}}}'
    scene.user.run("patch", "batchjob", "endless", "--type=merge", f"--patch={stop}")
    ended = wait(scene, "endless", "Failed", "Succeeded")
    assert (ended["phase"], len(ended["attempts"])) == ("Failed", 1)
    assert len(scene.recorder.of(job(scene, "endless")["metadata"]["uid"])) == 1
    assert scene.recorder.wrongs == []


def test_environments_take_their_nodes_with_them(scene: Scene) -> None:
    names = [one["metadata"]["name"] for one in scene.examples.administrators if one["kind"] == "ComputeEnvironment"]
    scene.administrator.run("delete", "computeenvironments", *names, "--timeout=90s")
    nodes = scene.api.list("Node", labelSelector="batchyard.dev/compute-environment")
    assert nodes == []
    scene.recorder.stop()
