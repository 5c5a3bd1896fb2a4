"""The open parts of a pod template that placement reads: the CRD's schema lets anything in, so each is checked here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class _Part(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """Names as Kubernetes writes them; fields that placement does not read may hold anything."""


class Expression(_Part, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """NodeSelectorRequirement."""

    key: str
    operator: str
    values: list[str] | None = None


class Term(_Part, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """NodeSelectorTerm."""

    match_expressions: list[Expression] | None = None
    match_fields: list[Expression] | None = None


class NodeSelector(_Part, frozen=True, kw_only=True, gc=False):
    """The required half of a NodeAffinity: one of the terms must hold."""

    node_selector_terms: list[Term] | None = None


class NodeAffinity(_Part, frozen=True, kw_only=True, gc=False):
    """Slim NodeAffinity: preferences are kube-scheduler's."""

    required: NodeSelector | None = msgspec.field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")


class Affinity(_Part, frozen=True, kw_only=True, gc=False):
    """Slim Affinity."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: dict[str, Any] | None = None
    pod_anti_affinity: dict[str, Any] | None = None


class Toleration(_Part, frozen=True, kw_only=True, gc=False):
    """Toleration."""

    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None


class Volume(_Part, frozen=True, kw_only=True, gc=False):
    """A volume, of which it matters only whether it binds late."""

    persistent_volume_claim: dict[str, Any] | None = None
    ephemeral: dict[str, Any] | None = None


class Placing(_Part, frozen=True, kw_only=True, gc=False):
    """What of a PodSpec decides about its place."""

    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: list[Toleration] | None = None
    volumes: list[Volume] | None = None
    topology_spread_constraints: list[Any] | None = None
    resource_claims: list[Any] | None = None
    scheduler_name: str | None = None

    @property
    def scheduler(self) -> bool:
        """Say whether it is kube-scheduler's own work: volumes that bind late, spread, pod affinity, device claims."""
        affinity = self.affinity
        return bool(
            any(volume.persistent_volume_claim or volume.ephemeral for volume in self.volumes or ())
            or (affinity and (affinity.pod_affinity or affinity.pod_anti_affinity))
            or self.topology_spread_constraints
            or self.resource_claims
            or self.scheduler_name not in (None, "default-scheduler")
        )


def placing(spec: Mapping[str, Any]) -> Placing:
    """Return what of a pod's spec decides about its place; ValueError names the field that is not what it must be."""
    found: Placing = checked(spec, Placing)
    return found


def checked(spec: Mapping[str, Any], kind: type[Any]) -> Any:
    """Read a part of a pod's spec; ValueError names the field."""
    try:
        return msgspec.convert(spec, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        where = f"template.spec{path.rstrip('`')}"
        raise ValueError(f"{where}: {problem[0].lower()}{problem[1:]}, as in a Pod") from None
