"""A namespace on a real API server, what stands in it, and the command as a user runs it there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result
from kubernetes import client

from batchyard.cli.main import cli

GROUP, VERSION = "batchyard.dev", "v1alpha1"
PLURALS = {
    "Job": "batchjobs",
    "JobDefinition": "jobdefinitions",
    "JobQueue": "jobqueues",
    "ComputeEnvironment": "computeenvironments",
    "ConsumableResource": "consumableresources",
}
Body = dict[str, Any]
POD = {"spec": {"containers": [{"name": "main", "image": "x"}]}}
DOCKER = {"provider": {"docker": {}}, "maxVCpus": 8, "instanceTypes": [{"name": "c2", "cpu": "2", "memory": "4Gi"}]}


def kubeconfig_of(original: Path, out: Path, namespace: str, **user: Any) -> Path:
    """Write a kubeconfig for a namespace, with another user or another server if given."""
    found = yaml.safe_load(original.read_text())
    name = found["current-context"]
    context = next(entry["context"] for entry in found["contexts"] if entry["name"] == name)
    found["contexts"] = [
        {"name": name, "context": {**context, "namespace": namespace}},
        {"name": "elsewhere", "context": {**context, "namespace": "kube-public"}},
    ]
    if "server" in user:
        found["clusters"][0]["cluster"]["server"] = user["server"]
    if "token" in user:
        found["users"] = [{"name": context["user"], "user": {"token": user["token"]}}]
    out.write_text(yaml.safe_dump(found))
    return out


@dataclass(frozen=True)
class World:
    """Objects of one namespace, statuses as an operator would write them, and the command."""

    api: client.ApiClient
    namespace: str
    kubeconfig: Path

    def run(self, *arguments: str, code: int = 0, stdin: str | None = None, **variables: str) -> Result:
        """Run a command; whatever happens, no stack trace."""
        env = {"KUBECONFIG": str(self.kubeconfig), "BATCHYARD_QUEUE": None, "BATCHYARD_OPERATOR": None, **variables}
        done = CliRunner().invoke(cli, list(arguments), env=env, input=stdin, catch_exceptions=False)
        assert done.exit_code == code, done.output
        assert "Traceback" not in done.output
        return done

    def refused(self, *arguments: str, **more: Any) -> str:
        """Return the one sentence with which a command is refused."""
        done = self.run(*arguments, code=2, **more)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("Warning:")]
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("Error: ")
        assert done.stdout == ""
        return lines[0]

    def make(self, kind: str, name: str, spec: Body, status: Body | None = None, **metadata: Any) -> str:
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}
        self._call("create", kind)(*self._place(kind), body)
        if status is not None:
            self.status(name, status, kind)
        return name

    def job(self, name: str, status: Body | None = None, labels: dict[str, str] | None = None, **spec: Any) -> str:
        whole = {"queue": "default", **spec}
        if "definition" not in whole:
            whole["template"] = POD
        return self.make("Job", name, whole, status, labels=labels or {})

    def read(self, name: str, kind: str = "Job") -> Body:
        found: Body = self._call("get", kind)(*self._place(kind), name)
        return found

    def jobs(self) -> list[str]:
        found = client.CustomObjectsApi(self.api).list_namespaced_custom_object(*self._place("Job"))
        return [body["metadata"]["name"] for body in found["items"]]

    def status(self, name: str, status: Body, kind: str = "Job") -> None:
        self._call("patch", kind, "_status")(*self._place(kind), name, {"status": status})

    def delete(self, name: str, kind: str = "Job") -> None:
        self._call("delete", kind)(*self._place(kind), name)

    @contextmanager
    def meanwhile(self, *steps: Callable[[], None]) -> Iterator[None]:
        """Do things one after the other while a command runs."""
        wrongs: list[BaseException] = []

        def work() -> None:
            try:
                for step in steps:
                    step()
            except BaseException as error:
                wrongs.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        yield
        thread.join(60)
        assert wrongs == []

    def _call(self, verb: str, kind: str, suffix: str = "") -> Any:
        scope = "namespaced" if kind in ("Job", "JobDefinition") else "cluster"
        return getattr(client.CustomObjectsApi(self.api), f"{verb}_{scope}_custom_object{suffix}")

    def _place(self, kind: str) -> list[str]:
        inside = [self.namespace] if kind in ("Job", "JobDefinition") else []
        return [GROUP, VERSION, *inside, PLURALS[kind]]
