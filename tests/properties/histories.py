"""Random histories: what users, machines, networks and crashes may do, one thing after another."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace
from simulation import PROGRAMS, JobSpec, Need, Simulation

from batchyard.world.specs import Budget, SpotFirst
from batchyard.world.views import Consumable, Environment, Job, Pod, Policy, Queue
from world import KINDS

Action = tuple[str, Any]

NEEDS = st.builds(
    Need,
    back=st.sampled_from([1, 1, 1, 1, 2, 2, 3, 5, 0, -1]),
    when=st.sampled_from(["Succeeded", "Succeeded", "Finished", "Failed"]),
    array=st.sampled_from([None, None, "OneToOne"]),
)
SPECS = st.builds(
    JobSpec,
    program=st.sampled_from(sorted(PROGRAMS)),
    cpu=st.sampled_from([1, 1, 2, 4, 8]),
    attempts=st.integers(1, 3),
    timeout=st.sampled_from([None, 60, 120]),
    queue=st.sampled_from(["both", "both", "od"]),
    priority=st.integers(0, 2),
    backoff=st.sampled_from([0, 0, 15]),
    grows=st.booleans(),
    defined=st.booleans(),
    ttl=st.sampled_from([None, None, 0, 50]),
    array=st.sampled_from([None, None, None, None, 2, 5, 9]),
    concurrent=st.sampled_from([None, None, 1, 3]),
    tolerate=st.sampled_from([0, 0, 1, "50%"]),
    needs=st.one_of(st.just(()), st.just(()), st.lists(NEEDS, min_size=1, max_size=3).map(tuple)),
    sequential=st.sampled_from([False, False, True]),
    share=st.sampled_from(["a", "b1", "b2", "c"]),
    nodes=st.sampled_from([None, None, None, None, 1, 2, 3]),
    licences=st.sampled_from([0, 0, 0, 1, 2, 3]),
    tokens=st.sampled_from([0, 0, 0, 1, 3]),
)
ENVIRONMENTS = st.sampled_from(["spot", "od"])
QUEUES = st.sampled_from(["both", "od"])
INDEXES = st.sampled_from([0, 0, 0, 1, 2])
SPOT_RULES = (SpotFirst(max_wait_seconds=30), SpotFirst(max_interruptions=1))
_HOLD = Budget(amount=Decimal("0.0005"), window_seconds=60)
_SPOT = Budget(amount=Decimal("0.002"), window_seconds=120, on_exceeded="SpotOnly")
_NOTIFY = Budget(amount=Decimal("0.001"), window_seconds=86_400, on_exceeded="Notify")
BUDGETS: tuple[tuple[Budget, ...], ...] = (
    (), (_HOLD,), (_SPOT,), (_NOTIFY,), (replace(_HOLD, share="a"),), (_NOTIFY, replace(_SPOT, share="b*"))
)  # fmt: skip
FAULTS = st.sampled_from(["fail", "lost", "twice", "crash", "crash before"])

USERS: dict[str, st.SearchStrategy[Any]] = {
    "submit": SPECS,
    "stop": st.tuples(st.integers(0, 9), st.sampled_from(["Cancel", "Terminate"])),
    "stop children": st.tuples(st.integers(0, 9), st.sampled_from(["0", "1-2", "0-9"])),
    "widen": st.tuples(st.integers(0, 9), st.sampled_from([None, 1, 2, 5])),
    "delete job": st.integers(0, 9),
    "disable environment": ENVIRONMENTS,
    "enable environment": ENVIRONMENTS,
    "delete environment": ENVIRONMENTS,
    "renew environment": st.tuples(ENVIRONMENTS, st.sampled_from("ab"), st.sampled_from([0.0, 20.0, 1800.0])),
    "disable queue": QUEUES,
    "delete queue": QUEUES,
    "order of queues": st.tuples(QUEUES, st.integers(0, 9)),
    "share queue": st.tuples(QUEUES, st.sampled_from(["fair", "fair", ""])),
    "spot first": st.tuples(QUEUES, st.sampled_from([None, *SPOT_RULES])),
    "budget": st.tuples(QUEUES, st.sampled_from(BUDGETS)),
    "strategy": st.tuples(QUEUES, st.sampled_from(["StrictFIFO", "Backfill"])),
    "policy": st.sampled_from([{"decay_seconds": 60}, {"reservation": 20}, {"reservation": 0}]),
    "define anew": st.integers(2, 9),
    "touch job": st.integers(0, 9),
    "licences": st.integers(0, 4),
    "tokens": st.sampled_from([0, 4, 20]),
}
NATURE: dict[str, st.SearchStrategy[Any]] = {
    "interrupt": st.tuples(INDEXES, st.sampled_from([1.0, 30.0, 120.0])),
    "vanish": INDEXES,
    "fail": INDEXES,
    "taint": INDEXES,
    "delete pod": INDEXES,
    "stillborn": st.integers(1, 2),
    "no stock": st.integers(1, 3),
}
NETWORK: dict[str, st.SearchStrategy[Any]] = {
    "fault": st.tuples(st.integers(1, 12), FAULTS),
    "restart": st.none(),
    "lag": st.tuples(st.sampled_from(KINDS), st.integers(0, 2)),
    "list": st.sampled_from(KINDS),
    "slow": st.sampled_from([0, 1, 2, 10**9]),
}
MARKET: dict[str, st.SearchStrategy[Any]] = {"trade": st.sampled_from([0.5, 0.9, 0.995, 1.005, 1.3, 3.0])}


def histories(*sources: dict[str, st.SearchStrategy[Any]], most: int = 15) -> st.SearchStrategy[list[Any]]:
    """Return histories of (what happens, seconds until the next thing), with a good share of submissions."""
    every = {name: strategy for source in sources for name, strategy in source.items()}
    one = [st.tuples(st.just(name), strategy) for name, strategy in every.items()]
    submissions = [st.tuples(st.just("submit"), SPECS)] * max(len(one) // 3, 1)
    pauses = st.sampled_from([0, 0.3, 2, 10, 15, 45, 100])
    first = st.lists(st.tuples(st.tuples(st.just("submit"), SPECS), st.sampled_from([0, 10, 15])), max_size=3)
    rest = st.lists(st.tuples(st.one_of(*one, *submissions), pauses), max_size=most)
    return st.builds(lambda begun, went_on: [*begun, *went_on], first, rest)


def happen(simulation: Simulation, action: Action, number: int) -> None:
    """Let one thing happen."""
    name, argument = action
    if name == "submit":
        simulation.submit(f"j{len(simulation.world.programs)}", argument)
    elif name in ("interrupt", "stop", "stop children", "widen"):
        _HAPPEN[name](simulation, *argument)
    else:
        _HAPPEN[name](simulation, argument)


def live(simulation: Simulation, history: list[Any]) -> None:
    """Let a whole history happen."""
    for number, (action, seconds) in enumerate(history):
        happen(simulation, action, number)
        simulation.advance(seconds)


def _nth_job(simulation: Simulation, index: int) -> str | None:
    names = [view.name for view in simulation.world.all(Job)]
    return names[index] if index < len(names) else None


def _stop(simulation: Simulation, index: int, mode: str) -> None:
    name = _nth_job(simulation, index)
    if name is not None:
        simulation.stop(name, mode)


def _stop_children(simulation: Simulation, index: int, indexes: str) -> None:
    name = _nth_job(simulation, index)
    if name is not None:
        simulation.stop_children(name, indexes)


def _widen(simulation: Simulation, index: int, concurrent: int | None) -> None:
    name = _nth_job(simulation, index)
    if name is not None:
        simulation.widen(name, concurrent)


def _delete_job(simulation: Simulation, index: int) -> None:
    name = _nth_job(simulation, index)
    simulation.deleted = True
    if name is not None:
        simulation.world.delete_job(simulation.world.tables[Job]["default", name])


def _touch_job(simulation: Simulation, index: int) -> None:
    """Somebody else writes to the job, so that what we know of it is a version behind."""
    name = _nth_job(simulation, index)
    if name is not None:
        simulation.change(Job, ("default", name))


def _delete_environment(simulation: Simulation, name: str) -> None:
    view = simulation.world.tables[Environment].get(name)
    if view is not None and view.deleting is None:
        if view.finalizers:
            simulation.change(Environment, name, deleting=simulation.world.now)
        else:
            simulation.world.drop(view)


def _delete_queue(simulation: Simulation, name: str) -> None:
    view = simulation.world.tables[Queue].get(name)
    if view is not None:
        simulation.world.drop(view)


def _delete_pod(simulation: Simulation, index: int) -> None:
    pods = [pod for pod in simulation.world.all(Pod) if not pod.final]
    for pod in pods[index : index + 1]:
        simulation.disturbed = True
        simulation.world.delete_pod(pod, None)


def _fault(simulation: Simulation, what: tuple[int, str]) -> None:
    ahead, kind = what
    simulation.faults.at[simulation.faults.count + ahead] = kind


def _set(name: str) -> Callable[[Simulation, int], None]:
    return lambda simulation, value: setattr(simulation.world, name, value)


_HAPPEN: dict[str, Callable[..., None]] = {
    "trade": lambda simulation, factor: simulation.trade(factor),
    "stop": _stop,
    "stop children": _stop_children,
    "widen": _widen,
    "delete job": _delete_job,
    "touch job": _touch_job,
    "disable environment": lambda s, name: s.change(Environment, name, state="Disabled"),
    "enable environment": lambda s, name: s.change(Environment, name, state="Enabled"),
    "delete environment": _delete_environment,
    "renew environment": lambda s, what: s.renew(*what),
    "disable queue": lambda s, name: s.change(Queue, name, state="Disabled"),
    "delete queue": _delete_queue,
    "order of queues": lambda s, what: s.change(Queue, what[0], priority=what[1]),
    "share queue": lambda s, what: s.change(Queue, what[0], policy=what[1]),
    "spot first": lambda s, what: s.change(Queue, what[0], spot=what[1]),
    "budget": lambda s, what: s.change(Queue, what[0], budgets=what[1]),
    "strategy": lambda s, what: s.change(Queue, what[0], strategy=what[1]),
    "policy": lambda s, fields: s.change(Policy, "fair", **fields),
    "licences": lambda s, total: s.change(Consumable, "licence", total=total),
    "tokens": lambda s, total: s.change(Consumable, "token", total=total),
    "define anew": lambda s, generation: s.define(generation),
    "interrupt": Simulation.interrupt,
    "vanish": Simulation.vanish,
    "fail": Simulation.fail,
    "taint": Simulation.taint,
    "delete pod": _delete_pod,
    "stillborn": _set("stillborn"),
    "no stock": _set("no_stock"),
    "fault": _fault,
    "restart": lambda s, _: s.restart(),
    "slow": lambda s, count: setattr(s, "slow", count),
    "lag": lambda s, what: s.lagging.__setitem__(*what),
    "list": lambda s, kind: s.operator.list(kind),
}
