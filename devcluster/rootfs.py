"""A docker node's file system: Debian packages unpacked, no package script run; seconds, not debootstrap's minutes."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from . import imagefile
from .console import say
from .errors import SetupError

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
        _unpack(_download(Path(scratch) / "packages"), root)
        _prune(root)
        _complete(root)
        _link_applets(root)
        _checked("tar", "-C", str(root), "--sort=name", "-cf", f"{scratch}/rootfs.tar", ".")
        os.replace(f"{scratch}/rootfs.tar", archive)


def applets(busybox: Path) -> list[str]:
    """Return the names under which a busybox can be called."""
    return [name for name in _checked(str(busybox), "--list").split() if name != "busybox"]


def _checked(*command: str) -> str:
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise SetupError(f"{' '.join(command[:2])} failed:\n{(outcome.stderr or outcome.stdout)[-2000:]}")
    return outcome.stdout


def _download(directory: Path) -> list[Path]:
    """Fetch the packages with all that they depend on, as for a machine that has nothing installed."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise SetupError(
            "The node image is made of Debian packages and this machine has no apt-get: make it on a Debian."
        )
    (directory / "partial").mkdir(parents=True)
    (directory / "status").touch()
    command = ["apt-get", "install", "-qq", "--no-install-recommends", "--download-only", "-o", "Debug::NoLocking=1"]
    command += ["-o", f"Dir::State::status={directory}/status", "-o", f"Dir::Cache::archives={directory}"]
    command += ["-o", "APT::Sandbox::User=root", *(SOURCES / "packages").read_text().split()]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        # Its failure is not ours: one of the machine's other sources may be out of reach.
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
        _checked(*command)
    return sorted(directory.glob("*.deb"))


def _unpack(packages: Iterable[Path], root: Path) -> None:
    """Lay all packages into one tree with a merged /usr."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as reader:
            writer = ["tar", "-x", "--keep-directory-symlink", "-C", str(root)]
            if subprocess.run(writer, stdin=reader.stdout, check=False).returncode or reader.wait():
                raise SetupError(f"{package.name} cannot be unpacked")


def _prune(root: Path) -> None:
    """Keep the certificates, which a package script would have put together; drop what a node never reads."""
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle.write_bytes(b"".join(path.read_bytes() for path in certificates))
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


def _link_applets(root: Path) -> None:
    for applet in applets(root / "usr/bin/busybox"):
        if not any((root / "usr" / place / applet).exists() for place in ("bin", "sbin")):
            (root / "usr/bin" / applet).symlink_to("busybox")
