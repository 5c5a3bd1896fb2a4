"""--wait: the job's own outcome as the exit code, and what is told meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from cli_world import POD, World

from batchyard.cli.follow import READERS
from batchyard.cli.outcome import exit_code
from batchyard.cli.progress import Lines, progress

ENDS: list[tuple[dict[str, Any], int]] = [
    ({"phase": "Succeeded", "reason": "Completed"}, 0),
    (
        {
            "phase": "Failed",
            "reason": "Error",
            "attempts": [{"number": 1, "exitCode": 9}, {"number": 2, "exitCode": 3}],
        },
        3,
    ),
    ({"phase": "Failed", "reason": "Cancelled"}, 1),
    ({"phase": "Failed", "reason": "NodeLost", "attempts": [{"number": 1}]}, 1),
    ({"phase": "Failed", "attempts": [{"number": 1, "exitCode": 0}]}, 1),
    ({"phase": "Failed", "attempts": [{"number": 1, "exitCode": -1073741819}]}, 1),
]


@pytest.fixture
def simple(world: World) -> World:
    world.make("JobDefinition", "d", {"template": POD})
    world.make("JobQueue", f"{world.namespace}-q", {"computeEnvironments": ["none"]})
    yield world
    world.delete(f"{world.namespace}-q", "JobQueue")


def submit(world: World, name: str, *more: str) -> list[str]:
    return ["submit", "d", "--name", name, "-q", f"{world.namespace}-q", "--wait", *more]


def until_there(world: World, name: str) -> None:
    """Return when the job exists: the API server tells the watch at once."""
    deadline = threading.Event()
    for _ in range(300):
        if name in world.jobs():
            return
        deadline.wait(0.1)
    raise AssertionError(f"{name} was never created")


@pytest.mark.parametrize(("status", "code"), ENDS)
def test_outcome_is_the_exit_code(simple: World, status: dict[str, Any], code: int) -> None:
    def end() -> None:
        until_there(simple, "one")
        simple.status("one", status)

    with simple.meanwhile(end):
        simple.run(*submit(simple, "one"), code=code)


def _array(codes: list[int], failed: str) -> dict[str, Any]:
    attempts = [{"index": i, "number": 1, "exitCode": code} for i, code in enumerate(codes)]
    return {"status": {"phase": "Failed", "array": {"failed": failed, "attempts": attempts}}}


def test_array_has_the_code_that_its_failed_children_share() -> None:
    assert exit_code(_array([7, 0, 7], "0,2")) == 7
    assert exit_code(_array([7, 5, 8], "0,2")) == 1
    assert exit_code(_array([], "0-4")) == 1
    assert exit_code(_array([5, 7], "1")) == 7  # child 0 was tried again and succeeded


def test_lines_tell_each_change_and_the_end_once(simple: World) -> None:
    def story() -> None:
        until_there(simple, "one")
        simple.status("one", {"phase": "Runnable", "reason": "NodesBusy", "message": "no room"})
        simple.status("one", {"phase": "Running", "reason": "", "message": ""})
        simple.status("one", {"phase": "Failed", "reason": "Error", "message": "it broke"})

    with simple.meanwhile(story):
        done = simple.run(*submit(simple, "one"), code=1)
    assert done.stdout == "batchjob.batchyard.dev/one created\n"
    told = [line.partition(" ")[2] for line in done.stderr.splitlines()[:-1]]
    order = ["one: Submitted", "one: Runnable NodesBusy: no room", "one: Running"]
    assert [line for line in order if line in told] == told  # one that lasted no time may be missed
    assert done.stderr.splitlines()[-1] == "one failed: it broke"


def test_lines_of_an_array_come_every_two_seconds_at_most() -> None:
    said: list[str] = []
    moments = iter([0.0, 0.0, 1.0, 2.5, 2.5])
    lines = Lines(clock=lambda: next(moments))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batchyard.cli.show.say", said.append)
        for done in (1, 2, 3):
            lines.show(_running(done))
    assert [line.partition("(")[2] for line in said] == ["1/10, 4 running)", "3/10, 4 running)"]


def _running(done: int) -> dict[str, Any]:
    array = {"counts": {"succeeded": done, "running": 4}}
    status = {"phase": "Running", "array": array}
    return {"metadata": {"name": "a"}, "spec": {"array": {"size": 50, "indexes": "1-10"}}, "status": status}


def test_progress_counts_only_the_children_that_run() -> None:
    assert progress(_running(3)) == (3, 10)


def test_job_that_is_deleted_has_no_outcome(simple: World) -> None:
    def delete() -> None:
        until_there(simple, "one")
        simple.delete("one")

    with simple.meanwhile(delete):
        done = simple.run(*submit(simple, "one"), code=2)
    said = done.stderr.splitlines()[-1]
    assert "was deleted before it ended" in said or "no Job 'one'" in said


def test_several_jobs_end_with_the_first_failure(simple: World) -> None:
    jobs = "\n---\n".join(
        f"{{apiVersion: batchyard.dev/v1alpha1, kind: Job, metadata: {{name: {name}}}, "
        f"spec: {{queue: {simple.namespace}-q, definition: {{name: d}}}}}}"
        for name in "abc"
    )

    def end() -> None:
        for name, code in (("c", 0), ("b", 4), ("a", 0)):
            until_there(simple, name)
            phase = "Failed" if code else "Succeeded"
            simple.status(name, {"phase": phase, "attempts": [{"number": 1, "exitCode": code}]})

    with simple.meanwhile(end):
        simple.run("submit", "-f", "-", "--wait", stdin=jobs, code=4)


def _on_a_terminal(world: World, *words: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command whose output is a terminal; return it and where to read what a person sees."""
    ours, its = os.openpty()
    environment = {**os.environ, "KUBECONFIG": str(world.kubeconfig), "TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, "-m", "batchyard", *words]
    running = subprocess.Popen(command, env=environment, stdin=its, stdout=its, stderr=its)
    os.close(its)
    return running, ours


def _seen(terminal: int, word: bytes = b"\0never") -> bytes:
    """Read until a word is seen, or until the command has ended."""
    seen = b""
    while word not in seen:
        try:
            seen += os.read(terminal, 65_536)
        except OSError:  # nobody writes any more
            break
    return seen


def test_terminal_shows_a_bar(simple: World) -> None:
    running, terminal = _on_a_terminal(simple, *submit(simple, "bar", "--array", "40"))
    try:
        _seen(terminal, b"0/40")
        simple.status("bar", {"phase": "Running", "array": {"counts": {"succeeded": 7, "failed": 3}}})
        _seen(terminal, b"10/40")
        simple.status("bar", {"phase": "Succeeded", "reason": "Completed"})
        assert b"bar succeeded: Completed" in _seen(terminal)
        assert running.wait(30) == 0
    finally:
        running.kill()
        os.close(terminal)


def test_top_is_live_on_a_terminal_until_ctrl_c(simple: World) -> None:
    running, terminal = _on_a_terminal(simple, "top", "--interval", "0.5")
    name = f"{simple.namespace}-later"
    try:
        _seen(terminal, b"Ctrl-C ends")
        simple.make("JobQueue", name, {"computeEnvironments": ["none"]})
        assert name.encode() in _seen(terminal, name.encode())
        running.send_signal(signal.SIGINT)
        _seen(terminal)
        assert running.wait(30) == 130
    finally:
        simple.delete(name, "JobQueue")
        running.kill()
        os.close(terminal)


def test_interrupt_leaves_the_job_and_says_how_to_stop_it(simple: World) -> None:
    command = [sys.executable, "-m", "batchyard", *submit(simple, "one")]
    environment = {**os.environ, "KUBECONFIG": str(simple.kubeconfig)}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    assert running.stderr.readline().endswith("one: Submitted\n")  # it waits
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert said.strip() == f"one goes on; to stop: batchyard stop one -n {simple.namespace}"
    assert "stop" not in simple.read("one")["spec"]


def test_interrupted_logs_say_that_the_job_goes_on(simple: World) -> None:
    simple.job("one")
    command = [sys.executable, "-m", "batchyard", "logs", "--follow", "one"]
    environment = {**os.environ, "KUBECONFIG": str(simple.kubeconfig)}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while len(os.listdir(f"/proc/{running.pid}/task")) <= READERS and time.monotonic() < until:
        time.sleep(0.05)  # until it reads
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert said.strip() == f"one goes on; to stop: batchyard stop one -n {simple.namespace}"
