"""The subjects: what is run, how many of it, and against which control plane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench import arrivals, chains, floors, killed, script, soak, throughput, waiting
from bench.arena import DEFAULTS, LIFTED, Flags
from bench.trial import Subject


@dataclass(frozen=True, slots=True)
class Entry:
    """A subject with its size; `quick` is its size in the short run, 0 if it is not part of that."""

    name: str
    what: str
    measure: Subject
    size: int
    quick: int = 0
    flags: Flags | None = None  # absent: client limits lifted
    once: bool = False  # not repeated: it takes long, or many samples are its own repetition
    apart: bool = False  # run only when it is named

    @property
    def settings(self) -> Flags:
        """The control plane's flags."""
        return LIFTED if self.flags is None else self.flags


CATALOGUE = (
    Entry("B0", "bare pods with spec.nodeName", floors.bare_pods, 5000, 800),
    Entry("B0p", "B0 with the pods of an array of ours", floors.our_pods, 5000, 800),
    Entry("B0d", "the requests of W3 by a script: B0p as places come free", floors.our_pods_purged, 5000, 800),
    Entry("B0j", "the requests of W1 by a script that decides nothing", script.scripted_jobs, 5000, 800),
    Entry("W1", "jobs of one pod, one queue", throughput.single_jobs, 5000, 800),
    Entry("B1", "bare pods through kube-scheduler", floors.scheduled_pods, 2000),
    Entry("B2", "native Jobs of one pod", floors.native_jobs, 2000, 500),
    Entry("B2d", "native Jobs at the controller manager's defaults", floors.native_jobs, 300, 120, DEFAULTS),
    Entry("W3", "one array", throughput.one_array, 10_000, 1500),
    Entry("B3", "one native Indexed Job", floors.indexed_job, 3000, 800),
    Entry("B3d", "one native Indexed Job at defaults", floors.indexed_job, 1000, 0, DEFAULTS, once=True),
    Entry("B4", "our Jobs created, no operator", floors.jobs_alone, 5000, 1000, once=True),
    Entry("W2-20", "arrays of 20", throughput.many_small_arrays, 5000),
    Entry("W2-500", "arrays of 500", throughput.few_large_arrays, 5000),
    Entry("W7-chain", "a chain of jobs", chains.hops, 1000, once=True),
    Entry("W7-fan", "one job, many, one", chains.fan_out_and_in, 5000, once=True),
    Entry("W7-pairs", "two arrays OneToOne", chains.side_by_side, 4000, once=True),
    Entry("W8", "jobs into an empty pool, at once", arrivals.launches_after_a_crowd, 1000),
    Entry("W8-stream", "jobs into an empty pool, 20 a second", arrivals.launches_of_a_stream, 1000, once=True),
    Entry("W12", "W1, the operator killed every 5 s", killed.killed, 5000, once=True),
    Entry("W5", "open loop, seconds at each rate", arrivals.open_loop, 30, once=True),
    Entry("W1@1000", "W1, smaller", throughput.single_jobs, 1000, once=True),
    Entry("W1@20000", "W1, larger", throughput.single_jobs, 20_000, once=True),
    Entry("W6@1000", "jobs that wait", waiting.queued_jobs, 1000, once=True),
    Entry("W6@10000", "jobs that wait", waiting.queued_jobs, 10_000, once=True),
    Entry("W6", "jobs that wait", waiting.queued_jobs, 100_000, 2000, once=True),
    Entry("soak", "half of W1's rate for so many seconds, killed at random", soak.soak, 3600, once=True, apart=True),
)


def quick() -> list[Entry]:
    """Return the short run: W1, W3, W6 and their floors."""
    return [replace(entry, size=entry.quick) for entry in CATALOGUE if entry.quick]


def whole() -> list[Entry]:
    """Return everything that `make bench` runs."""
    return [entry for entry in CATALOGUE if not entry.apart]


def chosen(names: Iterable[str]) -> list[Entry]:
    """Return the subjects of these names; `W7` stands for `W7-chain` and its like.

    Raises:
        KeyError: nothing has such a name.
    """
    found: dict[str, Entry] = {}
    for name in names:
        fitting = {e.name: e for e in CATALOGUE if e.name == name or e.name.startswith(f"{name}-")}
        if not fitting:
            raise KeyError(name)
        found |= fitting
    return list(found.values())
