"""Sets of array indexes, as integers and as text."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.world.indexes import LONGEST, MOST, first, full, lowest, members, parse, text


@pytest.mark.parametrize(
    ("written", "indexes"),
    [("", []), ("0", [0]), ("3,7-9", [3, 7, 8, 9]), ("0-2,4", [0, 1, 2, 4]), (" 1 , 5-5", [1, 5])],
)
def test_ranges_are_read(written: str, indexes: list[int]) -> None:
    assert list(members(parse(written))) == indexes


@pytest.mark.parametrize("written", ["a", "3-", "9-7", "-1", "1..3", "0-100000", "1;2"])
def test_what_is_no_range_is_refused_with_its_own_words(written: str) -> None:
    with pytest.raises(ValueError, match=written.replace(".", r"\.")):
        parse(written)


@given(st.sets(st.integers(0, 3000)))
def test_text_and_set_are_the_same(indexes: set[int]) -> None:
    bits = sum(1 << index for index in indexes)
    assert parse(text(bits)) == bits
    assert list(members(bits)) == sorted(indexes)
    if indexes:
        assert first(bits) == min(indexes)
    assert list(members(lowest(bits, 5))) == sorted(indexes)[:5]


@pytest.mark.parametrize("pattern", ["alternating", "random", "full", "sparse"])
def test_no_pattern_of_a_hundred_thousand_is_long_or_loses_an_index(pattern: str) -> None:
    rng = random.Random(4)
    chosen = {
        "alternating": range(0, MOST, 2), "random": [i for i in range(MOST) if rng.random() < 0.5],
        "full": range(MOST), "sparse": range(0, MOST, 37),
    }[pattern]  # fmt: skip
    wanted = set(chosen)
    octets = [sum(1 << b for b in range(8) if byte * 8 + b in wanted) for byte in range(MOST // 8)]
    bits = int.from_bytes(bytes(octets), "little")
    written = text(bits)
    assert parse(written) == bits
    assert len(written) <= LONGEST + 1000
    assert full(MOST).bit_count() == MOST
