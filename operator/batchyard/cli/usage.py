"""What pods use now: from the metrics API where there is one, else from the kubelets' summaries of a few nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Refusal
from batchyard.model.resources import Resources, millicores, whole

NODES = 5  # kubelets that are asked at most: a summary is long
_NANO = 1_000_000  # nanocores in a millicore
_ELSEWHERE = (403, 404, 503)
Name = tuple[str, str]  # namespace, name of a pod


def usage(cluster: Cluster, pods: Iterable[Body]) -> tuple[dict[Name, Resources], str]:
    """Return what these pods use now, and in words where that was read."""
    there = list(pods)
    try:
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{cluster.namespace}/pods"
        found = dict(map(_of_metrics, cluster.json("GET", path)["items"]))
        return found, "the metrics API"
    except Refusal as refused:
        if refused.code not in _ELSEWHERE:
            raise
    nodes = [name for name, _ in Counter(pod["spec"].get("nodeName") for pod in there).most_common(NODES) if name]
    whose = f"the kubelets of {len(nodes)} nodes" if len(nodes) != 1 else f"the kubelet of node {nodes[0]}"
    return dict(_of_kubelets(cluster, nodes)), whose


def _of_metrics(item: Mapping[str, Any]) -> tuple[Name, Resources]:
    used = [container["usage"] for container in item["containers"]]
    cpu = sum(millicores(each.get("cpu", 0)) for each in used)
    return _name(item["metadata"]), Resources(cpu=cpu, memory=sum(whole(each.get("memory", 0)) for each in used))


def _of_kubelets(cluster: Cluster, nodes: Iterable[str]) -> Iterator[tuple[Name, Resources]]:
    for node in nodes:
        try:
            summary = cluster.json("GET", f"/api/v1/nodes/{node}/proxy/stats/summary")
        except Refusal as refused:
            if refused.code not in (404, 500, 502, 503):  # a simulated node has no kubelet, another is just gone
                raise
            continue
        yield from map(_of_summary, summary.get("pods") or ())


def _of_summary(item: Mapping[str, Any]) -> tuple[Name, Resources]:
    containers = item.get("containers") or ()
    nano = sum((each.get("cpu") or {}).get("usageNanoCores") or 0 for each in containers)
    memory = sum((each.get("memory") or {}).get("workingSetBytes") or 0 for each in containers)
    return _name(item["podRef"]), Resources(cpu=-(-nano // _NANO), memory=memory)


def _name(meta: Mapping[str, Any]) -> Name:
    return meta["namespace"], meta["name"]


def highest(one: Mapping[Name, Resources], other: Mapping[Name, Resources]) -> dict[Name, Resources]:
    """Return the larger of two looks, pod by pod."""
    both = one.keys() | other.keys()
    return {name: one.get(name, Resources()).largest(other.get(name, Resources())) for name in both}
