"""Which of two views of an object counts: the newer one, and of two objects of one name the one that is there."""

from __future__ import annotations

from typing import Any

from batchyard.world.views import View


def older(view: View, than: View) -> bool:
    """Say whether a view is of an earlier version; versions that are no numbers are never earlier."""
    return view.version.isdigit() and than.version.isdigit() and int(view.version) < int(than.version)


def newer_than(view: View, version: str) -> bool:
    """Say whether a view is of a later version than a list."""
    return view.version.isdigit() and version.isdigit() and int(view.version) > int(version)


def keep(table: dict[Any, Any], where: Any, view: View) -> bool:
    """Keep the newer of both; say whether more than its status changed."""
    old = table.get(where)
    if old is not None and older(view, old):
        return False
    table[where] = view
    return old is None or any(
        getattr(old, field, None) != getattr(view, field, None) for field in ("uid", "generation", "deleting")
    )


def drop(table: dict[Any, Any], where: Any, view: View) -> bool:
    """Drop the object unless another took its name; say whether it was dropped."""
    known = table.get(where)
    return known is not None and known.uid == view.uid and table.pop(where) is known
