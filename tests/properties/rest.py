"""What it means that a decision remembers nothing, and that an operator has come to rest."""

from __future__ import annotations

import copy
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchyard.model.plan import Plan
from batchyard.world.memo import Memo
from batchyard.world.store import Store
from world import KINDS

if TYPE_CHECKING:
    from executor import Operator


def forgetful(store: Store) -> Store:
    """Return an equal store of its own that remembers no conclusions."""
    other = copy.copy(store)
    for name, value in vars(store).items():
        if isinstance(value, defaultdict):
            nested = defaultdict(value.default_factory, {k: copy.copy(v) for k, v in value.items()})
            setattr(other, name, nested)
        elif isinstance(value, (dict, set, list, deque)):
            setattr(other, name, copy.copy(value))
    other.memo = Memo()
    return other


def settled(operator: Operator, limit: int = 60) -> Iterator[Plan]:
    """Hear, decide and write until there is nothing more to do at this moment; it must come to rest."""
    for _ in range(limit):
        for kind in KINDS:
            operator.hear(kind)
        operator.look()
        plan = operator.cycle()
        yield plan
        idle = not operator.writes
        operator.flush()
        if idle and all(operator.seen[kind] == len(operator.world.log[kind]) for kind in KINDS):
            return
    raise AssertionError(f"it never comes to rest: {plan.verbs[:3]}")
