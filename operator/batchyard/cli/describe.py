"""`batchyard describe`: everything about a job on one page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Refusal
from batchyard.cli.flags import JOB, connected, output
from batchyard.cli.words import ahead, name, phase, since

_EVENTS = 10
_ATTEMPTS = 20
_RUNS = ("#", "NODE", "ENVIRONMENT", "TYPE", "STARTED", "RAN", "EXIT", "REASON", "COUNTED", "COST")


@click.command("describe")
@click.argument("job", type=JOB)
@output("json", "yaml", "wide")
@connected
def command(cluster: Cluster, job: str, form: str | None) -> None:
    """Tell everything about JOB: what it asked for, where it stands, its attempts, its events; all with -o wide."""
    body = cluster.get("Job", job)
    if form in ("json", "yaml"):
        show.dump(body, form)
        return
    screen = show.console()
    for title, value in _facts(body):
        if value not in (None, "", "()"):
            screen.print(Text(f"{title + ':':<14}").append_text(show.cell(value)))
    _print_attempts(body, None if form == "wide" else _ATTEMPTS)
    _print_events(cluster, body, None if form == "wide" else _EVENTS)


def _facts(job: Body) -> Iterator[tuple[str, Any]]:
    spec, status, metadata = job["spec"], job.get("status") or {}, job["metadata"]
    yield "Name", name(job)
    yield "Namespace", metadata["namespace"]
    yield "Queue", spec["queue"]
    yield "Definition", _definition(spec, status)
    yield "Parameters", _pairs(spec.get("parameters"))
    yield "Share", spec.get("share")
    yield "Priority", spec.get("priority")
    yield "Depends on", ", ".join(map(_dependency, spec.get("dependsOn") or ()))
    yield "Consumables", ", ".join(f"{c['name']} {c.get('quantity', 1)}" for c in spec.get("consumables") or ())
    yield "Phase", phase(job)
    yield "Reason", status.get("reason")
    yield "Message", status.get("message")
    yield from _array(spec, status)
    yield from _waiting(status.get("waiting") or {})
    yield "Created", _ago(metadata["creationTimestamp"])
    yield "Started", _ago(status.get("startedAt"))
    yield "Stopped", _ago(status.get("stoppedAt"))
    cost = status.get("cost") or {}
    yield "Cost", f"{cost['amount']}, of which wasted {cost.get('wasted', 0)}" if cost.get("amount") else None
    stop = spec.get("stop")
    yield "Stop", f"{stop['mode']} {stop.get('indexes') or ''} {stop.get('reason') or ''}".rstrip() if stop else None


def _definition(spec: Body, status: Body) -> str:
    if "definition" not in spec:
        return ""
    revision = status.get("definitionRevision") or spec["definition"].get("revision") or "newest"
    return f"{spec['definition']['name']}, revision {revision}"


def _pairs(values: Body | None) -> str:
    return ", ".join(f"{key}={value}" for key, value in (values or {}).items())


def _dependency(entry: Body) -> str:
    if "job" not in entry:
        return "the child before (Sequential)"
    return f"{entry['job']} ({entry.get('array') or entry.get('when', 'Succeeded')})"


def _array(spec: Body, status: Body) -> Iterator[tuple[str, Any]]:
    array, asked = status.get("array") or {}, spec.get("array") or {}
    if not asked:
        return
    most = f", at most {asked['maxConcurrent']} at a time" if asked.get("maxConcurrent") else ""
    yield "Array", f"{asked['size']} children{most}" + (f", only {asked['indexes']}" if asked.get("indexes") else "")
    counts = array.get("counts") or {}
    yield "Children", ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    for word in ("running", "failed"):
        yield f"  {word}", (array.get(word) or "")[:200]


def _waiting(waiting: Body) -> Iterator[tuple[str, Any]]:
    yield "Position", waiting.get("position")
    start = waiting.get("estimatedStart") or {}
    yield "Start", f"{ahead(start['p50'])} (nine times in ten {ahead(start.get('p90'))})" if start.get("p50") else None
    for verdict in waiting.get("environments") or ():
        numbers = f" needs {verdict.get('need', '')}; has {verdict.get('have', '')}" if verdict.get("need") else ""
        yield f"  {verdict['name']}", f"{verdict['verdict']}{numbers}"


def _ago(moment: str | None) -> str:
    return f"{moment} ({since(moment)} ago)" if moment else ""


def _print_attempts(job: Body, most: int | None) -> None:
    status = job.get("status") or {}
    children = (status.get("array") or {}).get("attempts") or []
    attempts = (children or status.get("attempts") or [])[-most if most else 0 :]
    if not attempts:
        return
    click.echo("\nAttempts:" if not children else f"\nAttempts (the last {len(attempts)} that matter):")
    header = ("CHILD", *_RUNS) if children else _RUNS
    show.print_table(header, [[*([a["index"]] if children else []), *_attempt(a)] for a in attempts])
    last = next((a for a in reversed(attempts) if a.get("message")), None)
    if last is not None:
        click.echo(f"\nMessage of attempt {last['number']}:")
        for line in last["message"].splitlines():
            click.echo(f"  {line}")


def _attempt(attempt: Body) -> list[Any]:
    return [
        *(attempt["number"], attempt.get("node"), attempt.get("computeEnvironment"), attempt.get("instanceType")),
        *(f"{since(attempt['startedAt'])} ago" if attempt.get("startedAt") else "",),
        *(since(attempt.get("startedAt"), attempt.get("stoppedAt")), attempt.get("exitCode"), attempt.get("reason")),
        *({True: "yes", False: "free"}.get(attempt.get("counted") or False) if "counted" in attempt else "",),
        attempt.get("cost"),
    ]


def _print_events(cluster: Cluster, job: Body, most: int | None) -> None:
    path = f"/api/v1/namespaces/{job['metadata']['namespace']}/events"
    try:
        found = list(cluster.all(path, fieldSelector=f"involvedObject.uid={job['metadata']['uid']}"))
    except Refusal:
        return  # who may read jobs need not be one who may read events
    if not found:
        return
    click.echo("\nEvents:")
    events = sorted(found, key=_when)[-most if most else 0 :]
    show.print_table(("AGE", "TYPE", "REASON", "MESSAGE"),
                     [[since(_when(e)), e.get("type"), e.get("reason"), e.get("message")] for e in events],
                     whole=True)  # fmt: skip


def _when(event: Body) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])
