"""Nodes that are containers on one docker engine, each with a real kubelet: elasticity on a laptop and in CI."""

from __future__ import annotations

import dataclasses
import functools
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import docker.errors

from batchyard.model.resources import Resources
from batchyard.pools import docker_container as containers
from batchyard.pools.base import LaunchOrder, Machine, MachineState, ProviderError
from batchyard.pools.docker_container import CLUSTER, GONE_AT, NODE, SLOT, Options
from batchyard.pools.docker_engine import Engine
from batchyard.pools.docker_files import SLOTS, Credentials, Mint, archive
from batchyard.pools.docker_network import is_reachable, server_inside

__all__ = ["Credentials", "DockerProvider", "Mint"]

IMAGES = Path(os.environ.get("BATCHYARD_CACHE") or Path.home() / ".cache/batchyard") / "images"
SECONDS_TO_DIE = 20.0
SECONDS_TO_APPEAR = 3.0


class DockerProvider:
    """The four verbs on docker; `cluster` is the uid of kube-system; all that is known stands in labels on the engine.

    `mint` gives each new machine short-lived credentials that are good for a certificate request only; a caller that
    launches nothing needs none.
    """

    def __init__(
        self,
        cluster: str,
        mint: Mint | None = None,
        *,
        engine: Engine | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._mint = mint
        self._engine = engine or Engine()
        self._now = now
        self._host: Resources | None = None
        self._placing = threading.Lock()

    async def observe(self) -> Sequence[Machine]:
        """Every machine of this cluster; a reclaimed one is cleared away and absent, a dead one has its last words."""
        return await self._engine.call(self._observe)

    async def launch(self, order: LaunchOrder) -> None:
        """Makes and starts the node; returns once its kubelet has been started, not when the node is Ready."""
        options = _options(order.settings)
        host = await self._size()
        containers.check_shape(order, host)
        if self._mint is None:
            raise ProviderError("this provider was given no credentials for new machines")
        existing = await self._engine.call(functools.partial(self._find, name=order.name))
        if existing is not None and existing["State"] != "created":
            return
        credentials = await self._reachable(await self._mint(), options.network)
        create = functools.partial(self._create, order=order, options=options, host=host)
        container = await self._engine.call(create)
        if container["State"] == "created":
            files = archive(order, host, containers.place(container, options), credentials)
            await self._engine.call(lambda client: _start(client, container["Id"], files))

    async def retire(self, name: str) -> None:
        """Kills and removes the node with its volumes; on return no process of it is left."""
        await self._engine.call(functools.partial(self._retire, name=name))

    async def interrupt(self, name: str, notice_seconds: float) -> None:
        """Gives notice, which survives a restart of ours, and lets the node kill itself when the notice is over."""
        await self._engine.call(functools.partial(self._interrupt, name=name, notice_seconds=notice_seconds))

    async def _reachable(self, credentials: Credentials, network: str) -> Credentials:
        if is_reachable(credentials.server, network):
            return credentials
        neighbours = await self._engine.call(lambda client: client.api.containers(filters={"network": network}))
        return dataclasses.replace(credentials, server=server_inside(credentials.server, network, neighbours))

    async def _size(self) -> Resources:
        if self._host is None:
            self._host = await self._engine.call(_host)
        return self._host

    def _observe(self, client: docker.DockerClient) -> list[Machine]:
        notices = self._notices(client)
        machines = []
        for container in self._list(client):
            name = container["Labels"][NODE]
            machine = containers.machine(container, interrupted=name in notices, now=self._now())
            machine = dataclasses.replace(machine, gone_at=notices.get(name))
            if machine.state is not MachineState.Failed:
                machines.append(machine)
            elif name in notices:
                self._retire(client, name)
            else:
                machines.append(_with_last_words(client, machine, container["Id"]))
        return machines

    def _list(self, client: docker.DockerClient, *more: str) -> list[Mapping[str, Any]]:
        wanted = [f"{CLUSTER}={self._cluster}", *more]
        return client.api.containers(all=True, filters={"label": wanted})  # type: ignore[no-any-return]

    def _find(self, client: docker.DockerClient, name: str) -> Mapping[str, Any] | None:
        return next(iter(self._list(client, f"{NODE}={name}")), None)

    def _create(
        self, client: docker.DockerClient, order: LaunchOrder, options: Options, host: Resources
    ) -> Mapping[str, Any]:
        # In the thread and not around it: a call that came too late for its caller still holds the place it took.
        with self._placing:
            if self._find(client, order.name) is None:
                self._place(client, order, containers.creation(order, options, host))
        # A name is taken before its container can be listed.
        deadline = time.monotonic() + SECONDS_TO_APPEAR
        while (made := self._find(client, order.name)) is None:
            if time.monotonic() > deadline:
                raise ProviderError(f"docker has a container named {order.name} that is not of this cluster")
            time.sleep(0.05)
        return made

    def _place(self, client: docker.DockerClient, order: LaunchOrder, creation: Mapping[str, Any]) -> None:
        slot = containers.free_slot(client.api.containers(all=True, filters={"label": SLOT}), SLOTS, order.name)
        labels = containers.labels(order, self._cluster, slot, self._now())
        self._forget_notice(client, order.name)
        try:
            client.containers.create(**creation, labels=labels)
        except docker.errors.APIError as error:
            if error.status_code != 409:  # 409: somebody else took the name; whether it is ours is asked next
                raise

    def _retire(self, client: docker.DockerClient, name: str) -> None:
        for container in self._list(client, f"{NODE}={name}"):
            _remove(client, container["Id"])
        self._forget_notice(client, name)

    def _forget_notice(self, client: docker.DockerClient, name: str) -> None:
        if name in self._notices(client):
            client.api.remove_volume(_notice(name), force=True)

    def _notices(self, client: docker.DockerClient) -> dict[str, float | None]:
        """The nodes with a notice, and when each will be gone; None where an older operator gave it."""
        volumes = client.api.volumes(filters={"label": f"{CLUSTER}={self._cluster}"})["Volumes"] or []
        return {volume["Labels"][NODE]: _number(volume["Labels"].get(GONE_AT)) for volume in volumes}

    def _interrupt(self, client: docker.DockerClient, name: str, notice_seconds: float) -> None:
        container = self._find(client, name)
        if container is None or container["State"] != "running":
            raise ProviderError(f"no docker node {name} is running in this cluster", reason="NotFound")
        # An empty volume is the one thing on an engine that is labelled, made atomically, and may be made twice.
        labels = {CLUSTER: self._cluster, NODE: name, GONE_AT: f"{self._now() + notice_seconds:.3f}"}
        client.api.create_volume(_notice(name), labels=labels)
        command = ["batchyard-reclaim", f"{notice_seconds:g}"]
        client.api.exec_start(client.api.exec_create(container["Id"], command)["Id"], detach=True)


def _options(settings: Mapping[str, Any]) -> Options:
    given = {key: settings[key] for key in ("image", "network") if settings.get(key)}
    named, shared = settings.get("imagesDirectory"), settings.get("sharedVolume")
    # One that is named is on the engine's machine, where an operator in a pod cannot look.
    return Options(images=Path(named) if named else IMAGES if IMAGES.is_dir() else None, shared=shared, **given)


def _host(client: docker.DockerClient) -> Resources:
    info = client.info()
    return Resources(cpu=info["NCPU"] * 1000, memory=info["MemTotal"])


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _notice(name: str) -> str:
    return f"batchyard-notice-{name}"


def _start(client: docker.DockerClient, container: str, files: bytes) -> None:
    client.api.put_archive(container, "/", files)
    client.api.start(container)


def _with_last_words(client: docker.DockerClient, machine: Machine, container: str) -> Machine:
    try:
        log = client.api.logs(container, tail=200).decode(errors="replace")
    except docker.errors.APIError:
        return machine
    words = containers.last_words(log)
    return dataclasses.replace(machine, message=f"{machine.message}; {words}") if words else machine


def _remove(client: docker.DockerClient, container: str) -> None:
    """Removes by force and waits: the engine may say `removal in progress` to the second of two callers."""
    deadline = time.monotonic() + SECONDS_TO_DIE
    while True:
        try:
            client.api.remove_container(container, v=True, force=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if error.status_code != 409 or time.monotonic() > deadline:
                raise
        time.sleep(0.05)
