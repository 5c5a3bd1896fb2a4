"""`batchyard interrupt NODE`: reclaim a node as a spot market does, for tests and demos."""

from __future__ import annotations

import asyncio
from typing import Any

import click
from kubernetes.config.config_exception import ConfigException

from batchyard.cli.errors import Failure
from batchyard.cli.flags import place_of, placed
from batchyard.cli.place import Place
from batchyard.engine.providers import builds
from batchyard.kube.credentials import Credentials
from batchyard.kube.paths import batchyard, core
from batchyard.kube.session import ApiError, Session, UnreachableError
from batchyard.model.labels import PROVIDER
from batchyard.pools.base import ProviderError


@click.command("interrupt")
@click.argument("node")
@click.option("--notice", default=30.0, show_default=True, help="Seconds between the notice and the end.")
@placed
def command(node: str, notice: float, **flags: str | None) -> None:
    """Give NODE a reclaim notice and end it when the notice is over."""
    place = place_of(click.get_current_context(), flags)
    try:
        asyncio.run(_interrupt(node, notice, place))
    except (ProviderError, UnreachableError, ConfigException, OSError) as error:
        raise Failure(" ".join(str(error).split())) from error
    except ApiError as error:
        raise Failure(error.status.message) from error
    click.echo(f"node {node} has its notice and is gone in {notice:g} s")


async def _interrupt(node: str, notice: float, place: Place) -> None:
    async with Session(Credentials.load(place.kubeconfig, place.context)) as session:
        body = await session.get_json(core("nodes", name=node))
        kind = (body["metadata"].get("labels") or {}).get(PROVIDER, "")
        environments = (await session.list(batchyard("computeenvironments"), dict[str, Any])).items
        given = [environment["spec"].get("provider") or {} for environment in environments]

        def settings_of(kind: str) -> list[dict[str, Any]]:
            return [provider[kind] for provider in given if kind in provider]

        build = builds(session, "batchyard-system", settings_of).get(kind)
        if build is None:
            raise ProviderError(f"node {node} is not a node of Batchyard (it has no label {PROVIDER})")
        await (await build()).interrupt(node, notice)
