"""What would happen from now on: decisions played forward over the ends that are expected,."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import msgspec

from batchyard.decide.bookings import write_down
from batchyard.decide.budget import balance
from batchyard.decide.cycle import Cycle
from batchyard.decide.order import order
from batchyard.decide.place import place
from batchyard.decide.record import record
from batchyard.decide.room import pools
from batchyard.decide.settle import settle
from batchyard.model.machine import LaunchOrder, Machine, MachineState, Shape
from batchyard.model.plan import Launch, Plan, Record, Remove, Start, Stop
from batchyard.world.assume import assume_start, assume_status
from batchyard.world.store import Store
from batchyard.world.views import Container, Key, Node, Pod, key

START_SECONDS = 3.0  # from a pod's creation until its containers run
BOOKING_SECONDS = 0.1
BOOT_SECONDS = 60.0  # until a machine's node is Ready, where none of its environment has shown how long it takes
TOGETHER = 0.02  # events closer to each other than this part of the time since `now` are one


@dataclass(slots=True)
class Replay:
    """A world of its own in which every attempt lasts as long as `part` of its kind at most, and nothing goes wrong.

    An attempt whose end nobody knows (no timeout, nothing of its kind has run) never ends here.
    """

    store: Store
    now: float
    part: float
    starts: dict[str, float] = field(default_factory=dict)
    events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    serial: int = 0
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.now

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something happen later."""
        self.serial += 1
        heapq.heappush(self.events, (when, self.serial, what))

    def begin(self) -> None:
        """Foresee the ends of what lives now."""
        for pods in list(self.store.live_on.values()):
            for pod in list(pods.values()):
                if pod.job:
                    self.foresee(pod)
        for machine in list(self.store.machines.values()):
            if machine.name not in self.store.nodes:
                self.at(max(machine.launched_at + self._boot(machine.environment), self.now), self._boots(machine))

    def foresee(self, pod: Pod) -> None:
        """Foresee when a live pod ends."""
        job = self.store.jobs.get(pod.job)
        started = pod.running_since or max(pod.created + START_SECONDS, self.now)
        lasts = self.store.histories.lasts(job, self.part, self.now - started) if job else None
        if pod.timeout is not None:
            lasts = min(pod.timeout if lasts is None else lasts, pod.timeout)
        if lasts is not None:
            where = key(pod)
            self.at(max(started + lasts, self.now), lambda: self._ends(where, started))

    def _ends(self, where: Key, started: float) -> None:
        pod = self.store.pods.get(where)
        if pod is None or pod.final:
            return
        mains = [c for c in pod.containers if not c.init] or [Container(name="main")]
        over: dict[str, Any] = {"state": "terminated", "reason": "Completed", "exit_code": 0, "finished": self.now}
        ended = tuple(msgspec.structs.replace(c, started=c.started or started, **over) for c in mains)
        self.store.apply_pod(msgspec.structs.replace(pod, uid=pod.uid or pod.name, phase="Succeeded", containers=ended))

    def _boot(self, environment: str) -> float:
        took = [
            node.ready_changed - machine.launched_at
            for machine in self.store.machines_of(environment)
            if (node := self.store.nodes.get(machine.name)) is not None and node.ready
        ]
        return max(sorted(took)[len(took) // 2], 1.0) if took else BOOT_SECONDS

    def _boots(self, machine: Machine, order: LaunchOrder | None = None) -> Callable[[], None]:
        def ready() -> None:
            environment = self.store.environments.get(machine.environment)
            shapes = environment.shapes if environment else ()
            shape = order.shape if order else next((s for s in shapes if s.name == machine.instance_type), None)
            if shape is not None:
                self.store.apply(self._node(machine, shape, dict(order.labels) if order else {}))

        return ready

    def _node(self, machine: Machine, shape: Shape, labels: dict[str, str]) -> Node:
        overhead = self.store.overheads.get((machine.environment, shape.name), shape.reserve)
        return Node(
            name=machine.name, uid=machine.name, environment=machine.environment, labels=labels, ready=True,
            ready_changed=self.now, created=self.now, allocatable=shape.resources - overhead,
        )  # fmt: skip

    def carry_out(self, plan: Plan) -> None:
        """Do what a plan asks, as if every write succeeded at once."""
        for verb in plan.verbs:
            match verb:
                case Start():
                    self._start(verb)
                case Record():
                    self.store.settle_status(verb.job, assume_status(self.store, verb))
                case Launch(order):
                    self._launch(order)
                case Stop() | Remove():
                    self._ends(Key(verb.namespace, verb.pod), self.now)

    def skip_to(self, wake: float, together: float) -> bool:
        """Let the next things happen, those at nearly the same time together; say whether there were any."""
        then = min(self.events[0][0] if self.events else inf, wake if wake > self.now else inf)
        if then == inf:
            return False
        self.now = max(then, self.now)
        until = self.now + together * (self.now - self.began)
        while self.events and self.events[0][0] <= until:
            heapq.heappop(self.events)[2]()
        return True

    def _start(self, verb: Start) -> None:
        self.starts.setdefault(verb.job, self.now)
        pod = assume_start(self.store, verb, self.now)
        pod = msgspec.structs.replace(pod, uid=pod.name, containers=(Container(name="main"),))
        self.store.apply_pod(pod)
        self.foresee(pod)

    def _launch(self, order: LaunchOrder) -> None:
        machine = Machine(
            order.name, order.environment, order.shape.name, order.capacity_type, MachineState.Launching, self.now
        )
        self.store.machines[order.name] = machine
        self.at(self.now + self._boot(order.environment), self._boots(machine, order))


def replay(store: Store, start: tuple[float, float], jobs: Iterable[str], cycles: int) -> dict[str, float]:
    """Return when each of these waiting jobs would start, played forward from `start` = (now, part).

    `store` is a fork and is used up. `cycles` bounds the work: so many decisions at most; what has not started by then
    has no estimate.
    """
    wanted = set(jobs)
    now, part = start
    world = Replay(store, now, part)
    world.begin()
    for _ in range(cycles):
        wake = _decide(world)
        if wanted <= world.starts.keys() or not world.skip_to(wake, TOGETHER):
            break
    return {uid: at for uid, at in world.starts.items() if uid in wanted}


def _decide(world: Replay) -> float:
    """Judge, place and write down the ends; return when something is due though nothing happens."""
    cycle = Cycle(world.store, world.now)
    settle(cycle)
    order(cycle)
    balance(cycle)
    place(cycle, pools(world.store, world.now))
    wake = cycle.plan.wake
    if write_down(cycle):  # what is booked starts with the next decision
        wake = world.now + BOOKING_SECONDS
    record(cycle)
    world.carry_out(cycle.plan)
    return inf if wake is None else wake
