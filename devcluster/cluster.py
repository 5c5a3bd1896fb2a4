"""Bring the control plane up, mend it, say how it is."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping

from . import kind
from .api import Api
from .components import Settings
from .console import duration, say
from .errors import SetupError
from .gobuild import built
from .kubeconfig import write_kubeconfig
from .layout import Layout
from .locking import exclusively
from .processes import log_of, running, stop
from .programs import CONTROL_PLANE
from .settings import recall, remember, settle
from .startup import start_all


def up(layout: Layout, environment: Mapping[str, str] = os.environ) -> None:
    """Leave a healthy control plane behind, whatever was there before: nothing, half of it, or all of it."""
    programs = built(CONTROL_PLANE, layout)
    with exclusively(layout.lock, waiting):
        started = time.monotonic()
        _make_directories(layout)
        settings = settle(layout, programs, environment)
        _write_credentials(layout, settings)
        changed = start_all(layout, settings)
        _link_programs(layout, settings)
        remember(layout, uid=Api(layout.pki, settings.port).cluster_uid())
    how = f"up after {duration(time.monotonic() - started)}" if changed else "already up"
    say(f"The cluster is {how}: export KUBECONFIG={layout.kubeconfig} PATH={layout.cluster}/bin:$PATH")


def status(layout: Layout) -> bool:
    """Print what runs; return whether the API server is ready."""
    processes = running(layout)
    for name in sorted(processes):
        print(f"{name}: pid {processes[name].pid}, log {log_of(name, layout)}")
    known = recall(layout)
    if known.get("flavour") == "kind":
        return kind.status(layout)
    ready = layout.pki.exists() and "port" in known and Api(layout.pki, int(known["port"])).is_ready()
    print(f"API server: {'ready' if ready else 'not ready'}")
    if ready:
        print(f"kubeconfig: {layout.kubeconfig}\netcd data: {known['etcd']}")
    return ready


def waiting() -> None:
    """Say that another command has the cluster."""
    say("Another command is at work on this cluster; waiting for it.")


def _make_directories(layout: Layout) -> None:
    layout.logs.mkdir(parents=True, exist_ok=True)
    layout.cluster.chmod(0o700)
    free = shutil.disk_usage(layout.cluster).free / 2**30
    if free < 1:
        raise SetupError(f"{layout.cluster} has {free:.1f} GiB of free disk and needs 1: free some.")


def _write_credentials(layout: Layout, settings: Settings) -> None:
    """Make the certificates once; without them whatever was signed or stored before is void, so it goes too."""
    if not layout.pki.exists():
        stop(running(layout).values(), layout)
        shutil.rmtree(settings.etcd, ignore_errors=True)
        partial = layout.pki.with_name("pki.partial")
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run([settings.programs / "pki", partial], check=True)
        partial.rename(layout.pki)
    for user in ("kube-controller-manager", "kube-scheduler"):
        write_kubeconfig(layout.pki / f"{user}.kubeconfig", layout.pki, user, settings.port)
    write_kubeconfig(layout.kubeconfig, layout.pki, "admin", settings.port)


def _link_programs(layout: Layout, settings: Settings) -> None:
    """Let `.cluster/bin` lead to kubectl and the others."""
    link = layout.cluster / "bin"
    if link.is_symlink() and link.readlink() == settings.programs:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(settings.programs)
