"""The pods of a job whose logs are wanted, and how one of them is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from urllib3.exceptions import HTTPError

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Refusal
from batchyard.cli.sink import Sink
from batchyard.model.labels import ARRAY_INDEX, ATTEMPT, JOB_UID, NODE_INDEX
from batchyard.world.indexes import members

_NAMED = 100  # indexes that a label selector may name one by one


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which logs: of which children (None: all), of which attempt (None: the latest), of which container."""

    indexes: int | None = None
    attempt: int | None = None
    container: str | None = None
    tail: int | None = None
    timestamps: bool = False

    def takes(self, run: Run) -> bool:
        """Say whether a pod is among those wanted."""
        chosen = self.indexes is None or run.index is None or bool(self.indexes >> run.index & 1)
        return chosen and self.attempt in (None, run.attempt)

    def selector(self, job: Body) -> str:
        """Return the label selector that finds them."""
        parts = [f"{JOB_UID}={job['metadata']['uid']}"]
        if self.attempt is not None:
            parts.append(f"{ATTEMPT}={self.attempt}")
        if self.indexes is not None and self.indexes.bit_count() <= _NAMED:
            label = ARRAY_INDEX if job["spec"].get("array") else NODE_INDEX
            parts.append(f"{label} in ({','.join(str(index) for index in members(self.indexes))})")
        return ",".join(parts)


@dataclass(frozen=True, slots=True)
class Run:
    """One pod: the try of a job, of a child of an array, or of a node of a multi-node job."""

    pod: str
    attempt: int
    index: int | None
    phase: str
    containers: tuple[str, ...]

    @classmethod
    def of(cls, pod: Body) -> Run:
        """Read a pod."""
        labels = pod["metadata"].get("labels") or {}
        index = labels.get(ARRAY_INDEX, labels.get(NODE_INDEX))
        names = tuple(container["name"] for container in pod["spec"]["containers"])
        number = None if index is None else int(index)
        phase = (pod.get("status") or {}).get("phase", "Pending")
        return cls(pod["metadata"]["name"], int(labels.get(ATTEMPT, 1)), number, phase, names)

    @property
    def started(self) -> bool:
        """Say whether there may be something to read."""
        return self.phase in ("Running", "Succeeded", "Failed")

    @property
    def prefix(self) -> bytes:
        """Return what stands before each line; nothing for a job of one pod."""
        return b"" if self.index is None else f"{self.index}: ".encode()


def pods_path(job: Body) -> str:
    """Return where the job's pods are."""
    return f"/api/v1/namespaces/{job['metadata']['namespace']}/pods"


def runs(cluster: Cluster, job: Body, wanted: Wanted) -> Iterator[Run]:
    """Yield the pods that are still there, in no order."""
    for pod in cluster.all(pods_path(job), labelSelector=wanted.selector(job)):
        run = Run.of(pod)
        if wanted.takes(run):
            yield run


def read(cluster: Cluster, job: Body, run: Run, wanted: Wanted, sink: Sink, follow: bool = False) -> None:  # noqa: PLR0913
    """Copy the log of one pod; one that cannot be read is said on stderr."""
    if wanted.container is None and len(run.containers) > 1 and run.index is None:
        show.say(f"{run.pod} has containers {', '.join(run.containers)}; this is {run.containers[0]} (--container)")
    query: Body = {"container": wanted.container or run.containers[0], "follow": "true" if follow else "false"}
    if wanted.tail is not None:
        query["tailLines"] = wanted.tail
    if wanted.timestamps:
        query["timestamps"] = "true"
    try:
        with cluster.open("GET", f"{pods_path(job)}/{run.pod}/log", query) as answer:
            sink.copy(answer.stream(65_536, decode_content=True), run.prefix)
    except Refusal as refused:
        show.say(f"{run.pod}: {_why(refused)}")
    except HTTPError as error:
        show.say(f"{run.pod}: the log broke off ({error})")


def _why(refused: Refusal) -> str:
    if refused.code == 404 and "not found" in refused.message:
        return f"{refused.message}; it is not there any more, or its node is not"
    return refused.message
