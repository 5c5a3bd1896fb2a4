"""How each provider is built: what it needs of the API server is handed to it as functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from batchyard.engine.fleet import Build
from batchyard.engine.objects import Kind, complaints
from batchyard.kube.paths import CLUSTER_API, KARPENTER, collection, core
from batchyard.kube.session import ApiError, Session, UnreachableError
from batchyard.pools.base import Provider, ProviderError
from batchyard.pools.clusterapi import ClusterApiProvider, Kinds
from batchyard.pools.docker import Credentials, DockerProvider
from batchyard.pools.ec2 import Ec2Provider
from batchyard.pools.karpenter import KarpenterProvider
from batchyard.pools.objects import Objects
from batchyard.pools.simulated import Nodes, SimulatedProvider

BOOTSTRAPPER = "batchyard-node-bootstrapper"  # the ServiceAccount whose token may only ask for a node certificate
TOKEN_SECONDS = 600


SettingsOf = Callable[[str], Iterable[Mapping[str, Any]]]  # provider -> its settings in all environments


def builds(session: Session, namespace: str, settings_of: SettingsOf, off: Collection[str] = ()) -> Mapping[str, Build]:
    """Return how to build each provider that this operator may use; `off` are those that it may not."""

    async def simulated() -> Provider:
        return SimulatedProvider(nodes(session))

    async def docker() -> Provider:
        cluster = await cluster_id(session)
        return DockerProvider(cluster, lambda: bootstrap(session, namespace))

    async def ec2() -> Provider:
        return Ec2Provider(await cluster_id(session), lambda: settings_of("ec2"))

    async def karpenter() -> Provider:
        path = collection(KARPENTER, "nodeclaims")
        claims = Kind(session, path, "Karpenter", "providers.karpenter.enabled=true").functions()
        return KarpenterProvider(claims, lambda name: complaints(session, name))

    async def cluster_api() -> Provider:
        nodes = Kind(session, core("nodes"), "Kubernetes", "providers.clusterAPI.enabled=true").functions()
        return ClusterApiProvider(lambda where: machinery(session, where), nodes, lambda: settings_of("clusterAPI"))

    every = {"docker": docker, "simulated": simulated, "ec2": ec2, "karpenter": karpenter, "clusterAPI": cluster_api}
    return {kind: build for kind, build in every.items() if kind not in off}


def machinery(session: Session, namespace: str) -> Kinds:
    """Return the kinds of Cluster API in a namespace."""

    def kind(resource: str) -> Objects:
        switch = f"providers.clusterAPI.enabled=true with {namespace!r} in providers.clusterAPI.namespaces"
        return Kind(session, collection(CLUSTER_API, resource, namespace), "Cluster API", switch).functions()

    return Kinds(kind("machinesets"), kind("machines"), kind("machinedeployments"))


async def cluster_id(session: Session) -> str:
    """Return the uid of kube-system, which tells clusters apart."""
    try:
        body = await session.get_json(core("namespaces", name="kube-system"))
    except (ApiError, UnreachableError) as error:
        raise ProviderError(f"the cluster's identity cannot be read: {error}") from error
    return str(body["metadata"]["uid"])


async def bootstrap(session: Session, namespace: str) -> Credentials:
    """Mint a brief token of the bootstrapper's ServiceAccount: no node sees the operator's own."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    path = core("serviceaccounts", namespace, BOOTSTRAPPER, "token")
    answer = await _ask(session, "POST", path, orjson.dumps(body))
    token = orjson.loads(answer)["status"]["token"]
    ca = session.credentials.ca_pem.decode()
    return Credentials(server=session.credentials.server, ca=ca, token=token)


def nodes(session: Session) -> Nodes:
    """Return the node functions of the simulated provider."""

    async def listed(selector: str) -> Sequence[Mapping[str, Any]]:
        try:
            return (await session.list(core("nodes"), dict[str, Any], {"labelSelector": selector})).items
        except (ApiError, UnreachableError) as error:
            raise ProviderError(f"nodes cannot be listed: {error}") from error

    async def create(body: Mapping[str, Any]) -> None:
        await _ask(session, "POST", core("nodes"), orjson.dumps(body), also=409)

    async def delete(name: str) -> None:
        await _ask(session, "DELETE", core("nodes", name=name), None, also=404)

    async def taint(name: str, entry: Mapping[str, str]) -> None:
        try:
            node = await session.get_json(core("nodes", name=name))
        except (ApiError, UnreachableError) as error:
            missing = isinstance(error, ApiError) and error.status.code == 404
            raise ProviderError(str(error), reason="NotFound" if missing else "ProviderUnavailable") from error
        taints = [t for t in node["spec"].get("taints") or () if t["key"] != entry["key"]] + [entry]
        await _ask(session, "PATCH", core("nodes", name=name), orjson.dumps({"spec": {"taints": taints}}))

    return Nodes(listed, create, delete, taint)


async def _ask(session: Session, method: str, path: str, body: bytes | None, *, also: int = 0) -> bytes:
    try:
        answer = await session.request(method, path, body=body)
    except UnreachableError as error:
        raise ProviderError(str(error)) from error
    if not answer.ok and answer.status != also:
        raise ProviderError(answer.failure().message)
    return answer.body
