"""kopf keeps nothing of an object once its event is handled."""

from __future__ import annotations

import inspect
from typing import Any

import kopf
import pytest

from batchyard.handlers.life import tune
from batchyard.handlers.storage import NoMemories

BODY: Any = {"metadata": {"name": "a", "uid": "uid-a"}}


async def test_no_object_is_remembered() -> None:
    memories = NoMemories()
    first = await memories.recall(BODY, noticed_by_listing=True, memobase=kopf.Memo())
    assert first is not await memories.recall(BODY)
    assert not list(memories.iter_all_memories())
    await memories.forget(BODY)


def test_kopf_takes_memories_of_ours() -> None:
    assert "memories" in inspect.signature(kopf.operator).parameters


def test_lists_come_in_pages_and_workers_end_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    settings = kopf.OperatorSettings()
    tune(settings)
    assert settings.watching.chunk_size == 500
    assert 0 < settings.queueing.idle_timeout < 1
