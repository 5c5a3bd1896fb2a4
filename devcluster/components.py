"""The command lines of the control plane's programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .processes import Command

ETCD = "unix://etcd.sock:0"  # relative to the cluster's directory: socket paths end at 108 characters
ETCD_PEER = "unix://peer.sock:0"
POD_CIDR = "10.244.0.0/14"
SERVICE_CIDR = "10.96.0.0/16"


@dataclass(frozen=True, slots=True)
class Settings:
    """What differs between two clusters on one machine."""

    programs: Path
    pki: Path
    etcd: Path
    port: int
    more: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # program -> flags after ours; the last one wins

    def file(self, name: str) -> str:
        """Return the path of a certificate or key as a program's argument."""
        return str(self.pki / name)


def commands(settings: Settings) -> list[Command]:
    """Return the programs in the order in which they must be started."""
    lines = {
        "etcd": _etcd(settings),
        "kube-apiserver": _apiserver(settings),
        "kube-controller-manager": _controller_manager(settings),
        "kube-scheduler": _scheduler(settings),
    }
    return [
        Command(name, (str(settings.programs / name), *flags, *settings.more.get(name, ())))
        for name, flags in lines.items()
    ]


def _etcd(settings: Settings) -> list[str]:
    return [
        "--name=default",
        f"--data-dir={settings.etcd}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={ETCD_PEER}",
        f"--initial-advertise-peer-urls={ETCD_PEER}",
        f"--initial-cluster=default={ETCD_PEER}",
        # Nothing here outlives a power cut; a disk that stalls would stop the whole cluster.
        "--unsafe-no-fsync",
        "--auto-compaction-retention=10m",
        "--max-wals=2",  # of 64 MB each, in memory
        "--max-snapshots=2",
        "--log-level=warn",
    ]


def _apiserver(settings: Settings) -> list[str]:
    return [
        f"--etcd-servers={ETCD}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={settings.port}",
        "--endpoint-reconciler-type=none",  # spares the check that refuses a loopback address
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={settings.file('ca.crt')}",
        f"--tls-cert-file={settings.file('apiserver.crt')}",
        f"--tls-private-key-file={settings.file('apiserver.key')}",
        f"--kubelet-client-certificate={settings.file('kubelet-client.crt')}",
        f"--kubelet-client-key={settings.file('kubelet-client.key')}",
        "--kubelet-preferred-address-types=InternalIP",  # node names do not resolve
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-signing-key-file={settings.file('service-account.key')}",
        f"--service-account-key-file={settings.file('service-account.pub')}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--profiling=false",
    ]


def _controller_manager(settings: Settings) -> list[str]:
    kubeconfig = settings.file("kube-controller-manager.kubeconfig")
    return [
        f"--kubeconfig={kubeconfig}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={settings.file('service-account.key')}",
        f"--root-ca-file={settings.file('ca.crt')}",
        f"--cluster-signing-cert-file={settings.file('ca.crt')}",
        f"--cluster-signing-key-file={settings.file('ca.key')}",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={POD_CIDR}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--node-monitor-period=2s",
        "--node-monitor-grace-period=20s",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--profiling=false",
    ]


def _scheduler(settings: Settings) -> list[str]:
    return [
        f"--kubeconfig={settings.file('kube-scheduler.kubeconfig')}",
        "--secure-port=0",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--profiling=false",
    ]
