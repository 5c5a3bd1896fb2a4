"""`python -m bench.linger`: what it saves in node hours that jobs go where others stay on for long (decide/linger.py).

Pure: no cluster, one process. Days of short and long jobs, which come within twelve hours, are decided once a minute
by the operator's own rules, with that one and without; machines and pods are make-believe. Run times are learnt from
what has ended.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # scenes to decide about are built as in the tests

import msgspec  # noqa: E402

from batchyard.decide import decide  # noqa: E402
from batchyard.decide.linger import NO_STAY  # noqa: E402
from batchyard.decide.replay import START_SECONDS, Replay  # noqa: E402
from batchyard.model.machine import Shape  # noqa: E402
from batchyard.model.plan import Plan, Record, Retire  # noqa: E402
from batchyard.model.resources import read  # noqa: E402
from batchyard.world.parse import rfc3339  # noqa: E402
from batchyard.world.store import Store  # noqa: E402
from batchyard.world.views import Pod, key  # noqa: E402
from builders import (  # noqa: E402
    NOW,
    definition,
    environment,
    job,
    newer,
    of,
    queue,
    revision,
    running,
    store,
    template,
)

HOUR, KINDS = 3600.0, 12
SIZES = ((1500, 10), (4000, 6))  # jobs of a day, days
SHAPE = Shape("c32", read({"cpu": "32", "memory": "96Gi"}, pods=110), "1")
PAGE = ROOT / "docs" / "explanation" / "how-it-decides.md"
HEAD = (
    "| jobs a day | days | node hours, fullest node | node hours, with the rule | saved, mean of the days | from, to |",
    "|---:|---:|---:|---:|---:|---:|",
)
BEGIN, END = "<!-- made by python -m bench.linger -->", "<!-- until here -->"


@dataclass(frozen=True, slots=True)
class Work:
    """One job: when it comes, of which definition, and how long it runs, in seconds."""

    at: float
    kind: int
    seconds: float


def day(seed: int, jobs: int) -> tuple[list[tuple[int, int, float]], list[Work]]:
    """Return definitions (vCPUs, GiB, seconds that half of its jobs take) and the jobs of twelve hours."""
    rng = random.Random(seed)  # noqa: S311 a seed makes it the same again
    kinds = [_kind(rng, long=number % 3 == 0) for number in range(KINDS)]
    works = []
    for _ in range(jobs):
        at = rng.triangular(0, 12 * HOUR, 5.4 * HOUR)
        kind = rng.choices(range(KINDS), [1 if number % 3 == 0 else 4 for number in range(KINDS)])[0]
        works.append(Work(at, kind, kinds[kind][2] * rng.lognormvariate(0, 0.5)))
    return kinds, sorted(works, key=lambda work: work.at)


def _kind(rng: random.Random, *, long: bool) -> tuple[int, int, float]:
    seconds = rng.uniform(1, 4) * HOUR if long else rng.uniform(1, 15) * 60
    cpu = rng.choice((1, 1, 2, 4, 8))
    return cpu, cpu * rng.choice((1, 2, 4)), seconds


class Day(Replay):
    """A world in which every job runs as long as `runs` says by its uid; `hours` is what retired nodes have cost."""

    def __init__(self, known: Store, runs: Mapping[str, float]) -> None:
        super().__init__(known, NOW, 0.5)
        self.runs, self.hours = runs, 0.0

    def foresee(self, pod: Pod) -> None:
        """Have a pod run at once, and end when its job has run."""
        where, started = key(pod), self.now + START_SECONDS
        runs = {"phase": "Running", "containers": (running(started),), "acknowledged": self.now}
        self.store.apply_pod(msgspec.structs.replace(pod, **runs))
        self.at(started + self.runs[pod.job], lambda: self._ends(where, started))

    def carry_out(self, plan: Plan) -> None:
        """Do what a plan asks; what is written is the API server's word at once."""
        super().carry_out(plan)
        for record in of(plan, Record):
            self.store.apply(newer(self.store.jobs[record.job]))
        for verb in of(plan, Retire):
            self.hours += (self.now - self.store.machines[verb.machine].launched_at) / HOUR
            del self.store.machines[verb.machine]
            self.store.remove(self.store.nodes[verb.machine])

    def until(self, when: float) -> None:
        """Let happen what happens until then."""
        while self.events and self.events[0][0] <= when:
            self.skip_to(when, 0.0)
        self.now = when


def live(seed: int, jobs: int) -> float:
    """Live through a day; return the hours of all nodes."""
    kinds, works = day(seed, jobs)
    world = Day(_scene(kinds), {f"uid-j{number}": work.seconds for number, work in enumerate(works)})
    coming = list(enumerate(works))[::-1]
    for minute in count():
        world.until(NOW + minute * 60)
        while coming and NOW + coming[-1][1].at <= world.now:
            number, work = coming.pop()
            world.store.apply(_job(f"j{number}", work))
        world.carry_out(decide(world.store, world.now))
        if not coming and not world.store.machines:
            return world.hours
    raise AssertionError("time has ended")


def _scene(kinds: Sequence[tuple[int, int, float]]) -> Store:
    known = store(environment(max_vcpus=100_000, shapes=(SHAPE,), scale_down_delay=60.0), queue())
    for number, (cpu, memory, _) in enumerate(kinds):
        view = definition(f"d{number}", template=template(str(cpu), f"{memory}Gi"))
        known.apply(view)
        known.apply(revision(view))
    return known


def _job(name: str, work: Work) -> Any:
    meta = {"creationTimestamp": rfc3339(int(NOW + work.at))}
    return job(name, definition={"name": f"d{work.kind}"}, meta=meta)


def _pair(seed: int, jobs: int) -> tuple[float, float]:
    with patch("batchyard.decide.find.stay", lambda *_: NO_STAY):  # the fullest node of all that have room
        before = live(seed, jobs)
    return before, live(seed, jobs)


def compare(jobs: int, days: int) -> tuple[str, float]:
    """Return a row of the table, and what part of the node hours is saved."""
    pairs = [_pair(seed, jobs) for seed in range(1, days + 1)]
    before, after = (sum(hours) for hours in zip(*pairs, strict=True))
    saved = [1 - its / other for other, its in pairs]
    mean, error = statistics.mean(saved), statistics.stdev(saved) / days**0.5
    spread = f"{mean:.1%} ± {error:.1%} | {min(saved):.1%} to {max(saved):.1%}"
    return f"| {jobs} | {days} | {before:.0f} | {after:.0f} | {spread} |", 1 - after / before


def main() -> int:
    """Print the table and put it into the page; return 1 if the rule saves nothing."""
    rows, least = list(HEAD), 1.0
    for jobs, days in SIZES:
        row, saved = compare(jobs, days)
        rows.append(row)
        least = min(least, saved)
    table = "\n".join(rows) + "\n"
    sys.stdout.write(table)
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{table}{END}{rest.partition(END)[2]}")
    return 0 if least > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
