"""What a pod takes of its node."""

from __future__ import annotations

from functools import lru_cache

from batchyard.model.resources import NOTHING, Resources, read, total
from batchyard.world.raw import Claims, PodSpec, RawContainer


def requests(spec: PodSpec) -> Resources:
    """Return what a pod takes of a node: the sum of its containers, or its largest init container, and overhead.

    What the pod asks for as a whole is never less than that. ValueError names what is no quantity. Source: KEP-753
    (sidecars), KEP-2837 (pod-level resources) and "Resource sharing within containers" of the Kubernetes documentation.
    """
    main = total(_claims(container) for container in spec.containers)
    sidecars, peak = NOTHING, NOTHING
    for container in spec.init_containers or ():
        if container.restart_policy == "Always":
            sidecars = sidecars + _claims(container)
            peak = peak.largest(sidecars)
        else:
            peak = peak.largest(sidecars + _claims(container))
    needed = (main + sidecars).largest(peak)
    if spec.resources:
        needed = needed.largest(_amounts(spec.resources))
    if spec.overhead:
        needed = needed + read(spec.overhead, pods=0).largest(NOTHING)
    return needed + Resources(pods=1)


def _claims(container: RawContainer) -> Resources:
    return _amounts(container.resources)


def _amounts(claims: Claims | None) -> Resources:
    if claims is None or not (claims.requests or claims.limits):
        return NOTHING
    both = {**(claims.limits or {}), **(claims.requests or {})}
    return _read(tuple(sorted(both.items())))


@lru_cache(maxsize=4096)
def _read(amounts: tuple[tuple[str, str | int | float], ...]) -> Resources:
    return read(dict(amounts), pods=0)
