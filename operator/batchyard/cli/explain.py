"""`batchyard explain`: why a job waits, in numbers, and what helps."""

from __future__ import annotations

from collections.abc import Iterator

import click

from batchyard.cli import show
from batchyard.cli.advice import advice
from batchyard.cli.answer import ask
from batchyard.cli.blockers import blockers
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.flags import JOB, connected, output
from batchyard.cli.outcome import verdict
from batchyard.cli.progress import counts
from batchyard.cli.words import ENDED, ahead, ended, name, phase, since
from batchyard.model.phase import Phase

_WAITS = (Phase.Submitted, Phase.Pending, Phase.Runnable)


@click.command("explain")
@click.argument("job", type=JOB)
@click.option(
    "--operator",
    envvar="BATCHYARD_OPERATOR",
    metavar="WHERE",
    help="URL of the operator, or its "
    "NAMESPACE/SERVICE behind the API server; default: $BATCHYARD_OPERATOR, batchyard-system/batchyard.",
)
@output("json", "yaml")
@connected
def command(cluster: Cluster, job: str, operator: str | None, form: str | None) -> None:
    """Say why JOB waits, and what can be done.

    Asks the operator for its latest decision; if it cannot be reached, the job's status tells, which is at most half a
    minute old.
    """
    body = cluster.get("Job", job)
    told = None if ended(body) else ask(cluster, body, operator)
    said = {**_of_status(body), **{key: value for key, value in (told or {}).items() if value is not None}}
    said["source"] = "operator" if told else "status"
    found = blockers(cluster, body, str(said.get("reason")))
    helps = list(advice(job, body["spec"]["queue"], said)) if _waits(said) else []
    if form:
        show.dump({"job": job, **said, "waitsFor": found, "advice": helps}, form)
        return
    screen = show.console()
    for line in _story(body, said):
        screen.print(show.prose(line.lstrip(), len(line) - len(line.lstrip())))
    _print_environments(said)
    for title, lines in (("waits for", found), ("what helps", helps)):
        if lines:
            screen.print(f"\n{title}:")
            for line in lines:
                screen.print(show.prose(line, 2, 4))


def _of_status(job: Body) -> Body:
    status = job.get("status") or {}
    waiting = status.get("waiting") or {}
    kept = {key: value for key, value in waiting.items() if key != "environments"}
    return {
        "phase": phase(job),
        "reason": status.get("reason", ""),
        "message": status.get("message", ""),
        "environments": waiting.get("environments") or [],
        **kept,
    }


def _waits(said: Body) -> bool:
    """Say whether the job, or a child of an array that runs already, waits."""
    return said["phase"] in _WAITS or (said["phase"] not in ENDED and bool(said.get("environments")))


def _story(job: Body, said: Body) -> Iterator[str]:
    queue, stage = job["spec"]["queue"], said["phase"]
    if stage in ENDED:
        yield f"{verdict(job)}"
        return
    if stage == Phase.Submitted:
        yield f"{name(job)} was submitted {since(job['metadata']['creationTimestamp'])} ago and is not looked at yet"
        yield "  if that stays so, no operator runs: kubectl get lease -n batchyard-system, kubectl get pods -A"
        return
    verb = "waits" if stage in _WAITS else "has children that wait" if _waits(said) else "does not wait"
    long = f" for {since(said['since'])}" if said.get("since") and _waits(said) else ""
    children = counts(job)
    yield (f"{name(job)} {verb} in queue {queue}{long}: {stage} {said['reason']}".rstrip()
           + (f" ({children})" if children else ""))  # fmt: skip
    if said["message"]:
        yield f"  {said['message']}"
    if said.get("position") and _waits(said):
        vcpus = said.get("vCpusAhead")
        yield f"  place {said['position']} in the queue" + (f", {vcpus} vCPUs ahead of it" if vcpus is not None else "")
    start = said.get("estimatedStart") or {}
    if start.get("p50") and _waits(said):
        late = f", nine times in ten {ahead(start['p90'])} at the latest" if start.get("p90") else ""
        yield f"  expected to start {ahead(start['p50'])}{late}"
    if said["source"] == "status":
        yield "  (from the job's status; the operator could not be asked)"


def _print_environments(said: Body) -> None:
    rows = [[v["name"], v["verdict"], v.get("need", ""), v.get("have", "")] for v in said.get("environments") or ()]
    if rows and said["phase"] not in ENDED:
        click.echo()
        show.print_table(("ENVIRONMENT", "VERDICT", "NEEDS", "HAS"), rows, whole=True)
