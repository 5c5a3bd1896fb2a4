"""`batchyard retry`: the failed children of an array, or a failed job, once more as a new job."""

from __future__ import annotations

import re
from typing import Any

import click

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Failure, Refusal
from batchyard.cli.flags import JOB, QUEUE, connected, output
from batchyard.cli.indexes import INDEXES
from batchyard.cli.request import Wishes
from batchyard.cli.wait import wait
from batchyard.cli.words import ended, name, phase, resource
from batchyard.model.labels import GROUP, VERSION
from batchyard.model.phase import Phase
from batchyard.world.indexes import parse, text

RETRY_OF = f"{GROUP}/retry-of"  # a label: `list -l batchyard.dev/retry-of=JOB` finds the retries of a job
_NUMBERED = re.compile(r"^(.*)-r([0-9]{1,4})$")
_LONGEST = 50
_TRIES = 100


@click.command("retry")
@click.argument("job", type=JOB)
@click.option("--index", "indexes", type=INDEXES, help="Only these of the failed children: 3,7-9.")
@click.option("--name", "fixed", help="Name of the new job; default: JOB-r1, JOB-r2 and so on.")
@click.option("-q", "--queue", type=QUEUE, help="Queue; default: the same.")
@click.option("--after", multiple=True, type=JOB, metavar="JOB[:WHEN]", help="Wait for JOB first.")
@click.option("--newest", is_flag=True, help="The definition's newest revision; default: the one that failed.")
@click.option("--wait", "waits", is_flag=True, help="Wait for the end; exit with the job's own outcome.")
@click.option("--follow", is_flag=True, help="Print its logs while it runs, and wait as --wait does.")
@output("json", "yaml", "name")
@connected
def command(cluster: Cluster, job: str, fixed: str | None, form: str | None, **flags: Any) -> None:
    """Run JOB once more as a new job: of an array the failed children only.

    It runs the same revision of its definition with the same parameters, and does not wait again for what JOB
    depended on.
    """
    old = cluster.get("Job", job)
    waits, follow = flags.pop("waits"), flags.pop("follow")
    spec = _again(old, flags.pop("indexes"), flags.pop("newest"))
    body = Wishes(**flags).onto({"apiVersion": f"{GROUP}/{VERSION}", "kind": "Job", "spec": spec})
    made = _create(cluster, body, old, fixed)
    if form in ("json", "yaml"):
        show.dump(made, form)
    else:
        which = (made["spec"].get("array") or {}).get("indexes")
        more = f" for the children {which[:60]}" if which else ""
        click.echo(resource(made) + ("" if form == "name" else f" created{more}"))
    if waits or follow:
        click.get_current_context().exit(wait(cluster, [made], follow))


def _again(old: Body, indexes: int | None, newest: bool) -> Body:
    """Return the spec of the new job."""
    spec = {field: value for field, value in old["spec"].items() if field not in ("stop", "dependsOn")}
    failed = _failed(old, indexes)
    if failed:
        spec["array"] = {**spec["array"], "indexes": text(failed)}
    revision = (old.get("status") or {}).get("definitionRevision")
    if "definition" in spec:
        spec["definition"] = {"name": spec["definition"]["name"]}
        if revision and not newest:
            spec["definition"]["revision"] = revision
    kept: list[Body] = []
    left: list[Body] = []
    for dependency in old["spec"].get("dependsOn") or ():
        (left if "job" in dependency else kept).append(dependency)
    if left:
        names = ", ".join(dependency["job"] for dependency in left)
        show.say(f"{name(old)} depended on {names}; the new job does not wait for that again (--after)")
    return {**spec, "dependsOn": kept} if kept else spec


def _failed(old: Body, indexes: int | None) -> int:
    """Return the children to run, 0 for a single job; Failure if there is nothing to retry."""
    status = old.get("status") or {}
    if not ended(old):
        raise Failure(f"{name(old)} is {phase(old)}; wait for its end, or stop it first")
    if not old["spec"].get("array"):
        if indexes is not None:
            raise Failure(f"--index: {name(old)} is not an array; leave it out")
        if phase(old) == Phase.Succeeded:
            raise Failure(f"{name(old)} has succeeded; to run it again submit it anew")
        return 0
    failed = parse((status.get("array") or {}).get("failed", ""))
    if not failed and phase(old) == Phase.Failed:  # none of its children ever ran
        failed = parse(old["spec"]["array"].get("indexes") or f"0-{old['spec']['array']['size'] - 1}")
    if not failed:
        raise Failure(f"no child of {name(old)} has failed; to run it again submit it anew")
    if indexes is not None and indexes & ~failed:
        raise Failure(
            f"--index: {text(indexes & ~failed)} of {name(old)} has not failed; failed are {text(failed)[:200]}"
        )
    return failed if indexes is None else indexes


def _create(cluster: Cluster, body: Body, old: Body, fixed: str | None) -> Body:
    before = old["metadata"]
    labels = {key: value for key, value in (before.get("labels") or {}).items() if not key.startswith(f"{GROUP}/")}
    metadata = {"namespace": before["namespace"], "labels": {**labels, RETRY_OF: before["name"]}}
    for new in [fixed] if fixed else names(before["name"]):
        try:
            return cluster.create({**body, "metadata": {**metadata, "name": new}})
        except Refusal as refused:
            if refused.code != 409 or fixed:
                raise
    raise Failure(f"--name: {before['name']} has been retried {_TRIES} times; give the new job a name")


def names(old: str) -> list[str]:
    """Return the names to try: NAME-r1, NAME-r2 and so on; of NAME-r2, NAME-r3 and so on."""
    numbered = _NUMBERED.match(old)
    stem, first = (numbered[1], int(numbered[2]) + 1) if numbered else (old, 1)
    suffixes = [f"-r{number}" for number in range(first, first + _TRIES)]
    return [stem[: _LONGEST - len(suffix)].rstrip("-") + suffix for suffix in suffixes]
