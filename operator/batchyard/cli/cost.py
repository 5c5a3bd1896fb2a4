"""`batchyard cost`: what jobs have cost, from their statuses, and nodes, from those of the environments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

import click

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Failure
from batchyard.cli.flags import JOB, QUEUE, connected, output
from batchyard.cli.invoice import idle_line, print_invoices
from batchyard.cli.words import amount, ended, money, name

_KEYS: dict[str, Callable[[Body], str]] = {
    "job": name,
    "queue": lambda job: str(job["spec"]["queue"]),
    "namespace": lambda job: str(job["metadata"]["namespace"]),
    "share": lambda job: str(job["spec"].get("share") or "(none)"),
}
_BY = [*_KEYS, "environment"]


@dataclass(slots=True)
class Sum:
    """What jobs have cost together."""

    jobs: int = 0
    live: int = 0
    amount: Decimal = Decimal(0)
    wasted: Decimal = Decimal(0)

    def add(self, job: Body) -> None:
        """Count a job."""
        cost = (job.get("status") or {}).get("cost") or {}
        self.jobs += 1
        self.live += not ended(job)
        self.amount += amount(cost.get("amount"))
        self.wasted += amount(cost.get("wasted"))


@click.command("cost")
@click.argument("jobs", metavar="[JOB...]", nargs=-1, type=JOB)
@click.option("--by", type=click.Choice(_BY), default="job", show_default=True, help="What a line stands for.")
@click.option("-q", "--queue", type=QUEUE, help="Only jobs of this queue.")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Jobs of all namespaces.")
@click.option("-l", "--selector", default="", help="Only jobs with these labels.")
@output("json", "yaml", "wide")
@connected
def command(  # noqa: PLR0913 the flags
    cluster: Cluster,
    jobs: tuple[str, ...],
    by: str,
    queue: str | None,
    everywhere: bool,
    selector: str,
    form: str | None,
) -> None:
    """Add up what jobs have cost, the dearest first.

    Counted are the jobs that are still there: one is deleted when its ttlSecondsAfterFinished has passed, and its
    cost with it. WASTED is what attempts cost that did not succeed. `--by environment` tells what the nodes cost since
    the environment was made: useful, wasted, running and idle add up to it.
    """
    if by == "environment":
        if jobs or queue or selector:
            raise Failure("--by environment is about all that its nodes cost; leave out jobs, --queue and --selector")
        print_invoices(cluster, form)
        return
    found: Iterable[Body] = (cluster.get("Job", job) for job in jobs)
    if not jobs:
        fields = f"spec.queue={queue}" if queue else ""
        found = cluster.all(cluster.path("Job", everywhere=everywhere), fieldSelector=fields, labelSelector=selector)
    sums, whole = _sums(found, "namespace/job" if by == "job" and everywhere else by)
    if form in ("json", "yaml"):
        show.dump({"by": by, "items": [_plain(key, sum_) for key, sum_ in sums], "total": _plain("", whole)}, form)
        return
    rows = [_row(key, sum_) for key, sum_ in [*sums, ("total", whole)]]
    header: tuple[str, ...] = (by.upper(), "JOBS", "UNFINISHED", "COST", "WASTED")
    if form == "wide":
        header = (*header, "EACH", "OF ALL", "WASTED OF IT")
        rows = [row + _wide(sum_, whole) for row, sum_ in zip(rows, [*(sum_ for _, sum_ in sums), whole], strict=True)]
    show.print_table(header, rows, whole=form == "wide")
    if everywhere and not (jobs or queue or selector) and (line := idle_line(cluster)):
        show.console().print(f"\n{line}")


def _sums(jobs: Iterable[Body], by: str) -> tuple[list[tuple[str, Sum]], Sum]:
    key = _KEYS.get(by) or (lambda job: f"{job['metadata']['namespace']}/{name(job)}")
    sums: dict[str, Sum] = {}
    whole = Sum()
    for job in jobs:
        sums.setdefault(key(job), Sum()).add(job)
        whole.add(job)
    return sorted(sums.items(), key=lambda item: (-item[1].amount, item[0])), whole


def _row(key: str, sum_: Sum) -> list[str]:
    return [key, str(sum_.jobs), str(sum_.live), money(sum_.amount), money(sum_.wasted)]


def _wide(sum_: Sum, whole: Sum) -> list[str]:
    each = sum_.amount / sum_.jobs if sum_.jobs else Decimal(0)
    return [money(each), _percent(sum_.amount, whole.amount), _percent(sum_.wasted, sum_.amount)]


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{100 * part / whole:.0f} %" if whole else ""


def _plain(key: str, sum_: Sum) -> dict[str, object]:
    plain: dict[str, object] = {"name": key} if key else {}
    return {
        **plain,
        "jobs": sum_.jobs,
        "unfinished": sum_.live,
        "amount": f"{sum_.amount:f}",
        "wasted": f"{sum_.wasted:f}",
    }
