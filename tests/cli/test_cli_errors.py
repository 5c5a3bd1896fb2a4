"""What goes wrong outside: no server, no rights, no kinds, no kubeconfig; each a sentence with the fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_world import POD, World, kubeconfig_of
from kubernetes import client

EVERY = ["list", "top", "cost", "graph", "describe j", "explain j", "logs j", "stop j", "retry j", "submit -f {file}"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "job.yaml"
    found.write_text(
        "{apiVersion: batchyard.dev/v1alpha1, kind: Job, metadata: {name: j}, "
        "spec: {queue: q, template: {spec: {containers: [{name: m, image: x}]}}}}"
    )
    return found


@pytest.mark.parametrize("words", EVERY)
def test_server_that_does_not_answer(world: World, file: Path, words: str, tmp_path: Path) -> None:
    away = kubeconfig_of(world.kubeconfig, tmp_path / "away", world.namespace, server="https://127.0.0.1:1")
    said = world.refused(*words.format(file=file).split(), "--kubeconfig", str(away))
    assert "the API server https://127.0.0.1:1 gives no answer" in said
    assert "Connection refused); check --kubeconfig and --context" in said


@pytest.mark.parametrize("words", EVERY)
def test_kinds_that_are_not_installed(world: World, file: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchyard.cli.cluster.GROUP", "nobody.example")  # for which the server has no CRDs either
    said = world.refused(*words.format(file=file).split())
    assert "install the CRDs: helm install batchyard charts/batchyard" in said


@pytest.fixture
def nobody(world: World, tmp_path: Path) -> Path:
    """A user without rights."""
    core = client.CoreV1Api(world.api)
    core.create_namespaced_service_account(world.namespace, {"metadata": {"name": "nobody"}})
    request = {"spec": {"expirationSeconds": 600}}
    token = core.create_namespaced_service_account_token("nobody", world.namespace, request).status.token
    return kubeconfig_of(world.kubeconfig, tmp_path / "nobody", world.namespace, token=token)


@pytest.mark.parametrize("words", EVERY)
def test_rights_that_are_missing(world: World, file: Path, words: str, nobody: Path) -> None:
    said = world.refused(*words.format(file=file).split(), "--kubeconfig", str(nobody))
    assert "is forbidden: User" in said
    assert "ask an administrator for that right, or name another --namespace or --context" in said


def test_credentials_that_are_not_known(world: World, tmp_path: Path) -> None:
    wrong = kubeconfig_of(world.kubeconfig, tmp_path / "wrong", world.namespace, token="none")
    assert "the API server does not know you" in world.refused("list", "--kubeconfig", str(wrong))


def test_job_that_is_not_there(world: World) -> None:
    for command in ("describe", "explain", "logs", "stop", "retry", "graph", "cost"):
        said = world.refused(command, "nobody")
        assert f"no Job 'nobody' in namespace '{world.namespace}'; `list -A` shows those of all namespaces" in said


def test_wrong_names_are_told_what_was_probably_meant(world: World) -> None:
    queue = f"{world.namespace}-queue"
    world.make("JobDefinition", "render", {"parameters": {"scene": {"required": True}}, "template": POD})
    world.make("JobQueue", queue, {"computeEnvironments": ["e"]})
    try:
        done = world.run("submit", "render", "-p", "scene=a", "-q", f"{queue[:-2]}eu", "--name", "first")
        assert f"did you mean '{queue}'" in done.stderr
    finally:
        world.delete(queue, "JobQueue")
    assert "did you mean 'render'?" in world.refused("submit", "rendr", "-p", "scene=a")
    assert "did you mean 'scene'?" in world.refused("submit", "render", "-p", "scen=a")
    assert f"no Job 'fist' in namespace '{world.namespace}'; did you mean 'first'?" in world.refused("stop", "fist")
    assert "did you mean 'elsewhere'?" in world.refused("list", "--context", "elsewere")
    assert "No such command 'sumbit'; did you mean 'submit'?" in world.refused("sumbit")


def test_kubeconfig_that_cannot_be_used(world: World, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("a: [")
    for path in (broken, tmp_path / "absent"):
        said = world.refused("list", "--kubeconfig", str(path))
        assert f"no usable kubeconfig at {path}" in said
        assert "name one with --kubeconfig or $KUBECONFIG" in said
    assert "no context 'x' in" in world.refused("list", "--context", "x")


def test_help_of_every_command_needs_no_cluster(world: World) -> None:
    from batchyard.cli.main import COMMANDS

    for command in COMMANDS:
        text = world.run(command, "--help", KUBECONFIG="/not/there").stdout
        assert text.startswith("Usage:")
    assert "Exit codes" in world.run("--help").stdout
    assert "No such command 'sumbit'" in world.refused("sumbit")
