"""A program is in the cache whole or not at all, however its build ended."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from devcluster.errors import SetupError
from devcluster.gobuild import Program, built
from devcluster.layout import Layout
from devcluster_sandbox import ROOT, eventually

from devcluster import gobuild, toolchain

pytestmark = pytest.mark.cluster
HELLO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "cluster", tmp_path / "cache")


@pytest.fixture
def hello(tmp_path: Path) -> Program:
    source = tmp_path / "source"
    source.mkdir()
    (source / "go.mod").write_text("module example.test/hello\n\ngo 1.26\n")
    (source / "main.go").write_text(HELLO)
    return Program(title="greeter", name="hello", version="v1", source=source, links=("hi",), gibibytes=0)


def test_build_is_kept_and_reused(hello: Program, layout: Layout) -> None:
    programs = built(hello, layout)
    assert subprocess.run([programs / "hi"], capture_output=True, text=True, check=True).stdout == "hello\n"
    made = (programs / "hello").stat().st_mtime_ns
    assert (built(hello, layout) / "hello").stat().st_mtime_ns == made


def test_change_of_the_source_is_another_program(hello: Program, layout: Layout) -> None:
    before = built(hello, layout)
    assert hello.source is not None
    (hello.source / "main.go").write_text(HELLO.replace("hello", "other"))
    assert built(hello, layout) != before


def test_failed_build_leaves_nothing_to_use(hello: Program, layout: Layout) -> None:
    assert hello.source is not None
    (hello.source / "main.go").write_text("package main\n\nfunc main() { undefined() }\n")
    with pytest.raises(SetupError, match="undefined: undefined"):
        built(hello, layout)
    assert not (layout.cache / hello.directory).exists()


def test_leftovers_of_a_killed_build_are_no_harm(hello: Program, layout: Layout) -> None:
    partial = layout.cache / f"{hello.directory}.partial"
    (partial / "tmp" / "go-build1").mkdir(parents=True)
    (partial / "bin").mkdir()
    (partial / "bin" / "hello").write_text("half")
    assert subprocess.run([built(hello, layout) / "hello"], capture_output=True, check=True).stdout == b"hello\n"
    assert not partial.exists()


def test_killed_builder_takes_the_compiler_along(hello: Program, layout: Layout) -> None:
    """The compiler of a builder that is gone would go on using the processor for minutes."""
    assert hello.source is not None
    fake = layout.cache / "slow" / "go"
    fake.parent.mkdir(parents=True)
    fake.write_text("#!/bin/sh\ntouch started\nexec sleep 600\n")
    fake.chmod(0o755)
    script = (
        "from pathlib import Path; from devcluster.gobuild import _Go; from devcluster.progress import Progress\n"
        f"_Go(Path({str(fake)!r}), Path({str(fake.parent)!r})).run([], Path({str(fake.parent)!r}), Progress('x'))\n"
    )
    builder = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    children = Path(f"/proc/{builder.pid}/task/{builder.pid}/children")
    child = int(eventually(lambda: (fake.parent / "started").exists() and children.read_text().split())[0])
    builder.kill()
    builder.wait()
    eventually(lambda: state_of(child) in "ZX")


def state_of(pid: int) -> str:
    """Return the one letter of /proc/PID/stat; X for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def test_full_disk_is_said_before_the_build(hello: Program, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(layout.cluster.parent)
    monkeypatch.setattr(gobuild.shutil, "disk_usage", lambda _: usage._replace(free=2**29))
    needy = Program(title="greeter", name="hello", version="v1", source=hello.source, gibibytes=2)
    with pytest.raises(SetupError, match=r"takes 2 GiB of disk and .* has 0\.5: free some"):
        built(needy, layout)


@pytest.mark.parametrize(
    ("version", "enough"), [("go1.19.8", False), ("go1.26", True), ("go1.27.3", True), ("", False)]
)
def test_old_go_is_not_taken(tmp_path: Path, version: str, enough: bool) -> None:
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho {version}\n")
    go.chmod(0o755)
    assert toolchain._is_new_enough(str(go)) is enough


def test_no_go_and_no_pip_elsewhere_is_one_sentence(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(toolchain, "WELL_KNOWN", ())
    monkeypatch.setattr(toolchain, "_has_pip", lambda _: False)
    monkeypatch.setattr(toolchain, "_make_venv", lambda _: False)
    with pytest.raises(SetupError, match=r"no Go >= 1\.26; this is no Debian"):
        toolchain.find_go(layout)
