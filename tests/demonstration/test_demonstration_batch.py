"""The demo's shell scripts, run by this machine's own shell, against Python's count of the same texts."""

import gzip
import subprocess
from pathlib import Path

import pytest
import yaml
from demo import texts
from demo.story import END, HEAPS
from demo.texts import Folder, Statistics

ROOT = Path(__file__).parents[2]
TEXTS = {
    "common-licenses/GPL-3": b"The GNU General Public License\nTHE END",  # no newline at its end
    "common-licenses/Unloved": b"nobody mentions this one\n",
    "doc/one/changelog.gz": gzip.compress(b"one (1.0) unstable; it's the first release\n"),
    "doc/one/copyright": b"See /usr/share/common-licenses/GPL-3 and again common-licenses/GPL-3\n",
    "doc/two/changelog": "Grüße, naïve café; the_end of-the 3rd line\r\n\x00\x7f".encode(),
    "doc/two/copyright": b"",
}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for name, content in TEXTS.items():
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for name in ("heaps", "counts"):
        (tmp_path / name).mkdir()
    return Folder(tmp_path)


def run(folder: Folder, file: str, name: str, **variables: int) -> str:
    """What a job prints before the mark that says that its log is whole."""
    documents = yaml.safe_load_all((ROOT / "demo" / f"{file}.yaml").read_text())
    spec = next(one for one in documents if one["metadata"]["name"] == name)["spec"]["template"]["spec"]
    container = spec["containers"][0]
    place = {"name": "data", "mountPath": "/data", "readOnly": True}
    assert container["volumeMounts"] == [place]
    script = container["command"][2].replace("/data", str(folder.path)).replace("sleep 2", "true")
    script = script.replace("/tmp/table", str(folder.path / "table"))
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **{key: str(value) for key, value in variables.items()}}
    where = container["workingDir"].replace("/data", str(folder.path))
    done = subprocess.run(["sh", "-c", script], cwd=where, env=environment, capture_output=True, text=True, check=True)
    log, _, rest = done.stdout.rpartition(END)
    assert (rest, done.stderr) == ("", "")
    return log


def test_the_batch_computes_what_python_computes(folder: Folder) -> None:
    folder.deal(run(folder, "batch", "split", HEAPS=HEAPS))
    heaps = sorted((folder.path / "heaps").iterdir())
    for heap in heaps:
        folder.keep(int(heap.name), run(folder, "batch", "count", HEAP=int(heap.name)))
    merged = Statistics.parse(run(folder, "batch", "merge"))
    assert merged == texts.counted(folder.path)
    assert ("license", 1) in merged.top
    assert merged.words == 40


def test_every_text_is_dealt_exactly_once(folder: Folder) -> None:
    folder.deal(run(folder, "batch", "split", HEAPS=3))
    dealt = [line for heap in (folder.path / "heaps").iterdir() for line in heap.read_text().splitlines()]
    assert sorted(dealt) == sorted(f"./{name}" for name in TEXTS)
    assert len(list((folder.path / "heaps").iterdir())) == 3


def test_a_lost_heap_shows(folder: Folder) -> None:
    folder.deal(run(folder, "batch", "split", HEAPS=2))
    folder.keep(0, run(folder, "batch", "count", HEAP=0))
    assert Statistics.parse(run(folder, "batch", "merge")) != texts.counted(folder.path)


def test_the_licences_are_those_that_python_finds(folder: Folder) -> None:
    lines = run(folder, "trouble", "licences").splitlines()
    assert {name: int(count) for name, count in (line.split() for line in lines)} == {"GPL-3": 1, "Unloved": 0}
    assert texts.licences(folder.path) == {"GPL-3": 1, "Unloved": 0}
