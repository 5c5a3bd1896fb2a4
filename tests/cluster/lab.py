"""A namespace, an operator and what both need on the real cluster; every name carries the run's own prefix."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from cluster.operator_process import ROOT, Operator
from cluster.recorder import PodRun, Recorder
from cluster.rest import Api, Body, Refused, until
from cluster.specs_of_jobs import short

MARK = "batchyard-test"  # label of everything that the tests make, so that a run finds what a killed one left
_CLUSTER_KINDS = ("JobQueue", "ConsumableResource", "ComputeEnvironment", "Namespace")


def cluster_directory() -> Path:
    return Path(os.environ.get("BATCHYARD_CLUSTER_DIR") or ROOT / ".cluster")


def tool(name: str) -> str:
    return str(cluster_directory() / "bin" / name)


def machines() -> set[str]:
    """Return the names of all containers, which may come and go while they are listed."""
    return {container.name for container in docker.from_env().containers.list(all=True, ignore_removed=True)}


@dataclass
class Lab:
    """Makes, looks at and waits for objects; `run` is the prefix of all cluster-scoped names."""

    api: Api
    run: str
    operator: Operator
    recorder: Recorder
    namespace: str
    made: list[tuple[str, str]] = field(default_factory=list)

    def named(self, name: str) -> str:
        return f"{self.run}-{name}"

    def environment(self, name: str, spec: Body) -> str:
        return self._make("ComputeEnvironment", self.named(name), spec)

    def queue(self, name: str, *environments: str, **spec: Any) -> str:
        names = [self.named(environment) for environment in environments]
        return self._make("JobQueue", self.named(name), {"priority": 1, "computeEnvironments": names, **spec})

    def consumable(self, name: str, total: int, **spec: Any) -> str:
        return self._make("ConsumableResource", self.named(name), {"total": total, **spec})

    def _make(self, kind: str, name: str, spec: Body) -> str:
        self.api.create({"kind": kind, "metadata": {"name": name, "labels": {MARK: self.run}}, "spec": spec})
        self.made.append((kind, name))
        return name

    def new_namespace(self, name: str, **labels: str) -> str:
        """Make a namespace in which pods can be made at once."""
        whole = self.named(name)
        metadata = {"name": whole, "labels": {MARK: self.run, **labels}}
        self.api.create({"kind": "Namespace", "metadata": metadata})
        self.made.append(("Namespace", whole))
        until(lambda: self.api.find("ServiceAccount", "default", whole))
        return whole

    def job(self, name: str, queue: str, namespace: str = "", **spec: Any) -> str:
        """Submit a job to one of our queues."""
        body = {"kind": "Job", "metadata": {"name": name}, "spec": {"queue": self.named(queue), **spec}}
        self.api.create(body, namespace or self.namespace)
        return name

    def definition(self, name: str, namespace: str = "", **spec: Any) -> str:
        self.api.create(
            {"kind": "JobDefinition", "metadata": {"name": name}, "spec": spec}, namespace or self.namespace
        )
        return name

    def read(self, name: str, namespace: str = "") -> Body:
        return self.api.get("Job", name, namespace or self.namespace)

    def wait(self, name: str, holds: Callable[[Body], Any], seconds: float = 60, namespace: str = "") -> Body:
        """Return the job once `holds` of its status."""
        latest: Body = {}

        def ask() -> bool:
            latest.update(self.read(name, namespace))
            return bool(holds(latest.get("status") or {}))

        until(ask, seconds, lambda: f"job {name}: {short(latest)}")
        return latest

    def phase(self, name: str, *phases: str, seconds: float = 60, namespace: str = "") -> Body:
        return self.wait(name, lambda status: status.get("phase") in phases, seconds, namespace)

    def reason(self, name: str, reason: str, seconds: float = 20, namespace: str = "") -> Body:
        return self.wait(name, lambda status: status.get("reason") == reason, seconds, namespace)

    def succeeded(self, name: str, seconds: float = 60, namespace: str = "") -> Body:
        """Return the status of a job that has ended and ended well."""
        status: Body = self.phase(name, "Succeeded", "Failed", seconds=seconds, namespace=namespace)["status"]
        assert status["phase"] == "Succeeded", short({"status": status})
        return status

    def failed(self, name: str, seconds: float = 60, namespace: str = "") -> Body:
        status: Body = self.phase(name, "Succeeded", "Failed", seconds=seconds, namespace=namespace)["status"]
        assert status["phase"] == "Failed", short({"status": status})
        return status

    def pods(self, name: str, namespace: str = "") -> list[PodRun]:
        """Every pod that a job ever had, as the API server told it."""
        return self.recorder.of(self.read(name, namespace)["metadata"]["uid"])

    def nodes(self, environment: str) -> list[Body]:
        return self.api.list("Node", labelSelector=f"batchyard.dev/compute-environment={self.named(environment)}")

    def status(self, kind: str, name: str) -> Body:
        found: Body = self.api.get(kind, self.named(name)).get("status") or {}
        return found

    def events(self, name: str, namespace: str = "") -> list[Body]:
        return self.api.list("Event", namespace or self.namespace, fieldSelector=f"involvedObject.name={name}")

    def kubectl(self, *arguments: str) -> str:
        command = [tool("kubectl"), f"--kubeconfig={self.api.kubeconfig}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def batchyard(self, *arguments: str, kubeconfig: str = "") -> str:
        """Run a command for people, with the operator's own rights unless others are given."""
        command = [sys.executable, "-m", "batchyard", *arguments]
        environment = {**os.environ, "KUBECONFIG": kubeconfig or str(self.operator.kubeconfig)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def clear(self, seconds: float = 90) -> None:
        """Delete everything that this lab made and wait until the operator has let go of it."""
        for kind, name in sorted(self.made, key=lambda made: _CLUSTER_KINDS.index(made[0])):
            self.api.delete(kind, name)
        until(lambda: not self.left("ComputeEnvironment"), seconds, lambda: f"left: {self.left('ComputeEnvironment')}")

    def left(self, kind: str) -> list[str]:
        return [body["metadata"]["name"] for body in self.api.list(kind, labelSelector=f"{MARK}={self.run}")]


def sweep(api: Api) -> None:
    """Remove what a run that was killed left on the cluster; the operator of this run retires its nodes."""
    for kind in _CLUSTER_KINDS:
        for body in api.list(kind, labelSelector=MARK):
            api.delete(kind, body["metadata"]["name"])


def operator_kubeconfig(out: Path) -> Path:
    """Write the kubeconfig of the chart's ServiceAccount, and have simulated nodes played."""
    for command in ([str(ROOT / "tools" / "operator_kubeconfig.py"), str(out)], ["-m", "devcluster", "kwok", "up"]):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return out


__all__ = ["Lab", "Refused", "cluster_directory", "operator_kubeconfig", "sweep", "tool"]
