"""A cluster for these tests alone, since they kill its API server and rewrite its history."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cluster.operator_process import ROOT
from cluster.rest import Api, Refused, until

sys.path.insert(0, str(ROOT))

from devcluster.api import Api as Ready
from devcluster.components import Settings, commands
from devcluster.gobuild import built
from devcluster.layout import Layout
from devcluster.processes import Command, Process, running, start, stop
from devcluster.programs import CONTROL_PLANE, KWOK
from devcluster.settings import recall

_STAGES = ROOT / "devcluster" / "kwok" / "simulated.yaml"
_PREFIX = "batchyard-faults-"
_STARTED = "phase: Running\n      startTime:"
_START = "    - {key: '.status.phase', operator: In, values: [Pending]}\n"
# Every other of the nodes that are launched at once for an environment named `...-refusing` refuses each pod.
# Those of `...-idle` never take one up.
_REFUSES = "-refusing-[0-9a-z]+-[13579]$"
_TAKES_UP = f"""\
    - {{key: '.spec.nodeName // "" | test("{_REFUSES}|-idle-")', operator: NotIn, values: ["true"]}}
"""
_REFUSAL = f"""\
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {{name: pod-refuse}}
spec:
  resourceRef: {{apiGroup: v1, kind: Pod}}
  selector:
    matchExpressions:
    - {{key: '.metadata.deletionTimestamp', operator: DoesNotExist}}
    - {{key: '.status.phase', operator: In, values: [Pending]}}
    - {{key: '.spec.nodeName // "" | test("{_REFUSES}")', operator: In, values: ["true"]}}
  next:
    statusTemplate: |
      phase: Failed
      reason: UnexpectedAdmissionError
      message: Pod was rejected
      startTime: {{{{ Now | Quote }}}}
"""


def stages() -> str:
    """KWOK's stages, with addresses for pods, and nodes that lie."""
    text = _STAGES.read_text()
    assert text.count(_START) == text.count(_STARTED) == 1
    text = text.replace(_START, _START + _TAKES_UP).replace(_STARTED, "podIP: 10.0.0.9\n      " + _STARTED)
    return text + _REFUSAL


def _sweep() -> None:
    """Remove the clusters of tests that were killed; the directory is named after their process."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = directory.name.removeprefix(_PREFIX).split("-")[0]
        if not Path(f"/proc/{owner}").exists():
            OwnCluster(Layout(directory, Layout.from_environment().cache)).remove()


@dataclass
class OwnCluster:
    """Its programs are found by their marks, ended by their pids, and started with the same command lines."""

    layout: Layout
    api: Api = field(init=False)
    starts: int = 0  # of the API server, but for the first

    @classmethod
    def make(cls) -> OwnCluster:
        _sweep()
        directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        cluster = cls(Layout(directory, Layout.from_environment().cache))
        try:
            cluster._devcluster("up")
            cluster.api = Api.load(str(cluster.layout.kubeconfig))
            cluster._run(str(ROOT / "tools" / "operator_kubeconfig.py"), str(cluster.rights))
            cluster.start("kwok")
        except BaseException:
            cluster.remove()
            raise
        return cluster

    @property
    def rights(self) -> Path:
        """The kubeconfig of the chart's ServiceAccount."""
        return self.layout.cluster / "operator.kubeconfig"

    def remove(self) -> None:
        self._devcluster("down")
        shutil.rmtree(self.layout.cluster, ignore_errors=True)
        assert not running(self.layout)

    def rights_by(self, server: str, out: Path) -> Path:
        """Write the operator's kubeconfig with another address of the API server."""
        whole = json.loads(self.rights.read_text())
        whole["clusters"][0]["cluster"] = {"server": server}
        out.write_text(json.dumps(whole))
        return out

    def _devcluster(self, *words: str) -> None:
        self._run("-m", "devcluster", *words)

    def _run(self, *words: str) -> None:
        environment = {key: value for key, value in os.environ.items() if key != "BATCHYARD_API_PORT"}
        environment |= {"BATCHYARD_CLUSTER_DIR": str(self.layout.cluster)}
        run = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr

    # Its programs

    def process(self, name: str) -> Process:
        return running(self.layout)[name]

    def kill(self, *names: str) -> None:
        """End programs as a power cut does; return when they are gone."""
        handles = [os.pidfd_open(self.process(name).pid) for name in names]
        for handle in handles:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        # A process that dies has lost its memory, and with it its name, before it closes its port.
        for handle in handles:
            assert select.select([handle], [], [], 20)[0]
            os.close(handle)
        until(lambda: not set(names) & running(self.layout).keys(), 20)

    def end(self, *names: str) -> None:
        """End programs politely."""
        stop([process for name, process in running(self.layout).items() if name in names], self.layout)

    def start(self, *names: str) -> None:
        """Start programs again; return when the API server is of use."""
        lines = {command.name: command for command in (*commands(self._settings()), self._kwok())}
        for name in names:
            start(lines[name], self.layout)
            if name == "kube-apiserver":
                self.starts += 1
                until(self.is_ready, 60)

    def is_ready(self) -> bool:
        return Ready(self.layout.pki, int(recall(self.layout)["port"])).is_ready()

    def replace_kwok(self) -> None:
        """Play the nodes anew; the Leases of them that the former KWOK holds would else have to expire."""
        self.end("kwok")
        Ready(self.layout.pki, int(recall(self.layout)["port"])).release_simulated_nodes()
        self.start("kwok")

    @property
    def etcd(self) -> Path:
        """Its data."""
        return Path(recall(self.layout)["etcd"])

    def _settings(self) -> Settings:
        known = recall(self.layout)
        programs = built(CONTROL_PLANE, self.layout)
        return Settings(programs, self.layout.pki, Path(known["etcd"]), int(known["port"]))

    def _kwok(self) -> Command:
        configuration = self.layout.cluster / "stages.yaml"
        configuration.write_text(stages())
        flags = (f"--kubeconfig={self.layout.kubeconfig}", f"--config={configuration}", "--v=ERROR")
        return Command("kwok", (str(built(KWOK, self.layout) / "kwok"), *flags))

    def refuses_writes(self) -> bool:
        """Whether the API server has no room to write anything."""
        try:
            self.api.create({"kind": "Namespace", "metadata": {"generateName": "room-"}})
        except Refused as refused:
            return "space exceeded" in refused.message
        return False
