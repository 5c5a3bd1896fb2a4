"""Floor 2: the product. `decide(snapshot, now) -> Plan`, pure."""

from __future__ import annotations

from collections.abc import Callable

from batchyard.decide.bills import bills
from batchyard.decide.budget import balance
from batchyard.decide.cycle import Cycle
from batchyard.decide.expire import expire
from batchyard.decide.fire import fire
from batchyard.decide.order import order
from batchyard.decide.overdue import overdue
from batchyard.decide.place import place
from batchyard.decide.record import record
from batchyard.decide.report import report
from batchyard.decide.retain import retain
from batchyard.decide.revise import revise
from batchyard.decide.room import pools
from batchyard.decide.scale import keep_minimum, shrink, sweep
from batchyard.decide.settle import settle
from batchyard.model.plan import Plan
from batchyard.world.store import Store

Clocked = Callable[[str], None]


def _untimed(step: str) -> None:
    """Measure nothing."""


def decide(snapshot: Store, now: float, done: Clocked = _untimed) -> Plan:
    """Return everything that is to be done now, from nothing but what is known and the time.

    Equivalent to: judge every job from its pods, line up those that may start, place them in order, size the pools
    to what is left, and write down what changed. Differs for speed in one way: what was concluded of a job is kept
    in the snapshot's memo until something of the job changes or the time named in the conclusion comes.
    `done` is called with each step's name when the step is done, so that the caller can time it.
    """
    cycle = Cycle(snapshot, now)
    # 1. Submit the jobs of schedules whose time has come.
    fire(cycle)
    done("fire")
    # 2. Keep and check new revisions of definitions.
    revise(cycle)
    done("revise")
    # 3. Find where every unfinished job stands: judge its pods, decide retries, name what blocks it.
    settle(cycle)
    done("settle")
    # 4. Line up the jobs that may start; see which queues have money left.
    order(cycle)
    done("order")
    balance(cycle)
    # 5. Place them on nodes that are ready; claim or plan nodes for the rest.
    rooms = pools(snapshot, now)
    place(cycle, rooms)
    done("place")
    # 6. Keep minVCpus, retire what is idle, sick or reclaimed, sweep what belongs to nobody.
    for pool in rooms.values():
        keep_minimum(cycle, pool)
        shrink(cycle, pool)
    sweep(cycle)
    done("scale")
    # 7. Cancel who has been first in line for longer than his queue allows.
    overdue(cycle)
    # 8. Write down what changed and what it cost, and explain to those who wait.
    record(cycle)
    bills(cycle)
    report(cycle, rooms)
    done("record")
    # 9. Forget what is long finished.
    expire(cycle)
    retain(cycle)
    done("expire")
    return cycle.plan
