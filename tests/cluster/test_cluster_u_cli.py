"""The installed `kubectl batchyard` against a real operator and real kubelets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cluster.lab import Lab, tool
from cluster.rest import Body, until
from cluster.specs_of_jobs import managed, shape, shell, simulated

Run = Callable[..., subprocess.CompletedProcess[str]]
SECONDS = 120


@pytest.fixture(scope="module")
def plugin(lab: Lab) -> Iterator[Lab]:
    """Environments, queues and a definition whose jobs run what they are told."""
    lab = replace(lab, namespace=lab.new_namespace("plugin"))
    lab.environment("cli", managed("docker", [shape(1)], 2, scaleDownDelaySeconds=30))
    lab.environment("cli-tiny", managed("simulated", [shape(1)], 1))
    lab.queue("cli", "cli")
    lab.queue("cli-tiny", "cli-tiny")
    lab.queue("cli-held", "cli-tiny", state="Held")
    lab.queue("cli-narrow", "cli-tiny", maxRunningJobs=1)
    lab.queue("cli-fair", "cli-tiny", schedulingPolicy="nobody-made-it")
    lab.definition("cli-sh", parameters={"script": {"required": True}}, template=shell("Ref::script"))
    licence = {"kind": "ConsumableResource", "metadata": {"name": lab.named("cli-licence")}, "spec": {"total": 1}}
    lab.api.create(licence)
    yield lab
    lab.api.delete("ConsumableResource", lab.named("cli-licence"))


@pytest.fixture(scope="module")
def kubectl(plugin: Lab) -> Run:
    """Run `kubectl batchyard` as a user does who has installed the package."""
    path = f"{Path(sys.executable).parent}:{Path(tool('kubectl')).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KUBECONFIG": plugin.api.kubeconfig}

    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [tool("kubectl"), "batchyard", *words, "-n", plugin.namespace]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def submit(plugin: Lab, script: str, name: str, *more: str) -> list[str]:
    return ["submit", "cli-sh", "-p", f"script={script}", "--name", name, "-q", plugin.named("cli"), *more]


def test_wait_returns_the_jobs_own_outcome(plugin: Lab, kubectl: Run) -> None:
    good = kubectl(*submit(plugin, "echo fine", "cli-good", "--wait"))
    assert good.stdout == "batchjob.batchyard.dev/cli-good created\n"
    assert good.stderr.splitlines()[-1].startswith("cli-good succeeded")
    bad = kubectl(*submit(plugin, "echo oops; exit 7", "cli-bad", "--wait"), code=7)
    assert "cli-bad failed: container 'main' exited with code 7: oops" in bad.stderr
    assert kubectl("logs", "cli-good").stdout == "fine\n"


def test_children_are_followed_read_and_tried_again(plugin: Lab, kubectl: Run) -> None:
    index = "$AWS_BATCH_JOB_ARRAY_INDEX"
    script = f"echo child {index}; sleep 1; [ {index} != 2 ] || exit 5"
    done = kubectl(*submit(plugin, script, "cli-array", "--array", "4", "--follow"), code=5)
    lines = done.stdout.splitlines()
    assert sorted(lines[1:]) == [f"{n}: child {n}" for n in range(4)]
    assert kubectl("logs", "cli-array").stdout.splitlines() == [f"{n}: child {n}" for n in range(4)]
    assert kubectl("logs", "cli-array", "--index", "1-2", "--tail", "1").stdout == "1: child 1\n2: child 2\n"
    again = kubectl("retry", "cli-array", "--wait", code=5)
    assert again.stdout == "batchjob.batchyard.dev/cli-array-r1 created for the children 2\n"
    assert plugin.read("cli-array-r1")["status"]["array"]["failed"] == "2"


def test_follow_prints_while_the_job_runs_and_stop_ends_it(plugin: Lab, kubectl: Run) -> None:
    kubectl(*submit(plugin, "echo begun; sleep 600", "cli-slow"))
    plugin.phase("cli-slow", "Running")
    command = [str(Path(sys.executable).parent / "kubectl-batchyard"), "logs", "-f", "cli-slow", "-n", plugin.namespace]
    environment = {**os.environ, "KUBECONFIG": plugin.api.kubeconfig, "PYTHONUNBUFFERED": "1"}
    follower = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    assert follower.stdout.readline() == "begun\n"
    assert "cli-slow is told to terminate" in kubectl("stop", "cli-slow", "--reason", "seen enough").stderr
    assert follower.wait(SECONDS) == 0
    assert "seen enough" in plugin.failed("cli-slow")["message"]
    assert "cli-slow failed: " in kubectl("explain", "cli-slow").stdout


def test_pod_that_is_gone_is_said(plugin: Lab, kubectl: Run) -> None:
    kubectl(*submit(plugin, "echo last words; exit 1", "cli-gone", "--wait"), code=1)
    plugin.api.delete("Pod", plugin.read("cli-gone")["status"]["attempts"][0]["pod"], plugin.namespace)
    until(lambda: not plugin.api.list("Pod", plugin.namespace, labelSelector="batchyard.dev/job-name=cli-gone"))
    done = kubectl("logs", "cli-gone")
    assert "not there any more: pod cli-gone-1 of attempt 1" in done.stderr
    assert "last words" in done.stdout


def test_main_node_is_read_unless_others_are_named(plugin: Lab, kubectl: Run) -> None:
    script = "echo node $AWS_BATCH_JOB_NODE_INDEX; sleep 2"
    groups = [{"nodes": "0:", "template": shell(script)}]
    plugin.job("cli-gang", "cli", multiNode={"nodes": 2, "mainNode": 1, "groups": groups})
    plugin.succeeded("cli-gang", SECONDS)
    assert kubectl("logs", "cli-gang").stdout == "1: node 1\n"
    assert kubectl("logs", "cli-gang", "--index", "0-1").stdout == "0: node 0\n1: node 1\n"


def _causes(plugin: Lab) -> dict[str, tuple[str, Body, str, tuple[str, ...]]]:
    """Jobs that wait: queue, spec, the reason, and what its explanation says: the numbers and the fix."""
    tiny, licence, named = plugin.named("cli-tiny"), plugin.named("cli-licence"), plugin.named
    small, holder = simulated(600_000, cpu="100m", memory="64Mi"), f"{plugin.namespace}/cli-holder"
    return {
        "cli-lost": ("cli-nowhere", {"template": small}, "QueueNotFound", (
            f"JobQueue '{named('cli-nowhere')}' does not exist (there are: ", "create JobQueue ")),
        "cli-large": ("cli-tiny", {"template": simulated(cpu="64")}, "JobTooLarge", (
            "needs cpu 64", f"the largest node of '{tiny}' offers cpu 1", f"add a larger instance type to {tiny}")),
        "cli-full": ("cli-tiny", {"template": simulated(cpu="900m")}, "AtMaxVCpus", (
            "needs cpu 900m, has ", " of 1 vCPUs free", f"spec.maxVCpus of ComputeEnvironment {tiny} may be raised")),
        "cli-after": ("cli-tiny", {"template": small, "dependsOn": [{"job": "cli-holder"}]}, "WaitingForDependencies", (
            "waits for 1 of 1 dependencies: cli-holder (Running)", "job cli-holder to have succeeded: Running",
            "batchyard graph cli-after")),
        "cli-short": ("cli-tiny", {"template": small, "consumables": [{"name": licence}]}, "ConsumableUnavailable", (
            f"needs 1 of ConsumableResource '{licence}', 0 of 1 free", f"held by {holder}",
            "spec.total of the ConsumableResource may be raised")),
        "cli-held": ("cli-held", {"template": small}, "QueueHeld", (
            "starts nothing", f"kubectl patch jobqueue {named('cli-held')} --type merge")),
        "cli-second": ("cli-narrow", {"template": small}, "MaxRunningJobs", (
            "1 running of at most 1", f"spec.maxRunningJobs of JobQueue {named('cli-narrow')} may be raised")),
        "cli-fair": ("cli-fair", {"template": small}, "PolicyNotFound", (
            "nobody-made-it", f"create the SchedulingPolicy that JobQueue {named('cli-fair')} names")),
    }  # fmt: skip


def test_explain_tells_eight_causes_of_waiting_in_numbers_with_the_fix(plugin: Lab, kubectl: Run) -> None:
    small = simulated(600_000, cpu="100m", memory="64Mi")
    plugin.job("cli-holder", "cli-tiny", template=small, consumables=[{"name": plugin.named("cli-licence")}])
    plugin.job("cli-first", "cli-narrow", template=small)
    for name in ("cli-holder", "cli-first"):
        plugin.phase(name, "Running")
    causes = _causes(plugin)
    for name, (queue, spec, _, _) in causes.items():
        plugin.job(name, queue, **spec)
    where = f"http://127.0.0.1:{plugin.operator.port}"
    for name, (_, _, reason, words) in causes.items():
        plugin.reason(name, reason, 60)
        _explains(kubectl("explain", name, "--operator", where).stdout, name, reason, words)
    read = kubectl("explain", "cli-full").stdout
    _explains(read, "cli-full", "AtMaxVCpus", causes["cli-full"][3])
    assert "(from the job's status; the operator could not be asked)" in read
    _look_at_all_of_it(plugin, kubectl)
    _page_says_the_same(plugin, {name: reason for name, (_, _, reason, _) in causes.items()})
    kubectl("stop", "cli-holder", "cli-first", *causes)


def _explains(text: str, name: str, reason: str, words: tuple[str, ...]) -> None:
    assert f"{name} waits in queue " in text
    assert reason in text.splitlines()[0]
    for each in words:
        assert each in text, text


def _page_says_the_same(plugin: Lab, causes: dict[str, str]) -> None:
    """The status page of the same operator gives each job the same reason, and knows what runs."""
    assert plugin.operator.page("/")[0] == 200
    status = json.loads(plugin.operator.page("/v1/status")[1])
    mine = [row for row in status["waiting"]["items"] if row["namespace"] == plugin.namespace]
    assert {row["name"]: row["reason"] for row in mine} == causes
    (holder,) = [row for row in status["running"]["items"] if row["name"] == "cli-holder"]
    assert holder["environment"] == plugin.named("cli-tiny")
    assert (status["role"], status["problems"]) == ("leader", [])


def _look_at_all_of_it(plugin: Lab, kubectl: Run) -> None:
    table = kubectl("list", "-q", plugin.named("cli-tiny")).stdout
    assert [line for line in table.splitlines() if line.split()[:3] == ["cli-large", "Runnable", "JobTooLarge"]]
    assert "cli-holder Running\n└── cli-after Pending\n" in kubectl("graph", "cli-after").stdout
    queues = kubectl("top", "--once").stdout
    row = next(line.split() for line in queues.splitlines() if line.startswith(plugin.named("cli-tiny") + " "))
    assert row[1] == "Valid"


def test_cost_and_describe_tell_what_the_statuses_do(plugin: Lab, kubectl: Run) -> None:
    kubectl(*submit(plugin, "sleep 2", "cli-paid", "--wait"))
    cost = yaml.safe_load(kubectl("cost", "cli-paid", "-o", "yaml").stdout)
    assert float(cost["total"]["amount"]) == float(plugin.read("cli-paid")["status"]["cost"]["amount"]) > 0
    text = kubectl("describe", "cli-paid").stdout
    assert "Definition:   cli-sh, revision 1" in text
    assert plugin.named("cli") in text


def test_refusals_come_from_the_real_server(plugin: Lab, kubectl: Run) -> None:
    refused = kubectl(*submit(plugin, "true", "cli-wrong", "--array", "1"), code=2)
    assert "array.size is from 2 to 100000" in refused.stderr
    assert "no Job 'cli-wrong'" in kubectl("stop", "cli-wrong", code=2).stderr
