"""`python -m batchyard ensure FILE`: make or mend objects of ours once their kinds are served; the chart's defaults."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Any, BinaryIO

import click
import orjson
import yaml
from kubernetes.config.config_exception import ConfigException

from batchyard.cli.errors import Failure
from batchyard.kube.credentials import Credentials
from batchyard.kube.paths import batchyard
from batchyard.kube.session import ApiError, Response, Session, UnreachableError
from batchyard.model.kind import KINDS

APPLY = "application/apply-patch+yaml"
MANAGER = "batchyard-defaults"
AGAIN_SECONDS = 1.0
_PLURALS = {kind.name: kind.plural for kind in KINDS if kind.scope == "Cluster"}


@click.command("ensure", hidden=True)
@click.argument("file", type=click.File("rb"))
@click.option("--patience", default=120.0, show_default=True, help="Seconds to wait for the kinds to be served.")
def command(file: BinaryIO, patience: float) -> None:
    """Make or mend the environments and queues that FILE describes."""
    try:
        asyncio.run(_ensure(_bodies(file), patience))
    except (UnreachableError, ConfigException, OSError) as error:
        raise Failure(" ".join(str(error).split())) from error
    except ApiError as error:
        raise Failure(error.status.message) from error


def _bodies(file: BinaryIO) -> list[dict[str, Any]]:
    """Return the documents of a file; Failure if one is no object of the cluster's."""
    bodies = [body for body in yaml.safe_load_all(file) if body]
    for body in bodies:
        if not isinstance(body, dict) or body.get("kind") not in _PLURALS:
            raise Failure(f"{file.name}: every document has to be one of {', '.join(sorted(_PLURALS))}")
    return bodies


async def _ensure(bodies: Iterable[dict[str, Any]], patience: float) -> None:
    deadline = monotonic() + patience
    async with Session(Credentials.load()) as session:
        for body in bodies:
            while not await _applied(session, body, last=monotonic() >= deadline):  # noqa: ASYNC110 no event tells
                await asyncio.sleep(AGAIN_SECONDS)
            click.echo(f"{body['kind']} {body['metadata']['name']} is there")


async def _applied(session: Session, body: dict[str, Any], *, last: bool) -> bool:
    """Apply one object; False to try again, unless it was the last time: then raise what went wrong."""
    path = batchyard(_PLURALS[body["kind"]], name=body["metadata"]["name"])
    params = {"fieldManager": MANAGER, "force": "true"}
    try:
        answer = await session.request("PATCH", path, params=params, body=orjson.dumps(body), content_type=APPLY)
    except UnreachableError as error:
        if last:
            raise
        click.echo(str(error), err=True)
        return False
    if last or not _passing(answer):
        answer.expect_ok()
    return answer.ok


def _passing(answer: Response) -> bool:
    """Say whether it may go better in a moment: the kind is not served yet, or the server is busy."""
    return answer.status in (404, 429) or answer.status >= 500
