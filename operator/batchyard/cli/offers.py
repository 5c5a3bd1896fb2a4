"""What the shell offers for values that name nothing of ours: namespaces, contexts, parameters of a definition."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from batchyard.cli.cluster import Cluster

_SUGGESTED = 200


def namespaces(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the namespaces that begin so; none if nobody can be asked."""
    found = _asked(ctx)
    if found is None:
        return []
    try:
        items = found.json("GET", "/api/v1/namespaces", {"limit": _SUGGESTED})["items"]
    except click.ClickException:
        return []
    return _beginning((body["metadata"]["name"] for body in items), incomplete)


def contexts(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the contexts of the kubeconfig that begin so."""
    from kubernetes.config import list_kube_config_contexts
    from kubernetes.config.config_exception import ConfigException

    file = ctx.params.get("kubeconfig") or os.environ.get("KUBECONFIG")
    try:
        found, _active = list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError):
        return []
    return _beginning((context["name"] for context in found), incomplete)


def parameters(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return NAME= of the definition's parameters that are not given yet, with the default as help."""
    # click has not sorted the words where the last flag is still without its value.
    found, definition = _asked(ctx), ctx.params.get("definition") or next(iter(ctx.args), None)
    if found is None or not definition or "=" in incomplete:
        return []
    body = found.find("JobDefinition", str(definition).partition(":")[0])
    given = {word.partition("=")[0] for word in ctx.params.get("parameters") or ()}
    declared = ((body or {}).get("spec") or {}).get("parameters") or {}
    return [
        CompletionItem(f"{name}=", help=_about(about))
        for name, about in declared.items()
        if name.startswith(incomplete) and name not in given
    ]


def _about(parameter: dict[str, object]) -> str:
    kind, default = parameter.get("type", "String"), parameter.get("default")
    return f"{kind}, required" if default is None else f"{kind}, default {default}"


def _asked(ctx: click.Context) -> Cluster | None:
    from batchyard.cli.flags import cluster

    try:
        return cluster(ctx, dict(ctx.params))
    except (click.ClickException, OSError):
        return None


def _beginning(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]
