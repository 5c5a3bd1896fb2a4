"""In the long run shares get what their weights say: on a saturated pool, whatever their jobs, over restarts."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from market import Market

from batchyard.world.views import Policy
from builders import queue, version

DECAY = 400
WITHIN = 0.05
EXAMPLES = 40 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 2


@dataclass(frozen=True)
class Team:
    """A share and its jobs: weight, vCPUs and run times of its pods."""

    weight: str = "1"
    cpus: tuple[int, ...] = (1,)
    seconds: tuple[int, int] = (5, 30)


@dataclass
class Contest:
    """Teams whose jobs never run out, and what each has had."""

    teams: dict[str, Team]
    seed: int = 0
    market: Market = field(default_factory=lambda: Market((8, 8)))
    used: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    share_of: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        weights = tuple((name, Decimal(team.weight)) for name, team in self.teams.items())
        self.market.store.apply(Policy(name="fair", uid="p", version=version(), decay_seconds=DECAY, shares=weights))
        self.market.store.apply(queue(policy="fair"))
        self.market.on_start = self._began

    def _began(self, job: str) -> None:
        self.waiting[self.share_of.pop(job)] -= 1

    def _submit(self, name: str) -> None:
        team = self.teams[name]
        job = self.market.submit(self.rng.choice(team.cpus), self.rng.uniform(*team.seconds), share=name)
        self.share_of[job] = name
        self.waiting[name] += 1

    def run(self, seconds: float, *present: str) -> None:
        """Let time pass while these teams want all they can get."""
        end = self.market.now + seconds
        while True:
            for name in present or tuple(self.teams):
                while self.waiting[name] < 4:
                    self._submit(name)
            self.market.decide()
            before, held = self.market.now, self.market.held(lambda pod: pod.share)
            went_on = self.market.step(end)
            for name, cpu in held.items():
                self.used[name] += cpu * (self.market.now - before)
            if not went_on:
                return

    def errors(self, *present: str) -> dict[str, float]:
        """Return by how much each team is off what its weight says."""
        teams = {name: self.teams[name] for name in present or tuple(self.teams)}
        total = sum(self.used[name] for name in teams)
        parts = {name: 1 / float(team.weight) for name, team in teams.items()}
        return {name: self.used[name] / total / (part / sum(parts.values())) - 1 for name, part in parts.items()}


TEAMS = st.lists(
    st.builds(
        Team,
        weight=st.sampled_from(["0.5", "0.75", "1", "1.5", "2"]),
        cpus=st.sampled_from([(1,), (2,), (1, 2), (1, 4)]),
        seconds=st.sampled_from([(3, 5), (3, 15), (10, 15)]),
    ),
    min_size=2,
    max_size=4,
).map(lambda teams: {f"team{number}": team for number, team in enumerate(teams)})


@settings(max_examples=EXAMPLES)
@given(TEAMS, st.integers(0, 1000))
def test_each_gets_what_its_weight_says_over_a_restart(teams: dict[str, Team], seed: int) -> None:
    contest = Contest(teams, seed)
    contest.run(3 * DECAY)
    contest.market.restart(contest.rng)
    contest.run(3 * DECAY)
    assert max(map(abs, contest.errors().values())) < WITHIN, contest.errors()


@settings(max_examples=EXAMPLES)
@given(TEAMS, st.integers(0, 1000))
def test_those_who_stay_share_what_another_leaves_and_it_gets_its_part_again_when_it_comes_back(
    teams: dict[str, Team], seed: int
) -> None:
    contest = Contest(teams, seed)
    stay = tuple(teams)[1:]
    contest.run(DECAY)
    for present in (stay, tuple(teams)):
        contest.run(2 * DECAY, *present)  # until what was is mostly forgotten
        contest.used.clear()
        contest.run(3 * DECAY, *present)
        errors = contest.errors(*present)
        assert max(map(abs, errors.values())) < WITHIN, errors


@settings(max_examples=EXAMPLES)
@given(TEAMS, st.integers(0, 1000), st.floats(1, 1000))
def test_a_restart_forgets_nothing_and_counts_nothing_twice(teams: dict[str, Team], seed: int, when: float) -> None:
    contest = Contest(teams, seed)
    contest.run(when)
    before = usages(contest.market)
    contest.market.restart(contest.rng)
    after = usages(contest.market)
    assert before.keys() == after.keys()
    # Times in a status have milliseconds: a thousandth of a second of the whole pool, and the rounding of each number.
    assert all(abs(after[name] - before[name]) < 0.05 for name in before), (before, after)


def usages(market: Market) -> dict[str, float]:
    accounts = market.store.ledger.accounts["default"]
    return {name: account.usage(market.now, DECAY) for name, account in accounts.items()}
