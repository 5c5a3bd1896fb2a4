"""What a node is made from, as a short hash: nodes of another one than their environment now has are to be replaced."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from batchyard.model.machine import Shape, Taint

LENGTH = 10  # hexadecimal digits: it must tell a handful of versions of one environment apart


@dataclass(frozen=True, slots=True)
class Recipe:
    """What all nodes of an environment have in common; `settings` is `spec.provider.<kind>` as given."""

    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    provider: str
    settings: Mapping[str, Any]


def configurations(recipe: Recipe, shapes: Iterable[Shape]) -> dict[str, str]:
    """Return the hash for each shape by name: prices are no part of it, nor are the other shapes."""
    common = [
        sorted(recipe.labels.items()),
        sorted((taint.key, taint.value, taint.effect) for taint in recipe.taints),
        recipe.provider,
        {name: value for name, value in recipe.settings.items() if value is not None},
    ]
    return {shape.name: _hash([*common, msgspec.to_builtins(shape.resources)]) for shape in shapes}


def fingerprint(configurations: Mapping[str, str]) -> str:
    """Return one hash for the configurations of all shapes."""
    return _hash(sorted(configurations.items()))


def _hash(what: Any) -> str:
    return sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:LENGTH]
