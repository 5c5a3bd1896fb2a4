"""Two operators that contend for one Lease, each with a proxy of its own that writes down what it writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from aiohttp import web

from cluster.lab import Lab
from cluster.operator_process import Operator
from cluster.rest import Refused, until
from crash.keeper import Keeper
from crash.own_cluster import OwnCluster
from crash.proxy import MUTATING, Proxy, Road
from crash.trial import Trial, complaints
from crash.witness import Witness

_SKEWED = Path(__file__).parent / "skewed"
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/batchyard-system/leases/batchyard-operator"


@dataclass
class Logbook:
    """Who wrote what, in the order in which it came; renewals of the Lease are no writes."""

    entries: list[tuple[str, str]] = field(default_factory=list)

    def of(self, who: str) -> object:
        async def law(road: Road) -> web.StreamResponse:
            if road.method in MUTATING and not road.is_lease:
                self.entries.append((who, f"{road.method} {road.path}"))
            return await road.go_on()

        return law

    @property
    def turns(self) -> list[str]:
        """The writers, each named once for all that it wrote before another did."""
        whos = [who for who, _ in self.entries]
        return [who for number, who in enumerate(whos) if not number or whos[number - 1] != who]


@dataclass
class Contenders:
    """The first is the trial's; both are kept alive, as a Deployment with two replicas does."""

    trial: Trial
    keepers: dict[str, Keeper]
    logbook: Logbook
    transitions_before: int

    def terms(self, who: str) -> int:
        """How often one has begun to decide."""
        lines = self.keepers[who].operator.lines()
        return sum(1 for line in lines if line.get("event") == "operator runs")

    def lost(self, who: str) -> int:
        lines = self.keepers[who].operator.lines()
        return sum(1 for line in lines if line.get("event") == "leadership lost")

    def dies(self, who: str) -> None:
        """End one as a power cut does, and its node with it: the same pod would have its Lease again at once."""
        self.keepers[who].stop()
        self.keepers[who].operator.kill()

    def comes_again(self, who: str) -> None:
        """Start one that has died; return when it stands by."""
        operator = self.keepers[who].operator
        before = len(operator.lines())
        operator.launch()
        until(lambda: any(line.get("event") == "standing by" for line in operator.lines()[before:]), 30, operator.tail)
        self.keepers[who].watch()

    def lease(self) -> dict[str, dict[str, object]]:
        return self.trial.cluster.api.call("GET", _LEASE)

    def transitions(self) -> int:
        return int(str(self.lease()["spec"].get("leaseTransitions", 0))) - self.transitions_before

    def one_writer_at_a_time(self) -> None:
        """Nobody wrote any more after another had begun to, but by a new term of its own."""
        assert len(self.logbook.turns) <= 1 + self.transitions(), self.logbook.turns


def _vacate(cluster: OwnCluster) -> None:
    """Take the Lease from the operator of the test before, which is surely dead and whose Lease lasts a minute."""
    try:
        cluster.api.call("DELETE", _LEASE)
    except Refused as refused:
        if refused.status != 404:
            raise


@contextmanager
def contenders(cluster: OwnCluster, folder: Path, lease: float, skew: float = 0.0) -> Iterator[Contenders]:
    """The first leads, the second stands by; the second's clock is wrong by `skew` seconds."""
    logbook, keepers, proxies = Logbook(), {}, []
    starts = cluster.starts
    for who, wrong in (("first", 0.0), ("second", skew)):
        proxy = Proxy(cluster.api.host, cluster.api.authority(), logbook.of(who))  # type: ignore[arg-type]
        proxies.append(proxy)
        settings = {"BATCHYARD_LEASE_SECONDS": str(lease), "BATCHYARD_IDENTITY": who, "BATCHYARD_DOCKER": "false"}
        if wrong:
            path = os.pathsep.join([str(_SKEWED), os.environ.get("PYTHONPATH", "")])
            settings |= {"SKEW_SECONDS": str(wrong), "PYTHONPATH": path}
        rights = cluster.rights_by(proxy.start(), folder / f"{who}.kubeconfig")
        keepers[who] = Keeper(Operator(rights, folder / f"{who}.log", settings))
    witness = Witness(cluster.api)
    witness.start()
    first, second = keepers.values()
    lab = Lab(cluster.api, f"l{uuid4().hex[:5]}", first.operator, witness, "")
    try:
        lab.namespace = lab.new_namespace("jobs")
        _vacate(cluster)
        first.start()
        both = Contenders(Trial(cluster, lab, proxies[0], first, witness), keepers, logbook, 0)
        both.transitions_before = both.transitions()
        second.operator.launch()
        until(lambda: "standing by" in second.operator.tail(), 30, second.operator.tail)
        second.watch()
        yield both
        lab.clear()
    finally:
        for keeper in keepers.values():
            keeper.stop()
            if keeper.operator.alive:
                keeper.operator.stop()
        witness.stop()
        for proxy in proxies:
            proxy.stop()
    restarted = cluster.starts > starts
    assert [complaints(keeper.operator, restarted=restarted) for keeper in keepers.values()] == [[], []]
