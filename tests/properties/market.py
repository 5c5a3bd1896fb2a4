"""A saturated pool and its queues in fast motion: decisions, pods that run their time, restarts; nothing else."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from batchyard.decide import decide
from batchyard.model.machine import LaunchOrder, MachineState, Shape
from batchyard.model.plan import Launch, Report, Retire, Start
from batchyard.model.resources import read
from batchyard.world.assume import assume_report, assume_start
from batchyard.world.parse import job as parse_job
from batchyard.world.store import Store
from batchyard.world.views import Job, Pod, Queue, View, key
from builders import NOW, environment, exited, job_body, machine, node, running, template, version

BOOT, IDLE = 8.0, 20.0  # seconds until a node is Ready, and until an idle one goes


def shape(cpu: int) -> Shape:
    return Shape(f"c{cpu}", read({"cpu": str(cpu), "memory": f"{cpu * 4}Gi"}, pods=500), "1", "1")


@dataclass
class Market:
    """Nodes that are there from the beginning, and jobs whose run times only this world knows."""

    sizes: tuple[int, ...]  # of the nodes, in vCPUs
    now: float = NOW
    store: Store = field(default_factory=Store)
    lasts: dict[str, float] = field(default_factory=dict)  # job uid -> seconds that its pod will run
    started: dict[str, float] = field(default_factory=dict)  # job name -> when its pod was created
    live: dict[str, Pod] = field(default_factory=dict)
    ended: list[Pod] = field(default_factory=list)  # what the API server still has
    ends: list[tuple[float, str]] = field(default_factory=list)
    submitted: int = 0
    wake: float | None = None
    elastic: bool = False  # nodes that are idle go, and others come in their place
    boots: dict[str, tuple[float, Shape]] = field(default_factory=dict)  # machines on their way
    on_start: Callable[[str], None] = lambda _: None  # hears the job's name

    def __post_init__(self) -> None:
        shapes = tuple({size: shape(size) for size in self.sizes}.values())
        most = sum(self.sizes)
        least = 0 if self.elastic else most
        things: list[Any] = [environment(max_vcpus=most, min_vcpus=least, shapes=shapes, scale_down_delay=IDLE)]
        things += [node(f"n{number}", shape(size)) for number, size in enumerate(self.sizes)]
        for thing in things:
            self.store.apply(thing)
        self.observe()

    def observe(self) -> None:
        machines = [machine(f"n{number}", shape(size)) for number, size in enumerate(self.sizes)]
        self.store.observe("docker", machines, self.now)

    def submit(self, cpu: int, seconds: float, **spec: Any) -> str:
        """Submit a job; return its name."""
        self.submitted += 1
        name = f"j{self.submitted}"
        view = parse_job(job_body(name, template=template(str(cpu), "1Mi"), **spec))
        self.store.apply(msgspec.structs.replace(view, created=self.now))
        self.lasts[view.uid] = seconds
        return name

    def decide(self) -> bool:
        """Decide once and start what is to start; say whether anything did."""
        plan = decide(self.store, self.now)
        starts = [verb for verb in plan.verbs if isinstance(verb, Start)]
        self.wake = plan.wake
        for verb in plan.verbs:
            if isinstance(verb, Report) and verb.plural == "jobqueues":
                assume_report(self.store, verb, self.now)
            elif isinstance(verb, Launch):
                self._launch(verb.order)
            elif isinstance(verb, Retire):
                del self.store.machines[verb.machine]
                self.store.remove(self.store.nodes[verb.machine])
        for verb in starts:
            pod = assume_start(self.store, verb, self.now)
            pod = msgspec.structs.replace(
                pod, uid=f"pod-{pod.name}", version=version(), containers=(running(self.now),)
            )
            self.store.apply(pod)
            self.live[pod.uid] = pod
            self.started[self.store.jobs[pod.job].name] = self.now
            heapq.heappush(self.ends, (self.now + self.lasts[pod.job], pod.uid))
            self.on_start(self.store.jobs[pod.job].name)
        return bool(starts)

    def _launch(self, order: LaunchOrder) -> None:
        self.boots[order.name] = (self.now + BOOT, order.shape)
        made = machine(order.name, order.shape, state=MachineState.Launching, launched_at=self.now)
        self.store.machines[order.name] = made

    def tick(self, until: float) -> None:
        """Let time pass to the next thing of any kind, or to `until`."""
        wake = [self.wake] if self.wake is not None else []
        due = min([until, *wake, *(at for at, _ in self.boots.values()), *(at for at, _ in self.ends[:1])])
        due = max(due, self.now + 0.001)
        if not self.ends or self.ends[0][0] > due or not self.step(due):
            self.now = due
        for name, (at, shape_) in list(self.boots.items()):
            if at <= self.now:
                del self.boots[name]
                self.store.apply(node(name, shape_, ready_changed=self.now, created=self.now))

    def step(self, until: float) -> bool:
        """Let the next pod end, and all that end with it; say whether one did before `until`."""
        if not self.ends or self.ends[0][0] > until:
            self.now = until
            return False
        self.now = self.ends[0][0]
        while self.ends and self.ends[0][0] <= self.now:
            self._end(self.live.pop(heapq.heappop(self.ends)[1]))
        return True

    def _end(self, pod: Pod) -> None:
        over = exited(0, self.now, started=pod.containers[0].started)
        done = msgspec.structs.replace(pod, phase="Succeeded", containers=(over,), version=version())
        self.store.apply(done)
        self.store.remove_job(pod.job)
        self.store.remove(done)
        self.ended.append(done)

    def restart(self, rng: random.Random) -> None:
        """Begin anew from what the API server has: objects in any order, pods that have ended too."""
        old, self.store = self.store, Store()
        kinds = (Queue, Job, Pod)
        views: list[View] = [view for kind in kinds for view in old.table(kind)]
        views += [*old.environments.values(), *old.nodes.values(), *old.policies.values()]
        views += [pod for pod in self.ended if key(pod) not in old.pods]
        rng.shuffle(views)
        for view in views:
            self.store.apply(view)
        self.observe()

    def held(self, of: Callable[[Pod], str]) -> Counter[str]:
        """Return the millicores that live pods hold, by what `of` says of a pod."""
        counts: Counter[str] = Counter()
        for pod in self.live.values():
            counts[of(pod)] += pod.requests.cpu
        return counts
