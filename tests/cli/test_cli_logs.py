"""Logs: little memory for large ones, whole lines from many pods, and what is told of pods that are gone."""

from __future__ import annotations

import io
import threading
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from cli_world import POD, World
from kubernetes import client

from batchyard.cli.sink import LONGEST, Sink


class Out(io.RawIOBase):
    """A stdout that keeps only its size, or all."""

    def __init__(self, keep: bool = True) -> None:
        self.size, self.kept, self._keep = 0, bytearray(), keep

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self.size += len(piece)
        if self._keep:
            self.kept += piece
        return len(piece)


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Out:
    return _stdout(monkeypatch, Out())


def _stdout(monkeypatch: pytest.MonkeyPatch, out: Out) -> Out:
    # Not sys.stdout itself, which pytest sets anew between a fixture and its test.
    monkeypatch.setattr("batchyard.cli.sink.sys", SimpleNamespace(stdout=SimpleNamespace(buffer=out)))
    return out


@pytest.mark.parametrize(
    ("chunks", "written"),
    [
        ([b"a\nb\n"], b"7: a\n7: b\n"),
        ([b"a", b"b\nc", b"", b"d"], b"7: ab\n7: cd\n"),
        ([b"\n\n"], b"7: \n7: \n"),
        ([], b""),
        ([b"\xff\xfe\n"], b"7: \xff\xfe\n"),
    ],
)
def test_lines_get_their_index_wherever_chunks_end(out: Out, chunks: list[bytes], written: bytes) -> None:
    Sink().copy(chunks, b"7: ")
    assert bytes(out.kept) == written


def test_without_a_prefix_bytes_stay_as_they_are(out: Out) -> None:
    Sink().copy([b"a\r", b"\nno end"])
    assert bytes(out.kept) == b"a\r\nno end"


@pytest.mark.parametrize("chunk", [b"x" * 65_536, b"line\n" * 10_000])
def test_large_logs_need_little_memory(monkeypatch: pytest.MonkeyPatch, chunk: bytes) -> None:
    out = _stdout(monkeypatch, Out(keep=False))

    def stream() -> Iterator[bytes]:
        for _ in range(1_000):
            yield chunk

    tracemalloc.start()
    Sink().copy(stream(), b"3: ")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert out.size > 1_000 * len(chunk)
    assert peak < 20 * LONGEST


def test_lines_of_many_pods_stay_whole(out: Out) -> None:
    sink = Sink()
    pieces = [b"abc", b"def\nghi", b"jkl\n"] * 200
    threads = [threading.Thread(target=sink.copy, args=(pieces, f"{n}: ".encode())) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bodies = {line.partition(b": ")[2] for line in bytes(out.kept).splitlines()}
    assert bodies == {b"abcdef", b"ghijkl"}
    assert len(bytes(out.kept).splitlines()) == 8 * 400


def test_job_that_has_not_started(world: World) -> None:
    world.job("j", {"phase": "Runnable", "reason": "NodesBusy"})
    said = world.refused("logs", "j")
    assert "j has not started (Runnable NodesBusy); `explain j` says why, `logs --follow` waits for it" in said


def test_pod_that_is_gone_is_said_and_what_the_status_kept_is_printed(world: World) -> None:
    attempts = [{"number": 1, "pod": "j-1", "message": "old"}, {"number": 2, "pod": "j-2", "message": "first\nlast"}]
    world.job("j", {"phase": "Failed", "attempts": attempts})
    done = world.run("logs", "j")
    assert done.stdout == "first\nlast\n"
    assert done.stderr.startswith("not there any more: pod j-2 of attempt 2 (finished pods are kept until")
    assert world.run("logs", "j", "--attempt", "1").stdout == "old\n"
    assert "--attempt: j has had 2 attempts, none is 3" in world.refused("logs", "j", "--attempt", "3")


def test_children_that_are_gone_are_named_as_ranges(world: World) -> None:
    attempts = [{"index": 7, "number": 1, "message": "broke", "pod": "j-7-1"}]
    array = {"succeeded": "0-6", "failed": "7", "attempts": attempts}
    world.job("j", {"phase": "Failed", "array": array}, array={"size": 9})
    done = world.run("logs", "j")
    assert done.stdout == "7: broke\n"
    assert "not there any more: the pods of j[0-7] (" in done.stderr
    some = world.run("logs", "j", "--index", "2,8")
    assert "j[8] has not started\n" in some.stderr
    assert "the pods of j[2]" in some.stderr
    assert "--index: j has children 0 to 8" in world.refused("logs", "j", "--index", "9")


def test_index_is_for_arrays(world: World) -> None:
    world.job("j", {"phase": "Running"})
    assert "--index: j is not an array and has no nodes; leave it out" in world.refused("logs", "j", "--index", "1")


def test_pod_whose_log_cannot_be_read_is_said(world: World) -> None:
    world.job("j", {"phase": "Running"})
    uid = world.read("j")["metadata"]["uid"]
    labels = {"batchyard.dev/job-uid": uid, "batchyard.dev/attempt": "1"}
    spec = {**POD["spec"], "nodeName": "nowhere", "automountServiceAccountToken": False}
    core = client.CoreV1Api(world.api)
    core.create_namespaced_service_account(world.namespace, {"metadata": {"name": "runner"}})
    pod = {"metadata": {"name": "j-1", "labels": labels}, "spec": {**spec, "serviceAccountName": "runner"}}
    core.create_namespaced_pod(world.namespace, pod)
    done = world.run("logs", "j")
    assert done.stdout == ""
    assert done.stderr.startswith("j-1: ")
    assert '"nowhere" not found; it is not there any more, or its node is not' in done.stderr
