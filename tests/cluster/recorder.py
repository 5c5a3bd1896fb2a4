"""What the API server said of jobs and their pods during a run, in its own order: nothing is concluded from polls."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from batchyard.model.phase import Phase, reachable
from cluster.rest import Api, Body, place

_LABEL = "batchyard.dev/job-uid"
_INDEX, _RANK, _GANG = "batchyard.dev/array-index", "batchyard.dev/node-index", "batchyard.dev/gang"
_STOP = "batchyard.dev/stop"
_FINAL = ("Succeeded", "Failed")


def _disrupted(pod: Body) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any((each["type"], each["status"]) == ("DisruptionTarget", "True") for each in conditions)


@dataclass
class PodRun:
    """One pod of a job; `over` once it can no longer run anything."""

    job: str
    name: str
    namespace: str
    attempt: int
    node: str = ""
    phase: str = "Pending"
    over: bool = False
    index: str = ""  # of an array's child
    rank: str = ""  # the node of a multi-node job
    main: bool = False  # the main pod of a multi-node job

    def is_another_try(self, other: PodRun) -> bool:
        """Say whether both are tries of the same thing: of an array only the same child, of several nodes all."""
        if self.index != other.index:
            return False
        return not self.rank or other.attempt != self.attempt or other.rank == self.rank


@dataclass
class Recorder:
    """Watches all pods of jobs and all objects of ours; `wrongs` are sentences about what may never happen."""

    api: Api
    pods: dict[str, PodRun] = field(default_factory=dict)
    statuses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # job -> phase/reason, each write
    phases: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    nodes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # environment -> nodes there are now
    peaks: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # environment -> most nodes at once
    wrongs: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    forged: set[str] = field(default_factory=set)  # namespaces where users write pods and statuses in our name
    _runs: dict[str, list[PodRun]] = field(default_factory=lambda: defaultdict(list))  # job -> its pods
    _namespace: dict[str, str] = field(default_factory=dict)  # job -> its namespace
    _ended: bool = False

    def start(self) -> None:
        self._watch("Pod", self._pod, f"labelSelector={_LABEL}")
        self._watch("Job", self._job)
        self._watch("Node", self._node, "labelSelector=batchyard.dev/compute-environment")
        for kind in ("JobQueue", "JobDefinition", "ComputeEnvironment"):
            self._watch(kind, self._metadata)

    def stop(self) -> None:
        self._ended = True

    def _watch(self, kind: str, take: Any, query: str = "") -> None:
        listed = self.api.call("GET", f"{place(kind)}?{query}")
        for item in listed["items"]:
            take("ADDED", {"kind": kind, **item})
        run = threading.Thread(
            target=self._follow, args=(kind, take, query, listed["metadata"]["resourceVersion"]), daemon=True
        )
        run.start()

    def _follow(self, kind: str, take: Any, query: str, version: str) -> None:
        try:
            while not self._ended:
                path = f"{place(kind)}?watch=1&allowWatchBookmarks=true&resourceVersion={version}&{query}"
                for event in self.api.stream(path):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        take(event["type"], event["object"])
        except Exception as error:  # the tests look at `broken`
            if not self._ended:
                self.broken.append(f"watch of {kind}: {error!r}")

    def _pod(self, change: str, body: Body) -> None:
        meta = body["metadata"]
        run = self.pods.get(meta["uid"])
        if meta["namespace"] in self.forged:
            return
        if run is None:
            labels = meta["labels"]
            run = PodRun(
                labels[_LABEL], meta["name"], meta["namespace"], int(labels["batchyard.dev/attempt"]),
                body["spec"].get("nodeName", ""), index=labels.get(_INDEX, ""), rank=labels.get(_RANK, ""),
                main=_GANG in (meta.get("annotations") or {}),
            )  # fmt: skip
            self._begins(run)
            self.pods[meta["uid"]] = run
            self._runs[run.job].append(run)
        phase = body.get("status", {}).get("phase", run.phase)
        run.node = body["spec"].get("nodeName", run.node)
        run.over = run.over or change == "DELETED" or phase in _FINAL
        # A program that exits with 0 because its node goes has saved its state, and is not done (ADR 38).
        told = "deletionTimestamp" in meta and (_STOP in (meta.get("annotations") or {}) or _disrupted(body))
        run.phase = "Interrupted" if phase == "Succeeded" and told else phase

    def _begins(self, run: PodRun) -> None:
        for other in (other for other in self._runs[run.job] if run.is_another_try(other)):
            if not other.over:
                self.wrongs.append(f"pod {run.namespace}/{run.name} began while {other.name} could still run")
            if other.phase == "Succeeded" and (other.main or not other.rank):
                self.wrongs.append(f"pod {run.namespace}/{run.name} began although {other.name} had succeeded")

    def of(self, job: str) -> list[PodRun]:
        """All pods that a job ever had, oldest first."""
        return list(self._runs[job])

    def _job(self, change: str, body: Body) -> None:
        if body["metadata"]["namespace"] in self.forged:
            return
        self._metadata(change, body)
        uid, status = body["metadata"]["uid"], body.get("status", {})
        new = status.get("phase")
        self._namespace[uid] = body["metadata"]["namespace"]
        self.statuses[uid].append(f"{new}/{status.get('reason', '')}")
        known = self.phases[uid]
        if new is None or (known and known[-1] == new):
            return
        if known and not reachable(Phase(known[-1]), Phase(new)):
            self.wrongs.append(f"job {body['metadata']['name']} went from {known[-1]} to {new}")
        known.append(new)

    def phases_of(self, namespace: str) -> Iterator[str]:
        """The latest phase of each job of a namespace."""
        return (
            self.phases[uid][-1]
            for uid, name in list(self._namespace.items())
            if name == namespace and self.phases[uid]
        )

    def _node(self, change: str, body: Body) -> None:
        environment = body["metadata"]["labels"]["batchyard.dev/compute-environment"]
        names = self.nodes[environment]
        (names.discard if change == "DELETED" else names.add)(body["metadata"]["name"])
        self.peaks[environment] = max(self.peaks[environment], len(names))

    def _metadata(self, change: str, body: Body) -> None:
        """Users' objects are theirs: no annotations, no finalizers but the one that holds nodes which cost money."""
        meta, kind = body["metadata"], body.get("kind", "")
        notes = [key for key in meta.get("annotations") or () if not key.startswith("kubectl.kubernetes.io/")]
        holds = list(meta.get("finalizers") or ())
        if kind == "ComputeEnvironment":
            holds = [name for name in holds if name != "batchyard.dev/nodes"]
        # Deletion in the foreground is a finalizer of the API server's own, and a test may have one.
        if notes or [name for name in holds if name not in ("foregroundDeletion", "example.org/hold")]:
            self.wrongs.append(f"{kind} {meta['name']} has annotations {notes} and finalizers {holds}")
