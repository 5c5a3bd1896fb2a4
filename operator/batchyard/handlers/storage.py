"""Storages that store nothing: kopf must not write to users' objects, copy them at each event, or remember them."""

from __future__ import annotations

from typing import Any

import kopf

# kopf.operator() takes memories of ours, but kopf does not export their type.
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers no last-handled state; legal without create, update, delete and resume handlers."""

    def build(self, **_: Any) -> Any:
        """Return an empty essence: the default deep-copies the whole body at each event."""
        return {}

    def fetch(self, **_: Any) -> Any:
        """Return an empty essence, equal to what `build` says."""
        return {}

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Remembers no progress of handlers: event handlers have none."""

    def fetch(self, **_: Any) -> None:
        """Return nothing."""

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Purge nothing."""

    def touch(self, **_: Any) -> None:
        """Touch nothing."""

    def clear(self, *, essence: Any) -> Any:
        """Return the essence as it is: the default deep-copies it."""
        return essence


class NoMemories(ResourceMemories):
    """Remembers no object: event handlers have no memo, and kopf's own costs as much as ten jobs of ours."""

    async def recall(self, raw_body: Any, **options: Any) -> ResourceMemory:
        """Return a memory that ends with the event."""
        return await super().recall(raw_body, **{**options, "ephemeral": True})
