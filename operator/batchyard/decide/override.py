"""Overrides of a job merged into its template, container by container, by name (AWS containerOverrides)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class OverrideError(Exception):
    """An override names a container that the template does not have."""


def merge(template: Mapping[str, Any], overrides: Mapping[str, Any], others: Iterable[str] = ()) -> Mapping[str, Any]:
    """Return the template with the overrides applied; command and args replace, env and resources merge by name.

    `others` are the names of containers that only the job's other templates have (groups of a multi-node job).
    """
    entries = {entry["name"]: entry for entry in overrides.get("containers") or ()}
    if not entries:
        return template
    spec = dict(template["spec"])
    known = names(template)
    unknown = sorted(entries.keys() - {*known, *others})
    if unknown:
        raise OverrideError(
            f"spec.overrides.containers: the template has no container {unknown[0]!r}; it has: {', '.join(known)}"
        )
    for group in ("initContainers", "containers"):
        if spec.get(group):
            spec[group] = [_apply(container, entries.get(container["name"])) for container in spec[group]]
    return {**template, "spec": spec}


def names(template: Mapping[str, Any]) -> list[str]:
    """Return the names of all containers of a template."""
    spec = template.get("spec") or {}
    return [c["name"] for group in ("initContainers", "containers") for c in spec.get(group) or ()]


def _apply(container: Mapping[str, Any], override: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if override is None:
        return container
    merged = {**container, **{k: v for k, v in override.items() if k not in ("env", "resources") and v is not None}}
    if override.get("env"):
        names = {entry["name"] for entry in override["env"]}
        merged["env"] = [e for e in container.get("env") or () if e["name"] not in names] + list(override["env"])
    if override.get("resources"):
        old = container.get("resources") or {}
        merged["resources"] = {
            **old,
            **{side: {**(old.get(side) or {}), **amounts} for side, amounts in override["resources"].items()},
        }
    return merged
