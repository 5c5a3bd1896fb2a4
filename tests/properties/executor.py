"""An operator without a network: decides, assumes, writes, hears; any write may fail, get lost or be its last."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from rest import forgetful

from batchyard.decide import decide
from batchyard.decide.revise import verdict
from batchyard.decide.settle import judge
from batchyard.model import plan as verbs
from batchyard.model.machine import Machine, MachineState
from batchyard.model.plan import Plan
from batchyard.world import parse
from batchyard.world.assume import assume_remove, assume_report, assume_start, assume_status, assume_stop, restore
from batchyard.world.notes import Refusal
from batchyard.world.outcomes import CONFIGMAP, Outcomes
from batchyard.world.pods import marks
from batchyard.world.store import Store
from batchyard.world.views import (
    Consumable,
    Definition,
    Environment,
    Job,
    Key,
    Node,
    Pod,
    Policy,
    Queue,
    Revision,
    View,
    key,
)
from world import KINDS, World

PLURALS: dict[str, type[View]] = {
    "computeenvironments": Environment, "jobqueues": Queue, "jobdefinitions": Definition,
    "schedulingpolicies": Policy,
    "consumableresources": Consumable,
}  # fmt: skip


def merged(old: Any, patch: Any) -> Any:
    """Return what a JSON merge patch makes of a value (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return patch
    both = {**(old if isinstance(old, Mapping) else {})}
    for name, value in patch.items():
        both[name] = None if value is None else merged(both.get(name), value)
    return {name: value for name, value in both.items() if value is not None}


class CrashError(Exception):
    """The operator died."""


@dataclass
class Write:
    """One request on its way; `send` performs it on the world, `heard(ok)` takes its answer in."""

    send: Callable[[], Any]
    heard: Callable[[Any], None]
    failed: Callable[[], None]


@dataclass
class Faults:
    """What happens to the n-th write: it never arrives (`fail`), its answer does not (`lost`), it arrives `twice`, or
    the operator dies after it (`crash`) or with it (`crash before`).
    """

    at: dict[int, str] = field(default_factory=dict)
    count: int = 0

    def next(self) -> str:
        self.count += 1
        return self.at.get(self.count, "ok")


class Operator:
    """One life of the operator: begins with a full list and a look at the provider."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world, self.faults = world, faults
        self.store = Store()
        self.seen = dict.fromkeys(KINDS, 0)
        self.writes: dict[Hashable, Write] = {}
        self.busy: dict[Hashable, float] = {}
        for kind in KINDS:
            self.list(kind)
        self.look()

    # Hearing

    def list(self, kind: type[View]) -> None:
        self.store.replace(self.store.table(kind), self.world.all(kind), str(self.world.version))
        self.seen[kind] = len(self.world.log[kind])

    def hear(self, kind: type[View], count: int = 10**9, back: int = 0) -> None:
        """Hear of the next changes of a kind; `back` of them not for the first time."""
        log = self.world.log[kind]
        until = min(len(log), self.seen[kind] + count)
        for change, view in log[max(self.seen[kind] - back, 0) : until]:
            if change == "DELETED":
                self.store.remove(view)
            else:
                self.store.apply(view)
        self.seen[kind] = until

    def look(self) -> None:
        """Look at the provider; a launch that is still under way counts as seen."""
        seen = {machine.name: machine for machine in self.world.observe()}
        for key_ in self.writes:
            if isinstance(key_, tuple) and key_[0] == "launch" and key_[1] in self.store.machines:
                seen.setdefault(key_[1], self.store.machines[key_[1]])
        self.store.observe("docker", seen.values(), self.world.now)

    # Deciding

    def cycle(self) -> Plan:
        """Decide and assume; the plan must follow from the snapshot and the time alone."""
        plan = self.plan()
        self.store.noted.update(plan.notes)
        for verb in plan.verbs:
            _CARRY_OUT[type(verb)](self, verb)
        return plan

    def plan(self) -> Plan:
        """Return what is decided, with and without what was remembered, and when asked again."""
        fresh = forgetful(self.store)
        while judge(fresh, self.world.now, most=2):
            pass
        plan = decide(self.store, self.world.now)
        assert decide(self.store, self.world.now) == plan, "asked again, it decides otherwise"
        assert decide(fresh, self.world.now) == plan, "what it remembers changes what it decides"
        self._check_takes(plan)
        for name, taken in self.store.used.items():
            if name in self.store.nodes:
                assert taken.fits(self.store.nodes[name].allocatable), f"{name} is over-committed"
        return plan

    def _check_takes(self, plan: Plan) -> None:
        """What is in use and what starts now is no more than there is."""
        starts = [marks({}, verb.manifest["metadata"].get("annotations") or {}) for verb in plan.verbs
                  if isinstance(verb, verbs.Start)]  # fmt: skip
        taken: Counter[str] = Counter()
        for start in starts:
            taken.update(start["consumables"])
        for name, quantity in taken.items():
            view = self.store.consumables[name]
            assert not view.replenishable or self.store.in_use[name] + quantity <= view.total, f"{name}: {quantity}"

    # Writing

    def flush(self, count: int = 10**9) -> None:
        """Let the oldest writes reach the API server and their answers come back."""
        for where_ in list(self.writes)[:count]:
            write = self.writes.pop(where_, None)
            if write is not None:
                self._perform(write)

    def _perform(self, write: Write) -> None:
        fault = self.faults.next()
        if fault == "crash before":
            raise CrashError
        if fault == "fail":
            write.failed()
            return
        answer = write.send()
        if fault == "twice":
            before = (self.world.version, sorted(self.world.machines))
            write.send()
            assert (self.world.version, sorted(self.world.machines)) == before, "twice is not as once"
        if fault == "crash":
            raise CrashError
        if fault == "lost":
            write.failed()
        else:
            write.heard(answer)

    def _submit(self, where_: Hashable, write: Write) -> None:
        self.writes.pop(where_, None)
        self.writes[where_] = write

    def _rarely(self, where_: Hashable) -> bool:
        if self.busy.get(where_, 0.0) > self.world.now:
            return False
        self.busy[where_] = self.world.now + 5.0
        return True

    def _start(self, verb: verbs.Start) -> None:
        pod = assume_start(self.store, verb, self.world.now)

        def heard(created: Pod | None) -> None:
            there = created or self.world.tables[Pod].get(key(pod))
            if there is not None and there.job == pod.job:
                self.store.apply(there)
                self.store.refusals.pop(verb.job, None)
            else:
                self.store.refusals[verb.job] = Refusal("PodNameTaken", "", self.world.now + 5)
                self.store.retract_pod(key(pod))

        def failed() -> None:  # whether it exists must be seen before another may be made
            there = self.world.tables[Pod].get(key(pod))
            if there is not None and there.job == pod.job:
                self.store.apply(there)
            else:
                self.store.retract_pod(key(pod))

        self._submit(("pod", *key(pod)), Write(lambda: self.world.create_pod(pod), heard, failed))

    def _stop(self, verb: verbs.Stop) -> None:
        assumed = assume_stop(self.store, verb, self.world.now)
        if assumed is None:
            return
        before, order = assumed

        def send() -> bool:
            pod = self.world.tables[Pod].get(key(before))
            if pod is None or pod.uid != verb.uid:
                return False
            self.world.put(msgspec.structs.replace(pod, stop=order))
            return True

        heard = self._told(before)
        self._submit(("pod", *key(before)), Write(send, heard, lambda: restore(self.store, before)))

    def _told(self, before: Pod) -> Callable[[bool], None]:
        def heard(there: bool) -> None:
            if not there:
                self.store.remove(before)

        return heard

    def _remove(self, verb: verbs.Remove) -> None:
        before = assume_remove(self.store, verb, self.world.now)
        if before is not None:
            write = Write(
                lambda: self.world.delete_pod(before, verb.grace),
                self._told(before),
                lambda: restore(self.store, before),
            )
            self._submit(("pod", *key(before)), write)

    def _record(self, verb: verbs.Record) -> None:
        before, status = self.store.jobs[verb.job], assume_status(self.store, verb)

        def send() -> Job | str:
            there, mine = self.world.job(verb.job), self.store.jobs.get(verb.job, before)
            if there is None:
                return "gone"
            if there.version != mine.version:
                return "conflict"
            return self.world.write_status(there, status)

        def heard(answer: Job | str) -> None:
            latest = self.store.settle_status(verb.job, status)
            if isinstance(answer, Job):
                self.store.apply(answer)
                self.store.bury_pods(answer.uid, (a.number for a in answer.status.attempts if a.ended))
            elif answer == "gone":
                self.store.remove_job(verb.job)
            elif latest:
                self._refresh(before)

        def failed() -> None:
            if self.store.settle_status(verb.job, status):
                self._refresh(before)

        self._submit(("job", verb.job), Write(send, heard, failed))

    def _refresh(self, job: Job) -> None:
        def heard(there: Job | None) -> None:
            if there is None:
                self.store.remove_job(job.uid)
            else:
                self.store.apply(there)

        def look() -> None:
            self._submit(("look", job.uid), Write(lambda: self.world.job(job.uid), heard, look))

        look()

    def _purge(self, verb: verbs.Purge) -> None:
        place = (verb.chunk, verb.succeeded)
        if not self._rarely(("purge", verb.job, *place)):
            return
        gone = self.store.purge(verb.job, place)
        phase = "Succeeded" if verb.succeeded else "Failed"

        def settled(left: dict[str, tuple[int, bool]]) -> None:
            self.store.purged(verb.job, place, left)

        send = Write(
            lambda: self.world.delete_pods(verb.job, verb.chunk, phase), lambda _: settled({}), lambda: settled(gone)
        )
        self._submit(("purge", verb.job, *place), send)

    def _forget(self, verb: verbs.Forget) -> None:
        self.store.forgetting(verb.uid, self.world.now)

        def send() -> None:
            job = self.world.job(verb.uid)
            if job is not None:
                assert job.status.phase.final
                text = self.world.tables[Outcomes][CONFIGMAP + job.namespace].texts[job.name]
                assert f'"{job.uid}"' in text, f"{job.name} is forgotten before its outcome is kept"
                self.world.delete_job(job)

        self._submit(("job", verb.uid), Write(send, lambda _: self.store.remove_job(verb.uid), lambda: None))

    def _bury(self, verb: verbs.Bury) -> None:
        name = CONFIGMAP + verb.namespace
        self.store.burials[verb.namespace] = math.inf

        def send() -> Outcomes | None:
            there = self.world.tables[Outcomes].get(name)
            if verb.anew == (there is not None):
                return None
            texts = {**(there.texts if there else {}), **verb.texts}
            return self.world.put(Outcomes(
                name=name, uid=there.uid if there else "", namespace=verb.namespace, owner=verb.owner,
                texts={name: text for name, text in texts.items() if text is not None},
            ))  # fmt: skip

        def heard(view: Outcomes | None) -> None:
            self.store.burials[verb.namespace] = self.world.now + 1
            if view is not None:
                self.store.apply(view)

        def failed() -> None:
            self.store.burials[verb.namespace] = self.world.now + 1

        self._submit(("outcomes", verb.namespace), Write(send, heard, failed))

    def _launch(self, verb: verbs.Launch) -> None:
        order, now = verb.order, self.world.now
        assert order.name not in self.store.machines
        self.store.machines[order.name] = Machine(
            order.name, order.environment, order.shape.name, order.capacity_type, MachineState.Launching, now
        )

        def heard(came: bool) -> None:
            if not came:
                where_ = (order.environment, order.shape.name)
                self.store.unavailable[where_] = Refusal("InsufficientCapacity", "none left", self.world.now + 180)
                self.store.machines.pop(order.name, None)

        self._submit(("launch", order.name), Write(lambda: self.world.launch(order), heard, lambda: None))

    def _retire(self, verb: verbs.Retire) -> None:
        self.store.retire(verb.machine, verb.reason)

        def heard(_: Any) -> None:
            self.store.machines.pop(verb.machine, None)
            self.store.retiring.pop(verb.machine, None)
            self.store.touch_node(verb.machine)
            self._unregister(verbs.Unregister(verb.machine, verb.environment))

        def again() -> None:
            self._submit(("retire", verb.machine), Write(send, heard, again))

        def send() -> None:
            self.world.vanish(verb.machine)

        again()

    def _unregister(self, verb: verbs.Unregister) -> None:
        def send() -> None:
            assert verb.node not in self.world.machines, f"the node of {verb.node}, which runs, is unregistered"
            node = self.world.tables[Node].get(verb.node)
            if node is not None:
                self.world.drop(node)

        if self._rarely(("node", verb.node)):
            self._submit(("node", verb.node), Write(send, lambda _: None, lambda: None))

    def _keep(self, verb: verbs.Keep) -> None:
        def send() -> Revision:
            name = f"{verb.definition}-{verb.uid[:8]}-{verb.number}"
            there = [r for r in self.world.all(Revision) if r.name == name]
            if there:
                return there[0]
            (definition,) = [d for d in self.world.all(Definition) if d.uid == verb.uid]
            return self.world.put(Revision(
                name=name, namespace=verb.namespace, definition=verb.definition, definition_uid=verb.uid,
                number=verb.number, blueprint=parse.blueprint(verb.spec),
                created=definition.created,
            ))  # fmt: skip

        if self._rarely(("keep", verb.uid, verb.number)):
            self._submit(("keep", verb.uid, verb.number), Write(send, self.store.apply, lambda: None))

    def _check(self, verb: verbs.Check) -> None:
        def heard(_: Any) -> None:
            definition = self.store.definitions.get(Key(verb.namespace, verb.definition))
            if definition is not None and definition.uid == verb.uid and definition.generation == verb.number:
                self._report(verdict(definition, "Accepted", "", self.world.now))

        if self._rarely(("check", verb.uid, verb.number)):
            self._submit(("check", verb.uid, verb.number), Write(lambda: None, heard, lambda: None))

    def _report(self, verb: verbs.Report) -> None:
        assume_report(self.store, verb, self.world.now)

        def send() -> View | None:
            view = self._there(verb)
            if view is None or verb.version not in ("", view.version):
                return None
            return self.world.put(msgspec.structs.replace(view, status=merged(view.status, verb.status)))  # type: ignore[attr-defined]

        def heard(written: View | None) -> None:
            if verb.version and written is None:
                look()
            elif verb.version and written is not None:
                self.store.apply(written)

        def look() -> None:
            if verb.version:
                self._submit(("look", verb.uid), Write(lambda: self._there(verb), found, look))

        def found(view: View | None) -> None:
            if view is not None:
                self.store.apply(view)

        self._submit(("status", verb.uid), Write(send, heard, look))

    def _there(self, verb: verbs.Report) -> View | None:
        return next((view for view in self.world.all(PLURALS[verb.plural]) if view.uid == verb.uid), None)

    def _hold(self, verb: verbs.Hold) -> None:
        def send() -> None:
            view = self.world.tables[Environment].get(verb.environment)
            if view is None or view.version != verb.version:
                return
            if view.deleting and not verb.finalizers:
                left = [name for name, truth in self.world.machines.items() if truth.order.environment == view.name]
                assert not left, f"{view.name} goes and leaves {left} behind"
                self.world.drop(view)
            else:
                self.world.put(msgspec.structs.replace(view, finalizers=verb.finalizers))

        if self._rarely(("hold", verb.environment, verb.version)):
            self._submit(("hold", verb.environment, verb.version), Write(send, lambda _: None, lambda: None))

    def _tell(self, verb: verbs.Tell) -> None:
        """Events are nobody's truth."""


_CARRY_OUT: dict[type, Callable[[Operator, Any], None]] = {
    verbs.Start: Operator._start, verbs.Stop: Operator._stop, verbs.Remove: Operator._remove,
    verbs.Record: Operator._record, verbs.Forget: Operator._forget, verbs.Launch: Operator._launch,
    verbs.Purge: Operator._purge,
    verbs.Retire: Operator._retire, verbs.Unregister: Operator._unregister, verbs.Keep: Operator._keep,
    verbs.Check: Operator._check, verbs.Report: Operator._report, verbs.Hold: Operator._hold,
    verbs.Tell: Operator._tell, verbs.Bury: Operator._bury,
}  # fmt: skip
