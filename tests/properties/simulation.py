"""One world with one operator at a time, and what users, machines and networks may do to both."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import msgspec
from executor import CrashError, Faults, Operator
from rest import settled

from batchyard.decide.array import tolerated
from batchyard.model.labels import INTERRUPTED
from batchyard.model.machine import MachineState, Taint
from batchyard.model.plan import Plan, Report
from batchyard.world import indexes, parse
from batchyard.world.outcomes import Outcomes
from batchyard.world.specs import Stop
from batchyard.world.views import Consumable, Definition, Environment, Job, Namespace, Node, Pod, Policy, Queue, View
from builders import C2, C8, environment, job_body, template
from world import KINDS, Program, World

PROGRAMS = {
    "short": Program(5), "long": Program(90), "endless": Program(100_000), "fails": Program(10, code=3),
    "flaky": Program(10, fails=1), "greedy": Program(10, memory=2**31), "no image": Program(pulls=False),
    "stubborn": Program(100_000, stubborn=True), "odd fails": Program(10, odd=4),
    "lame": Program(200, lame=True),
}  # fmt: skip
HORIZON = 6 * 3600.0
LICENCES, TOKENS = 3, 10_000
SILENT_WATCH = 70.0  # seconds


@dataclass(frozen=True)
class Need:
    """What a job waits for: the job submitted so many steps before it, 0 itself, -1 the one that comes next."""

    back: int = 1
    when: str = "Succeeded"
    array: str | None = None


@dataclass(frozen=True)
class JobSpec:
    """A job that somebody submits."""

    program: str = "short"
    cpu: int = 1
    memory: str = "1Gi"
    attempts: int = 1
    timeout: int | None = None
    queue: str = "both"
    priority: int = 0
    backoff: int = 0
    grows: bool = False
    defined: bool = False
    ttl: int | None = None
    array: int | None = None
    concurrent: int | None = None
    tolerate: int | str = 0
    needs: tuple[Need, ...] = ()
    sequential: bool = False
    share: str = ""
    nodes: int | None = None
    licences: int = 0
    tokens: int = 0


@dataclass
class Simulation:
    """The world, the operator's present life, and what is between them."""

    faults: Faults = field(default_factory=Faults)
    world: World = field(default_factory=World)
    lagging: dict[type[View], int] = field(default_factory=dict)  # kind -> changes heard per beat
    behind: dict[type[View], float] = field(default_factory=dict)  # kind -> since when it lags
    stopped: set[str] = field(default_factory=set)  # names of jobs that somebody stopped or deleted
    deleted: bool = False  # a job was deleted by a user, so that nobody knows any more what its pods used up
    disturbed: bool = False  # a machine was taken away, so that attempts may have been lost
    slow: int = 10**9  # writes that reach the API server per beat
    lives: int = 0

    def __post_init__(self) -> None:
        self.world.put(Namespace(name="default"))
        self._make_environments()
        self.world.put(Policy(name="fair", shares=(("a", Decimal("0.5")), ("b*", Decimal(1)))))
        self.make_queue("both", ("spot", "od"), 1)
        self.make_queue("od", ("od",), 5)
        self.define(1)
        self.world.put(Consumable(name="licence", total=LICENCES))
        self.world.put(Consumable(name="token", total=TOKENS, replenishable=False))
        self.restart()

    # What users do

    def _make_environments(self) -> None:
        for name, kind, limit in (("spot", "Spot", 16), ("od", "OnDemand", 12)):
            if name not in self.world.tables[Environment]:
                self.make_environment(name, kind, limit)

    def make_environment(self, name: str, kind: str, limit: int) -> None:
        view = environment(
            name, uid="", capacity_type=kind, max_vcpus=limit, shapes=(C2, C8), scale_down_delay=30.0,
            node_start_timeout=60.0, finalizers=(),
        )  # fmt: skip
        self.world.put(view)

    def make_queue(self, name: str, environments: tuple[str, ...], priority: int) -> None:
        self.world.put(Queue(name=name, environments=environments, priority=priority))

    def define(self, generation: int) -> None:
        body = {
            "metadata": {"name": "defined", "namespace": "default", "generation": generation},
            "spec": {"template": template(), "retry": {"attempts": 2}},
        }
        known = self.world.tables[Definition].get(("default", "defined"))
        self.world.put(msgspec.structs.replace(parse.definition(body), uid=known.uid if known else ""))

    def submit(self, name: str, spec: JobSpec) -> None:
        if spec.nodes:  # so that every queue has room for all of them
            spec = replace(spec, array=None, sequential=False, defined=False, cpu=min(spec.cpu, 2))
        retry: dict[str, Any] = {"attempts": spec.attempts}
        if spec.backoff:
            retry["backoff"] = {"initialSeconds": spec.backoff}
        if spec.grows:
            retry["onOutOfMemory"] = {"memoryFactor": "2"}
        source: dict[str, Any] = {"definition": {"name": "defined"}} if spec.defined else {
            "template": template(str(spec.cpu), spec.memory), "retry": retry,
        }  # fmt: skip
        if spec.nodes:
            source["multiNode"] = {"nodes": spec.nodes, "mainNode": min(1, spec.nodes - 1)}
        timeout = {"timeout": {"attemptDurationSeconds": spec.timeout}} if spec.timeout else {}
        array = {"array": {"size": spec.array, "tolerateFailures": spec.tolerate}} if spec.array else {}
        if spec.array and spec.concurrent:
            array["array"]["maxConcurrent"] = spec.concurrent
        depends = {"dependsOn": needs} if (needs := self._needs(name, spec)) else {}
        takes = [("licence", spec.licences), ("token", spec.tokens)]
        consumables = [{"name": what, "quantity": quantity} for what, quantity in takes if quantity]
        more = {**timeout, **array, **depends, "consumables": consumables}
        body = job_body(name, queue=spec.queue, priority=spec.priority, **source, **more)
        if spec.share:
            body["spec"]["share"] = spec.share
        view = parse.job(body)
        view = msgspec.structs.replace(
            view, uid="", created=math.floor(self.world.now),
            spec=msgspec.structs.replace(view.spec, ttl_seconds_after_finished=spec.ttl),
        )  # fmt: skip
        self.world.programs[name] = PROGRAMS[spec.program]
        self.world.put(view)

    def _needs(self, name: str, spec: JobSpec) -> list[dict[str, Any]]:
        names = [*self.world.programs, name, f"j{len(self.world.programs) + 1}"]
        found: list[dict[str, Any]] = [{"array": "Sequential"}] if spec.array and spec.sequential else []
        for need in spec.needs:
            if need.back < len(names) - 1:
                array = {"array": need.array} if need.array and spec.array else {}
                found.append({"job": names[-2 - need.back], "when": need.when, **array})
        return found

    def change(self, kind: type[View], name: object, **fields: Any) -> None:
        """Change an object's spec."""
        view = self.world.tables[kind].get(name)
        if view is not None:
            generation = {"generation": view.generation + 1} if hasattr(view, "generation") else {}
            self.world.put(msgspec.structs.replace(view, **generation, **fields))

    def stop(self, name: str, mode: str) -> None:
        view = self.world.tables[Job].get(("default", name))
        if view is not None:
            self.stopped.add(name)
            self.change(Job, ("default", name), spec=msgspec.structs.replace(view.spec, stop=Stop(mode=mode)))

    def stop_children(self, name: str, indexes: str) -> None:
        view = self.world.tables[Job].get(("default", name))
        if view is not None and view.spec.array is not None and (view.spec.stop is None or view.spec.stop.indexes):
            self.stopped.add(name)
            stop = Stop(mode="Terminate", indexes=indexes)
            self.change(Job, ("default", name), spec=msgspec.structs.replace(view.spec, stop=stop))

    def widen(self, name: str, concurrent: int | None) -> None:
        """Change how many children of an array may live at a time."""
        view = self.world.tables[Job].get(("default", name))
        if view is not None and view.spec.array is not None:
            array = msgspec.structs.replace(view.spec.array, max_concurrent=concurrent)
            self.change(Job, ("default", name), spec=msgspec.structs.replace(view.spec, array=array))

    # What happens to machines

    def interrupt(self, index: int, notice: float) -> None:
        for name in sorted(self.world.machines)[index : index + 1]:
            truth = self.world.machines[name]
            truth.state, truth.ends = MachineState.Interrupted, self.world.now + notice
            self.disturbed = True

    def renew(self, name: str, made_from: str, grace: float) -> None:
        """Change what the nodes of an environment are made from."""
        self.disturbed = True
        self.change(Environment, name, configurations={"c2": made_from, "c8": made_from}, update_grace=grace)

    def vanish(self, index: int) -> None:
        for name in sorted(self.world.machines)[index : index + 1]:
            self.world.vanish(name)
            self.disturbed = True

    def fail(self, index: int) -> None:
        for name in sorted(self.world.machines)[index : index + 1]:
            self.world.machines[name].state = MachineState.Failed
            self.disturbed = True

    def taint(self, index: int) -> None:
        for name in sorted(self.world.machines)[index : index + 1]:
            node = self.world.tables[Node].get(name)
            if node is not None:
                self.disturbed = True
                self.world.put(msgspec.structs.replace(node, taints=(*node.taints, Taint(INTERRUPTED))))

    def trade(self, factor: float) -> None:
        """Let prices move: here they stand in the spec."""

    # The operator's life

    def restart(self) -> None:
        self.lives += 1
        self.operator = Operator(self.world, self.faults)

    def beat(self) -> Plan:
        """Let the operator hear what reaches it, decide once and write; should it die, another begins."""
        try:
            for kind in KINDS:
                self.operator.hear(kind, self.lagging.get(kind, 10**9), back=2)
                self._end_what_lags(kind)
            self.operator.look()
            plan = self.operator.cycle()
            self.operator.flush(self.slow)
        except CrashError:
            self.restart()
            return Plan(wake=self.world.now)
        return plan

    def _end_what_lags(self, kind: type[View]) -> None:
        """A watch that has brought nothing for long is taken for dead, and all is listed anew (kube/watch.py)."""
        if self.operator.seen[kind] == len(self.world.log[kind]):
            self.behind.pop(kind, None)
        elif self.world.now >= self.behind.setdefault(kind, self.world.now) + SILENT_WATCH:
            self.operator.list(kind)
            self.behind.pop(kind, None)

    def advance(self, seconds: float) -> None:
        """Let time pass with the operator at work."""
        end = self.world.now + seconds
        while self.world.now < end:
            plan = self.beat()
            wake = end if plan.wake is None else max(plan.wake, self.world.now + 0.2)
            self.world.to(min(end, wake) if not plan.verbs else min(end, self.world.now + 0.2))

    def calm(self) -> None:
        """End all faults, give everybody what they wait for, and wait until all jobs have ended."""
        self.repair()
        self.persist()

    def persist(self) -> None:
        """Wait until all jobs have ended and all machines are gone, whatever writes may fail."""
        self._end_the_endless()
        listed = -1  # how many writes there had been at the last list
        end = self.world.now + HORIZON
        while self.world.now < end:
            self._make_environments()  # one that was being deleted is gone only now
            plan = self._rest()
            if self.done() and not plan.verbs and (plan.wake or math.inf) > self.world.now + 3:
                if listed == self.faults.count:
                    return
                listed = self.faults.count  # what it brings to light is written, and that may fail as well
                self._list_again()
                continue
            due = [plan.wake or math.inf, *self.world._due(), *([self.world.now + 1] if plan.verbs else [])]
            assert min(due) < math.inf, f"nothing will ever happen again: {self.waiting()}"
            self.world.to(max(min(due), self.world.now + 0.01))
        raise AssertionError(f"not done in time: {self.waiting()}; machines: {sorted(self.world.machines)}")

    def _list_again(self) -> None:
        """The slow full list, which finds what a watch or a lost write has missed."""
        for kind in KINDS:
            self.operator.list(kind)

    def _rest(self) -> Plan:
        while True:
            try:
                return list(settled(self.operator))[-1]
            except CrashError:
                self.restart()

    def repair(self) -> None:
        self.faults.at.clear()
        self.lagging.clear()
        self.slow = 10**9
        self.world.stillborn = self.world.no_stock = 0
        self._rest()
        self._make_environments()
        self.change(Consumable, "licence", total=LICENCES)
        self.change(Consumable, "token", total=TOKENS)
        for view in self.world.all(Environment):
            if view.state != "Enabled":
                self.change(Environment, view.name, state="Enabled")
        for name, environments in (("both", ("spot", "od")), ("od", ("od",))):
            if name in self.world.tables[Queue]:
                self.change(Queue, name, state="Enabled", budgets=())
            else:
                self.make_queue(name, environments, 1)

    def _end_the_endless(self) -> None:
        for view in self.world.all(Job):
            if (
                self.world.programs[view.name].seconds > 10_000
                and not view.spec.timeout
                and not view.status.phase.final
            ):
                self.stop(view.name, "Terminate")
            elif not view.status.phase.final and self._waits_in_vain(view):
                self.stop(view.name, "Cancel")

    def _waits_in_vain(self, job: Job) -> bool:
        """Say whether a job waits for one that nobody has submitted, or that somebody has deleted."""
        kept = {name for view in self.world.all(Outcomes) for name in view.texts}
        there = {view.name for view in self.world.all(Job)} | kept
        return any(need.job and need.job not in there for need in job.spec.depends_on)

    def done(self) -> bool:
        return not self.waiting() and not self.world.machines and not self.world.tables[Node]

    def waiting(self) -> dict[str, str]:
        return {
            view.name: f"{view.status.phase}/{view.status.reason}: {view.status.message}"
            for view in self.world.all(Job)
            if not view.status.phase.final
        }

    def outcomes(self) -> dict[str, tuple[Any, ...]]:
        """Return how every job ended."""
        return {
            view.name: (
                str(view.status.phase), view.status.reason,
                [(a.number, a.reason, a.exit_code, a.counted) for a in view.status.attempts],
                (view.status.array.succeeded, view.status.array.failed) if view.status.array else None,
            )
            for view in self.world.all(Job)
        }  # fmt: skip

    def check_the_end(self) -> None:
        """Assert that all is at rest: nothing to do now, nor for an operator that begins anew; no live pods are left."""  # noqa: E501
        assert not [pod.name for pod in self.world.all(Pod) if not pod.final]
        assert not self.operator.plan().verbs
        self.restart()
        # What an environment says of machines that failed it is known to one life of the operator only.
        found = [verb for verb in self.operator.plan().verbs if not isinstance(verb, Report)]
        assert not found, f"a restart finds work in a settled world: {found[:3]}"
        for job in self.world.all(Job):
            self.check_outcome(job)
        self.check_stock()

    def check_stock(self) -> None:
        """Nothing is held, and what is used up was counted once; of pods that vanished unseen nobody can say so."""
        for view in self.world.all(Consumable):
            status, spent = view.status, self.world.spent[view.name]
            assert (status["inUse"], status["waiting"], status.get("taking") or {}) == (0, 0, {}), status
            assert status.get("consumed", 0) <= spent, f"{view.name}: {status} though {spent} were used up"
            if not self.disturbed and not self.deleted:
                assert status.get("consumed", 0) == spent, f"{view.name}: {status} though {spent} were used up"

    def check_outcome(self, job: Job) -> None:
        status, program = job.status, self.world.programs[job.name]
        if job.spec.depends_on and self._ended_by_others(job):
            return
        if job.spec.array is not None:
            self._check_array(job, job.spec.array.size)
            return
        assert all(attempt.ended for attempt in status.attempts)
        assert (status.phase == "Succeeded") == (job.uid in self.world.ran_well), f"{job.name}: {status}"
        certain = program in (PROGRAMS["short"], PROGRAMS["long"]) and job.name not in self.stopped
        if certain and not (program is PROGRAMS["long"] and job.spec.timeout):
            assert status.phase == "Succeeded", f"{job.name}: {status.reason}: {status.message}"
        if not self.disturbed and job.name not in self.stopped:
            assert all(attempt.counted for attempt in status.attempts), f"{job.name}: {status.attempts}"

    def _ended_by_others(self, job: Job) -> bool:
        """Say whether a job never started because of those it waits for; it must be so if one of them ended wrongly."""
        whole = [need for need in job.spec.depends_on if need.job and not need.array]
        ends = [(need.when, self.world.ended[need.job].phase) for need in whole if need.job in self.world.ended]
        doomed = any(when not in ("Finished", phase) for when, phase in ends)
        by_others = job.status.reason in ("DependencyFailed", "DependencyCycle", "InvalidDependency")
        paired = any(need.array for need in job.spec.depends_on)
        by_pairs = paired and job.status.phase == "Failed" and not self.world.runs.get(job.name)  # sooner than the rest
        if job.name not in self.stopped:
            assert by_others or by_pairs or not doomed, f"{job.name}: {ends}, {job.status}"
        if job.status.reason == "DependencyFailed" and not paired:
            assert doomed, f"{job.name}: {ends}, {job.status}"
        if by_others and not paired:
            assert not self.world.runs.get(job.name), f"{job.name} ran and failed with {job.status.reason}"
        return by_others

    def _check_array(self, job: Job, size: int) -> None:
        """Every child has ended, well if and only if its program did; the whole accordingly."""
        status, array = job.status, job.status.array
        if array is None:
            assert status.phase == "Failed", status
            return
        succeeded, failed = indexes.parse(array.succeeded), indexes.parse(array.failed)
        assert succeeded ^ failed == indexes.full(size), f"{job.name}: {array}"
        ran_well = indexes.gather((i for i in range(size) if f"{job.uid}:{i}" in self.world.ran_well), size)
        assert succeeded == ran_well, f"{job.name}: {array.succeeded} are said to have run well"
        assert array.counts["succeeded"] == succeeded.bit_count()
        assert not array.running
        assert not array.retried
        certain = self.world.programs[job.name] is PROGRAMS["short"] and job.name not in self.stopped
        assert not (certain and failed), f"{job.name}: {array.failed} failed: {status.message}"
        if job.name not in self.stopped:
            allowed = tolerated(job, size)
            assert (status.phase == "Succeeded") == (failed.bit_count() <= allowed), f"{job.name}: {status}"
        kept = sum(1 for pod in self.world.all(Pod) if pod.job == job.uid)
        assert kept <= 100 + 99, f"{job.name} keeps {kept} pods"
