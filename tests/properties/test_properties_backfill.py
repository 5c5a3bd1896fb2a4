"""Two worlds, with and without those who would overtake: the first that waits starts no later for them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from market import Market

from builders import NOW, queue

HORIZON = 4000.0
EXAMPLES = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 30


@dataclass(frozen=True)
class Work:
    """A job: vCPUs, timeout (none: nobody knows), the part of it that its pod really runs, when it comes."""

    cpu: int
    timeout: int | None = None
    part: float = 1.0
    comes: int = 0


@dataclass(frozen=True)
class Scene:
    """Nodes, what runs on them from the beginning, who then waits first, and who comes behind him."""

    sizes: tuple[int, ...]
    early: tuple[Work, ...]
    head: int
    late: tuple[Work, ...]
    elastic: bool

    def head_starts(self, *, overtaken: bool, exact: bool) -> float:
        """Return when the first that waits starts; `exact`: everybody runs until the timeout."""
        market = Market(self.sizes, elastic=self.elastic)
        market.store.apply(queue())
        for work in self.early:
            self._submit(market, work, exact)
        market.decide()
        for uid in [uid for uid, job in market.store.jobs.items() if job.name not in market.started]:
            market.store.remove_job(uid)
        market.now += 1
        head = market.submit(self.head, 10, priority=9)
        todo = sorted(self.late, key=lambda work: work.comes) if overtaken else []
        while market.now < NOW + HORIZON:
            while todo and NOW + 1 + todo[0].comes <= market.now:
                self._submit(market, todo.pop(0), exact)
            market.decide()
            if head in market.started:
                return market.now
            market.tick(min(NOW + HORIZON, *(NOW + 1 + work.comes for work in todo[:1]), inf))
        return inf

    @staticmethod
    def _submit(market: Market, work: Work, exact: bool) -> None:
        lasts = work.timeout * (1 if exact else work.part) if work.timeout else (inf if exact else 2000 * work.part)
        market.submit(
            work.cpu, lasts, **({"timeout": {"attemptDurationSeconds": work.timeout}} if work.timeout else {})
        )


CPUS = st.sampled_from([1, 1, 2, 3, 4, 6])
TIMEOUTS = st.sampled_from([60, 100, 200, 300, 600, 1000])
PARTS = st.floats(0.05, 1)


def scenes(timeouts: st.SearchStrategy[int | None]) -> st.SearchStrategy[Scene]:
    return st.builds(
        Scene,
        sizes=st.sampled_from([(8,), (8, 8), (4, 8), (2, 4, 8), (2, 2, 8), (4, 4, 8)]),
        early=st.lists(st.builds(Work, CPUS, timeouts, PARTS), min_size=2, max_size=9).map(tuple),
        head=st.sampled_from([4, 6, 8]),
        late=st.lists(
            st.builds(Work, CPUS, st.one_of(st.none(), TIMEOUTS), PARTS, st.integers(0, 500)), max_size=10
        ).map(tuple),
        elastic=st.booleans(),
    )


@settings(max_examples=EXAMPLES)
@given(scenes(TIMEOUTS))
def test_the_head_starts_no_later_than_without_those_who_overtake(scene: Scene) -> None:
    alone = scene.head_starts(overtaken=False, exact=True)
    assert scene.head_starts(overtaken=True, exact=True) <= alone


@settings(max_examples=EXAMPLES)
@given(scenes(st.one_of(st.none(), TIMEOUTS)))
def test_what_ends_early_costs_the_head_nothing_that_it_could_be_sure_of(scene: Scene) -> None:
    sure = scene.head_starts(overtaken=False, exact=True)
    assert scene.head_starts(overtaken=True, exact=False) <= sure


def test_somebody_does_overtake() -> None:
    market = Market((8, 8))
    market.store.apply(queue())
    for cpu, timeout in ((8, 600), (6, 300)):
        market.submit(cpu, timeout, timeout={"attemptDurationSeconds": timeout})
    market.decide()
    market.now += 1
    head = market.submit(8, 10, priority=9)
    quick = market.submit(2, 60, timeout={"attemptDurationSeconds": 60})
    slow = market.submit(2, 290, timeout={"attemptDurationSeconds": 290})
    market.decide()
    assert quick in market.started
    assert not {head, slow} & market.started.keys()
