"""`batchyard top`: queues and environments at a glance, live on a terminal."""

from __future__ import annotations

import time
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Unreachable
from batchyard.cli.flags import connected, output
from batchyard.cli.words import amount, money, name, now, span

_QUEUES_WIDE = ("BUDGET", "STRATEGY", "ENVIRONMENTS", "FIRST", "MESSAGE")
_ENVIRONMENTS_WIDE = ("MIN", "FAILED", "TYPES", "MESSAGE")
_QUEUES = ("QUEUE", "PHASE", "PRIORITY", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED", "OLDEST")
_ENVIRONMENTS = (
    "ENVIRONMENT",
    "PHASE",
    "CAPACITY",
    "READY",
    "LAUNCHING",
    "DRAINING",
    "USED",
    "VCPUS",
    "DESIRED",
    "MAX",
)


@click.command("top")
@click.option("--once", is_flag=True, help="Print it once; so does output that is no terminal.")
@click.option("--interval", type=click.FloatRange(0.5), default=2.0, show_default=True, help="Seconds between looks.")
@output("json", "yaml", "wide")
@connected
def command(cluster: Cluster, once: bool, interval: float, form: str | None) -> None:
    """Show queues and environments: what waits, what runs, how large the pools are."""
    if form in ("json", "yaml"):
        queues, environments = _look(cluster)
        show.dump(show.several([*queues, *environments]), form)
    elif once or form or not show.interactive():
        screen = show.console()
        for line in _lines(*_look(cluster), wide=form == "wide"):
            screen.print(line)
    else:
        _live(cluster, interval)


def _live(cluster: Cluster, interval: float) -> None:
    lines = _lines(*_look(cluster))
    with Live(Group(*lines), console=show.console(), screen=True, auto_refresh=False) as live:
        while True:
            stamp = Text(f"{now().astimezone():%H:%M:%S}   Ctrl-C ends", style="dim")
            try:
                lines = _lines(*_look(cluster))
            except Unreachable as lost:
                stamp = Text(lost.message, style="red")
            live.update(Group(*lines, Text(), stamp), refresh=True)
            time.sleep(interval)


def _look(cluster: Cluster) -> tuple[list[Body], list[Body]]:
    return list(cluster.all(cluster.path("JobQueue"))), list(cluster.all(cluster.path("ComputeEnvironment")))


def _lines(queues: list[Body], environments: list[Body], wide: bool = False) -> list[Text]:
    by_priority = sorted(queues, key=lambda queue: (-queue["spec"].get("priority", 0), name(queue)))
    pools = sorted(environments, key=name)
    if wide:
        lines = show.table((*_QUEUES, *_QUEUES_WIDE), [_queue(body) + _more_of_queue(body) for body in by_priority])
        rows = [_environment(body) + _more_of_environment(body) for body in pools]
        return [*lines, Text(), *show.table((*_ENVIRONMENTS, *_ENVIRONMENTS_WIDE), rows)]
    room = show.width()
    lines = show.table(_QUEUES, [_queue(queue) for queue in by_priority], room)
    lines += [Text(), *show.table(_ENVIRONMENTS, [_environment(body) for body in pools], room)]
    bad = [body for body in [*queues, *environments] if _status(body).get("phase") == "Invalid"]
    if bad:
        lines += [Text(), *(Text(f"{name(body)}: {_status(body).get('message', '')}", style="red") for body in bad)]
    return lines


def _status(body: Body) -> Body:
    found: Body = body.get("status") or {}
    return found


def _queue(queue: Body) -> list[Any]:
    status = _status(queue)
    jobs, oldest = status.get("jobs") or {}, status.get("oldestRunnableSeconds")
    counts = [jobs.get(word.lower(), 0) for word in _QUEUES[3:9]]
    waited = "" if oldest is None else span(oldest)
    return [name(queue), status.get("phase", "Creating"), queue["spec"].get("priority", 0), *counts, waited]


def _environment(body: Body) -> list[Any]:
    spec, status = body["spec"], _status(body)
    nodes, vcpus = status.get("nodes") or {}, status.get("vCpus") or {}
    return [
        *(name(body), status.get("phase", "Creating"), spec.get("capacityType")),
        *(nodes.get(word, 0) for word in ("ready", "launching", "draining")),
        *(vcpus.get(word, 0) for word in ("used", "provisioned", "desired")),
        spec.get("maxVCpus"),
    ]


def _more_of_queue(queue: Body) -> list[Any]:
    spec, status = queue["spec"], _status(queue)
    first = (status.get("front") or [{}])[0].get("job")
    environments = ",".join(spec.get("computeEnvironments") or ())
    return [_budget(status), spec.get("strategy"), environments, first, status.get("message")]


def _budget(status: Body) -> str:
    told = status.get("budget")
    return f"{money(amount(told['spent']))} of {money(amount(told['amount']))}" if told else ""


def _more_of_environment(body: Body) -> list[Any]:
    spec, status = body["spec"], _status(body)
    types = ",".join(shape["name"] for shape in spec.get("instanceTypes") or ())
    return [spec.get("minVCpus", 0), (status.get("nodes") or {}).get("failed", 0), types, status.get("message")]
