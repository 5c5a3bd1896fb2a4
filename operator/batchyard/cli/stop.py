"""`batchyard stop`: an order in spec.stop, for whole jobs or for children of an array."""

from __future__ import annotations

from typing import Any

import click

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Failure, Refusal
from batchyard.cli.flags import JOB, connected, output
from batchyard.cli.indexes import INDEXES
from batchyard.cli.words import ended, name, phase, resource
from batchyard.model.phase import Phase
from batchyard.world.indexes import parse, text

_TRIES = 8  # the operator writes to the same object, up to once a second
_WORDS = {"Cancel": "cancelled", "Terminate": "told to terminate"}


@click.command("stop")
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, type=JOB)
@click.option("--terminate", "mode", flag_value="Terminate", default="Terminate", help="Also if it runs (default).")
@click.option("--cancel", "mode", flag_value="Cancel", help="Only if it has not started.")
@click.option("--reason", default="", help="Why, in your words; kept in the job's status.")
@click.option("--index", "indexes", type=INDEXES, help="Only these children of an array: 3,7-9.")
@output("json", "yaml", "name")
@connected
def command(cluster: Cluster, jobs: tuple[str, ...], form: str | None, **order: Any) -> None:
    """Stop JOBs: they fail and are not tried again."""
    for job in jobs:
        stopped = _stop(cluster, job, **order)
        if form in ("json", "yaml"):
            show.dump(stopped, form)
        elif form == "name":
            click.echo(resource(stopped))


def _stop(cluster: Cluster, job: str, mode: str, reason: str, indexes: int | None) -> Body:
    for attempt in range(1, _TRIES + 1):
        body = cluster.get("Job", job)
        if ended(body):
            show.say(f"{job} has already ended: {phase(body)}")
            return body
        version = {"resourceVersion": body["metadata"]["resourceVersion"]}
        order = _order(body, mode, reason, indexes)
        try:
            stopped = cluster.patch("Job", job, {"metadata": version, "spec": {"stop": order}})
        except Refusal as refused:
            if refused.code == 409 and attempt < _TRIES:
                continue
            raise
        _tell(body, order)
        return stopped
    raise AssertionError("unreachable: the last try returns or raises")


def _order(job: Body, mode: str, reason: str, indexes: int | None) -> Body:
    """Return the new spec.stop; an earlier order for other children is kept and grows."""
    before = job["spec"].get("stop") or {}
    if before.get("mode") == "Terminate":
        mode = "Terminate"
    order: Body = {"mode": mode, "reason": reason or before.get("reason", ""), "indexes": None}
    if indexes is None:
        return order
    if "array" not in job["spec"]:
        raise Failure(f"--index: {name(job)} is not an array; leave it out to stop the job")
    if before and not before.get("indexes"):
        return order
    order["indexes"] = text(indexes | parse(before.get("indexes", "")))
    return order


def _tell(job: Body, order: Body) -> None:
    which = f"{name(job)}[{order['indexes']}]" if order["indexes"] else name(job)
    if order["mode"] == "Cancel" and phase(job) in (Phase.Starting, Phase.Running):
        show.say(f"{which} is {phase(job)}: what has started goes on (stop --terminate ends it too)")
    else:
        show.say(f"{which} is {_WORDS[order['mode']]}")
