"""What a stretch of a run cost: CPU by process, requests by client, the operator's memory, and who else was busy."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bench import audit, processes
from bench.arena import Arena

Figures = dict[str, float]
PROGRAMS = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler", "kwok", "operator", "bench")
CLIENTS = ("operator", "kube-controller-manager", "kube-scheduler", "kwok", "bench", "kube-apiserver", "other")
_OF_JOBS = frozenset({"pods", "batchjobs"})


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters at one moment."""

    at: float
    cpu: Mapping[str, float]
    machine: float
    audit_bytes: int


class Meter:
    """Reads the counters when it is made; `stop` says what has been spent since, each job's share of it."""

    def __init__(self, arena: Arena, operator: int | None = None) -> None:
        self._arena = arena
        self._pids = {**arena.pids(), "bench": os.getpid()}
        if operator is not None:
            self._pids["operator"] = operator
        self.began = self._read()

    def stop(self, jobs: int) -> Figures:
        """Return `cpu.PROGRAM` (CPU-ms a job), `requests.CLIENT`, `writes.CLIENT` (a job), `seconds`, `others` (cores).

        `pace` is jobs a second with ramp and stragglers. `writes.jobs` are the operator's own to jobs and pods: what
        grows with the jobs. `detail.CLIENT.VERB.RESOURCE` takes the requests apart.
        """
        began, ended = self.began, self._read()
        seconds = ended.at - began.at
        spent = {name: ended.cpu[name] - began.cpu[name] for name in self._pids}
        figures = {f"cpu.{name}": seconds * 1000 / jobs for name, seconds in spent.items()}
        figures["cpu"] = sum(figures.values())
        figures |= {"seconds": seconds, "pace": jobs / seconds}
        figures["others"] = max(ended.machine - began.machine - sum(spent.values()), 0) / seconds
        figures |= self._requests(began.audit_bytes, ended.audit_bytes, jobs)
        if "operator" in self._pids:
            figures["memory"] = processes.memory(self._pids["operator"]) / 2**20
        return figures

    def requests(self) -> list[audit.Asked]:
        """Return all requests since the meter was made."""
        return list(audit.read(self._arena.audit_log, self.began.audit_bytes, self._size()))

    def _read(self) -> Reading:
        cpu = {name: processes.cpu_seconds(pid) for name, pid in self._pids.items()}
        return Reading(time.time(), cpu, processes.machine_seconds(), self._size())

    def _size(self) -> int:
        log = self._arena.audit_log
        return log.stat().st_size if log.exists() else 0

    def _requests(self, begin: int, end: int, jobs: int) -> Figures:
        sums: Counter[str] = Counter()
        for asked, number in audit.count(audit.read(self._arena.audit_log, begin, end)).items():
            keys = [f"detail.{asked.client}.{asked.verb}.{asked.resource}", f"requests.{asked.client}", "requests"]
            if asked.writes:
                keys += [f"writes.{asked.client}", "writes"]
            if asked.writes and asked.client == "operator" and asked.kind in _OF_JOBS:
                keys.append("writes.jobs")
            sums.update(dict.fromkeys(keys, number))
        return {name: number / jobs for name, number in sums.items()}
