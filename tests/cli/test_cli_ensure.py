"""`python -m batchyard ensure`: waits for kinds that are not served yet, and says in a sentence what cannot be."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from batchyard.cli import ensure
from kube.stub import Stub, answer, status, stub_server

QUEUE = {"kind": "JobQueue", "metadata": {"name": "q"}, "spec": {"priority": 1}}
NOT_SERVED = answer({}, 404)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensure, "AGAIN_SECONDS", 0.01)


async def ensured(stub: Stub, folder: Path, *bodies: dict, patience: float = 20) -> Result:
    cluster = {"name": "c", "cluster": {"server": stub.url}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {"clusters": [cluster], "contexts": [context], "current-context": "c",
              "users": [{"name": "u", "user": {"token": "t"}}]}  # fmt: skip
    (folder / "kubeconfig").write_text(json.dumps(config))
    (folder / "file").write_text("\n---\n".join(map(json.dumps, bodies)))
    words = [str(folder / "file"), f"--patience={patience}"]
    environment = {"KUBECONFIG": str(folder / "kubeconfig")}
    return await asyncio.to_thread(CliRunner().invoke, ensure.command, words, env=environment)


async def test_it_waits_until_the_kind_is_served(tmp_path: Path) -> None:
    async with stub_server() as stub:
        stub.then(NOT_SERVED, NOT_SERVED, status(503, "ServiceUnavailable"), answer(QUEUE))
        done = await ensured(stub, tmp_path, QUEUE)
        method, path, query, body = stub.seen[-1]
    assert (done.exit_code, done.output) == (0, "JobQueue q is there\n")
    assert (method, path) == ("PATCH", "/apis/batchyard.dev/v1alpha1/jobqueues/q")
    assert query == {"fieldManager": "batchyard-defaults", "force": "true"}
    assert json.loads(body) == QUEUE
    assert len(stub.seen) == 4


async def test_a_refusal_is_said_at_once_in_the_servers_words(tmp_path: Path) -> None:
    async with stub_server() as stub:
        stub.default = status(422, "Invalid", "spec.priority: too much")
        done = await ensured(stub, tmp_path, QUEUE)
        assert (done.exit_code, done.output) == (2, "Error: spec.priority: too much\n")
        assert len(stub.seen) == 1


async def test_patience_has_an_end(tmp_path: Path) -> None:
    async with stub_server() as stub:
        stub.default = status(404, "NotFound", "the server could not find the requested resource")
        done = await ensured(stub, tmp_path, QUEUE, patience=0.05)
    assert done.exit_code == 2
    assert "could not find the requested resource" in done.output


async def test_what_belongs_to_a_namespace_is_none_of_its_business(tmp_path: Path) -> None:
    async with stub_server() as stub:
        done = await ensured(stub, tmp_path, {"kind": "Job", "metadata": {"name": "j"}})
        assert done.exit_code == 2
        assert "every document has to be one of ComputeEnvironment, ConsumableResource, JobQueue" in done.output
        assert stub.seen == []
