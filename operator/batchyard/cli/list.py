"""`batchyard list`: jobs, their phases, and how far they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.flags import QUEUE, connected, output
from batchyard.cli.words import name, phase, resource, since
from batchyard.model.phase import Phase

_HEADER = ("NAME", "PHASE", "REASON", "ATTEMPT", "ARRAY", "QUEUE", "AGE")
_WIDE = ("NODE", "ENVIRONMENT", "COST", "MESSAGE")


class Phases(click.ParamType[frozenset[str]]):
    """One phase or several with commas, in any case."""

    name = "phase"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        """Return the phases as the API writes them."""
        known = {phase.lower(): str(phase) for phase in Phase}
        words = [word.strip().lower() for word in str(value).split(",")]
        wrong = next((word for word in words if word not in known), None)
        if wrong is not None:
            self.fail(f"{wrong!r} is no phase; there are: {', '.join(Phase)}", param, ctx)
        return frozenset(known[word] for word in words)


@click.command("list")
@click.option("-q", "--queue", type=QUEUE, help="Only jobs of this queue.")
@click.option("--phase", "phases", type=Phases(), help="Only jobs in these phases, with commas: Runnable,Running.")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Jobs of all namespaces.")
@click.option("-l", "--selector", default="", help="Only jobs with these labels: team=red,tier!=test.")
@output("json", "yaml", "wide", "name")
@connected
def command(cluster: Cluster, form: str | None, **which: Any) -> None:
    """List jobs, the oldest first."""
    jobs = sorted(_jobs(cluster, **which), key=lambda job: str(job["metadata"]["creationTimestamp"]))
    if form in ("json", "yaml"):
        show.dump(show.several(jobs), form)
    elif form == "name":
        for job in jobs:
            click.echo(resource(job))
    elif jobs:
        _print(jobs, form == "wide", which["everywhere"])
    else:
        show.say("no jobs of this kind" if any(which.values()) else f"no jobs in namespace {cluster.namespace!r}")


def _jobs(
    cluster: Cluster, queue: str | None, phases: frozenset[str] | None, everywhere: bool, selector: str
) -> Iterator[Body]:
    fields = [f"spec.queue={queue}"] if queue else []
    # One without a status is Submitted too, and no field selector finds it.
    if phases is not None and len(phases) == 1 and Phase.Submitted not in phases:
        fields.append(f"status.phase={next(iter(phases))}")
    path = cluster.path("Job", everywhere=everywhere)
    for job in cluster.all(path, fieldSelector=",".join(fields), labelSelector=selector):
        if phases is None or phase(job) in phases:
            yield {"apiVersion": "batchyard.dev/v1alpha1", "kind": "Job", **job}


def _print(jobs: list[Body], wide: bool, everywhere: bool) -> None:
    header = (*(("NAMESPACE",) if everywhere else ()), *_HEADER, *(_WIDE if wide else ()))
    show.print_table(header, [_row(job, wide, everywhere) for job in jobs], whole=wide)


def _row(job: Body, wide: bool, everywhere: bool) -> list[Any]:
    status, metadata = job.get("status") or {}, job["metadata"]
    attempts = status.get("attempts") or [{}]
    row = [
        *([metadata["namespace"]] if everywhere else []),
        *(name(job), phase(job), status.get("reason"), attempts[-1].get("number")),
        *((status.get("array") or {}).get("progress"), job["spec"]["queue"], since(metadata["creationTimestamp"])),
    ]
    if wide:
        row += [attempts[-1].get("node"), attempts[-1].get("computeEnvironment")]
        row += [(status.get("cost") or {}).get("amount"), status.get("message")]
    return row
