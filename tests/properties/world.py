"""A make-believe cluster in memory: API server, kubelets, kube-scheduler, garbage collector and a provider of machines.

Time stands still until `World.to` moves it; everything is deterministic. Times that the API server shows have whole
seconds, as in Kubernetes. What may never be, whoever is at fault, is asserted here on the truth itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from batchyard.decide.enforce import is_patient
from batchyard.decide.outcome import SENT_AWAY
from batchyard.model.machine import LaunchOrder, Machine, MachineState
from batchyard.model.phase import reachable
from batchyard.model.resources import Resources, millicores, total, whole
from batchyard.world.indexes import members, parse
from batchyard.world.outcomes import Outcomes
from batchyard.world.views import (
    ArrayStatus,
    Consumable,
    Container,
    Definition,
    Environment,
    Job,
    JobStatus,
    Namespace,
    Node,
    Pod,
    Policy,
    Queue,
    Revision,
    View,
    key,
)
from builders import NOW

V = TypeVar("V", bound=View)
KINDS: tuple[type[View], ...] = (
    Job,
    Pod,
    Node,
    Environment,
    Policy,
    Queue,
    Consumable,
    Definition,
    Revision,
    Namespace,
    Outcomes,
)
BOOT, READY, SILENCE = 3.0, 8.0, 10.0  # seconds until a machine registers, is Ready, is noticed to be gone


@dataclass(frozen=True)
class Program:
    """What a job's container does: how long it runs and how it ends."""

    seconds: float = 20.0
    code: int = 0
    fails: int = 0  # this many attempts end with code 1 first
    memory: int = 0  # with less than this it is OOM-killed
    pulls: bool = True  # its image can be pulled
    stubborn: bool = False  # ignores SIGTERM
    odd: int = 0  # what children of an array with an odd index exit with
    lame: bool = False  # the image of a multi-node job's workers cannot be pulled


@dataclass
class Truth:
    """A machine as it really is; `ready` None: it never will be."""

    order: LaunchOrder
    born: float
    ready: float | None
    state: MachineState = MachineState.Running
    ends: float = math.inf


@dataclass
class World:
    """All there is, and the log of every kind's changes."""

    now: float = NOW
    tables: dict[type[View], dict[Hashable, Any]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    log: dict[type[View], list[tuple[str, View]]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    programs: dict[str, Program] = field(default_factory=dict)  # by job name
    machines: dict[str, Truth] = field(default_factory=dict)
    stillborn: int = 0  # this many of the next machines never become Ready
    no_stock: int = 0  # this many of the next launches are refused
    ran_well: set[str] = field(default_factory=set)  # jobs and children (uid:index) whose program has exited with 0
    runs: dict[str, int] = field(default_factory=dict)  # job name -> how often its program was started
    ended: dict[str, JobStatus] = field(default_factory=dict)  # job name -> the latest record of its end or children
    made: set[str] = field(default_factory=set)  # names of all pods that there ever were
    past: dict[str, tuple[Truth, float]] = field(default_factory=dict)  # machines that are gone, and since when
    silent: dict[str, float] = field(default_factory=dict)  # nodes whose machine is gone -> since when
    version: int = 0
    most: Counter[str] = field(default_factory=Counter)  # the largest total that a consumable ever had
    spent: Counter[str] = field(default_factory=Counter)  # what pods have used up for ever

    # The API server

    def put(self, view: V) -> V:
        """Create or change an object; a write that changes nothing makes no new version."""
        old = self.tables[type(view)].get(where(view))
        if old is not None and msgspec.structs.replace(view, version=old.version) == old:
            return old
        self.version += 1
        uid = view.uid or f"u{self.version}-{view.name}"
        view = msgspec.structs.replace(view, version=str(self.version), uid=uid)
        self.tables[type(view)][where(view)] = view
        self.log[type(view)].append(("MODIFIED", view))
        if isinstance(view, Consumable):
            self.most[view.name] = max(self.most[view.name], view.total)
        return view

    def drop(self, view: View) -> None:
        """Delete an object's record."""
        known = self.tables[type(view)].pop(where(view), None)
        if known is not None:
            self.version += 1
            self.log[type(view)].append(("DELETED", msgspec.structs.replace(known, version=str(self.version))))

    def all(self, kind: type[V]) -> list[V]:
        return list(self.tables[kind].values())

    def job(self, uid: str) -> Job | None:
        return next((job for job in self.all(Job) if job.uid == uid), None)

    def create_pod(self, pod: Pod) -> Pod | None:
        """Create a pod, None if its name is taken; a job that has ended or is gone must never get one."""
        if where(pod) in self.tables[Pod]:
            return None
        owner = self.job(pod.job)
        if owner is None:  # the garbage collector would have it
            return msgspec.structs.replace(pod, uid="orphan", version=str(self.version))
        assert not owner.status.phase.final, f"{pod.name} starts though its job has {owner.status.phase}"
        live = [p.name for p in self.all(Pod) if (p.job, p.index) == (pod.job, pod.index) and not p.final]
        if pod.worker:
            live = [name for name in live if name.rsplit("-", 1)[1] != str(pod.attempt)]
            self._check_worker(pod)
        assert not live, f"{pod.name} starts beside {live}"
        assert pod.index is None or not ended(owner.status) >> pod.index & 1, f"{pod.name} starts after its end"
        if pod.attempt == 1:
            self._check_dependencies(owner, pod)
        created = self.put(msgspec.structs.replace(pod, created=math.floor(self.now)))
        self.made.add(pod.name)
        for node in {pod.node, *pod.gang.values()}:
            self._check_room(node)
        for name in pod.consumables:
            self._check_stock(pod, name)
        return created

    def _check_dependencies(self, job: Job, pod: Pod) -> None:
        """No job starts before its dependencies allow, by what is on record of them."""
        for need in job.spec.depends_on:
            end = self.ended.get(need.job or "", JobStatus())
            if need.array == "Sequential":
                before = f"{job.uid}:{(pod.index or 0) - 1}"
                assert not pod.index or before in self.ran_well, f"{pod.name} starts before the one before it"
            elif need.array == "OneToOne":
                good = parse(end.array.succeeded) if end.array else 0
                bad = parse(end.array.failed) if end.array else 0
                bad = ~good if end.phase.final else bad
                allowed = {"Succeeded": good, "Failed": bad, "Finished": good | bad}[need.when]
                assert allowed >> (pod.index or 0) & 1, f"{pod.name} starts before its child of {need.job}: {end}"
            else:
                allows = end.phase.final and need.when in ("Finished", end.phase)
                assert allows, f"{pod.name} starts though {need.job} has {end.phase}"

    def _check_worker(self, pod: Pod) -> None:
        """A worker comes after its main pod, to the node that is kept for it."""
        main = self.main_of(pod)
        assert main is not None, f"{pod.name} starts without a main pod"
        assert main.ip, f"{pod.name} starts before {main.name} has an address"
        assert not pod.node or main.gang[str(pod.node_index)] == pod.node, f"{pod.name} starts on {pod.node}"

    def main_of(self, pod: Pod) -> Pod | None:
        """Return the main pod of a multi-node job's attempt."""
        return next((p for p in self.all(Pod) if p.gang and (p.job, p.attempt) == (pod.job, pod.attempt)), None)

    def _kept(self, node: str) -> Iterator[Resources]:
        """Yield the room that is kept on a node for pods of multi-node jobs that have not been made; all are alike."""
        for main in self.all(Pod):
            owner = self.job(main.job) if main.gang and not main.final else None
            for index, name in main.gang.items() if owner and not owner.status.phase.final else ():
                if name == node and f"{owner.name if owner else ''}-{index}-{main.attempt}" not in self.made:
                    yield main.requests

    def _check_stock(self, pod: Pod, name: str) -> None:
        """No more is held than there is, and what is used up is on record, once, before the pod that uses it."""
        view = self.tables[Consumable][name]
        held = sum(p.consumables.get(name, 0) for p in self.all(Pod) if not p.final)
        if view.replenishable:
            assert held <= self.most[name], f"{name} is over-committed: {held} of {self.most[name]}"
            return
        self.spent[name] += pod.consumables[name]
        assert f"{pod.namespace}/{pod.name}" in view.status["taking"], f"{pod.name} starts before it is booked"
        assert self.spent[name] <= view.status["consumed"] <= self.most[name]

    def _check_room(self, name: str) -> None:
        node = self.tables[Node].get(name)
        if node is not None:
            taken = total(pod.requests for pod in self.all(Pod) if pod.node == name and not pod.final)
            taken = taken + total(self._kept(name))
            assert taken.fits(node.allocatable), f"{name} is over-committed: {taken} of {node.allocatable}"

    def delete_pod(self, view: Pod, grace: int | None) -> bool:
        """Delete a pod as the API server does: at once, or with the kubelet's help."""
        pod = self.tables[Pod].get(key(view))
        if pod is None or pod.uid != view.uid:
            return False
        if grace == 0:
            assert pod.node not in self.machines or pod.final, f"{pod.name} may still run"
        if grace == 0 or not pod.node or pod.final:
            self.drop(pod)
        elif pod.deleting is None:
            self.put(msgspec.structs.replace(pod, deleting=math.floor(self.now)))
        return True

    def write_status(self, job: Job, status: JobStatus) -> Job:
        """Write a job's status; it must follow the phase table and keep to the attempts allowed."""
        assert reachable(job.status.phase, status.phase), f"{job.name}: {job.status.phase} -> {status.phase}"
        counted = sum(1 for attempt in status.attempts if attempt.counted)
        allowed = job.spec.retry.attempts if job.spec.retry else 1
        assert job.spec.definition is not None or counted <= allowed, f"{job.name}: {counted} of {allowed} attempts"
        before = [attempt for attempt in job.status.attempts if attempt.ended]
        assert list(status.attempts[: len(before)]) == before, f"{job.name}: the record of its attempts was changed"
        if job.spec.array is not None and status.array is not None:
            self._check_children(job, status)
        if status.phase.final or status.array is not None:
            self.ended[job.name] = status
        return self.put(msgspec.structs.replace(job, status=status))

    def _check_children(self, job: Job, status: JobStatus) -> None:
        old, new = job.status.array or ArrayStatus(), status.array or ArrayStatus()
        succeeded, failed = parse(new.succeeded), parse(new.failed)
        assert not succeeded & failed, f"{job.name}: {new.succeeded} and {new.failed}"
        assert not parse(old.succeeded) & ~succeeded, f"{job.name}: {old.succeeded} -> {new.succeeded}"
        assert not parse(old.failed) & ~failed, f"{job.name}: {old.failed} -> {new.failed}"
        allowed = job.spec.retry.attempts if job.spec.retry else 1
        used_up = [group for group in new.retried if group.counted >= allowed and not job.spec.definition]
        assert not used_up, f"{job.name}: {used_up}"
        wrong = [index for index in members(succeeded) if f"{job.uid}:{index}" not in self.ran_well]
        assert not wrong, f"{job.name}: {wrong} have not run well"

    def delete_pods(self, job: str, chunk: int, phase: str) -> None:
        """Delete the finished pods of a chunk of an array; each of them must be on record."""
        owner = self.job(job)
        for pod in self.all(Pod):
            if pod.job == job and pod.phase == phase and (pod.index or 0) // 100 == chunk:
                assert owner is None or ended(owner.status) >> (pod.index or 0) & 1, f"{pod.name} is not on record"
                self.drop(pod)

    def delete_job(self, job: Job) -> None:
        self.drop(job)
        for pod in self.all(Pod):
            if pod.job == job.uid:
                self.delete_pod(pod, None)

    # Machines

    def launch(self, order: LaunchOrder) -> bool:
        """Make a machine; False when there is no stock. maxVCpus holds over all machines that there are."""
        if order.name in self.machines:
            return True
        if self.no_stock:
            self.no_stock -= 1
            return False
        environment = self.tables[Environment].get(order.environment)
        vcpus = order.shape.resources.cpu + sum(
            truth.order.shape.resources.cpu
            for truth in self.machines.values()
            if truth.order.environment == order.environment
        )
        assert environment is None or vcpus <= environment.max_vcpus * 1000, f"{order.environment}: {vcpus}m"
        never = self.stillborn > 0
        self.stillborn -= never
        self.machines[order.name] = Truth(order, self.now, None if never else self.now + READY)
        return True

    def vanish(self, name: str) -> None:
        """Take a machine away; what ran on it runs no more, and says nothing."""
        if (truth := self.machines.pop(name, None)) is not None:
            self.past[name] = truth, self.now
            if name in self.tables[Node]:
                self.silent[name] = self.now

    def observe(self) -> list[Machine]:
        return [
            Machine(
                name,
                truth.order.environment,
                truth.order.shape.name,
                truth.order.capacity_type,
                truth.state,
                truth.born,
                gone_at=truth.ends if truth.state is MachineState.Interrupted else None,
                price_per_hour=truth.order.shape.price_asked(truth.order.capacity_type),
            )
            for name, truth in self.machines.items()
        ]

    # Time

    def to(self, when: float) -> None:
        """Let time pass until `when`, or to the next thing that happens by itself if that is sooner."""
        self.now = max(self.now, min([when, *self._due()]))
        self.turn()

    def turn(self) -> None:
        """Let everybody do what is due."""
        for name, truth in list(self.machines.items()):
            self._machine(name, truth)
        for name, since in list(self.silent.items()):
            self._silence(name, since)
        for pod in self.all(Pod):
            self._pod(pod)

    def _due(self) -> list[float]:
        times = [since + SILENCE for name, since in self.silent.items()]
        for name, truth in self.machines.items():
            node = self.tables[Node].get(name)
            times.append(truth.ends)
            if node is None:
                times.append(truth.born + BOOT)
            elif not node.ready and truth.ready is not None:
                times.append(truth.ready)
        times += [when for pod in self.all(Pod) if (when := self._pod_due(pod)) is not None]
        return times

    def _machine(self, name: str, truth: Truth) -> None:
        node = self.tables[Node].get(name)
        if self.now >= truth.ends:
            self.vanish(name)
        elif node is None and self.now >= truth.born + BOOT:
            order = truth.order
            self.put(Node(name=name, labels=dict(order.labels), taints=order.taints, created=math.floor(self.now),
                          allocatable=order.shape.resources, environment=order.environment))  # fmt: skip
        elif node is not None and not node.ready and truth.ready is not None and self.now >= truth.ready:
            self.put(msgspec.structs.replace(node, ready=True, ready_changed=math.floor(self.now)))

    def _silence(self, name: str, since: float) -> None:
        node = self.tables[Node].get(name)
        if node is None:
            del self.silent[name]
        elif self.now >= since + SILENCE:
            self.put(msgspec.structs.replace(node, ready=False, ready_changed=math.floor(self.now)))
            del self.silent[name]

    # Kubelets and kube-scheduler

    def _alive(self, pod: Pod) -> bool:
        node = self.tables[Node].get(pod.node)
        return node is not None and (pod.node in self.machines or not node.environment)

    def _pod_due(self, pod: Pod) -> float | None:
        """Return when something happens to a pod by itself."""
        if not pod.node:
            return None
        if pod.final or not self._alive(pod):
            return pod.deleting + 40 if pod.deleting is not None else None
        if pod.acknowledged is None:
            return pod.created + 1.0
        (main,) = pod.containers
        kill = self._kill_at(pod, main)
        if main.state == "running":
            assert main.started is not None
            return min(main.started + max(self.program(pod).seconds, 1.0), kill)
        pulls = self._pulls(pod)
        return min(pod.acknowledged + 2.0, kill) if pulls or main.reason != "ErrImagePull" else kill

    def _kill_at(self, pod: Pod, main: Container) -> float:
        ordered = pod.stop.at + 1 if pod.stop and not is_patient(pod, pod.stop.at, pod.stop.until) else None
        told = [at for at in (ordered, pod.deleting) if at is not None]
        stubborn = main.state == "running" and self.program(pod).stubborn
        return min(told) + (pod.grace if stubborn else 1.0) if told else math.inf

    def program(self, pod: Pod) -> Program:
        alone = pod.index is None and pod.node_index is None
        return self.programs.get(pod.name.rsplit("-", 1 if alone else 2)[0], Program())

    def _pulls(self, pod: Pod) -> bool:
        program = self.program(pod)
        return program.pulls and not (program.lame and pod.worker)

    def _pod(self, pod: Pod) -> None:
        due = self._pod_due(pod)
        if not pod.node and not pod.final:
            self._schedule(pod)
        elif due is not None and self.now >= due:
            if pod.final or not self._alive(pod):
                self.drop(pod)
            elif pod.acknowledged is None:
                creating = (Container(name="main", reason="ContainerCreating"),)
                self.put(msgspec.structs.replace(pod, acknowledged=math.floor(self.now), containers=creating))
            else:
                self._container(pod, pod.containers[0])

    def _container(self, pod: Pod, main: Container) -> None:
        if self.now >= self._kill_at(pod, main):
            self._end(pod, main, 143)
        elif main.state == "running":
            self._end(pod, main, self._code(pod))
        elif not self._pulls(pod):
            self.put(msgspec.structs.replace(pod, containers=(Container(name="main", reason="ErrImagePull"),)))
        else:
            self._run(pod)

    def _run(self, pod: Pod) -> None:
        name = pod.name.rsplit("-", 1)[0]
        if not pod.worker:
            assert who(pod) not in self.ran_well, f"{name} runs again though it had run to success"
            self.runs[name] = self.runs.get(name, 0) + 1
        started = Container(name="main", state="running", started=math.floor(self.now))
        self.put(msgspec.structs.replace(pod, phase="Running", containers=(started,), ip="10.0.0.1"))

    def _code(self, pod: Pod) -> int:
        program = self.program(pod)
        if pod.requests.memory < program.memory:
            return 137
        if pod.index is not None and pod.index % 2 and program.odd:
            return program.odd
        return 1 if pod.attempt <= program.fails else program.code

    def _end(self, pod: Pod, main: Container, code: int) -> None:
        reason = {0: "Completed", 137: "OOMKilled"}.get(code, "Error")
        ended = Container(
            name="main", state="terminated", reason=reason, exit_code=code, started=main.started,
            finished=math.floor(self.now),
        )  # fmt: skip
        cut_short = pod.deleting is not None and pod.stop is not None and pod.stop.reason in SENT_AWAY
        if code == 0 and not pod.worker and not cut_short:  # what is told to go is not done, whatever it says
            self.ran_well.add(who(pod))
        told = {"reason": "DeadlineExceeded"} if pod.stop is not None and code == 143 else {}
        containers = (ended,) if main.state == "running" else ()
        final = self.put(
            msgspec.structs.replace(pod, phase="Succeeded" if code == 0 else "Failed", containers=containers, **told)
        )
        if final.deleting is not None:
            self.drop(final)

    def _pinned_to(self, pod: Pod) -> str:
        main = self.main_of(pod) if pod.node_index is not None else None
        return main.gang[str(pod.node_index)] if main else ""

    def _schedule(self, pod: Pod) -> None:
        environment = self.tables[Environment].get(pod.environment)
        for name, node in sorted(self.tables[Node].items(), key=lambda item: str(item[0])):
            selected = environment is not None and all(node.labels.get(k) == v for k, v in environment.selector.items())
            taken = total(p.requests for p in self.all(Pod) if p.node == name and not p.final)
            if (
                selected
                and name == (self._pinned_to(pod) or name)
                and not node.environment
                and node.ready
                and (taken + pod.requests).fits(node.allocatable)
            ):
                self.put(msgspec.structs.replace(pod, node=str(name)))
                return


def who(pod: Pod) -> str:
    """Return the job, or the child of an array, that a pod is an attempt of."""
    return pod.job if pod.index is None else f"{pod.job}:{pod.index}"


def ended(status: JobStatus) -> int:
    """Return the children that have ended on record."""
    return parse(status.array.succeeded) | parse(status.array.failed) if status.array else 0


def where(view: View) -> Hashable:
    """Return an object's name, with its namespace where it has one."""
    return key(view) if isinstance(view, (Job, Pod, Definition, Revision)) else view.name


def memory_of(template: dict[str, Any]) -> int:
    return whole(template["spec"]["containers"][0]["resources"]["requests"]["memory"])


def vcpus_of(template: dict[str, Any]) -> int:
    return millicores(template["spec"]["containers"][0]["resources"]["requests"]["cpu"])
