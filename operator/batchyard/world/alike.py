"""Equal parts of objects are one object: a hundred thousand jobs that differ in their names have one spec."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

import msgspec

Part = TypeVar("Part", bound=msgspec.Struct)
_WORDS = msgspec.json.Encoder(order="deterministic")


class Alike(Generic[Part]):
    """Parts by what they say; each lives as long as an object that has it, and nobody may change one.

    `kind` is a struct that can be referred to weakly.
    """

    def __init__(self, kind: type[Part]) -> None:
        self._kind = kind
        self._known: WeakValueDictionary[bytes, Part] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, raw: Mapping[str, Any]) -> Part:
        """Return the part that says this; msgspec.ValidationError if none can.

        Users write these, so that only a hash that nobody can find a twin for may stand for the whole.
        """
        text = _WORDS.encode(raw)
        digest = blake2b(text, digest_size=32).digest()
        part = self._known.get(digest)
        if part is None:
            part = self._known[digest] = msgspec.json.decode(text, type=self._kind)
        return part
