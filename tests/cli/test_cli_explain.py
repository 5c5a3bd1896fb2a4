"""Why a job waits: five causes and more, from the status, from the operator, and from what stands in the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml
from cli_world import World

from batchyard.cli import advice
from batchyard.decide.explain import _SENTENCES

LARGE = {"name": "spot", "verdict": "JobTooLarge", "need": "cpu 64", "have": "cpu 2"}
FULL = {"name": "spot", "verdict": "AtMaxVCpus", "need": "cpu 2", "have": "1 of 4 vCPUs free"}


def waiting(phase: str, reason: str, message: str, **more: Any) -> dict[str, Any]:
    return {"phase": phase, "reason": reason, "message": message, "waiting": more}


def test_too_large(world: World) -> None:
    second = {**LARGE, "name": "on-demand"}
    status = waiting("Runnable", "JobTooLarge", "needs cpu 64", environments=[LARGE, second], position=1, vCpusAhead=0)
    world.job("j", status)
    text = world.run("explain", "j").stdout
    assert "j waits in queue default: Runnable JobTooLarge\n  needs cpu 64\n" in text
    assert "place 1 in the queue, 0 vCPUs ahead of it" in text
    assert "spot          JobTooLarge   cpu 64   cpu 2\n" in text
    assert "or add a larger instance type to spot or on-demand" in text
    assert "(from the job's status; the operator could not be asked)" in text


def test_at_its_maximum_with_an_estimate(world: World) -> None:
    start = {"p50": "2999-01-01T00:00:00Z", "p90": "2999-01-02T00:00:00Z"}
    world.job("j", waiting("Runnable", "AtMaxVCpus", "full", environments=[FULL], estimatedStart=start, position=3))
    text = world.run("explain", "j").stdout
    assert "expected to start in 35" in text
    assert "nine times in ten in 35" in text
    assert "spec.maxVCpus of ComputeEnvironment spot may be raised" in text


def test_dependencies_with_their_phases(world: World) -> None:
    world.job("a", {"phase": "Running", "array": {"counts": {"succeeded": 3}}}, array={"size": 9})
    depends = [{"job": "a"}, {"job": "gone", "when": "Finished"}]
    world.job("j", waiting("Pending", "DependencyNotFound", "waits for 2"), dependsOn=depends)
    text = world.run("explain", "j").stdout
    assert "job a to have succeeded: Running 3/9" in text
    assert "job gone to have ended either way: not there" in text
    assert "batchyard graph j" in text


def test_consumable_with_its_holders(world: World) -> None:
    name = f"{world.namespace}-licence"
    status = {"available": 1, "holders": [{"job": "x/holder", "quantity": 4}]}
    world.make("ConsumableResource", name, {"total": 5}, status)
    try:
        world.job(
            "j", waiting("Runnable", "ConsumableUnavailable", "short"), consumables=[{"name": name, "quantity": 3}]
        )
        text = world.run("explain", "j").stdout
    finally:
        world.delete(name, "ConsumableResource")
    assert f"3 of {name}: 1 of 5 available, held by x/holder 4" in text


def test_held_queue(world: World) -> None:
    name = f"{world.namespace}-held"
    world.make("JobQueue", name, {"computeEnvironments": ["e"], "state": "Held"}, {"message": "starts nothing"})
    try:
        world.job("j", waiting("Runnable", "QueueHeld", "is held"), queue=name)
        text = world.run("explain", "j").stdout
    finally:
        world.delete(name, "JobQueue")
    assert f"queue {name}: Held, 0 running: starts nothing" in text
    patch = '{"spec": {"state": "Enabled"}}'
    assert f"kubectl patch jobqueue {name} --type merge -p '{patch}'" in text


def test_queue_that_is_not_there(world: World) -> None:
    world.job("j", waiting("Pending", "QueueNotFound", "does not exist"), queue="nowhere")
    text = world.run("explain", "j").stdout
    assert "queue nowhere: not there" in text
    assert "create JobQueue nowhere" in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "is not looked at yet\n  if that stays so, no operator runs"),
        (
            {"phase": "Running", "reason": "", "message": "on node n"},
            "j does not wait in queue default: Running\n  on node n",
        ),
        ({"phase": "Failed", "message": "exited with 3"}, "j failed: exited with 3\n"),
        ({"phase": "Succeeded", "reason": "Completed"}, "j succeeded: Completed\n"),
    ],
)
def test_job_that_does_not_wait_says_so(world: World, status: dict[str, Any] | None, words: str) -> None:
    world.job("j", status)
    assert words in world.run("explain", "j").stdout


def test_array_that_runs_has_children_that_wait(world: World) -> None:
    array = {"counts": {"succeeded": 1, "running": 2}}
    status = waiting("Running", "AtMaxVCpus", "others wait", environments=[FULL])
    world.job("j", {**status, "array": array}, array={"size": 9})
    assert (
        "j has children that wait in queue default: Running AtMaxVCpus (1/9, 2 running)"
        in world.run("explain", "j").stdout
    )


@contextmanager
def operator(answers: dict[str, Any], status: int = 200) -> Iterator[str]:
    """An HTTP port that answers as the operator does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path, {"error": "no Job"})).encode()
            self.send_response(status if self.path in answers else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_operator_knows_better_than_the_status(world: World) -> None:
    world.job("j", waiting("Runnable", "NodesBusy", "old", position=90, since="2026-01-01T00:00:00Z"))
    fresh = {"phase": "Runnable", "reason": "AtMaxVCpus", "message": "fresh", "position": 2, "vCpusAhead": 7,
             "environments": [FULL], "estimatedStart": None}  # fmt: skip
    with operator({f"/v1/explain/{world.namespace}/j": fresh}) as url:
        text = world.run("explain", "j", "--operator", url).stdout
        found = yaml.safe_load(world.run("explain", "j", "-o", "yaml", BATCHYARD_OPERATOR=url + "/").stdout)
    assert "AtMaxVCpus\n  fresh\n  place 2 in the queue, 7 vCPUs ahead of it" in text
    assert "could not be asked" not in text
    assert (found["source"], found["position"], found["reason"]) == ("operator", 2, "AtMaxVCpus")
    assert found["advice"] == ["it starts when others end; spec.maxVCpus of ComputeEnvironment spot may be raised"]


def test_operator_that_does_not_tell_is_said_and_the_status_tells(world: World) -> None:
    world.job("j", waiting("Runnable", "NodesBusy", "busy"))
    with operator({}) as url:
        unknown = world.run("explain", "j", "--operator", url)
    dead = world.run("explain", "j", "--operator", url)
    absent = world.run("explain", "j", "--operator", f"{world.namespace}/batchyard")
    assert unknown.stderr == f"--operator {url} does not tell (no Job); this is the job's status instead\n"
    assert "Connection refused); this is the job's status instead" in dead.stderr
    assert 'services "batchyard" not found' in absent.stderr
    assert {done.stdout for done in (unknown, dead, absent)} == {world.run("explain", "j").stdout}
    wrong = world.refused("explain", "j", "--operator", "somewhere")
    assert "neither a URL nor NAMESPACE/SERVICE; write for example batchyard-system/batchyard" in wrong


def test_every_verdict_has_advice() -> None:
    assert set(_SENTENCES) <= set(advice._ENVIRONMENT) | set(advice._QUEUE)


def test_describe_tells_everything(world: World) -> None:
    attempt = {"number": 1, "node": "n1", "exitCode": 3, "reason": "Error", "message": "first\nlast", "counted": False,
               "startedAt": "2026-01-01T00:00:00Z", "stoppedAt": "2026-01-01T00:01:30Z", "cost": "0.25"}  # fmt: skip
    status = {"phase": "Failed", "reason": "Error", "attempts": [attempt], "cost": {"amount": "0.25", "wasted": "0.25"}}
    world.job("j", status, dependsOn=[{"job": "a"}], share="red")
    text = world.run("describe", "j").stdout
    for words in (
        "Share:        red",
        "Depends on:   a (Succeeded)",
        "1m30s",
        "free",
        "  first\n  last",
        "0.25, of which wasted",
    ):
        assert words in text
    assert json.loads(world.run("describe", "j", "-o", "json").stdout)["status"]["reason"] == "Error"
