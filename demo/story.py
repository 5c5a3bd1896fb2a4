"""What happens in the demo and when: each step looks at the cluster and does what has become possible."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from demo import manifests
from demo.kubectl import Kubectl, KubectlError
from demo.scene import FINAL, Scene
from demo.texts import Folder, Statistics

HEAPS = 8
NOTICE_SECONDS = 5
LOG_TRIES = 5
END = "end\n"
SECONDS_BEFORE_NOTICE = 2.0


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


@dataclass(slots=True)
class Story:
    """The batch and its troubles; what it has learnt from the pods' logs so far."""

    kubectl: Kubectl
    folder: Folder
    tell: Callable[[str], None]
    dealt: bool = False
    kept: set[int] = field(default_factory=set)
    statistics: Statistics | None = None
    licences: dict[str, int] | None = None
    reclaimed: str = ""
    _notice: subprocess.Popen[bytes] | None = None
    _log_failures: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """Submit everything that depends on nothing."""
        namespace = manifests.namespace(self.kubectl.namespace)
        files = [manifests.text(name, self.folder.path.name) for name in ("environments", "trouble", "batch")]
        self.kubectl.apply(namespace, *files, _job("split"))
        self.tell("Submitted: four jobs that will meet trouble, and the first step of the batch.")

    def step(self, scene: Scene) -> None:
        """Do what has become possible; DemoError if a job of the batch has failed for good."""
        self._check(scene)
        self._deal(scene)
        self._collect(scene)
        self._merge(scene)
        self._reclaim(scene)
        self._read_licences(scene)

    def over(self, scene: Scene) -> bool:
        """Whether every job has ended and every result is read."""
        ended = all(job.ended for job in scene.jobs.values())
        return ended and self.statistics is not None and self.licences is not None

    def close(self) -> None:
        """Leave no child behind."""
        if self._notice is not None:
            self._notice.wait()

    def _check(self, scene: Scene) -> None:
        for name, job in scene.jobs.items():
            if job.phase == "Failed" and name != "too-slow":
                raise DemoError(f"job {name} failed: {job.message}")

    def _deal(self, scene: Scene) -> None:
        if self.dealt or not scene.has("split", "Succeeded"):
            return
        plan = self._log(scene, "split")
        if plan is not None:
            self.folder.deal(plan)
            self.dealt = True
            self.tell(f"The texts are dealt to {HEAPS} heaps; submitting a job for each.")
            self.kubectl.apply(*(_job(f"count-{heap}") for heap in range(HEAPS)))

    def _collect(self, scene: Scene) -> None:
        for heap in range(HEAPS):
            name = f"count-{heap}"
            if heap in self.kept or not scene.has(name, "Succeeded"):
                continue
            table = self._log(scene, name)
            if table is not None:
                self.folder.keep(heap, table)
                self.kept.add(heap)

    def _merge(self, scene: Scene) -> None:
        if self.statistics is not None or len(self.kept) < HEAPS:
            return
        if "merge" not in scene.jobs:
            self.tell("All heaps are counted; submitting the job that adds them up.")
            self.kubectl.apply(_job("merge"))
        elif scene.has("merge", "Succeeded"):
            log = self._log(scene, "merge")
            self.statistics = Statistics.parse(log) if log is not None else None

    def _read_licences(self, scene: Scene) -> None:
        if self.licences is None and scene.has("licences", "Succeeded"):
            log = self._log(scene, "licences")
            if log is not None:
                self.licences = {name: int(count) for name, count in (line.split() for line in log.splitlines())}

    def _reclaim(self, scene: Scene) -> None:
        """Take the node of `licences` away once it has worked for a moment, as a user would: with a command.

        Not while the jobs that are tried again for reasons of their own still are: they would lose theirs too.
        """
        if self._notice is not None and self._notice.poll() not in (None, 0):
            self._notice, self.reclaimed = None, ""
        job = scene.jobs.get("licences")
        if self.reclaimed or job is None or job.phase != "Running" or job.latest is None or job.latest.started is None:
            return
        if (datetime.now(UTC) - job.latest.started).total_seconds() < SECONDS_BEFORE_NOTICE:
            return
        if not all(scene.has(name, *FINAL) for name in ("busy-at-first", "hungry")):
            return
        self.reclaimed = job.latest.node
        self.tell(f"Spot reclaim: python -m batchyard interrupt {self.reclaimed} --notice {NOTICE_SECONDS}")
        command = [sys.executable, "-m", "batchyard", "interrupt", self.reclaimed, f"--notice={NOTICE_SECONDS}"]
        self._notice = subprocess.Popen(command, env=self.kubectl.environment(), stdout=subprocess.DEVNULL)

    def _log(self, scene: Scene, name: str) -> str | None:
        """Return what a job printed; None if that cannot be had, now or ever: then the job is submitted again."""
        attempt = scene.jobs[name].latest
        try:
            log, _, end = self.kubectl.log(attempt.pod if attempt else f"{name}-1").rpartition(END)
            problem = "" if end == "" and log else "its log is not whole"
        except KubectlError as error:
            problem = str(error)
        if not problem:
            return log
        self._log_failures[name] += 1
        self.tell(f"{name}: {problem}")
        if self._log_failures[name] % LOG_TRIES == 0:
            self.tell(f"Running {name} again.")
            self.kubectl.run("delete", "batchjob", name, "--cascade=foreground")
            self.kubectl.apply(_job(name))
        return None


def _job(name: str) -> str:
    """Return the YAML of one job of the batch, whose definition its name begins with; `count-3` counts heap 3."""
    definition, _, heap = name.partition("-")
    parameters = {"split": {"heaps": HEAPS}, "count": {"heap": int(heap or 0)}, "merge": {}}[definition]
    return manifests.job(name, definition, **parameters)


def unfinished(scene: Scene) -> str:
    """Say what every job that has not ended waits for."""
    return "\n".join(
        f"  {job.name}: {job.phase} {job.reason} {job.message}" for job in scene.jobs.values() if job.phase not in FINAL
    )
