"""Sums of money: times enter to the millisecond, spans that follow each other add up, parts are the whole."""

from decimal import Decimal
from itertools import pairwise

import pytest

from batchyard.world.bill import Bill
from batchyard.world.money import exact, worth
from batchyard.world.parse import FIRST, LAST
from batchyard.world.tab import Spell
from builders import NOW

PRICE = Decimal("0.34") / 3600  # a number that has no end


@pytest.mark.parametrize(
    ("when", "written"),
    [(0.0, "0.000"), (NOW, "1800000000.000"), (NOW + 0.1, "1800000000.100"), (NOW + 0.0004, "1800000000.000")],
)
def test_times_enter_to_the_millisecond(when: float, written: str) -> None:
    assert str(exact(when)) == written


def test_spans_that_follow_each_other_add_up() -> None:
    marks = [NOW + number * 0.7771 for number in range(1001)]
    parts = [worth(Decimal(1), since, until) for since, until in pairwise(marks)]
    assert sum(parts) == worth(Decimal(1), marks[0], marks[-1])


@pytest.mark.parametrize(("since", "until"), [(NOW, NOW), (NOW, NOW - 1), (LAST, FIRST)])
def test_a_span_that_ends_before_it_begins_costs_nothing(since: float, until: float) -> None:
    assert worth(PRICE, since, until) == 0


def test_no_time_that_somebody_writes_is_too_much() -> None:
    assert worth(Decimal("999999999.999999999"), FIRST, LAST) == 10**12


@pytest.mark.parametrize("pods", [1, 3, 7])
@pytest.mark.parametrize("share", ["0.333333333333", "0.142857142857", "0.999999999999", "0.000000000001", "0"])
def test_whatever_the_shares_the_parts_are_the_whole(pods: int, share: str) -> None:
    bill, its = Bill.begin("uid", {}, NOW), Decimal(share)
    bill.open("n1", PRICE, NOW)
    for number in range(pods):
        bill.enter(f"p{number}", Spell("n1", its, its * PRICE, started=NOW + number))
    for second in range(1, 60):
        bill.count(NOW + second * 1.0007)
    for number in range(pods):
        bill.end(f"p{number}", NOW + 60.5 + number / 3, useful=bool(number % 2))
    bill.close("n1", NOW + 70)
    bill.count(NOW + 70)
    assert (bill.running, bill.tabs) == (0, {})
    assert bill.useful + bill.wasted + bill.idle == bill.nodes
    assert bill.nodes.quantize(Decimal("1e-9")) == (PRICE * 70).quantize(Decimal("1e-9"))
    assert bill.idle >= 0
