"""/healthz and /readyz when the API server answers nothing and when the loop stands still."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from batchyard.engine.explain import Explain
from batchyard.engine.forecast import Forecast
from batchyard.engine.hands import Hands
from batchyard.engine.loop import Loop
from batchyard.engine.serve import Health, Server
from batchyard.world.store import Store
from cluster.operator_process import Operator
from cluster.rest import until

STALE = 3.0


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never says a word, as one that was stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_the_probes_fail_when_the_api_server_is_silent(silent: str, tmp_path: Path) -> None:
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": silent}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    settings = {"BATCHYARD_STALE_SECONDS": str(STALE), "BATCHYARD_PORT": str(_free_port())}
    operator = Operator(tmp_path / "kubeconfig", tmp_path / "log", settings, port=int(settings["BATCHYARD_PORT"]))
    operator.launch()
    try:
        until(lambda: _answers(operator), 30, operator.tail)
        assert operator.page("/readyz")[0] == 503
        assert "lease: no answer from the API server yet" in operator.page("/readyz")[1]
        until(lambda: operator.page("/healthz")[0] == 503, STALE + 10)
        assert "lease: no answer from the API server for " in operator.page("/healthz")[1]
    finally:
        operator.kill()


def _answers(operator: Operator) -> bool:
    try:
        return operator.page("/healthz")[0] in (200, 503)
    except OSError:
        return False


@pytest.mark.parametrize(("age", "status", "words"), [(0.0, 200, "ok"), (STALE + 1, 503, "loop: no cycle for 4 s")])
async def test_the_probes_fail_when_the_loop_stands_still(age: float, status: int, words: str) -> None:
    loop = Loop(cast("Hands", SimpleNamespace()), clock=lambda: monotonic() - age)
    store = Store()
    server = Server(store, Health(loop, [], STALE), Explain(store, Forecast(store)))
    await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as client:
            for page in ("healthz", "readyz"):
                answer: Any = await client.get(f"http://127.0.0.1:{server.port}/{page}")
                assert (answer.status, await answer.text()) == (status, words)
    finally:
        await server.stop()
