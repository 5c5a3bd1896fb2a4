"""The images of a cluster without a registry: nodes' for the docker engine, jobs' as files for every node's /images.

`python3 -m devcluster.images rootfs|node KUBELET|jobs|python` needs Python and apt only; each makes what is not there.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from . import debian, imagefile, pythonbase, rootfs
from .console import say
from .errors import SetupError
from .layout import Layout
from .locking import exclusively

NODE = "batchyard/node"
JOB = "batchyard.dev/busybox:1"
PYTHON = "batchyard/python"
ARGUMENTS = {"rootfs": 1, "node": 2, "jobs": 1, "python": 1}


def node(kubelet: Path, layout: Layout) -> str:
    """Return the node image's name in the docker engine; `batchyard/node:dev` is always the newest."""
    stat = kubelet.stat()
    name = f"{NODE}:{_digest(_sources(), f'{kubelet.resolve()} {stat.st_size} {stat.st_mtime_ns}'.encode())}"
    with _alone(layout):
        if subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode:
            _build(name, kubelet, _rootfs(layout))
        _docker("tag", name, f"{NODE}:dev")
    return name


def jobs(layout: Layout) -> Path:
    """Return the file of the job image, a busybox under all its names, in the directory that every node imports."""
    image = layout.cache / "images" / f"busybox-{_digest(_sources())}.tar"
    with _alone(layout):
        if not image.exists():
            image.parent.mkdir(parents=True, exist_ok=True)
            _write_job_image(image, _rootfs(layout))
            for stale in set(image.parent.glob("busybox-*.tar")) - {image}:
                stale.unlink()
    return image


def python(layout: Layout) -> str:
    """Return the name, in the docker engine, of a base with Debian's Python for the operator's image."""
    name = f"{PYTHON}:{_digest(pythonbase.sources())}"
    with _alone(layout):
        if subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode:
            pythonbase.make(name)
            _remove_stale(PYTHON, name)
    return name


def make_rootfs(layout: Layout) -> Path:
    """Return the nodes' file system without the kubelet: what can be made while that is still being compiled."""
    with _alone(layout):
        return _rootfs(layout)


def _rootfs(layout: Layout) -> Path:
    archive = layout.cache / "node" / f"rootfs-{_digest(_sources())}.tar"
    if not archive.exists():
        rootfs.make(archive)
        for stale in set(archive.parent.glob("rootfs-*.tar")) - {archive}:
            stale.unlink()
    return archive


def _alone(layout: Layout) -> AbstractContextManager[None]:
    return exclusively(layout.cache / "locks/images", lambda: say("Another command is making images; waiting for it."))


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _sources() -> bytes:
    """All that decides what is in the images but the kubelet."""
    code = [Path(__file__).with_name(name) for name in ("debian.py", "imagefile.py", "rootfs.py")]
    return b"\0".join(path.read_bytes() for path in (*sorted(rootfs.SOURCES.iterdir()), *code))


def _build(name: str, kubelet: Path, archive: Path) -> None:
    say(f"Building {name}.")
    with tempfile.TemporaryDirectory(dir=archive.parent) as context:
        os.link(archive, f"{context}/rootfs.tar")
        shutil.copy(kubelet, f"{context}/kubelet")
        shutil.copy(rootfs.SOURCES / "Dockerfile", context)
        _docker("build", "--quiet", "--tag", name, context)
    _remove_stale(NODE, name)


def _remove_stale(repository: str, name: str) -> None:
    for stale in set(_docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).split()) - {name}:
        # One that nodes still run from stays until the next time.
        subprocess.run(["docker", "image", "rm", stale], capture_output=True, check=False)


def _docker(*arguments: str) -> str:
    # The classic builder: Debian's docker brings no other.
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    outcome = subprocess.run(["docker", *arguments], env=environment, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise SetupError(f"docker {arguments[0]} failed: {outcome.stderr.strip()[-2000:]}")
    return outcome.stdout


def _write_job_image(image: Path, archive: Path) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch, tarfile.open(archive) as packed:
        member = packed.extractfile("./usr/bin/busybox")
        assert member is not None
        busybox = Path(scratch) / "busybox"
        busybox.write_bytes(member.read())
        busybox.chmod(0o755)
        layer = imagefile.busybox_layer(busybox.read_bytes(), debian.applets(busybox))
    imagefile.write(image, JOB, layer, {"Cmd": ["sh"]})


def main(arguments: list[str]) -> int:
    """Print what was made; 1 with the reason on stderr when it cannot be made, 2 for a wrong call."""
    if not arguments or ARGUMENTS.get(arguments[0]) != len(arguments):
        say("usage: python3 -m devcluster.images rootfs | jobs | python | node KUBELET")
        return 2
    layout = Layout.from_environment()
    try:
        match arguments:
            case ["node", kubelet]:
                print(node(Path(kubelet), layout))
            case ["jobs"]:
                print(jobs(layout))
            case ["python"]:
                print(python(layout))
            case _:
                print(make_rootfs(layout))
    except (SetupError, OSError) as reason:
        say(str(reason))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
