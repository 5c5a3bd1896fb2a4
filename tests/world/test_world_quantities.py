"""Quantities are exact, rounded up, and compared as vectors."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.model.resources import NOTHING, Resources, millicores, parse_quantity, read, show, total, whole

AMOUNTS = st.integers(0, 10**9)
VECTORS = st.builds(
    lambda cpu, memory, pods, extended: Resources(
        cpu=cpu, memory=memory, pods=pods, extended=tuple(sorted((n, a) for n, a in extended.items() if a))
    ),
    AMOUNTS,
    AMOUNTS,
    AMOUNTS,
    st.dictionaries(st.sampled_from(["nvidia.com/gpu", "example.com/fpga"]), AMOUNTS),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"), ("1", "1"), ("500m", "0.5"), ("1.5", "1.5"), (".5", "0.5"), ("1Ki", "1024"), ("2Mi", "2097152"),
        ("1k", "1000"), ("1e3", "1000"), ("12E", "12e18"), ("1Ei", "1152921504606846976"), ("100n", "1e-7"),
        ("3u", "3e-6"), ("1E3", "1000"), ("-1", "-1"), ("+2", "2"),
    ],
)  # fmt: skip
def test_a_quantity_is_exact(text: str, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "4GiB", "Gi", "four", "1 Gi", "inf", "Infinity", "nan", "1_000", "0x10", "1KK"])
def test_what_is_no_quantity_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


@pytest.mark.parametrize(("text", "value"), [("1", 1000), ("0.1", 100), ("1m", 1), ("100u", 1), ("1.0001", 1001)])
def test_cpu_is_rounded_up_to_millicores(text: str, value: int) -> None:
    assert millicores(text) == value


@pytest.mark.parametrize(("text", "value"), [("1500m", 2), ("1Gi", 2**30), ("0.1Ki", 103), ("128974848", 128974848)])
def test_bytes_are_rounded_up(text: str, value: int) -> None:
    assert whole(text) == value


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_any_number_and_suffix_are_read_back(number: int, suffix: str) -> None:
    scale = {"": 1, "m": Decimal("0.001"), "k": 1000, "M": 10**6, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[suffix]
    assert parse_quantity(f"{number}{suffix}") == number * Decimal(scale)


@given(st.integers(0, 10**6))
def test_cpu_as_shown_is_read_back(amount: int) -> None:
    assert millicores(show("cpu", amount)) == amount


@given(st.integers(0, 2**50))
def test_memory_as_shown_is_never_more_and_less_by_under_one_unit(amount: int) -> None:
    shown = whole(show("memory", amount))
    assert shown <= amount < shown + (2**20 if amount >= 2**20 else 2**10)


@given(VECTORS, VECTORS)
def test_what_is_added_can_be_taken_away(one: Resources, other: Resources) -> None:
    assert one + other - other == one
    assert one + other == other + one
    assert total([one, other, NOTHING]) == one + other


@given(VECTORS, VECTORS)
def test_both_fit_in_the_larger_of_both_and_nothing_smaller(one: Resources, other: Resources) -> None:
    larger = one.largest(other)
    assert one.fits(larger)
    assert other.fits(larger)
    assert one.fits(other) == (one.largest(other) == other)


@given(VECTORS, VECTORS)
def test_a_shortage_is_named_exactly_when_there_is_one(need: Resources, room: Resources) -> None:
    assert need.fits(room) == (need.shortage(room) == ("", ""))


@given(VECTORS)
def test_the_share_of_itself_is_all_or_nothing(whole_: Resources) -> None:
    assert whole_.share_of(whole_) == (0.0 if whole_ == NOTHING else 1.0)


def test_a_shortage_says_need_and_have_of_what_is_short_only() -> None:
    need = Resources(cpu=2000, memory=32000 * 2**20, extended=(("nvidia.com/gpu", 1),))
    have = Resources(cpu=4000, memory=31431 * 2**20)
    assert need.shortage(have) == ("memory 32000Mi, nvidia.com/gpu 1", "memory 31431Mi, nvidia.com/gpu 0")


def test_a_negative_room_is_shown_as_none() -> None:
    assert Resources(cpu=100).shortage(Resources(cpu=-50)) == ("cpu 100m", "cpu 0")


def test_the_dominant_share_is_over_all_resources() -> None:
    whole_ = Resources(cpu=8000, memory=16 * 2**30, extended=(("gpu", 4),))
    assert Resources(cpu=2000, memory=2**30).share_of(whole_) == 0.25
    assert Resources(cpu=2000, extended=(("gpu", 2),)).share_of(whole_) == 0.5
    assert Resources(extended=(("fpga", 1),)).share_of(whole_) == float("inf")


def test_only_countable_devices_are_extended() -> None:
    amounts = {
        "cpu": "1",
        "memory": "1Gi",
        "ephemeral-storage": "5Gi",
        "pods": "110",
        "nvidia.com/gpu": "2",
        "x/y": "0",
    }
    assert read(amounts) == Resources(cpu=1000, memory=2**30, pods=110, extended=(("nvidia.com/gpu", 2),))
    assert read(amounts, pods=3).pods == 3
