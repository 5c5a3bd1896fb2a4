"""Build Go programs once per version into the cache, whole or not at all."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .console import duration, say
from .errors import SetupError
from .layout import Layout
from .locking import exclusively
from .progress import Progress, follow
from .toolchain import find_go


@dataclass(frozen=True, slots=True)
class Program:
    """One main package, and where it comes from: our own `source`, else the published `module`.

    With both, `source` has nothing but the go.mod by which the module's package is built.
    """

    title: str
    name: str
    version: str
    package: str = "."
    module: str = ""
    source: Path | None = None
    links: tuple[str, ...] = ()
    ldflags: str = ""
    tags: str = ""
    gibibytes: int = 2
    keeps: tuple[str, ...] = ()  # files of the module that are kept beside the program, as patterns

    @property
    def directory(self) -> str:
        """The name of its directory in the cache; a change of the sources or of the flags changes it."""
        flags = f"{self.ldflags} -tags {self.tags}" if self.tags else self.ldflags
        flags += f" and {' '.join(self.keeps)}" if self.keeps else ""
        digest = hashlib.sha256(f"{self.package} {self.module} {flags} {platform.machine()}".encode())
        sources = self.source.iterdir() if self.source else ()
        for path in sorted(path for path in sources if path.suffix in (".go", ".mod", ".sum")):
            digest.update(path.name.encode() + path.read_bytes())
        ours = self.source and not self.module
        return f"{self.version if ours else f'{self.name}-{self.version}'}-{digest.hexdigest()[:12]}"


def built(program: Program, layout: Layout) -> Path:
    """Return the directory with the program and its links, building it if the cache has it not."""
    target = layout.cache / program.directory
    if not target.exists():
        waiting = f"Another command is building the {program.title}; waiting for it."
        with exclusively(layout.cache / "locks" / program.directory, lambda: say(waiting)):
            if not target.exists():
                _build(program, layout, target)
    return target / "bin"


def _build(program: Program, layout: Layout, target: Path) -> None:
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "bin").mkdir(parents=True)
    (partial / "tmp").mkdir()
    _require_space(program, layout)
    progress = Progress(program.title)
    _compile(_Go(find_go(layout), partial), program, progress)
    for link in program.links:
        (partial / "bin" / link).symlink_to(program.name)
    shutil.rmtree(partial / "tmp")
    partial.rename(target)
    say(f"Built the {program.title} in {duration(progress.elapsed)}; it is kept in {target}.")


@dataclass(frozen=True, slots=True)
class _Go:
    """A Go command whose temporary files lie in `partial`, where the next build removes them."""

    go: Path
    partial: Path

    def run(self, arguments: list[str], directory: Path, progress: Progress) -> str:
        environment = {
            **os.environ,
            "PATH": f"{self.go.parent}:{os.environ.get('PATH', '')}",
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=readonly",
            "GOTMPDIR": str(self.partial / "tmp"),
            "GOWORK": "off",
        }
        command = [str(self.go), *arguments]
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=progress.end_with_parent,
        )  # fmt: skip
        return follow(process, progress)


def _compile(go: _Go, program: Program, progress: Progress) -> None:
    say(f"Building the {program.title} {program.version} from source; this happens once and takes some minutes.")
    source = program.source or _download(go, program, progress)
    tags = ["-tags", program.tags] if program.tags else []
    progress.total = len(go.run(["list", *tags, "-deps", program.package], source, progress).splitlines())
    output = go.partial / "bin" / program.name
    flags = [*tags, "-trimpath", "-v", "-ldflags", f"-s -w {program.ldflags}", "-o", str(output)]
    go.run(["build", *flags, program.package], source, progress)
    if program.keeps and program.source:
        source = Path(go.run(["list", "-m", "-f", "{{.Dir}}", program.module], source, progress).strip())
    for file in sorted(file for pattern in program.keeps for file in source.glob(pattern)):
        (go.partial / "share").mkdir(exist_ok=True)
        shutil.copyfile(file, go.partial / "share" / file.name)


def _download(go: _Go, program: Program, progress: Progress) -> Path:
    wanted = f"{program.module}@{program.version}"
    answer = json.loads(go.run(["mod", "download", "-json", wanted], go.partial, progress))
    return Path(answer["Dir"])


def _require_space(program: Program, layout: Layout) -> None:
    free = shutil.disk_usage(layout.cache).free / 2**30
    if free < program.gibibytes:
        raise SetupError(
            f"Building the {program.title} takes {program.gibibytes} GiB of disk and {layout.cache} has {free:.1f}: "
            "free some, or set BATCHYARD_CACHE (and Go's GOCACHE and GOMODCACHE) to a larger disk."
        )
