"""The images of a cluster without a registry: made once, the same bytes each time, found under the names jobs use."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from devcluster import imagefile  # noqa: E402


def images(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "devcluster.images", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def member(archive: Path | bytes, name: str) -> bytes:
    opened = io.BytesIO(archive) if isinstance(archive, bytes) else archive.open("rb")
    with opened, tarfile.open(fileobj=opened) as tar:
        content = tar.extractfile(name)
        assert content is not None
        return content.read()


def test_an_image_file_names_itself_and_its_layer_truly(tmp_path: Path) -> None:
    layer = imagefile.busybox_layer(b"program", ["sh", "awk"])
    imagefile.write(tmp_path / "image.tar", "batchyard.dev/some:1", layer, {"Cmd": ["sh"]})
    (manifest,) = json.loads(member(tmp_path / "image.tar", "manifest.json"))
    configuration = json.loads(member(tmp_path / "image.tar", manifest["Config"]))
    assert manifest["RepoTags"] == ["batchyard.dev/some:1"]
    assert configuration["config"]["Cmd"] == ["sh"]
    (diff_id,) = configuration["rootfs"]["diff_ids"]
    assert diff_id == f"sha256:{hashlib.sha256(member(tmp_path / 'image.tar', manifest['Layers'][0])).hexdigest()}"


def test_applets_are_links_to_the_one_program_and_the_same_input_gives_the_same_bytes() -> None:
    layer = imagefile.busybox_layer(b"program", ["sh", "awk"])
    assert member(layer, "bin/awk") == member(layer, "bin/busybox") == b"program"
    assert layer == imagefile.busybox_layer(b"program", ["awk", "sh"])


@pytest.mark.nodes
def test_the_job_image_is_there_at_once_the_second_time_and_has_a_shell_with_its_tools() -> None:
    first = images("jobs")
    assert first.returncode == 0, first.stderr
    began = time.monotonic()
    second = images("jobs")
    assert second.stdout == first.stdout
    assert time.monotonic() - began < 5, "made again"
    layer = member(Path(first.stdout.strip()), "layer.tar")
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        names = set(tar.getnames())
    assert {f"bin/{name}" for name in ("sh", "awk", "sort", "sed", "tr", "uniq", "wc", "grep", "nc")} <= names


def test_a_wrong_call_is_answered_with_the_right_ones() -> None:
    wrong = images("node")
    assert wrong.returncode == 2
    assert "usage" in wrong.stderr


def test_a_kubelet_that_is_not_there_is_named() -> None:
    wrong = images("node", "/no/such/kubelet")
    assert wrong.returncode == 1
    assert "/no/such/kubelet" in wrong.stderr
