"""A cluster of the benchmark's own, begun anew for every run from the same pristine etcd data in memory."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from devcluster.components import Settings
from devcluster.errors import SetupError
from devcluster.gobuild import built
from devcluster.layout import ROOT, Layout
from devcluster.processes import running, stop
from devcluster.programs import CONTROL_PLANE, HELM, KWOK
from devcluster.settings import settle
from devcluster.startup import start_all
from tools.operator_kubeconfig import write as install_rights

from bench import audit
from devcluster import cluster, kwok, teardown

PLACE = ROOT / ".bench"
PORTS = range(6500, 6600)  # below those that connections take for themselves: ours must be free again for each run
_UNLIMITED = ("--kube-api-qps=5000", "--kube-api-burst=10000")
Flags = Mapping[str, tuple[str, ...]]
LIFTED: Flags = {"kube-controller-manager": _UNLIMITED, "kube-scheduler": _UNLIMITED}
DEFAULTS: Flags = {
    "kube-controller-manager": ("--kube-api-qps=20", "--kube-api-burst=30"),
    "kube-scheduler": ("--kube-api-qps=50", "--kube-api-burst=100"),
}
"""What Kubernetes ships; devcluster's own settings lie between these and the lifted ones."""
_KEEPS = (
    "--node-monitor-grace-period=1h",  # on a busy machine KWOK's heartbeats come late; no node is to be lost by that
    "--terminated-pod-gc-threshold=1000000",  # who ran once is told by the finished pods, of which 12,500 would stay
)


@dataclass(frozen=True, slots=True)
class Arena:
    """One control plane with KWOK; `prepare` once, `fresh` for each run; `close` leaves nothing behind."""

    layout: Layout
    port: int

    @classmethod
    def at(cls, layout: Layout) -> Arena:
        """Return the benchmark's own cluster beside the project's, on a port of its own."""
        return cls(replace(layout, cluster=PLACE / "cluster"), _free_port())

    def prepare(self) -> None:
        """Build what is missing, remove what a killed run left, and lay down the pristine state: rights and kinds."""
        for program in (CONTROL_PLANE, KWOK, HELM):
            built(program, self.layout)
        self.close()
        PLACE.mkdir(exist_ok=True)
        with self._quietly():
            cluster.up(self.layout, self._environment)
            install_rights(self.kubeconfig, self.layout)
            stop(running(self.layout).values(), self.layout)
        if not self._etcd.exists():
            raise SetupError("The benchmark keeps etcd's data in /dev/shm: 1 GiB of it must be free.")
        shutil.copytree(self._etcd, self._pristine)
        self._policy.write_text(audit.policy())

    @property
    def kubeconfig(self) -> Path:
        """The operator's, with the rights that the chart gives it."""
        return PLACE / "operator.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One line for each request."""
        return self.layout.shm / "audit.log"

    @property
    def operator_log(self) -> Path:
        """Of the present run only."""
        return self.layout.shm / "operator.log"

    @property
    def server(self) -> str:
        """The address of the API server."""
        return f"https://127.0.0.1:{self.port}"

    def fresh(self, flags: Flags) -> None:
        """Run everything on a copy of the pristine state, with these flags after devcluster's."""
        layout = self.layout
        with self._quietly():
            stop(running(layout).values(), layout, grace_seconds=0)  # its data is thrown away
            _reap()
            shutil.rmtree(self._etcd, ignore_errors=True)
            shutil.copytree(self._pristine, self._etcd)
            for log in (self.audit_log, self.operator_log):
                log.unlink(missing_ok=True)
            start_all(layout, self._settings(flags))
            kwok.up(layout)

    def pids(self) -> dict[str, int]:
        """Return the programs of the cluster by name."""
        return {name: process.pid for name, process in running(self.layout).items()}

    def close(self) -> None:
        """Remove processes and data."""
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            teardown.down(self.layout)
        shutil.rmtree(PLACE, ignore_errors=True)

    def _settings(self, flags: Flags) -> Settings:
        logging = (
            f"--audit-policy-file={self._policy}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-maxsize=100000",  # MB; else it is rotated away under our eyes
        )
        manager = (*flags.get("kube-controller-manager", ()), *_KEEPS)
        known = settle(self.layout, built(CONTROL_PLANE, self.layout), self._environment)
        return replace(known, more={**flags, "kube-controller-manager": manager, "kube-apiserver": logging})

    @property
    def _environment(self) -> dict[str, str]:
        return {"BATCHYARD_API_PORT": str(self.port)}

    @property
    def _etcd(self) -> Path:
        return self.layout.shm / "etcd"

    @property
    def _pristine(self) -> Path:
        return self.layout.shm / "pristine"

    @property
    def _policy(self) -> Path:
        return PLACE / "audit-policy.json"

    @contextlib.contextmanager
    def _quietly(self) -> Iterator[None]:
        """Keep devcluster's sentences for a failure."""
        with (PLACE / "devcluster.log").open("a") as log, contextlib.redirect_stderr(log):
            yield


def _free_port() -> int:
    for port in PORTS:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise SetupError(f"No port from {PORTS.start} to {PORTS.stop - 1} is free.")


def _reap() -> None:
    """Take leave of the programs that were stopped: devcluster lets them outlive it, we would collect their shells."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
