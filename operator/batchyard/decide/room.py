"""Room on nodes: what each environment has free now, what is on its way, what it may still add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from batchyard.decide.interrupt import node_trouble
from batchyard.decide.quarantine import refuses
from batchyard.decide.slots import Slot, offered, remember
from batchyard.decide.update import OUTDATED, is_outdated, replacing
from batchyard.model import labels as names
from batchyard.model.machine import Machine, Shape, Taint
from batchyard.model.resources import NOTHING, Resources
from batchyard.world.store import Store
from batchyard.world.views import Environment, Node, Pod


@dataclass(slots=True)
class Pool:
    """One environment's slots; `vcpus` of all its machines and `used` by its pods, both in millicores."""

    environment: Environment
    machines: Sequence[Machine] = ()  # by name
    trouble: dict[str, str] = field(default_factory=dict)  # machines that are about to go -> why
    slots: list[Slot] = field(default_factory=list)
    vcpus: int = 0
    leaving: int = 0  # of these the millicores of machines on their way out
    used: int = 0
    planned: list[Slot] = field(default_factory=list)
    coming: int = 0  # millicores of nodes that will be launched for the first that waits, as soon as others have gone
    yielding: dict[str, str] = field(default_factory=dict)  # idle nodes that make way in this decision -> why
    outdated: set[str] = field(default_factory=set)  # machines of an older configuration; in trouble for that
    expected: set[str] = field(default_factory=set)  # nodes where kube-scheduler is about to put a pod

    @property
    def limit(self) -> int:
        """Return maxVCpus in millicores; 0 means none (unmanaged only)."""
        return self.environment.max_vcpus * 1000


def pools(store: Store, now: float) -> dict[str, Pool]:
    """Return the room of every environment."""
    result = {name: Pool(view) for name, view in sorted(store.environments.items())}
    for pool in result.values():
        if pool.environment.managed:
            _managed(store, pool, now)
        else:
            _unmanaged(store, pool, now)
    for _, pod in sorted(store.unbound.items()):
        if pod.environment in result:
            _expect(store, result[pod.environment], pod)
    return result


def _expect(store: Store, pool: Pool, pod: Pod) -> None:
    """Count a pod that kube-scheduler will put somewhere where it most likely will: on the emptiest node.

    One of a multi-node job can only go to the node that is kept for it.
    """
    kept = kept_for(store, pod)
    fitting = [
        slot for slot in pool.slots
        if slot.name == kept or (not kept and slot.ready and pod.requests.fits(slot.free))
    ]  # fmt: skip
    pool.used += pod.requests.cpu
    if fitting:
        slot = max(fitting, key=lambda slot: (slot.free.cpu, slot.free.memory, slot.name))
        slot.free = slot.free - pod.requests
        pool.expected.add(slot.name)


def kept_for(store: Store, pod: Pod) -> str:
    """Return the node that is kept for a pod of a multi-node job, empty for any other pod."""
    if pod.node_index is None:
        return ""
    siblings = store.pods_of.get(pod.job, {}).values()
    main = next((other for other in siblings if other.gang and other.attempt == pod.attempt), None)
    return main.gang.get(str(pod.node_index), "") if main else ""


def keep(pools: Mapping[str, Pool], environment: str, rooms: Iterable[tuple[str, Resources]]) -> None:
    """Take so much of each of these nodes out of what is free."""
    pool = pools.get(environment)
    if pool is None:
        return
    slots = {slot.name: slot for slot in pool.slots}
    for name, room in rooms:
        pool.used += room.cpu
        if name in slots:
            slots[name].free = slots[name].free - room


def _managed(store: Store, pool: Pool, now: float) -> None:
    shapes = {shape.name: shape for shape in reversed(pool.environment.shapes)}
    pool.machines = store.machines_of(pool.environment.name)
    for machine in pool.machines:
        offer = offered(store, machine)
        if offer is not None:
            pool.vcpus += offer.size
            pool.used += offer.used.cpu
            pool.slots.append(offer.slot)
        else:
            found = _look_at(store, pool, machine, shapes.get(machine.instance_type))
            pool.slots += [] if refuses(store, machine.name, now) else found


def _look_at(store: Store, pool: Pool, machine: Machine, shape: Shape | None) -> list[Slot]:
    size = size_of(store, pool.environment, machine)
    pool.vcpus += size
    pool.used += store.used.get(machine.name, NOTHING).cpu
    trouble = node_trouble(store, machine.name)
    if trouble is None and is_outdated(store, pool.environment, machine):
        pool.outdated.add(machine.name)
        trouble = OUTDATED
    if trouble is not None:
        pool.trouble[machine.name] = trouble
        pool.leaving += size
        return []
    found = _slot(store, pool.environment, machine, shape)
    if found and found[0].ready and machine.name not in store.refusers:
        remember(store, machine, size, found[0])
    return found


def size_of(store: Store, environment: Environment, machine: Machine) -> int:
    """Return a machine's millicores: its shape's, unless that is no longer what it was made from."""
    shape = next((shape for shape in environment.shapes if shape.name == machine.instance_type), None)
    node = store.nodes.get(machine.name)
    if shape is not None and (node is None or not is_outdated(store, environment, machine)):
        return shape.resources.cpu
    return -(-node.allocatable.cpu // 1000) * 1000 if node else 0


def _slot(store: Store, environment: Environment, machine: Machine, shape: Shape | None) -> list[Slot]:
    node = store.nodes.get(machine.name)
    if node is not None and node.ready:
        return [] if node.unschedulable or node.deleting else [_node_slot(store, node, shape)]
    if shape is None or was_ready(store, machine.name):
        return []
    free = capacity(store, environment, shape)
    return [Slot(machine.name, free, shape_labels(environment, shape), environment.taints, False, shape)]


def was_ready(store: Store, node: str) -> bool:
    """Say whether a node that is not Ready now once was: it ran pods, or its Ready condition turned later."""
    view = store.nodes.get(node)
    if view is None or view.ready:
        return False
    return node in store.last_end or node in store.seen_ready or has_jobs(store, node)


def has_jobs(store: Store, node: str) -> bool:
    """Say whether a job's pod lives on a node; pods of DaemonSets come before the node is Ready and never leave."""
    for pod in store.live_on.get(node, {}).values():  # noqa: SIM110 any() takes twice as long, and all nodes are asked
        if pod.job:
            return True
    return False


def _node_slot(store: Store, node: Node, shape: Shape | None) -> Slot:
    # Most have but the one that keeps others' pods away, and there are many of them.
    taints = () if len(node.taints) == 1 and node.taints[0].key == names.ENVIRONMENT else _telling(node.taints)
    free, until = node.allocatable - store.used.get(node.name, NOTHING), store.busy_until(node.name)
    return Slot(node.name, free, node.labels, taints, True, shape, until=until)


def _telling(taints: tuple[Taint, ...]) -> tuple[Taint, ...]:
    """Return the taints that a pod of ours must tolerate by itself."""
    return tuple(t for t in taints if t.key != names.ENVIRONMENT and not t.key.startswith("node.kubernetes.io/"))


def _unmanaged(store: Store, pool: Pool, now: float) -> None:
    selector = pool.environment.selector
    for name in sorted(store.nodes):
        node = store.nodes[name]
        if node.environment or any(node.labels.get(label) != value for label, value in selector.items()):
            continue
        pool.vcpus += node.allocatable.cpu
        pool.used += sum(
            p.requests.cpu for p in store.live_on.get(name, {}).values() if p.environment == pool.environment.name
        )
        well = node.ready and not node.unschedulable and node_trouble(store, name) is None
        if well and not refuses(store, name, now):
            pool.slots.append(_node_slot(store, node, None))


def capacity(store: Store, environment: Environment, shape: Shape) -> Resources:
    """Return what a new node of this shape will offer: the shape less the overhead learnt from its siblings.

    Before there is one, less what such a machine is taken to keep.
    """
    return shape.resources - store.overheads.get((environment.name, shape.name), shape.reserve)


def shape_labels(environment: Environment, shape: Shape) -> dict[str, str]:
    """Return the labels that a node of this shape will carry."""
    return {
        **environment.labels,
        names.ENVIRONMENT: environment.name,
        names.INSTANCE_TYPE: shape.name,
        names.CAPACITY_TYPE: environment.capacity_type,
        names.PROVIDER: environment.provider,
        **({names.CONFIGURATION: its} if (its := environment.configurations.get(shape.name)) else {}),
        "node.kubernetes.io/instance-type": shape.name,
        "kubernetes.io/os": "linux",
        **({"kubernetes.io/arch": shape.architecture} if shape.architecture else {}),
    }


def below_limit(pool: Pool) -> str:
    """Say how much of maxVCpus nobody uses, and whether nodes that are being replaced count in it."""
    free = max(pool.limit - pool.used, 0)
    return f"{free}m of {pool.environment.max_vcpus} vCPUs free{replacing(pool.outdated)}"
