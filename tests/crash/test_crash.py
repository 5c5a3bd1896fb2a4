"""`kill -9` of the operator at every k-th of its writes: always the same end, and no job runs twice.

BATCHYARD_CRASH=1,2,3,5,8 sets the list of k; one that is even loses the k-th write, one that is odd has it arrive
unheard.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.lab import Lab
from cluster.rest import until
from crash import scenario
from crash.laws import Fuse
from crash.trial import Trial

EVERY = [int(word) for word in os.environ.get("BATCHYARD_CRASH", "11").split(",")]
LIFETIMES = 600  # lives of an operator in one run; more than that is no progress
SECONDS = 1200


@dataclass
class Ordeal:
    """An operator that dies at the fuse's will, and what it has to do."""

    lab: Lab
    fuse: Fuse
    every: int
    deaths: int = 0

    def live(self) -> None:
        """Start the operator once more, to die at its k-th write from now."""
        self.fuse.lay(self.every, sent=bool(self.every % 2))
        self.lab.operator.launch()

    def until(self, holds: Any, what: Any) -> None:
        """Let it die and start again until the condition holds; each life must get somewhere."""

        def ask() -> bool:
            if self.fuse.burnt.is_set():
                self.deaths += 1
                assert self.deaths < LIFETIMES, "it dies and dies and gets nowhere"
                self.live()
            elif not self.lab.operator.alive:
                raise AssertionError(f"the operator ended by itself:\n{self.lab.operator.tail()}")
            return bool(holds())

        until(ask, SECONDS, what)


@pytest.mark.parametrize("every", EVERY)
def test_the_end_is_the_same_wherever_the_operator_dies(trial: Trial, every: int) -> None:
    """Of retries, arrays, gangs, reclaimed nodes, pools that grow and shrink."""
    lab = trial.lab
    ordeal = Ordeal(lab, Fuse(lab.operator.kill), every)
    trial.proxy.law = ordeal.fuse
    ordeal.live()
    ends = scenario.submit(lab)
    ordeal.until(lambda: scenario.reclaim(lab), trial.story)
    ordeal.until(lambda: scenario.state(lab, ends) == ends, lambda: f"{scenario.state(lab, ends)}\n{trial.story()}")
    ordeal.until(lambda: not scenario.nodes(lab), "nodes are left")
    assert ordeal.deaths >= 3
    print(f"\nk = {every}: {ordeal.deaths} deaths")
    scenario.check(lab, ends)
    trial.nothing_twice()
