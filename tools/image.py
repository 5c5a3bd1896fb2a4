"""Build the operator's image and say how large it is.

`python3 tools/image.py TAG [--base IMAGE]`: the base is the official slim Python image that the Dockerfile names, or
IMAGE, or with `debian-local` one that is made here of Debian packages. That is also taken where no base is named and
the registry of the official one does not answer. Dependencies come in as wheels with checked hashes, so that the build
containers need no package index; where this Python is not the base's, they fetch the same ones themselves.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from devcluster.console import say  # noqa: E402
from devcluster.errors import SetupError  # noqa: E402
from devcluster.layout import Layout  # noqa: E402

from devcluster import images  # noqa: E402 the tree is not installed for this Python

LOCAL = "debian-local"
LOCKS = ("requirements.lock", "requirements-build.lock")
WHEELS = ROOT / "dist" / "wheels"
PULL_SECONDS = 300
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def main(arguments: list[str]) -> str | None:
    """Build and print one line; return the sentence that says why not (exit code 1)."""
    parser = argparse.ArgumentParser(description="Build the operator's image.")
    parser.add_argument("tag", metavar="TAG", help="the image's name, for instance batchyard:dev")
    parser.add_argument("--base", default="", metavar="IMAGE", help=f"the base image, or {LOCAL}")
    options = parser.parse_args(arguments)
    try:
        base = base_image(options.base)
        fetch_wheels(python_of(base))
        build(options.tag, base)
        sys.stdout.write(f"{report(options.tag, base)}\n")
    except SetupError as reason:
        return str(reason)
    return None


def base_image(wanted: str) -> str:
    """Return a base that the engine has; one that is asked for by name is never replaced by another."""
    if wanted == LOCAL:
        return images.python(Layout.from_environment())
    name = wanted or official()
    why = "" if _is_here(name) else _pull(name)
    if not why:
        return name
    if wanted:
        raise SetupError(f"{name} cannot be had ({why}): BASE_IMAGE={LOCAL} makes a base of Debian packages.")
    say(f"{name} cannot be had ({why}): making a base of Debian packages.")
    return base_image(LOCAL)


def official() -> str:
    """Return the base that the Dockerfile names."""
    found = re.search(r"(?m)^ARG BASE_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text())
    assert found is not None
    return found[1]


def python_of(base: str) -> str:
    """Return the Python of a base as `3.11`; SetupError where there is none that will do."""
    version = _docker("run", "--rm", "--network", "none", "--entrypoint", "python3", base, "-c", VERSION).strip()
    if tuple(map(int, version.split("."))) < (3, 11):
        raise SetupError(f"{base} has Python {version}; the operator needs 3.11 or newer.")
    return version


def fetch_wheels(version: str) -> None:
    """Leave exactly the locked wheels in dist/wheels, or nothing where this Python would fetch those of another one."""
    if version != "{}.{}".format(*sys.version_info[:2]):
        say(f"The base has Python {version} and this is another: the build fetches the dependencies itself.")
        return _empty(WHEELS)
    key = hashlib.sha256(b"\0".join((ROOT / lock).read_bytes() for lock in LOCKS) + version.encode()).hexdigest()
    stamp = WHEELS.with_name("wheels.key")
    if stamp.exists() and stamp.read_text() == key:
        return None
    stamp.unlink(missing_ok=True)
    _empty(WHEELS)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--dest", str(WHEELS)]
    _checked([*command, *(f"--requirement={ROOT / lock}" for lock in LOCKS)])
    stamp.write_text(key)
    return None


def _empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()


def build(tag: str, base: str) -> None:
    """Build the Dockerfile; with the host's network, since an engine without bridges has no other."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    arguments = {"BASE_IMAGE": base, "VERSION": version, "REVISION": _revision()}
    words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    _docker("build", "--network", "host", "--tag", tag, *words, str(ROOT))


def _revision() -> str:
    run = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def report(tag: str, base: str) -> str:
    """Return what was made, in a line."""
    whole, below = (int(_docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (tag, base))
    return f"{tag}: {whole / 1e6:.0f} MB, of which {below / 1e6:.0f} MB are its base {base}"


def _is_here(name: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0


def _pull(name: str) -> str:
    """Return nothing when the image has come, else why it has not."""
    try:
        command = ["docker", "pull", "--quiet", name]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        return f"nothing after {PULL_SECONDS} s"
    return (run.stderr.strip().splitlines() or ["no reason given"])[-1] if run.returncode else ""


def _docker(*arguments: str) -> str:
    return _checked(["docker", *arguments])


def _checked(command: list[str]) -> str:
    """Return what a program prints; SetupError with the end of its complaint if it fails."""
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SetupError(f"{' '.join(command[:4])} failed:\n{(run.stdout + run.stderr)[-3000:]}")
    return run.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
