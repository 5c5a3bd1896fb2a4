"""Namespaced mode: an operator with the chart's rights for one namespace runs its jobs, and touches nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.lab import Lab
from cluster.operator_process import ROOT, Operator
from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, simulated

NODE = "namespaced-node"
LABEL = "example.org/namespaced"
SHAPE = {"cpu": "4", "memory": "4Gi", "pods": "20"}


@dataclass
class Some:
    """The operator of one namespace, and another namespace that is none of its business."""

    operator: Operator
    theirs: str
    home: str


def _helm(*words: str) -> None:
    helm = subprocess.run(
        [sys.executable, "-m", "devcluster", "tools", "helm"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    subprocess.run([helm.stdout.strip(), *words], check=True, capture_output=True, text=True)


def _kubeconfig(lab: Lab, home: str, out: Path) -> Path:
    """A kubeconfig of the release's ServiceAccount."""
    token = lab.kubectl("create", "token", home, f"--namespace={home}").strip()
    view = json.loads(lab.kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json"))
    view["users"] = [{"name": "operator", "user": {"token": token}}]
    view["contexts"][0]["context"]["user"] = "operator"
    out.write_text(json.dumps(view))
    return out


@pytest.fixture
def some(lab: Lab, tmp_path: Path) -> Iterator[Some]:
    home, theirs = lab.new_namespace("batchyard"), lab.new_namespace("theirs")
    place = ["--namespace", home, "--kubeconfig", lab.api.kubeconfig]
    values = f"crds.install=false,operator.install=false,namespaces={{{lab.namespace}}}"
    _helm("install", home, str(ROOT / "charts/batchyard"), *place, "--set", values)
    metadata = {"name": NODE, "labels": {"batchyard.dev/provider": "simulated", LABEL: lab.run},
                "annotations": {"batchyard.dev/shape": json.dumps(SHAPE)}}  # fmt: skip
    lab.api.create({"kind": "Node", "metadata": metadata})
    pod = {"containers": [{"name": "operator", "image": "x"}], "schedulerName": "nobody"}
    lab.api.create({"kind": "Pod", "metadata": {"name": "us"}, "spec": pod}, home)
    assert lab.operator.stop() == 0
    settings = {"BATCHYARD_NAMESPACES": lab.namespace, "BATCHYARD_NAMESPACE": home, "BATCHYARD_POD": "us"}
    operator = Operator(_kubeconfig(lab, home, tmp_path / "kubeconfig"), tmp_path / "log", settings)
    try:
        operator.start()
        yield Some(operator, theirs, home)
        assert operator.complaints() == []
        assert operator.forbidden() == []
    finally:
        if operator.alive:
            operator.stop()
        _helm("uninstall", home, *place)
        lab.api.delete("Node", NODE)
        lab.operator.start()


def test_jobs_of_its_namespace_run_and_no_other_is_touched(lab: Lab, some: Some) -> None:
    lab.environment("here", {"type": "Unmanaged", "capacityType": "OnDemand", "nodeSelector": {LABEL: lab.run}})
    lab.environment("growing", managed("simulated", [shape(1)], 1))
    lab.queue("here", "here")
    lab.job("theirs", "here", some.theirs, template=simulated())
    lab.job("ours", "here", template=simulated())
    lab.definition("ours", template=simulated())
    (attempt,) = lab.succeeded("ours")["attempts"]
    assert attempt["node"] == NODE
    assert lab.read("theirs", some.theirs)["status"] == {"phase": "Submitted"}, "nobody has looked at it"
    assert lab.api.list("Pod", some.theirs) == []
    until(lambda: lab.status("ComputeEnvironment", "growing").get("phase") == "Invalid")
    assert "scales no nodes" in lab.status("ComputeEnvironment", "growing")["message"]
    assert "finalizers" not in lab.api.get("ComputeEnvironment", lab.named("growing"))["metadata"]
    until(lambda: lab.api.list("ControllerRevision", lab.namespace))
    us = lab.api.get("Pod", "us", some.home)
    assert us["metadata"]["labels"] == {"batchyard.dev/leader": "true"}
