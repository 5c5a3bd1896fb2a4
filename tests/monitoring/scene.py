"""A run in which everything happens that the dashboards show: waves of jobs, failures, reclaims, refusals, shares."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.lab import Lab, cluster_directory, operator_kubeconfig, sweep
from cluster.operator_process import Operator
from cluster.recorder import PodRun, Recorder
from cluster.rest import Api, Refused, until
from cluster.specs_of_jobs import managed, shape, simulated

_POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
_LICENCES = 3


WAVE_SECONDS = 10


@dataclass(frozen=True)
class Act:
    """Something that is done so many seconds after the beginning."""

    at: float
    do: Callable[[], object]


def _priced(cpu: int) -> dict[str, Any]:
    """An instance type at about what one costs an hour."""
    return {**shape(cpu), "pricePerHour": f"{cpu * 0.05:.2f}", "spotPricePerHour": f"{cpu * 0.02:.2f}"}


@dataclass
class Scene:
    """What is submitted, wave by wave; every random choice follows from the seed."""

    lab: Lab
    chance: random.Random = field(default_factory=lambda: random.Random(6))
    waves: int = 0
    latest: float = 0.0  # when the latest wave began (monotonic)

    def open(self) -> None:
        """Make environments and queues; one environment's machines are refused by whoever rents them."""
        lab = self.lab
        refuse_nodes_of(lab, lab.named("scarce"))
        spot = managed("simulated", [_priced(4), _priced(8)], 12, capacityType="Spot", scaleDownDelaySeconds=15)
        lab.environment("spot", spot)
        lab.environment("on-demand", managed("simulated", [_priced(4)], 8, scaleDownDelaySeconds=15))
        lab.environment("scarce", managed("simulated", [_priced(4)], 8))
        weights = [{"share": "team-a", "weight": 1}, {"share": "team-b", "weight": "0.5"}]
        spec = {"shareDecaySeconds": 120, "shares": weights}
        lab.api.create({"kind": "SchedulingPolicy", "metadata": {"name": lab.named("fair")}, "spec": spec})
        lab.consumable("licence", _LICENCES)
        budget = {"amount": "0.10", "windowSeconds": 3600, "onExceeded": "Notify"}
        lab.queue("batch", "spot", "on-demand", budget=budget)
        shares = [{**budget, "share": "team-a"}]
        lab.queue("teams", "on-demand", schedulingPolicy=lab.named("fair"), priority=5, shareBudgets=shares)
        lab.queue("gpu", "scarce")
        lab.job("stopped", "teams", template=simulated(600_000), share="team-a")
        lab.job("too-large", "batch", template=simulated(cpu="64"))
        lab.job("nowhere", "gpu", template=simulated())

    def wave(self, jobs: int) -> None:
        """Submit so many jobs of all kinds, more or less."""
        self.waves, self.latest = self.waves + 1, time.monotonic()
        self._job(f"w{self.waves}-long", "batch", simulated(15_000))
        for number in range(jobs):
            self._job(f"w{self.waves}-{number}", "batch", simulated(self._lasts()))
        self._job(f"w{self.waves}-fails", "batch", simulated(self._lasts(), exit_code=3), retry={"attempts": 2})
        for team in ("team-a", "team-b"):
            parts = {"array": {"size": 2 + self.chance.randrange(6)}, "share": team}
            self._job(f"w{self.waves}-{team}", "teams", simulated(self._lasts()), **parts)
        for number in range(2):
            use = {"consumables": [{"name": self.lab.named("licence"), "quantity": 1}]}
            self._job(f"w{self.waves}-licensed-{number}", "batch", simulated(self._lasts()), **use)

    def acts(self, seconds: float) -> Iterator[Act]:
        """Yield what happens in so many seconds: waves that swell and ebb, reclaims now and then, one user's stop."""
        for number in range(int(seconds / WAVE_SECONDS)):
            at = number * WAVE_SECONDS
            jobs = 40 if (at // 60) % 2 == 0 else 5
            yield Act(at, lambda jobs=jobs: self.wave(jobs + self.chance.randrange(4)))  # type: ignore[misc]
            if number % 4 == 3:
                yield Act(at + 2, self.reclaim)
            if number == 5:
                yield Act(at + 4, self.stop)

    def go_on(self) -> None:
        """Submit another wave, unless the latest is young: what is foreseen is foreseen only where jobs wait.

        Another node is reclaimed too: of a counter whose first value is seen nobody knows that it has grown.
        """
        if time.monotonic() > self.latest + WAVE_SECONDS:
            self.wave(30)
            self.reclaim()

    def stop(self) -> None:
        """Have a job that runs be stopped by its user."""
        until(lambda: any(p.name.startswith("stopped-") and p.phase == "Running" for p in self._pods()), 120)
        self.lab.api.patch("Job", "stopped", {"spec": {"stop": {"mode": "Terminate"}}}, self.lab.namespace)

    def reclaim(self) -> bool:
        """Give the notice to a spot node that has long work before it; say whether there was one."""
        pods = [pod for pod in reversed(self._pods()) if "-long-" in pod.name]
        at_work = [pod.node for pod in pods if pod.phase == "Running" and not pod.over]
        spot = {body["metadata"]["name"]: body for body in self.lab.nodes("spot")}
        node = next((name for name in at_work if name in spot), None)
        if node is not None:
            taints = [*(spot[node]["spec"].get("taints") or ()), _NOTICE]
            self.lab.api.patch("Node", node, {"spec": {"taints": taints}})
        return node is not None

    def _pods(self) -> list[PodRun]:
        return [pod for pod in list(self.lab.recorder.pods.values()) if pod.namespace == self.lab.namespace]

    def _job(self, name: str, queue: str, template: dict[str, Any], **spec: Any) -> str:
        return self.lab.job(name, queue, template=template, **spec)

    def _lasts(self) -> int:
        """Milliseconds; most jobs are short and a few are long."""
        return int(1000 * min(self.chance.lognormvariate(1.1, 0.7), 20))


_NOTICE = {"key": "batchyard.dev/interrupted", "effect": "NoSchedule"}


def refuse_nodes_of(lab: Lab, environment: str) -> None:
    """Have the API server refuse the nodes of an environment, as a provider that is out of stock refuses machines."""
    label = 'object.metadata.?labels["batchyard.dev/compute-environment"].orValue("")'
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nodes"]}]
    policy = {
        "metadata": {"name": environment},
        "spec": {
            "matchConstraints": {"resourceRules": rules},
            "validations": [
                {"expression": f'{label} != "{environment}"', "message": "no machine of this kind is left"}
            ],
        },
    }
    binding = {"metadata": {"name": environment}, "spec": {"policyName": environment, "validationActions": ["Deny"]}}
    lab.api.call("POST", _POLICIES, policy)
    lab.api.call("POST", _POLICIES.replace("policies", "policybindings"), binding)
    until(lambda: _is_refused(lab, environment), 30)


def _is_refused(lab: Lab, environment: str) -> bool:
    labels = {"batchyard.dev/compute-environment": environment}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": environment, "labels": labels}}
    try:
        lab.api.call("POST", "/api/v1/nodes?dryRun=All", node)
    except Refused:
        return True
    return False


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Yield a scene that is open, with an operator of its own; nothing is left of it."""
    kubeconfig = cluster_directory() / "kubeconfig"
    assert kubeconfig.exists(), "this needs the cluster: run `make cluster kwok` first (make test-dashboards does)"
    api = Api.load(str(kubeconfig))
    operator = Operator(operator_kubeconfig(folder / "kubeconfig"), folder / "operator.log")
    sweep(api)
    recorder = Recorder(api)
    recorder.start()
    lab = Lab(api, f"m{uuid.uuid4().hex[:5]}", operator, recorder, "")
    try:
        operator.start()
        lab.namespace = lab.new_namespace("jobs")
        yield Scene(lab)
        assert operator.complaints() == []
    finally:
        recorder.stop()
        if operator.alive:
            _clear(lab)
            operator.stop()


def _clear(lab: Lab) -> None:
    lab.clear()
    lab.api.delete("SchedulingPolicy", lab.named("fair"))
    for path in (_POLICIES.replace("policies", "policybindings"), _POLICIES):
        with suppress(Refused):  # it was never made
            lab.api.call("DELETE", f"{path}/{lab.named('scarce')}")
