"""Waiting for jobs to end, with their logs if wanted; the outcome is an exit code."""

from __future__ import annotations

from collections.abc import Sequence

from batchyard.cli import show
from batchyard.cli.changes import changes
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Unreachable
from batchyard.cli.follow import Follower
from batchyard.cli.outcome import exit_code, verdict
from batchyard.cli.progress import display
from batchyard.cli.words import ended, name

INTERRUPTED = 130


def wait(cluster: Cluster, jobs: Sequence[Body], follow: bool = False) -> int:
    """Wait for all jobs; return the first exit code that is not 0, or 130 after Ctrl-C, which stops no job."""
    codes = []
    waiting = list(jobs)
    try:
        while waiting:
            end = _until_ended(cluster, waiting[0], follow)
            show.say(verdict(end))
            codes.append(exit_code(end))
            waiting.pop(0)
    except KeyboardInterrupt:
        show.say(goes_on(waiting))
        return INTERRUPTED
    except Unreachable as lost:
        raise Unreachable(f"{lost.message}; {goes_on(waiting)}") from lost
    return next((code for code in codes if code), 0)


def _until_ended(cluster: Cluster, job: Body, follow: bool) -> Body:
    if follow:
        return Follower(cluster, job).run(display(lines=True))
    with display() as screen:
        for latest in changes(cluster, job):
            screen.show(latest)
            if ended(latest):
                return latest
    raise AssertionError("unreachable: changes() has no end of its own")


def goes_on(jobs: Sequence[Body]) -> str:
    """Say that Ctrl-C ends the waiting, and how the jobs would be stopped."""
    names = " ".join(name(job) for job in jobs)
    goes = "goes" if len(jobs) == 1 else "go"
    return f"{names} {goes} on; to stop: batchyard stop {names} -n {jobs[0]['metadata']['namespace']}"
