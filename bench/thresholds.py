"""What must be reached: ratios between subjects of one interleaved run, and a few absolute costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.figures import Spread, written

THRESHOLDS = Path(__file__).parent / "thresholds.yaml"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one subject: its name, size and round (from 1), and what was measured."""

    subject: str
    size: int
    round: int
    figures: Mapping[str, float]


class Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A subject that makes the same requests and decides nothing, and which share of its `figure` must be reached."""

    of: str
    figure: str
    at_least: float


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure of a subject, divided by that of another if `over` names one, is at least or at most something.

    A ratio that `floor` does not reach either is forbidden by it: no operator could. Then the floor's own share counts.
    """

    of: str
    figure: str
    what: str
    over: str = ""
    at_least: float | None = None
    at_most: float | None = None
    floor: Floor | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a threshold has either at_least or at_most")
        if self.floor and not self.over:
            raise ValueError("a threshold with a floor is a ratio: over names what both are divided by")

    @property
    def target(self) -> str:
        """The target in words."""
        return f">= {written(self.at_least)}" if self.at_least is not None else f"<= {written(self.at_most or 0)}"

    def is_met(self, value: float) -> bool:
        """Whether a value is good enough; one that is no number is not."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most

    def gap(self, value: float) -> float:
        """Return by which share of the target a value falls short; 0 if it is good enough."""
        target = self.at_least if self.at_least is not None else self.at_most
        if self.is_met(value) or not target:
            return 0.0 if self.is_met(value) else 1.0
        return abs(value - target) / target


@dataclass(frozen=True, slots=True)
class Under:
    """What a floor reaches of the same ratio, and what share of the floor was reached."""

    floor: Floor
    reaches: Spread
    share: Spread

    @property
    def words(self) -> str:
        """Both in words."""
        reaches, share = written(self.reaches.median), written(self.share.median)
        return f"{self.floor.of} itself reaches {reaches}, and {share} of its {self.floor.figure} is reached"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A threshold and what was measured of it; no value if its subjects were not run."""

    check: Check
    value: Spread | None
    under: Under | None = None

    @property
    def is_met(self) -> bool:
        """Whether the median reaches the target."""
        return self.value is not None and self.check.is_met(self.value.median)

    @property
    def is_forbidden(self) -> bool:
        """Whether the floor does not reach it either, and of the floor enough is reached."""
        if self.value is None or self.is_met or self.under is None:
            return False
        enough = self.under.share.median >= self.under.floor.at_least
        return enough and not self.check.is_met(self.under.reaches.median)

    @property
    def is_short(self) -> bool:
        """Whether it was measured, falls short, and no floor forbids it."""
        return self.value is not None and not self.is_met and not self.is_forbidden

    @property
    def words(self) -> str:
        """The outcome in a word or two."""
        if self.value is None:
            return "not run"
        if self.is_met:
            return "met"
        told = f"; {self.under.words}" if self.under else ""
        if self.is_forbidden:
            return f"forbidden by its floor{told}"
        return f"**short by {100 * self.check.gap(self.value.median):.0f} %**{told}"


def load(path: Path = THRESHOLDS) -> list[Check]:
    """Return the thresholds of a file; raises msgspec.ValidationError."""
    return msgspec.yaml.decode(path.read_bytes(), type=list[Check])


def judge(checks: Iterable[Check], runs: Sequence[Run]) -> list[Verdict]:
    """Hold the thresholds against what was measured."""
    return [Verdict(check, _value(check, runs), _under(check, runs)) for check in checks]


def _value(check: Check, runs: Sequence[Run]) -> Spread | None:
    mine = _rounds(runs, check.of, check.figure)
    if not check.over:
        return Spread.of(list(mine.values())) if mine else None
    return _ratio(mine, _rounds(runs, check.over, check.figure))


def _under(check: Check, runs: Sequence[Run]) -> Under | None:
    floor = check.floor
    if floor is None:
        return None
    reaches = _ratio(_rounds(runs, floor.of, check.figure), _rounds(runs, check.over, check.figure))
    share = _ratio(_rounds(runs, check.of, floor.figure), _rounds(runs, floor.of, floor.figure))
    return Under(floor, reaches, share) if reaches and share else None


def _ratio(mine: Mapping[int, float], theirs: Mapping[int, float]) -> Spread | None:
    """Divide round by round, since what else the machine does changes from one round to the next."""
    both = [mine[number] / theirs[number] for number in mine if theirs.get(number)]
    return Spread.of(both) if both else None


def _rounds(runs: Iterable[Run], subject: str, figure: str) -> dict[int, float]:
    return {run.round: run.figures[figure] for run in runs if run.subject == subject and figure in run.figures}
