"""`batchyard submit`: a job from a definition or from a file; with --wait its outcome is the exit code."""

from __future__ import annotations

import sys
from typing import Any

import click

from batchyard.cli import offers, show
from batchyard.cli.check import check
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Failure, Refusal
from batchyard.cli.flags import DEFINITION, JOB, QUEUE, connected, output
from batchyard.cli.request import Wishes, from_definition, from_file
from batchyard.cli.wait import wait
from batchyard.cli.words import resource

_TRIES = 5  # of generated names


@click.command("submit")
@click.argument("definition", required=False, type=DEFINITION)
@click.option("-f", "--filename", "file", help="Submit the Jobs of this file instead; - is stdin.")
@click.option("-q", "--queue", type=QUEUE, envvar="BATCHYARD_QUEUE", help="Queue; $BATCHYARD_QUEUE, or 'default'.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", shell_complete=offers.parameters,
              help="Value of a parameter.")  # fmt: skip
@click.option("--name", help="Name of the job; default: the definition's and five letters.")
@click.option("--array", type=int, metavar="SIZE", help="Run so many children, each with its index.")
@click.option("--max-concurrent", "most", type=int, help="So many children at a time.")
@click.option("--after", multiple=True, type=JOB, metavar="JOB[:WHEN]", help="Wait for JOB; WHEN: Succeeded (default), "
              "Failed, Finished, or OneToOne (child by child).")  # fmt: skip
@click.option("--share", help="Whose share of the queue it uses up.")
@click.option("--priority", type=int, help="Place in the queue, 0 to 9999, higher first.")
@click.option("--wait", "waits", is_flag=True, help="Wait for the end; exit with the job's own outcome.")
@click.option("--follow", is_flag=True, help="Print its logs while it runs, and wait as --wait does.")
@click.option("--dry-run", "dry", type=click.Choice(["client", "server"]), help="Create nothing: print it only "
              "(-o yaml: for kubectl apply), or have the API server check it.")  # fmt: skip
@output("json", "yaml", "name")
@connected
def command(cluster: Cluster, definition: str | None, file: str | None, name: str | None, **flags: Any) -> None:
    """Submit a job of DEFINITION, written NAME or NAME:REVISION, or the Jobs of a file.

    \b
    Exit codes with --wait and --follow:
      0    the job succeeded
      N    the exit code of its last failed attempt, 1 if there is none
      2    the command was refused
      130  Ctrl-C: the job goes on
    """
    waits, follow, form = flags.pop("waits"), flags.pop("follow"), flags.pop("form")
    dry = flags.pop("dry")
    jobs = _requested(definition, file, name)
    if follow and len(jobs) > 1:
        raise Failure(f"--follow: {file} has {len(jobs)} Jobs, and only one can be followed; use --wait")
    wished = [_at_home(Wishes(**flags).onto(job), cluster) for job in jobs]
    if dry != "client":
        check(cluster, wished)
    again = definition if name is None else None
    made = []
    for job in wished:
        made.append(job if dry == "client" else _create(cluster, job, dry == "server", again))
        _tell(made[-1], form, dry)
    if (waits or follow) and not dry:
        click.get_current_context().exit(wait(cluster, made, follow))


def _requested(definition: str | None, file: str | None, name: str | None) -> list[Body]:
    if (definition is None) == (file is None):
        raise Failure("submit needs either DEFINITION or -f FILE; `kubectl get jobdefinitions` shows definitions")
    if definition is not None:
        return [from_definition(definition, name)]
    jobs = from_file(file or "", sys.stdin)
    if name and len(jobs) > 1:
        raise Failure(f"--name: {file} has {len(jobs)} Jobs, which cannot have the same name")
    if name:
        jobs[0]["metadata"] = {**jobs[0]["metadata"], "name": name}
    return jobs


def _at_home(job: Body, cluster: Cluster) -> Body:
    """Return the job in a namespace: its own, which the flag must not contradict, or that of the flags."""
    own = job["metadata"].get("namespace")
    if own and cluster.chosen and own != cluster.namespace:
        raise Failure(f"--namespace: {cluster.namespace!r} is not the job's metadata.namespace {own!r}; leave one out")
    return {**job, "metadata": {**job["metadata"], "namespace": own or cluster.namespace}}


def _create(cluster: Cluster, job: Body, dry_run: bool, definition: str | None) -> Body:
    for attempt in range(1, _TRIES + 1):
        try:
            return cluster.create(job, dry_run)
        except Refusal as refused:
            if refused.code == 409 and definition is None:
                raise Refusal(409, f"{refused.message}; choose another --name") from refused
            if refused.code != 409 or definition is None or attempt == _TRIES:
                raise
        another = from_definition(definition, None)["metadata"]["name"]  # somebody had the same luck
        job = {**job, "metadata": {**job["metadata"], "name": another}}
    raise AssertionError("unreachable: the last try returns or raises")


def _tell(job: Body, form: str | None, dry: str | None) -> None:
    if form in ("json", "yaml"):
        show.dump(job, form)
    else:
        click.echo(resource(job) + ("" if form == "name" else f" created{f' ({dry} dry run)' if dry else ''}"))
