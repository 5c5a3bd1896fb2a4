"""Sets of array indexes: as Python integers (bit i stands for index i), and as the text that a status keeps of them."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache

LONGEST = 16_000  # characters of ranges; a set that is more scattered is written as a packed bitmap
PACKED = "bits:"
MOST = 100_000  # indexes of an array


def full(size: int) -> int:
    """Return the set of all indexes below `size`."""
    return (1 << size) - 1


def first(indexes: int) -> int:
    """Return the lowest index of a set that is not empty."""
    return (indexes & -indexes).bit_length() - 1


def members(indexes: int) -> Iterator[int]:
    """Yield the indexes of a set in order; linear in the width of the set."""
    for offset, byte in enumerate(indexes.to_bytes((indexes.bit_length() + 7) // 8, "little")):
        while byte:
            low = byte & -byte
            yield offset * 8 + low.bit_length() - 1
            byte ^= low


def gather(indexes: Iterable[int], size: int) -> int:
    """Return the set of these indexes, all below `size`."""
    table = bytearray((size + 7) // 8)
    for index in indexes:
        table[index >> 3] |= 1 << (index & 7)
    return int.from_bytes(table, "little")


def lowest(indexes: int, count: int) -> int:
    """Return the subset of the `count` lowest indexes."""
    low, high = 0, indexes.bit_length()
    while low < high:  # the least width that holds so many
        middle = (low + high) // 2
        if (indexes & full(middle)).bit_count() < count:
            low = middle + 1
        else:
            high = middle
    return indexes & full(low)


def spans(indexes: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of neighbouring indexes as (first, last)."""
    for match in re.finditer("1+", format(indexes, "b")[::-1]) if indexes else ():
        yield match.start(), match.end() - 1


def text(indexes: int) -> str:
    """Write a set as ranges, `0-41,43`; one too scattered for that as `bits:` and its bitmap, never more than 17 kB."""
    ranges = ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans(indexes))
    if len(ranges) <= LONGEST:
        return ranges
    packed = zlib.compress(indexes.to_bytes((indexes.bit_length() + 7) // 8, "little"), 9)
    return PACKED + b64encode(packed).decode()


@lru_cache(maxsize=512)
def parse(written: str) -> int:
    """Read a set as `text` writes it or a user does; ValueError says what is wrong with it."""
    if written.startswith(PACKED):
        return _unpacked(written[len(PACKED) :])
    found = 0
    for part in filter(None, (piece.strip() for piece in written.split(","))):
        low, dash, high = part.partition("-")
        if not low.isdigit() or (dash and not high.isdigit()) or (dash and int(high) < int(low)):
            raise ValueError(f"{part!r} is no index and no range of indexes; write for example 3,7-9")
        if int(high or low) >= MOST:
            raise ValueError(f"{part!r}: an array has at most {MOST} indexes, from 0")
        found |= full(int(high or low) + 1) & ~full(int(low))
    return found


def _unpacked(packed: str) -> int:
    sentence = "what follows `bits:` is not the base64 of a compressed bitmap; copy it whole"
    unpacker = zlib.decompressobj()
    try:
        bitmap = unpacker.decompress(b64decode(packed, validate=True), MOST // 8 + 1)
    except (ValueError, zlib.error) as error:
        raise ValueError(sentence) from error
    if not unpacker.eof or len(bitmap) > MOST // 8:
        raise ValueError(sentence)
    return int.from_bytes(bitmap, "little")
