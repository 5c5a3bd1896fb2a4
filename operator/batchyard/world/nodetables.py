"""The tables of nodes: environments, their machines and nodes, and what a node keeps for itself."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable
from typing import Any

from batchyard.model.labels import CONFIGURATION, INSTANCE_TYPE, NOTICES
from batchyard.model.machine import Machine, MachineState
from batchyard.model.offer import Quotation
from batchyard.model.resources import Resources, total
from batchyard.world.children import CHILDREN
from batchyard.world.machines import Machines
from batchyard.world.notes import Refusal
from batchyard.world.offers import Offers, read_offers, renewed, resolved
from batchyard.world.podtables import PodTables
from batchyard.world.versions import drop, keep
from batchyard.world.views import Environment, Node

_RECLAIMS = 100  # of one instance type whose times are remembered
_FORMER = 10_000  # nodes that are gone whose instance type is remembered


class NodeTables(PodTables):
    """Nodes are the API server's, machines the providers': either may be known first."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[str, Node] = {}
        self.environments: dict[str, Environment] = {}
        self.machines = Machines()
        self.observed_at: dict[str, float] = {}  # provider -> start of its last good observation
        self.provider_problems: dict[str, str] = {}  # provider -> why it cannot be used here
        self.unavailable: dict[tuple[str, str], Refusal] = {}  # (environment, instance type) -> why no machine came
        self.overheads: dict[tuple[str, str], Resources] = {}  # (environment, instance type) -> not for jobs
        self.retiring: dict[str, str] = {}  # machines on their way out -> why
        self.blamed: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=5))  # environment -> failed nodes
        self.seen_ready: set[str] = set()  # nodes that have been Ready
        self.interruptions: Counter[str] = Counter()  # environment -> how many of its nodes ever got one
        self.reclaims: dict[str, tuple[int, float]] = {}  # environment -> interruptions, and when decide saw the latest
        # (environment, instance type) -> when its nodes got one, the latest last
        self.lost: defaultdict[tuple[str, str], deque[float]] = defaultdict(lambda: deque(maxlen=_RECLAIMS))
        # nodes that are gone -> instance type, for their price
        self.former_types: OrderedDict[str, str] = OrderedDict()
        self.paid: OrderedDict[str, str] = OrderedDict()  # nodes, also gone ones -> price of an hour at their launch
        self.offers: dict[str, Offers] = {}  # environment -> what its provider told of its instance types

    def apply_node(self, node: Node) -> None:
        """Take in a node's newest version."""
        old = self.nodes.get(node.name)
        keep(self.nodes, node.name, node)
        if self.nodes[node.name] is not node:
            return
        if old is None and node.name in self.former_types:
            self.noticed.pop(node.name, None)  # another one by the name of one that is gone
        if old is None or (old.taints, old.ready) != (node.taints, node.ready):
            self.touch_node(node.name)
            if any(taint.key in NOTICES for taint in node.taints):
                self._notice(node.name, node.environment, node.labels.get(INSTANCE_TYPE, ""))
        if node.ready:
            self.seen_ready.add(node.name)
        self.learn_overhead(node.name)

    def _notice(self, node: str, environment: str, instance_type: str) -> None:
        # Some controllers announce also the end of a node that we have told them to end.
        if environment and node not in self.noticed and node not in self.retiring:
            self.noticed[node] = None
            if len(self.noticed) > _FORMER:
                self.noticed.popitem(last=False)
            self.interruptions[environment] += 1
            seen = max(self.observed_at.values(), default=0.0)  # providers are looked at every few seconds
            self.lost[environment, instance_type].append(seen)

    def learn_overhead(self, name: str) -> None:
        """Take from a Ready node what its kind keeps for itself and for pods that are not ours (DaemonSets)."""
        node = self.nodes.get(name)
        environment = self.environments.get(node.environment) if node is not None and node.ready else None
        if node is None or environment is None:
            return
        its = node.labels.get(CONFIGURATION)
        if its and environment.configurations.get(node.labels.get(INSTANCE_TYPE, "")) != its:
            return  # of an older configuration: what it lacks of the shape is not overhead
        foreign = total(pod.requests for pod in self.live_on.get(name, {}).values() if not pod.job)
        for shape in environment.shapes:
            if shape.name == node.labels.get(INSTANCE_TYPE):
                self.overheads[environment.name, shape.name] = shape.resources - node.allocatable + foreign

    def apply_environment(self, view: Environment) -> None:
        """Take in an environment's newest version."""
        old = self.environments.get(view.name)
        changed = keep(self.environments, view.name, self._resolved(view) if view.entries else view)
        if changed or (view.entries and old and old.shapes != self.environments[view.name].shapes):
            self.memo.clear()
            for name in [node.name for node in self.nodes.values() if node.environment == view.name]:
                self.learn_overhead(name)

    def _resolved(self, view: Environment) -> Environment:
        """Return an environment with the shapes that its provider offers, as far as it has told or its status has."""
        known = self.offers.get(view.name)
        if known is None or known.uid != view.uid:
            return resolved(view, read_offers(view.status))
        return resolved(view, known.of, known.problems)

    def quote(self, view: Environment, told: Quotation, now: float) -> bool:
        """Take in what a provider told of an environment's instance types; say whether that is news."""
        known = self.offers.get(view.name)
        before = known.of if known is not None and known.uid == view.uid else read_offers(view.status)
        new = Offers(view.uid, renewed(before, told.offers, now), told.problems)
        current = self.environments.get(view.name)
        if new == known or current is None or current.uid != view.uid:
            return False
        self.offers[view.name] = new
        self.apply_environment(current)
        return True

    def remove_node(self, node: Node) -> None:
        """Take in that a node is gone, unless another took its name."""
        if not drop(self.nodes, node.name, node):
            return
        self.former_types[node.name] = node.labels.get(INSTANCE_TYPE, "")
        if len(self.former_types) > _FORMER:
            self.former_types.popitem(last=False)
        self.last_end.pop(node.name, None)
        self.seen_ready.discard(node.name)
        self.refusers.pop(node.name, None)
        self.touch_node(node.name)

    def has_worked(self, name: str) -> bool:
        """Say whether a node was Ready and, if it was given pods of jobs, took up any of them."""
        given = [where for where, pod in self.live_on.get(name, {}).items() if pod.job and pod.uid]
        if name in self.last_end or any(where not in self.unseen for where in given):
            return True
        return name in self.seen_ready and not given

    def touch_node(self, name: str) -> None:
        """Have the jobs on a node looked at again."""
        for pod in self.live_on.get(name, {}).values():
            self.memo.pop(pod.job, None)
            self.memo.pop(pod.job + CHILDREN, None)
        for uid in self.kept_by.get(name, ()):
            self.memo.pop(uid, None)

    def settings_of(self, provider: str) -> list[dict[str, Any]]:
        """Return what the environments of one provider say to it."""
        return [view.settings for view in self.environments.values() if view.provider == provider]

    def observe(self, provider: str, machines: Iterable[Machine], at: float) -> None:
        """Take in all machines of one provider, as they stood at or after `at`; absent ones are gone.

        A machine younger than the observation stays: it was ordered meanwhile.
        """
        seen = {machine.name: machine for machine in machines}
        self.observed_at[provider] = at
        kinds = {name for name, view in self.environments.items() if view.provider == provider}
        for name, machine in list(self.machines.items()):
            if machine.environment in kinds and name not in seen and machine.launched_at < at:
                del self.machines[name]
                self.retiring.pop(name, None)
                self.touch_node(name)
        for name, machine in seen.items():
            if self.machines.get(name) != machine:
                self.machines[name] = machine
                self._pay(machine)
                self.touch_node(name)
                if machine.state is MachineState.Interrupted:
                    self._notice(name, machine.environment, machine.instance_type)
        for name in [name for name in (*self.live_on, *self.kept_by) if name not in self.nodes]:
            self.touch_node(name)

    def _pay(self, machine: Machine) -> None:
        """Remember what an hour of a machine costs for as long as its pods may be asked for their cost."""
        if machine.price_per_hour and self.paid.get(machine.name) != machine.price_per_hour:
            self.paid[machine.name] = machine.price_per_hour
            if len(self.paid) > _FORMER + len(self.machines):
                self.paid.popitem(last=False)

    def retire(self, machine: str, why: str) -> None:
        """Take in that a machine is on its way out: nothing is placed on it any more."""
        self.retiring[machine] = why
        self.touch_node(machine)

    def machines_of(self, environment: str) -> list[Machine]:
        """Return an environment's machines by name; the list is not to be changed."""
        return self.machines.of(environment)
