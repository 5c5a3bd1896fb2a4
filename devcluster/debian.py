"""Debian packages as files: fetched with all that they depend on and unpacked, no package script run."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .errors import SetupError


def checked(*command: str) -> str:
    """Return what a program prints; SetupError with its complaint if it fails."""
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise SetupError(f"{' '.join(command[:2])} failed:\n{(outcome.stderr or outcome.stdout)[-2000:]}")
    return outcome.stdout


def download(names: Iterable[str], directory: Path) -> list[Path]:
    """Fetch the packages with all that they depend on, as for a machine that has nothing installed."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise SetupError("This image is made of Debian packages and this machine has no apt-get: make it on a Debian.")
    (directory / "partial").mkdir(parents=True)
    (directory / "status").touch()
    command = ["apt-get", "install", "-qq", "--no-install-recommends", "--download-only", "-o", "Debug::NoLocking=1"]
    command += ["-o", f"Dir::State::status={directory}/status", "-o", f"Dir::Cache::archives={directory}"]
    command += ["-o", "APT::Sandbox::User=root", *names]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        # Its failure is not ours: one of the machine's other sources may be out of reach.
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
        checked(*command)
    return sorted(directory.glob("*.deb"))


def unpack(packages: Iterable[Path], root: Path) -> None:
    """Lay all packages into one tree."""
    merge_usr(root)
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as reader:
            writer = ["tar", "-x", "--keep-directory-symlink", "-C", str(root)]
            if subprocess.run(writer, stdin=reader.stdout, check=False).returncode or reader.wait():
                raise SetupError(f"{package.name} cannot be unpacked")


def merge_usr(root: Path) -> None:
    """Begin a tree whose /bin, /sbin and /lib are those of /usr."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")


def bundle_certificates(root: Path) -> None:
    """Put the certificates together, as a package script would have done."""
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle.write_bytes(b"".join(path.read_bytes() for path in certificates))


def link_applets(root: Path) -> None:
    """Let the busybox of a tree answer to each of its names that nothing else has."""
    for applet in applets(root / "usr/bin/busybox"):
        if not any((root / "usr" / place / applet).exists() for place in ("bin", "sbin")):
            (root / "usr/bin" / applet).symlink_to("busybox")


def applets(busybox: Path) -> list[str]:
    """Return the names under which a busybox can be called."""
    return [name for name in checked(str(busybox), "--list").split() if name != "busybox"]
