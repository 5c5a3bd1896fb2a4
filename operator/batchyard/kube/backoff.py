"""Jittered exponential backoff: how long to wait before the next try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles from `first` to `longest` seconds; half of each delay is random, lest many clients return at once."""

    first: float = 0.2
    longest: float = 30.0
    random: Callable[[], float] = random

    def delay(self, failures: int, at_least: float = 0.0) -> float:
        """Return the seconds to wait after so many failures in a row (1 or more), no less than the server asked for."""
        whole = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return max(at_least, whole / 2) + whole / 2 * self.random()
