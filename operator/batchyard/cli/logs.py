"""`batchyard logs`: what a job wrote, of all children of an array or of some."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Failure
from batchyard.cli.flags import JOB, connected
from batchyard.cli.follow import Follower
from batchyard.cli.indexes import INDEXES
from batchyard.cli.podlogs import Run, Wanted, read, runs
from batchyard.cli.progress import Silent
from batchyard.cli.sink import Sink
from batchyard.cli.wait import INTERRUPTED, goes_on
from batchyard.cli.words import ended, name, phase
from batchyard.world.indexes import full, parse, text

_GONE = "finished pods are kept until the job's ttlSecondsAfterFinished, up to 100 a job"


@click.command("logs")
@click.argument("job", type=JOB)
@click.option("--index", "indexes", type=INDEXES, help="Only these children of an array, or nodes of a gang: 3,7-9.")
@click.option("--attempt", type=click.IntRange(1), help="This attempt; default: the latest.")
@click.option("-c", "--container", help="Name of the container; default: the first.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("--tail", type=click.IntRange(0), help="Only so many last lines of each pod.")
@click.option("--timestamps", is_flag=True, help="The time before each line.")
@connected
def command(cluster: Cluster, job: str, follow: bool, **wanted: Any) -> None:
    """Print the logs of JOB; lines of an array's children begin with their index."""
    body = cluster.get("Job", job)
    wish = _of_gang(body, Wanted(**wanted))
    if wish.indexes is not None and not body["spec"].get("array") and not _gang(body):
        raise Failure(f"--index: {job} is not an array and has no nodes; leave it out")
    size = (body["spec"].get("array") or {}).get("size")
    if size and wish.indexes is not None and wish.indexes >> size:
        raise Failure(f"--index: {job} has children 0 to {size - 1}")
    if follow and not ended(body):
        _follow(cluster, body, wish)
        return
    found = _latest(runs(cluster, body, wish))
    _tell_missing(body, wish, found)
    sink = Sink()
    for run in found:
        read(cluster, body, run, wish, sink)


def _follow(cluster: Cluster, job: Body, wanted: Wanted) -> None:
    try:
        Follower(cluster, job, wanted).run(Silent())
    except KeyboardInterrupt:
        show.say(goes_on([job]))
        click.get_current_context().exit(INTERRUPTED)


def _gang(job: Body) -> bool:
    return bool(job["spec"].get("multiNode") or (job.get("status") or {}).get("multiNode"))


def _of_gang(job: Body, wanted: Wanted) -> Wanted:
    """Of a multi-node job the main node's log is the job's, unless others are named."""
    if not _gang(job) or wanted.indexes is not None:
        return wanted
    main = (job["spec"].get("multiNode") or {}).get("mainNode") or 0
    return Wanted(1 << main, wanted.attempt, wanted.container, wanted.tail, wanted.timestamps)


def _latest(found: Iterable[Run]) -> list[Run]:
    """Return the last attempt of each child, in the order of the children."""
    latest: dict[int | None, Run] = {}
    for run in found:
        if run.index not in latest or latest[run.index].attempt < run.attempt:
            latest[run.index] = run
    return sorted(latest.values(), key=lambda run: run.index or 0)


def _tell_missing(job: Body, wanted: Wanted, found: list[Run]) -> None:
    """Say which pods are not there any more; of failed ones the status has kept the last lines."""
    if job["spec"].get("array"):
        _tell_missing_children(job, wanted, found)
        return
    if found:
        return
    status = job.get("status") or {}
    attempts = [a for a in status.get("attempts") or () if wanted.attempt in (None, a["number"])]
    if not attempts and wanted.attempt is not None and status.get("attempts"):
        raise Failure(f"--attempt: {name(job)} has had {len(status['attempts'])} attempts, none is {wanted.attempt}")
    if not attempts:
        raise Failure(f"{name(job)} has not started ({phase(job)} {status.get('reason', '')}); "
                      f"`explain {name(job)}` says why, `logs --follow` waits for it")  # fmt: skip
    _tell_kept(f"pod {attempts[-1].get('pod', '')} of attempt {attempts[-1]['number']}", [attempts[-1]])


def _tell_missing_children(job: Body, wanted: Wanted, found: list[Run]) -> None:
    array = (job.get("status") or {}).get("array") or {}
    begun = parse(array.get("succeeded", "")) | parse(array.get("failed", "")) | parse(array.get("running", ""))
    wish = full(job["spec"]["array"]["size"]) if wanted.indexes is None else wanted.indexes
    there = sum(1 << run.index for run in found if run.index is not None)
    waiting, gone = wish & ~begun & ~there, wish & begun & ~there
    if waiting and wanted.indexes is not None:
        show.say(f"{name(job)}[{text(waiting)}] has not started")
    if gone:
        kept = [a for a in array.get("attempts") or () if gone >> a["index"] & 1 and a.get("message")]
        _tell_kept(f"the pods of {name(job)}[{text(gone)}]", kept)


def _tell_kept(what: str, attempts: list[Body]) -> None:
    kept = [attempt for attempt in attempts if attempt.get("message")]
    more = "; this is what the status kept:" if kept else ""
    show.say(f"not there any more: {what} ({_GONE}){more}")
    for attempt in kept:
        prefix = f"{attempt['index']}: " if "index" in attempt else ""
        for line in attempt["message"].splitlines():
            click.echo(prefix + line)
