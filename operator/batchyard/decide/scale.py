"""How pools grow and shrink: the cheapest shape for the work that waits, and nodes without work go."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import count

from batchyard.decide.allocate import Cost, cost, excess, is_available, is_within, price_limit, waits_for_best
from batchyard.decide.cycle import Ask, Cycle
from batchyard.decide.explain import Verdict
from batchyard.decide.interrupt import node_trouble
from batchyard.decide.needs import Needs, selects, tolerates
from batchyard.decide.price import hourly
from batchyard.decide.quarantine import refuses
from batchyard.decide.room import Pool, capacity, has_jobs, shape_labels, size_of, was_ready
from batchyard.decide.slots import Slot
from batchyard.decide.take_up import ignores, waits
from batchyard.decide.update import OUTDATED, replacing
from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, Machine, MachineState, Shape, Taint
from batchyard.model.plan import Launch, Remove, Retire, Unregister
from batchyard.world.store import Store
from batchyard.world.views import Node, Pod

LOOK_AHEAD = 256  # waiting jobs that a new node's shape is chosen for
MOST_AT_ONCE = 1000  # nodes that one decision plans for minVCpus: of the smallest shapes there may be millions missing
_NOT_READY_SECONDS = {"Spot": 5.0, "OnDemand": 60.0}  # after the API server noticed; a silent spot node is gone
_GIB = 2**30


def add(cycle: Cycle, pool: Pool, shape: Shape) -> Slot | None:
    """Plan one more node of a shape, None if it cannot be had now."""
    if pool.vcpus + shape.resources.cpu > pool.limit or not is_available(cycle, pool.environment, shape):
        return None
    return _plan(cycle, pool, shape)


def grow(cycle: Cycle, pool: Pool, upcoming: Sequence[Ask]) -> Slot | Verdict:
    """Plan one more node for the first of `upcoming`; say why not when none can be had."""
    needs = upcoming[0].needs
    fitting = [shape for shape in pool.environment.shapes if shape_fits(cycle.store, pool, shape, needs)]
    if not fitting:
        return _unfit(cycle, pool, needs)
    affordable = [shape for shape in fitting if pool.vcpus + shape.resources.cpu <= pool.limit]
    if not affordable:
        free = max(pool.limit - pool.vcpus, 0) // 1000
        have = f"{free} of {pool.environment.max_vcpus} vCPUs left to add{replacing(pool.outdated)}"
        return Verdict(pool.environment.name, "AtMaxVCpus", f"a node of {_cheapest(fitting, pool)}", have)
    available = [shape for shape in affordable if is_available(cycle, pool.environment, shape)]
    waits = waits_for_best(pool.environment)
    if not available and not waits:
        return _stock_out(cycle, pool, affordable)
    choice = affordable if waits else available
    shape = min(choice, key=lambda shape: _rank(cycle, pool, shape, upcoming))
    return _plan(cycle, pool, shape) if shape in available else _stock_out(cycle, pool, [shape])


def _unfit(cycle: Cycle, pool: Pool, needs: Needs) -> Verdict:
    """Say why no new node can take the pod: none would be what it wants, or those that would are too dear."""
    name, store = pool.environment.name, cycle.store
    dear = [shape for shape in pool.environment.shapes if _takes(store, pool, shape, needs)]
    if dear:
        shape = min(dear, key=lambda shape: hourly(shape, "Spot"))
        return Verdict(name, "PriceTooHigh", "node that it fits", excess(pool.environment, shape))
    what = ", ".join(f"{label}={value}" for label, value in needs.selector) or str(needs.requests)
    return Verdict(name, "NoMatchingNode", f"a new node would not have {what}")


def shape_fits(store: Store, pool: Pool, shape: Shape, needs: Needs) -> bool:
    """Say whether an empty node of this shape could take the pod, and may be launched at its price."""
    return is_within(pool.environment, shape) and _takes(store, pool, shape, needs)


def has_room_for(cycle: Cycle, pool: Pool, needs: Needs) -> bool:
    """Say whether a node for the pod could be launched now."""
    return any(
        pool.vcpus + shape.resources.cpu <= pool.limit
        and is_available(cycle, pool.environment, shape)
        and shape_fits(cycle.store, pool, shape, needs)
        for shape in pool.environment.shapes
    )


def _takes(store: Store, pool: Pool, shape: Shape, needs: Needs) -> bool:
    environment = pool.environment
    return (
        needs.requests.fits(capacity(store, environment, shape))
        and tolerates(needs, environment.taints) is None
        and selects(needs, shape_labels(environment, shape))
    )


def _cheapest(shapes: Sequence[Shape], pool: Pool) -> str:
    shape = min(shapes, key=lambda shape: shape.resources.cpu)
    return f"{shape.resources.cpu // 1000} vCPUs ({shape.name})"


def _stock_out(cycle: Cycle, pool: Pool, shapes: Sequence[Shape]) -> Verdict:
    refusals = [cycle.store.unavailable[pool.environment.name, shape.name] for shape in shapes]
    for refusal in refusals:
        cycle.plan.wake_at(refusal.until)
    tried = ", ".join(shape.name for shape in shapes)
    said = dict.fromkeys(refusal.message for refusal in refusals)  # most often the same of all
    if len(said) > 1:
        said = dict.fromkeys(f"{s.name}: {refusal.message}" for s, refusal in zip(shapes, refusals, strict=True))
    waits = " (BestFit waits for the cheapest)" if waits_for_best(pool.environment) else ""
    return Verdict(pool.environment.name, "InsufficientCapacity", f"a node of {tried}", "; ".join(said) + waits)


def _rank(cycle: Cycle, pool: Pool, shape: Shape, upcoming: Sequence[Ask]) -> tuple[Cost, int, str]:
    """Cost per unit of waiting work that a node would hold; ties go to the smaller shape."""
    store = cycle.store
    free, work = capacity(store, pool.environment, shape), Decimal(0)
    for ask in upcoming[:LOOK_AHEAD]:
        if not _wants(store, ask, pool):
            continue
        requests, left = ask.needs.requests, ask.count - ask.served
        size = max(Decimal(requests.cpu) / 1000, Decimal(requests.memory) / (4 * _GIB), Decimal("0.01"))
        while left and requests.fits(free):
            free, work, left = free - requests, work + size, left - 1
    before, price = cost(cycle, pool.environment, shape)
    return (before, price / work if work else price), shape.resources.cpu, shape.name


def _wants(store: Store, ask: Ask, pool: Pool) -> bool:
    queue = store.queues.get(ask.job.spec.queue)
    return queue is not None and pool.environment.name in queue.environments


def _plan(cycle: Cycle, pool: Pool, shape: Shape) -> Slot:
    environment = pool.environment
    name = _machine_name(cycle, pool)
    order = LaunchOrder(
        name=name,
        environment=environment.name,
        shape=shape,
        capacity_type=environment.capacity_type,
        labels=shape_labels(environment, shape),
        taints=(Taint(names.ENVIRONMENT, environment.name, "NoSchedule"), *environment.taints),
        provider=environment.provider,
        settings=environment.settings,
        strategy=environment.strategy,
        max_price=price_limit(environment, shape),
    )
    cycle.do(Launch(order))
    room = capacity(cycle.store, environment, shape)
    slot = Slot(name, room, shape_labels(environment, shape), environment.taints, False, shape)
    pool.planned.append(slot)
    pool.vcpus += shape.resources.cpu
    return slot


def _machine_name(cycle: Cycle, pool: Pool) -> str:
    """A name that no other node ever had: the environment, the time in milliseconds, a counter."""
    stem, store = f"{names.machine_stem(pool.environment.name)}-{_base36(int(cycle.now * 1000))}", cycle.store
    taken = (store.machines, store.nodes, store.retiring)
    last = int(pool.planned[-1].name.rpartition("-")[2]) if pool.planned else -1  # the highest of this decision
    candidates = (f"{stem}-{number}" for number in count(last + 1))
    return next(name for name in candidates if not any(name in table for table in taken))


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


def keep_minimum(cycle: Cycle, pool: Pool) -> None:
    """Plan nodes until minVCpus are there, each the cheapest per vCPU that is still missing."""
    environment = pool.environment
    if not environment.managed or environment.deleting or environment.invalid or environment.state == "Disabled":
        return
    while pool.vcpus - pool.leaving + pool.coming < environment.min_vcpus * 1000:
        shapes = [
            shape for shape in environment.shapes
            if 0 < shape.resources.cpu <= pool.limit - pool.vcpus and is_within(environment, shape)
        ]  # fmt: skip
        if not waits_for_best(environment):
            shapes = [shape for shape in shapes if is_available(cycle, pool.environment, shape)]
        if not shapes:
            return
        if len(pool.planned) >= MOST_AT_ONCE:
            cycle.plan.wake_at(cycle.now + 1)
            return
        missing = environment.min_vcpus * 1000 - (pool.vcpus - pool.leaving + pool.coming)
        shape = min(shapes, key=lambda shape: (_per_vcpu(cycle, pool, shape, missing), shape.name))
        if not is_available(cycle, pool.environment, shape):
            return
        _plan(cycle, pool, shape)


def _per_vcpu(cycle: Cycle, pool: Pool, shape: Shape, missing: int) -> Cost:
    before, price = cost(cycle, pool.environment, shape)
    return before, price / max(min(shape.resources.cpu, missing), 1)


def shrink(cycle: Cycle, pool: Pool) -> None:
    """Retire the machines that have failed, never came up, were reclaimed or have been idle long enough or make way."""
    environment, retiring = pool.environment, cycle.store.retiring
    if not environment.managed:
        return
    for machine in pool.machines:
        if machine.name in retiring:
            continue
        well = _is_well(cycle, pool, machine.name)
        fault = "" if well else _fault(cycle, pool, machine)
        why = fault or pool.yielding.get(machine.name) or (_why_idle if well else _why_retire)(cycle, pool, machine)
        if why:
            cycle.do(Retire(machine.name, environment.name, environment.provider, why, bool(fault)))
            pool.vcpus -= size_of(cycle.store, environment, machine)


def _is_well(cycle: Cycle, pool: Pool, machine: str) -> bool:
    """Say whether only having been idle for too long could be a reason to retire a machine: most are, each time."""
    node = cycle.store.nodes.get(machine)
    doubted = machine in pool.trouble or machine in waits(cycle) or machine in cycle.store.refusers
    return node is not None and node.ready and not doubted


def _fault(cycle: Cycle, pool: Pool, machine: Machine) -> str:
    """Say why a machine is of no use: its provider gave it up, its node is not Ready in time or takes up no pods."""
    store, name = cycle.store, machine.name
    if machine.state == MachineState.Failed:
        return f"has failed: {machine.message}".rstrip(": ")
    node = store.nodes.get(name)
    if node is not None and node.ready:
        return ignores(cycle, name) or _refuses(cycle, name)
    if was_ready(store, name) or node_trouble(store, name) is not None:
        return ""
    due = machine.launched_at + pool.environment.node_start_timeout
    cycle.plan.wake_at(due)
    return f"was not Ready within {pool.environment.node_start_timeout:g} s" if cycle.now >= due else ""


def _refuses(cycle: Cycle, name: str) -> str:
    """What runs there goes on: only when it has ended the machine is of no use."""
    return "" if has_jobs(cycle.store, name) else refuses(cycle.store, name, cycle.now)


def _why_retire(cycle: Cycle, pool: Pool, machine: Machine) -> str:
    store, name = cycle.store, machine.name
    node = store.nodes.get(name)
    if name in pool.outdated and _is_free(cycle, pool, name):
        return OUTDATED
    if node_trouble(store, name) is not None:
        return "" if has_jobs(store, name) or name in unrecorded(cycle) else "was reclaimed"
    if node is not None and node.ready:
        return _why_idle(cycle, pool, machine)
    return _why_silent(cycle, pool, node) if node is not None and was_ready(store, name) else ""


def _why_silent(cycle: Cycle, pool: Pool, node: Node) -> str:
    due = node.ready_changed + _NOT_READY_SECONDS[pool.environment.capacity_type]
    cycle.plan.wake_at(due)
    return "stopped answering (NotReady)" if cycle.now >= due else ""


def _why_idle(cycle: Cycle, pool: Pool, machine: Machine) -> str:
    store, environment, name = cycle.store, pool.environment, machine.name
    if not _is_free(cycle, pool, name):
        return ""
    node = store.nodes[name]
    since = max(store.last_end.get(name, 0.0), node.ready_changed, node.created)
    delay = 0.0 if environment.deleting else environment.scale_down_delay
    shape = next((s for s in environment.shapes if s.name == machine.instance_type), None)
    size = shape.resources.cpu if shape else 0
    if not environment.deleting and pool.vcpus - pool.leaving - size < environment.min_vcpus * 1000:
        return ""
    if cycle.now < since + delay:
        cycle.plan.wake_at(since + delay)
        return ""
    return f"was idle for {cycle.now - since:.0f} s"


def _is_free(cycle: Cycle, pool: Pool, name: str) -> bool:
    """Say whether nothing runs on a machine, or is about to, or has ended there that is not on record."""
    busy = has_jobs(cycle.store, name) or name in cycle.claimed or name in pool.expected
    return not busy and name not in unrecorded(cycle)


def unrecorded(cycle: Cycle) -> frozenset[str]:
    """Return the nodes with ended attempts that are not on record: with the node go its pods and their exit codes."""
    if cycle.unrecorded is None:
        cycle.unrecorded = frozenset(
            pod.node for pod in cycle.store.pods.values() if pod.final and pod.job and not _recorded(cycle.store, pod)
        )
    return cycle.unrecorded


def _recorded(store: Store, pod: Pod) -> bool:
    job = store.jobs.get(pod.job)
    if job is not None and pod.index is not None:
        return store.is_on_record(pod)
    if job is not None and pod.worker and job.has_started_all(pod.attempt):
        return True
    return job is None or any(attempt.number == pod.attempt and attempt.ended for attempt in job.status.attempts)


def sweep(cycle: Cycle) -> None:
    """Retire machines without environment, unregister nodes without machine, remove live pods of finished jobs."""
    store = cycle.store
    for _, pod in sorted(store.strays.items()):
        if pod.uid and pod.deleting is None and not pod.removing:
            cycle.do(Remove(pod.namespace, pod.name, pod.uid))
    for machine in store.machines.without(store.environments):
        if machine.name not in store.retiring:
            cycle.do(Retire(machine.name, machine.environment, "", "its environment is gone"))
    for name in sorted(store.nodes):
        node = store.nodes[name]
        provider = node.labels.get(names.PROVIDER, "")
        if not node.environment or not provider or name in store.machines or node.deleting:
            continue
        if not names.is_machine_name(name, node.environment):
            continue  # somebody has given our labels to a node of his own
        if store.observed_at.get(provider, 0.0) > node.created and name not in unrecorded(cycle):
            cycle.do(Unregister(name, node.environment))
