"""Thresholds: ratios round by round, what falls short and by how much, what was not run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from bench.catalogue import CATALOGUE
from bench.thresholds import Check, Floor, Run, judge, load

HALF = Check(of="W1", over="B0", figure="rate", what="x", at_least=0.5)


def run(subject: str, number: int, **figures: float) -> Run:
    return Run(subject, 100, number, figures)


def test_a_ratio_is_taken_round_by_round() -> None:
    """The machine was four times slower in the second round; both sides were."""
    runs = [run("B0", 1, rate=200), run("W1", 1, rate=120), run("B0", 2, rate=50), run("W1", 2, rate=30)]
    (verdict,) = judge([HALF], runs)
    assert verdict.value is not None
    assert (verdict.value.low, verdict.value.high) == (0.6, 0.6)
    assert verdict.is_met
    assert verdict.words == "met"


def test_what_falls_short_says_by_how_much() -> None:
    (verdict,) = judge([HALF], [run("B0", 1, rate=100), run("W1", 1, rate=40)])
    assert verdict.is_short
    assert "20 %" in verdict.words


def test_costs_must_not_exceed_theirs() -> None:
    check = Check(of="W1", figure="cpu.operator", what="x", at_most=4)
    short, met = (judge([check], [run("W1", 1, **{"cpu.operator": value})])[0] for value in (5.0, 4.0))
    assert short.is_short
    assert "25 %" in short.words
    assert met.is_met


def test_nothing_may_be_lost() -> None:
    check = Check(of="W12", figure="lost", what="x", at_most=0)
    assert judge([check], [run("W12", 1, lost=0.0)])[0].is_met
    assert judge([check], [run("W12", 1, lost=1.0)])[0].is_short


@pytest.mark.parametrize("runs", [[], [run("W1", 1, rate=1)], [run("W1", 1, rate=1), run("B0", 2, rate=1)]])
def test_what_was_not_run_is_neither_met_nor_short(runs: list[Run]) -> None:
    (verdict,) = judge([HALF], runs)
    assert not verdict.is_met
    assert not verdict.is_short
    assert verdict.words == "not run"


def test_a_median_that_is_no_number_is_short() -> None:
    assert judge([HALF], [run("W1", 1, rate=float("nan")), run("B0", 1, rate=1)])[0].is_short


FLOORED = Check(
    of="W1", over="B0", figure="rate", what="x", at_least=0.5, floor=Floor(of="B0j", figure="pace", at_least=0.8)
)


@pytest.mark.parametrize(
    ("mine", "pace", "floor", "words"),
    [
        (60, 10, 40, "met"),
        (45, 90, 48, "forbidden by its floor; B0j itself reaches 0.480, and 0.900 of its pace is reached"),
        (45, 90, 55, "**short by 10 %**; B0j itself reaches 0.550, and 0.900 of its pace is reached"),
        (45, 70, 48, "**short by 10 %**; B0j itself reaches 0.480, and 0.700 of its pace is reached"),
    ],
)
def test_a_floor_forbids_what_it_does_not_reach_if_enough_of_it_is_reached(
    mine: float, pace: float, floor: float, words: str
) -> None:
    runs = [run("B0", 1, rate=100), run("W1", 1, rate=mine, pace=pace), run("B0j", 1, rate=floor, pace=100)]
    (verdict,) = judge([FLOORED], runs)
    assert verdict.words == words
    assert verdict.is_short == words.startswith("**")


def test_a_floor_that_was_not_run_forbids_nothing() -> None:
    assert judge([FLOORED], [run("B0", 1, rate=100), run("W1", 1, rate=45, pace=90)])[0].is_short


def test_the_checked_in_thresholds_name_subjects_that_there_are() -> None:
    names = {entry.name for entry in CATALOGUE}
    checks = load()
    assert len(checks) > 20
    assert {check.of for check in checks} | {check.over for check in checks if check.over} <= names
    assert {check.floor.of for check in checks if check.floor} <= names


@pytest.mark.parametrize(
    "line", ["at_least: 1, at_most: 2", "figur: rate", "", "at_least: 1, floor: {of: B0, figure: rate, at_least: 1}"]
)
def test_a_wrong_threshold_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "thresholds.yaml"
    file.write_text(f"- {{of: W1, figure: rate, what: x, {line}}}")
    with pytest.raises(msgspec.ValidationError):
        load(file)
