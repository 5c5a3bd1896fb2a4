"""Lines: who is next in a queue by age, in one where shares take turns, and where queues of both kinds meet."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from batchyard.decide.cycle import Ask, Cycle, Standing
from batchyard.decide.needs import Needs
from batchyard.decide.order import order, turns, waiting
from batchyard.decide.resolve import Effective, Origin
from batchyard.decide.settle import lines
from batchyard.model.phase import Phase
from batchyard.model.resources import Resources
from batchyard.world.specs import Blueprint, Retry
from batchyard.world.views import Policy
from builders import NOW, attempt, job, pod, pool_of, queue, started, store
from builders import decided as decided_all


def policy(name: str = "fair", decay: int = 600, reservation: int = 0, **weights: str) -> Policy:
    shares = tuple((share, Decimal(weight)) for share, weight in weights.items())
    return Policy(name=name, uid=f"uid-{name}", decay_seconds=decay, reservation=reservation, shares=shares)


def waits(name: str, share: str = "", count: int = 1, cpu: int = 1000, **spec: Any) -> Standing:
    view = job(name, share=share or None, meta={"creationTimestamp": "2027-01-15T07:00:00Z"}, **spec)
    effective = Effective(Origin(view.spec, Blueprint()), Retry(), None, view.spec.priority or 0, None)
    standing = Standing(view, Phase.Runnable, effective=effective)
    standing.asks = (Ask(standing, Needs(requests=Resources(cpu=cpu, pods=1)), 1, count=count),)
    return standing


def lined_up(*standings: Standing, known: tuple[Any, ...] = ()) -> Cycle:
    return line_up(Cycle(store(queue(policy="fair"), *(known or (policy(),))), NOW), *standings)


def line_up(cycle: Cycle, *standings: Standing) -> Cycle:
    for standing in standings:
        cycle.roster.enter(standing, lines(cycle, standing))
    order(cycle)
    return cycle


def names_of(asks: Iterable[Ask]) -> list[str]:
    return [ask.job.name for ask in asks]


def served(cycle: Cycle, refused: frozenset[str] = frozenset()) -> str:
    """Return the shares or names of those whose turn it was, one after the other; those `refused` find no room."""
    found = []
    for ask in turns(cycle):
        if ask.job.name in refused:
            continue
        ask.served += 1
        found.append(ask.job.spec.share or ask.job.name)
    return "".join(found)


class TestShares:
    def test_they_take_turns_pod_by_pod(self) -> None:
        cycle = lined_up(waits("x", "a", 4), waits("y", "b", 2), waits("z", "b", 3))
        assert served(cycle) == "ababababb"

    def test_by_their_weights(self) -> None:
        cycle = lined_up(waits("x", "a", 9), waits("y", "b", 9), known=(policy(a="1", b="0.5"),))
        assert served(cycle)[:9].count("b") == 6

    def test_large_pods_count_more(self) -> None:
        cycle = lined_up(waits("x", "a", 9), waits("y", "b", 9, cpu=3000))
        assert served(cycle)[:8].count("a") == 6

    def test_within_a_share_by_priority_then_age(self) -> None:
        cycle = lined_up(waits("old", "a"), waits("high", "a", priority=5), waits("other", "b"))
        assert names_of(turns(cycle)) == ["high", "other"], "nobody was served, and old needs what high needs"
        assert names_of(waiting(cycle, "default")) == ["high", "other", "old"], "as if there were room for all"

    def test_who_finds_no_room_leaves_the_turn_to_the_next_of_his_share(self) -> None:
        cycle = lined_up(waits("x1", "a"), waits("x2", "a", 2, cpu=1001), waits("y", "b", 2, cpu=1001))
        assert served(cycle, frozenset({"x1"})) == "abab"
        assert names_of(ask for ask in waiting(cycle, "default") if ask.passed) == ["x1"]

    def test_what_has_been_used_counts_and_what_runs(self) -> None:
        used = queue(policy="fair", status={"shares": [
            {"share": "a", "usage": "100", "updatedAt": "2027-01-15T08:00:00Z"}]})  # fmt: skip
        cycle = Cycle(store(used, policy(decay=600)), NOW)
        line_up(cycle, waits("x", "a", 9), waits("y", "b", 9))
        assert served(cycle).startswith("bbbbbbbbb"), "each start counts 12 vCPU seconds in advance"
        runs = pod("r", queue="default", share="b", created=NOW)
        cycle = Cycle(store(queue(policy="fair"), policy(), runs), NOW)
        line_up(cycle, waits("x", "a", 2), waits("y", "b", 2))
        assert served(cycle) == "aabb"

    def test_the_order_foreseen_is_that_in_which_the_first_pods_start(self) -> None:
        cycle = lined_up(waits("x1", "a", 3), waits("x2", "a"), waits("y1", "b"), waits("y2", "b"))
        assert names_of(waiting(cycle, "default")) == ["x1", "y1", "y2", "x2"]


class TestQueues:
    def test_of_one_priority_meet_by_age_and_others_by_priority(self) -> None:
        queues = (policy(), queue("plain"), queue("urgent", priority=5))
        old = {"creationTimestamp": "2027-01-15T06:00:00Z"}
        things = [
            *pool_of("n1"), *queues, queue(policy="fair"),
            job("a1", share="a", priority=9), job("a2", share="a"), job("b1", share="b", meta=old),
            job("p1", queue="plain", meta=old), job("p2", queue="plain", priority=1), job("u", queue="urgent"),
        ]  # fmt: skip
        # Among queues a share's priority says nothing: p2 has a higher one than the fair queue, whose jobs have none.
        # Of its own jobs a1 is next, which is younger than p1.
        assert [name for name, _ in started(decided_all(*things))] == ["u-1", "p2-1", "p1-1", "a1-1", "b1-1", "a2-1"]

    def test_without_a_policy_a_share_says_nothing(self) -> None:
        things = [*pool_of("n1"), job("a", share="x"), job("b", share="x"), job("c", share="y")]
        assert [name for name, _ in started(decided_all(*things))] == ["a-1", "b-1", "c-1"]

    def test_a_retry_stands_first_in_its_share(self) -> None:
        again = {"phase": "Runnable", "attempts": [attempt(1, "NodeLost", counted=False, node="n9")]}
        things = [*pool_of("n1"), policy(), queue(policy="fair"), job("a", share="x"), job("b", again, share="x")]
        assert [name for name, _ in started(decided_all(*things, now=NOW + 60))] == ["b-2", "a-1"]
