"""Storages that store nothing: kopf must not write to users' objects, nor copy them at each event."""

from __future__ import annotations

from typing import Any

import kopf


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
