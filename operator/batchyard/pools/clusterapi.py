"""Nodes by Cluster API: every machine is a MachineSet of ours with one replica, owned by nobody (ADR 40)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchyard.model import labels as names
from batchyard.model.machine import LaunchOrder, Machine, MachineState
from batchyard.pools import clusterapi_set as capi
from batchyard.pools.base import ProviderError
from batchyard.pools.clusterapi_complaint import complaint, is_stock_out
from batchyard.pools.clusterapi_machine import (
    by_set,
    is_going,
    is_over,
    is_provisioned,
    machine,
    never_was,
    newest,
    node_ref,
)
from batchyard.pools.objects import Body, Objects, condition

POLL_SECONDS = 0.25  # and then twice that, and again, up to 16 times: a machine takes minutes
LAUNCH_SECONDS = 90.0  # a launch waits for so long for its provider's word, less than the fleet waits for a launch
_OURS = f"{names.PROVIDER}={capi.NAME}"


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of Cluster API in one namespace; of MachineDeployments only `find` is used."""

    sets: Objects
    machines: Objects
    deployments: Objects


class ClusterApiProvider:
    """The four verbs on MachineSets of one; a machine goes by its set's name, and by its node's as soon as it has one.

    `settings` gives all environments' spec.provider.clusterAPI, `nodes` are the Nodes of this cluster.
    """

    def __init__(
        self,
        kinds: Callable[[str], Kinds],
        nodes: Objects,
        settings: Callable[[], Iterable[Mapping[str, Any]]],
        *,
        now: Callable[[], float] = time.time,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._kinds, self._nodes, self._settings = kinds, nodes, settings
        self._now = now
        self._poll_seconds = poll_seconds
        self._known: set[str] = set()  # namespaces; also those whose environment went while we looked
        self._set_of: dict[str, tuple[str, str]] = {}  # node -> namespace and MachineSet, as last observed

    async def observe(self) -> Sequence[Machine]:
        """Return the machines; gives each new node its labels and taints, and tidies up after those that are gone."""
        return [machine for namespace in self._namespaces() for machine in await self._observe(namespace)]

    async def launch(self, order: LaunchOrder) -> None:
        """Make the MachineSet; return when its machine is provisioned, or still on its way after a while."""
        namespace = capi.namespace_of(order.settings)
        self._known.add(namespace)
        kinds = self._kinds(namespace)
        if await kinds.sets.find(order.name) is None:
            await kinds.sets.create(capi.machine_set(order, await _deployment(kinds, order)))
        await self._comes(kinds, order.name)

    async def retire(self, name: str) -> None:
        """Delete the MachineSet, which goes when its Machine is gone; what is left on the node is not waited for."""
        place = await self._find(name)
        if place is None:
            return
        kinds, found = place
        await _end(kinds, found)
        for pause in self._pauses():
            now = await kinds.sets.find(found["metadata"]["name"])
            if now is None or now["metadata"]["uid"] != found["metadata"]["uid"]:
                return
            await asyncio.sleep(pause)

    async def interrupt(self, name: str, notice_seconds: float) -> None:
        """Note on the MachineSet when it is to go: jobs are told, and a look after that moment ends the machine."""
        place = await self._find(name)
        if place is None:
            raise ProviderError(f"there is no machine {name}", reason="NotFound")
        kinds, found = place
        if not capi.annotation(found, names.DEADLINE):
            notice = {names.DEADLINE: f"{self._now() + notice_seconds:.3f}", capi.CLOSED: "true"}
            await kinds.sets.merge(found["metadata"]["name"], {"metadata": {"annotations": notice}})

    async def _observe(self, namespace: str) -> list[Machine]:
        kinds = self._kinds(namespace)
        sets = [found for found in await kinds.sets.listed(_OURS) if capi.is_ours(found)]
        machines = by_set(await kinds.machines.listed(_OURS)) if sets else {}
        seen = []
        for found in sets:
            its = machines.get(found["metadata"]["name"])
            if its is None and capi.annotation(found, capi.CLOSED) and not capi.is_deleting(found):
                await self._tidy(kinds, found)
                continue
            if is_over(found, its, self._now()):
                await _end(kinds, found)
            if not never_was(found, its):
                seen.append(await self._look(kinds, found, its))
        others = {node: place for node, place in self._set_of.items() if place[0] != namespace}
        self._set_of = others | {machine.name: (namespace, machine.ordered_as) for machine in seen}
        return seen

    async def _look(self, kinds: Kinds, found: Body, its: Body | None) -> Machine:
        """Return a machine; its new node gets our labels and taints before anybody hears of it."""
        name = node_ref(its)
        if not name or capi.annotation(found, capi.NODE) or is_going(found, its):
            return machine(found, its)
        node = await self._nodes.find(name)
        if node is None:
            elsewhere = f"its node {name} is not in this cluster, which the MachineDeployment's clusterName is to be"
            return replace(machine(found, its), state=MachineState.Failed, message=elsewhere)
        try:
            await self._nodes.merge(name, capi.dressed(found, node))
        except ProviderError as error:
            if error.reason != "Conflict":
                raise
            return machine(found, its)  # somebody has written the Node meanwhile: once more at the next look
        known = {"metadata": {"annotations": {capi.NODE: name, capi.CLOSED: "true"}}}
        await kinds.sets.merge(found["metadata"]["name"], known)
        return machine(found, its, name)

    async def _tidy(self, kinds: Kinds, found: Body) -> None:
        """Delete what a machine leaves: its MachineSet, and its Node, which not every Cluster is rid of by itself.

        Machines may be named by their addresses: another one's Node of that name is let alone.
        """
        node, own = capi.annotation(found, capi.NODE), found["metadata"]["name"]
        body = await self._nodes.find(node) if node else None
        if body is not None and capi.annotation(body, capi.OWNER_NAME) == own:
            await self._nodes.delete(node)
        await kinds.sets.delete(own)

    async def _comes(self, kinds: Kinds, name: str) -> None:
        due = time.monotonic() + LAUNCH_SECONDS
        for pause in self._pauses():
            its = newest(await kinds.machines.listed(f"{capi.SET_NAME}={name}"))
            if its is not None and is_provisioned(its):
                return
            found = await kinds.sets.find(name)
            if found is None or capi.is_deleting(found):
                raise ProviderError(f"{name} was deleted before it was launched")
            if said := complaint(found, its):
                await _give_up(kinds, name, said)
            if time.monotonic() > due:
                return
            await asyncio.sleep(pause)

    async def _find(self, name: str) -> tuple[Kinds, Body] | None:
        known = self._set_of.get(name)
        for namespace, own in [known] if known else [(namespace, name) for namespace in self._namespaces()]:
            found = await self._kinds(namespace).sets.find(own)
            if found is not None:
                return (self._kinds(namespace), found) if capi.is_ours(found) else None
        for namespace in self._namespaces():
            for found in await self._kinds(namespace).sets.listed(_OURS):
                if capi.is_ours(found) and capi.annotation(found, capi.NODE) == name:
                    return self._kinds(namespace), found
        return None

    def _namespaces(self) -> list[str]:
        self._known |= {capi.namespace_of(settings) for settings in self._settings()}
        return sorted(self._known)

    def _pauses(self) -> Iterator[float]:
        pause = self._poll_seconds
        while True:
            yield pause
            pause = min(2 * pause, 16 * self._poll_seconds)


async def _deployment(kinds: Kinds, order: LaunchOrder) -> Body:
    name, namespace = capi.deployment_name(order), capi.namespace_of(order.settings)
    found = await kinds.deployments.find(name)
    if found is None:
        raise ProviderError(
            f"there is no MachineDeployment {name} in namespace {namespace} for shape {order.shape.name}; create it "
            "with replicas: 0, or name another in spec.provider.clusterAPI.machineDeployments"
        )
    paused = condition(found, "Paused")
    if paused["status"] == "True":  # a MachineSet that is made now could not even be deleted
        raise ProviderError(f"MachineDeployment {name} is paused: {paused.get('message', '')}")
    return found


async def _give_up(kinds: Kinds, name: str, said: str) -> None:
    if not is_stock_out(said):
        raise ProviderError(said)
    await kinds.sets.delete(name)  # its provider would go on trying, and nobody waits for it any more
    raise ProviderError(said, reason="InsufficientCapacity")


async def _end(kinds: Kinds, found: Body) -> None:
    """Delete a MachineSet, with a word to its Machine that nothing on the node is waited for."""
    at_once = {"metadata": {"annotations": {capi.NO_DRAIN: "true", capi.NO_DETACH: "true"}}}
    name = found["metadata"]["name"]
    for its in await kinds.machines.listed(f"{capi.SET_NAME}={name}"):
        await kinds.machines.merge(its["metadata"]["name"], at_once)
    await kinds.sets.delete(name)
