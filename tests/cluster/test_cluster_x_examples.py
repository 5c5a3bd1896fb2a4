"""Every file of examples/ is applied as it stands, and each of its objects comes to the end that the file states.

In short (make test) the nodes are simulated, and what only real containers do is left out. `make test-examples` gives
them the docker nodes that examples/environments.yaml asks for and takes every word of a file at its value.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.examples import FILES, End, ends, head, objects
from cluster.lab import MARK, Lab, tool
from cluster.rest import Body, until
from cluster.specs_of_jobs import short

REAL = os.environ.get("BATCHYARD_EXAMPLES") == "real"
SECONDS = 420 if REAL else 60
_CLUSTER_WIDE = ("JobQueue", "SchedulingPolicy", "ConsumableResource", "ComputeEnvironment")
_ONLY_REAL = ("timeout",)  # lasts a minute
_LASTS = {"endless": "1h"}  # how long the simulated pods of these play
pytestmark = pytest.mark.timeout(SECONDS + 120)


def _prepared(body: Body, run: str) -> Body:
    """As it stands, but for a label by which it is found again and, in short, for its nodes."""
    if body["kind"] in _CLUSTER_WIDE:
        body["metadata"].setdefault("labels", {})[MARK] = run
    if not REAL and body["kind"] == "ComputeEnvironment":
        body["spec"]["provider"] = {"simulated": {}}
    if not REAL and body["metadata"]["name"] in _LASTS:
        lasts = {"batchyard.dev/simulated-duration": _LASTS[body["metadata"]["name"]]}
        body["spec"]["template"]["metadata"] = {"annotations": lasts}
    return body


def _now(schedule: Body) -> Body:
    """The job of a schedule's next fire."""
    spec = schedule["spec"]["jobTemplate"]["spec"]
    return {"apiVersion": schedule["apiVersion"], "kind": "Job", "spec": spec,
            "metadata": {"name": f"{schedule['metadata']['name']}-now"}}  # fmt: skip


def _kubectl(lab: Lab, *arguments: str, stdin: str | None = None) -> str:
    command = [tool("kubectl"), f"--kubeconfig={lab.api.kubeconfig}", f"--namespace={lab.namespace}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def applied(lab: Lab) -> Iterator[Lab]:
    """All files in a namespace of their own, and one job of each schedule."""
    lab = replace(lab, namespace=lab.new_namespace("examples"))
    bodies = [_prepared(body, lab.run) for file in FILES for body in objects(file)]
    bodies += [_now(body) for body in bodies if body["kind"] == "JobSchedule"]
    _kubectl(lab, "apply", "--server-side", "--filename=-", stdin=yaml.safe_dump_all(bodies))
    yield lab
    _kubectl(lab, "delete", "--wait=false", "batchjobs,jobschedules", "--all")
    for kind in _CLUSTER_WIDE:
        for body in bodies:
            if body["kind"] == kind:
                lab.api.delete(kind, body["metadata"]["name"])


def _found(lab: Lab, name: str, kinds: list[str]) -> dict[str, Any]:
    """The object of a name; where several kinds have it, the one that comes to an end."""
    plural = {"Job": "batchjobs", "JobSchedule": "jobschedules"}
    kind = next(kind for kind in ("Job", "JobSchedule", "JobQueue", "ComputeEnvironment") if kind in kinds)
    if kind in plural:
        path = f"/apis/batchyard.dev/v1alpha1/namespaces/{lab.namespace}/{plural[kind]}/{name}"
        return lab.api.call("GET", path)
    return lab.api.get(kind, name)


def _reached(lab: Lab, end: End, kinds: list[str]) -> Body:
    latest: Body = {}

    def ask() -> bool:
        latest.update(_found(lab, end.name, kinds))
        status = latest.get("status") or {}
        return status.get("phase") == end.phase and end.claims.get("reason", status.get("reason")) == status.get(
            "reason"
        )

    until(ask, SECONDS, lambda: f"{end}: {short(latest)}")
    return latest


def _keeps_its_word(end: End, status: Body) -> None:
    """The claims beyond the phase; how many attempts it takes is the business of real containers."""
    last = (status.get("attempts") or [{}])[-1]
    claims = end.claims
    assert claims.get("shape") in (None, last.get("instanceType")), status
    assert claims.get("environment") in (None, last.get("computeEnvironment")), status
    assert claims.get("capacity", "").replace("-", "") in ("", last.get("capacityType", "").lower()), status
    if REAL:
        assert int(claims.get("attempt", last.get("number", 1))) == last.get("number", 1), status


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_ends_as_it_says(applied: Lab, file: Path) -> None:
    kinds: dict[str, list[str]] = {}
    for body in objects(file):
        kinds.setdefault(body["metadata"]["name"], []).append(body["kind"])
    for end in ends(file):
        if REAL or end.name not in _ONLY_REAL:
            _keeps_its_word(end, _reached(applied, end, kinds[end.name]).get("status") or {})


@pytest.mark.parametrize("file", [f for f in FILES if "JobSchedule" in f.read_text()], ids=lambda file: file.stem)
def test_a_schedules_job_succeeds(applied: Lab, file: Path) -> None:
    for body in objects(file):
        if body["kind"] == "JobSchedule":
            applied.succeeded(f"{body['metadata']['name']}-now", SECONDS)


def test_what_is_told_to_stop_stops(applied: Lab) -> None:
    order = json.dumps({"spec": {"stop": {"mode": "Terminate", "reason": "seen enough"}}})
    applied.phase("endless", "Running", seconds=SECONDS)
    _kubectl(applied, "patch", "bj", "endless", "--type=merge", f"--patch={order}")
    status = applied.failed("endless")
    assert status["reason"] == "Terminated"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_says_what_it_shows_how_it_is_run_and_how_it_ends(file: Path) -> None:
    parts = head(file)
    assert list(parts) == ["Shows", "Run", "Ends"]
    assert f"kubectl apply -f examples/{file.name}" in parts["Run"]
    told = {end.name for end in ends(file)}
    untold = {body["metadata"]["name"] for body in objects(file) if body["kind"] in ("Job", "JobSchedule")} - told
    assert not untold, "say in Ends: how these end"
