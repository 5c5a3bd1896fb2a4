"""A docker node's file system: Debian packages unpacked, no package script run; seconds, not debootstrap's minutes."""

import os
import shutil
import tempfile
from pathlib import Path

from . import debian, imagefile
from .console import say

SOURCES = Path(__file__).resolve().parent / "node"
PLUGINS = {"loopback", "host-local", "ptp", "bridge", "portmap"}
PRUNED = ("usr/share", "usr/lib/systemd", "usr/bin/containerd-stress", "var")
DIRECTORIES = (
    *("etc/batchyard", "etc/containerd", "etc/cni/net.d", "usr/share/batchyard", "var/lib", "var/log", "var/tmp"),
    *("dev", "images", "proc", "root", "run", "sys", "tmp"),
)
IPTABLES = ("iptables", "iptables-save", "iptables-restore", "ip6tables")
OS_RELEASE = 'NAME="Batchyard node"\nPRETTY_NAME="Batchyard node"\nID=batchyard-node\n'
PAUSE = "batchyard.dev/pause:1"


def make(archive: Path) -> None:
    """Write the file system to a tar, whole or not at all; SetupError when the packages cannot be had."""
    say("Unpacking the packages of a docker node.")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        root = Path(scratch) / "root"
        debian.unpack(debian.download((SOURCES / "packages").read_text().split(), Path(scratch) / "packages"), root)
        debian.bundle_certificates(root)
        _prune(root)
        _complete(root)
        debian.link_applets(root)
        debian.checked("tar", "-C", str(root), "--sort=name", "-cf", f"{scratch}/rootfs.tar", ".")
        os.replace(f"{scratch}/rootfs.tar", archive)


def _prune(root: Path) -> None:
    """Drop what a node never reads."""
    plugins = [path for path in (root / "usr/lib/cni").iterdir() if path.name not in PLUGINS]
    for path in (*(root / pruned for pruned in PRUNED), *plugins):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _complete(root: Path) -> None:
    for directory in DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for name, content in imagefile.FILES.items():
        (root / name).write_bytes(content)
    (root / "etc/os-release").write_text(OS_RELEASE)
    shutil.copy(SOURCES / "containerd.toml", root / "etc/containerd/config.toml")
    for program in ("batchyard-node", "batchyard-reclaim"):
        shutil.copy(SOURCES / program, root / "usr/bin")
    for name in IPTABLES:
        (root / "usr/sbin" / name).symlink_to("xtables-nft-multi")
    layer = imagefile.busybox_layer((root / "usr/bin/busybox").read_bytes(), ["sleep"])
    command = {"Entrypoint": ["/bin/sleep", "2147483647"]}
    imagefile.write(root / "usr/share/batchyard/pause.tar", PAUSE, layer, command)
