"""A base for the operator's image where no registry answers: Debian's Python, the libraries it loads, a shell."""

import shutil
import tempfile
from pathlib import Path

from . import debian, imagefile
from .console import say

# libgcc_s is what every Linux wheel may take for granted and no package of Debian's Python asks for.
PACKAGES = ("python3", "ca-certificates", "busybox-static", "libgcc-s1")
KEPT = (
    *("usr/bin/python3*", "usr/bin/busybox", "usr/lib/python3*", "usr/lib64/*", "usr/lib/*-linux-gnu/*.so*"),
    *("etc/ssl/certs/ca-certificates.crt", "etc/ssl/openssl.cnf", "etc/python3*/*", "etc/debian_version"),
)
# Of the standard library what a server never imports; the interpreter's own test suite and editor among it.
PRUNED = ("test", "idlelib", "tkinter", "turtledemo", "lib2to3", "pydoc_data", "ensurepip")
DIRECTORIES = ("dev", "etc", "opt", "proc", "root", "run", "sys", "usr/bin", "var/tmp", "tmp")
FILES = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nbatchyard:x:65532:65532:batchyard:/:/bin/false\n",
    "etc/group": b"root:x:0:\nbatchyard:x:65532:\n",
    "etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}
PATH = "/usr/local/bin:/usr/bin:/bin"


def sources() -> bytes:
    """Return all that decides what is in the base but Debian's own changes."""
    return b"\0".join(Path(module).read_bytes() for module in (__file__, debian.__file__, imagefile.__file__))


def make(name: str) -> None:
    """Leave the base in the docker engine under this name."""
    say(f"Making {name} of Debian's Python.")
    with tempfile.TemporaryDirectory() as scratch:
        everything, root = Path(scratch) / "everything", Path(scratch) / "root"
        debian.unpack(debian.download(PACKAGES, Path(scratch) / "packages"), everything)
        debian.bundle_certificates(everything)
        _keep(everything, root)
        _complete(root)
        _compile(root)
        debian.checked("tar", "-C", str(root), "--sort=name", "--numeric-owner", "-cf", f"{scratch}/root.tar", ".")
        debian.checked("docker", "import", "--change", f"ENV PATH={PATH}", f"{scratch}/root.tar", name)


def _keep(everything: Path, root: Path) -> None:
    """Take over what is kept, at its place."""
    debian.merge_usr(root)
    for pattern in KEPT:
        for path in everything.glob(pattern):
            target = root / path.relative_to(everything)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    for library in (root / "usr/lib").glob("python3*"):
        for pruned in PRUNED:
            shutil.rmtree(library / pruned, ignore_errors=True)


def _complete(root: Path) -> None:
    for directory in DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for directory in ("tmp", "var/tmp"):
        (root / directory).chmod(0o1777)
    for name, content in FILES.items():
        (root / name).write_bytes(content)
    # Where Debian's OpenSSL looks for what it trusts.
    (root / "usr/lib/ssl").mkdir()
    (root / "usr/lib/ssl/cert.pem").symlink_to("/etc/ssl/certs/ca-certificates.crt")
    debian.link_applets(root)


def _compile(root: Path) -> None:
    """Compile the standard library, as its package's script would have; by its own Python, since formats differ."""
    for library in sorted(path for path in (root / "usr/lib").glob("python3.*") if path.is_dir()):
        python = f"/usr/bin/{library.name}"
        debian.checked("chroot", str(root), python, "-m", "compileall", "-q", "-j", "1", f"/usr/lib/{library.name}")
