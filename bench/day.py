"""`python -m bench.day`: a day of mixed work in the simulated world, spot first against on-demand only; from a seed.

The world is that of the property tests: its machines, kubelets and times are make-believe, the decisions are the
operator's own. What it cost is added up from the world's own log.
"""

# The world's modules lie in a folder of tests, where mypy does not look for modules.
# mypy: disable-error-code="import-not-found,attr-defined,misc,no-any-return,unused-ignore"

from __future__ import annotations

import argparse
import math
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "properties")]  # the world is shared with the tests

import executor  # noqa: E402
import simulation as worlds  # noqa: E402
from invoice import Invoice, invoice  # noqa: E402

from batchyard.decide import decide  # noqa: E402
from batchyard.model.machine import MachineState  # noqa: E402
from batchyard.model.plan import Plan  # noqa: E402
from batchyard.world.parse import moment  # noqa: E402
from batchyard.world.views import Environment, Job, Queue  # noqa: E402
from builders import NOW  # noqa: E402
from world import Program  # noqa: E402

HOUR, DAY = 3600.0, 86_400.0
LIMIT = 96  # vCPUs of either environment
RECLAIMS_AN_HOUR = 0.1  # of each spot node
NOTICE = 120.0
PAGE, PICTURE = ROOT / "docs" / "how-to" / "spot.md", ROOT / "docs" / "images" / "spot-day.png"
BEGIN, END = "<!-- made by make day -->", "<!-- until here -->"
KINDS = (  # how many of ten jobs, vCPUs, memory, minutes of half of them
    (6, 1, "1Gi", 4.0),
    (2, 2, "7Gi", 10.0),
    (1, 4, "4Gi", 25.0),
    (1, 8, "12Gi", 40.0),
)


class Quick(executor.Operator):
    """An operator that decides once, not three times to see whether it comes to the same."""

    def plan(self) -> Plan:
        """Return what is decided."""
        return decide(self.store, self.world.now)


@dataclass(frozen=True)
class Work:
    """One job of the day."""

    at: float
    cpu: int
    memory: str
    seconds: float


@dataclass
class Outcome:
    """How a day went; times in seconds, `curve` is (hours, money until then)."""

    name: str
    invoices: dict[str, Invoice] = field(default_factory=dict)
    jobs: int = 0
    interrupted: int = 0
    makespan: float = 0.0
    turnaround: list[float] = field(default_factory=list)
    curve: list[tuple[float, float]] = field(default_factory=list)

    @property
    def cost(self) -> float:
        """What all nodes cost."""
        return self.part("nodes")

    def part(self, name: str) -> float:
        """Return a part of the cost."""
        return float(sum(getattr(each, name) for each in self.invoices.values()))


def works(seed: int, jobs: int) -> list[Work]:
    """Return a day's jobs: most of them come between nine and six, a heap at midnight."""
    rng = random.Random(seed)  # noqa: S311 a seed makes it the same again
    found = []
    for _ in range(jobs):
        at = rng.uniform(0, 0.2 * HOUR) if rng.random() < 0.15 else rng.triangular(6 * HOUR, 22 * HOUR, 11 * HOUR)
        _, cpu, memory, minutes = rng.choices(KINDS, [kind[0] for kind in KINDS])[0]
        seconds = min(max(minutes * 60 * rng.lognormvariate(0, 0.6), 20), 9000)
        found.append(Work(at, cpu, memory, seconds))
    return sorted(found, key=lambda work: work.at)


def live(name: str, environments: tuple[str, ...], day: list[Work], seed: int) -> Outcome:
    """Live through a day; return how it went."""
    simulation = _world(environments)
    rng, doom = random.Random(seed), dict[str, float]()  # noqa: S311 as above
    for number, work in enumerate(day):
        _until(simulation, NOW + work.at, rng, doom)
        simulation.submit(f"j{number}", worlds.JobSpec(cpu=work.cpu, memory=work.memory, ttl=None))
        simulation.world.programs[f"j{number}"] = Program(work.seconds)
    while not simulation.done():
        _until(simulation, simulation.world.now + 120, rng, doom)
    return _outcome(name, simulation)


def _world(environments: tuple[str, ...]) -> worlds.Simulation:
    worlds.Operator = Quick  # type: ignore[misc]
    simulation = worlds.Simulation()
    for name in ("spot", "od"):
        simulation.change(Environment, name, max_vcpus=LIMIT, scale_down_delay=60.0, node_start_timeout=600.0)
    simulation.change(Queue, "both", environments=environments)
    return simulation


def _until(simulation: worlds.Simulation, when: float, rng: random.Random, doom: dict[str, float]) -> None:
    """Let time pass; spot nodes are reclaimed at random."""
    while simulation.world.now < when:
        for name, truth in sorted(simulation.world.machines.items()):
            if truth.order.capacity_type == "Spot" and name not in doom:
                doom[name] = simulation.world.now + rng.expovariate(RECLAIMS_AN_HOUR / HOUR)
            if doom.get(name, math.inf) <= simulation.world.now and truth.state is MachineState.Running:
                truth.state, truth.ends = MachineState.Interrupted, simulation.world.now + NOTICE
        simulation.advance(min(when - simulation.world.now, 60.0))


def _outcome(name: str, simulation: worlds.Simulation) -> Outcome:
    found = Outcome(name, {env: invoice(simulation, env) for env in ("spot", "od")})
    for job in simulation.world.all(Job):
        stopped = moment(job.status.stopped_at or "") or simulation.world.now
        found.jobs += job.status.phase == "Succeeded"
        found.interrupted += sum(1 for attempt in job.status.attempts if attempt.counted is False)
        found.makespan = max(found.makespan, stopped - NOW)
        found.turnaround.append(stopped - job.created)
    found.turnaround.sort()
    found.curve = _curve(simulation, found.makespan)
    return found


def _curve(simulation: worlds.Simulation, end: float) -> list[tuple[float, float]]:
    lives = []
    for truth, gone in simulation.world.past.values():
        shape = truth.order.shape
        price = shape.spot_price_per_hour if truth.order.capacity_type == "Spot" else shape.price_per_hour
        lives.append((truth.born - NOW, gone - NOW, float(price) / HOUR))
    times = [min(quarter * 900.0, end) for quarter in range(math.ceil(end / 900) + 1)]
    return [(t / HOUR, sum(max(min(t, gone) - born, 0.0) * price for born, gone, price in lives)) for t in times]


def table(outcomes: list[Outcome], seed: int) -> str:
    """Return the comparison as a page shows it."""
    rows: list[tuple[str, Any]] = [
        ("nodes cost", lambda o: f"${o.cost:.2f}"),
        ("&nbsp; useful", lambda o: f"${o.part('useful'):.2f}"),
        ("&nbsp; wasted by reclaims", lambda o: f"${o.part('wasted') + o.part('lost'):.2f}"),
        ("&nbsp; idle", lambda o: f"${o.cost - o.part('useful') - o.part('wasted') - o.part('lost'):.2f}"),
        ("on spot nodes", lambda o: f"${o.invoices['spot'].nodes:.2f}"),
        ("jobs that succeeded", lambda o: str(o.jobs)),
        ("attempts interrupted", lambda o: str(o.interrupted)),
        ("nodes used", lambda o: str(sum(each.machines for each in o.invoices.values()))),
        ("first submission to last end", lambda o: f"{o.makespan / HOUR:.2f} h"),
        ("submission to end, median", lambda o: f"{o.turnaround[len(o.turnaround) // 2] / 60:.1f} min"),
        ("submission to end, 9 of 10 within", lambda o: f"{o.turnaround[len(o.turnaround) * 9 // 10] / 60:.1f} min"),
    ]
    lines = [f"| seed {seed} | {' | '.join(o.name for o in outcomes)} |", f"|---|{'---:|' * len(outcomes)}"]
    lines += [f"| {label} | {' | '.join(tell(o) for o in outcomes)} |" for label, tell in rows]
    return "\n".join(lines) + "\n"


def draw(outcomes: list[Outcome], out: Path) -> None:
    """Draw the money spent in the course of the day."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for outcome in outcomes:
        axes.plot(*zip(*outcome.curve, strict=True), label=f"{outcome.name}: ${outcome.cost:.2f}")
    axes.set_xlabel("hour of the day")
    axes.set_ylabel("money spent on nodes, $")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(out, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


def main(arguments: list[str]) -> int:
    """Live the day in both ways, and put what came out into the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.day", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--dry-run", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    day = works(options.seed, options.jobs)
    ways = (("spot first", ("spot", "od")), ("on-demand only", ("od",)))
    outcomes = [live(name, environments, day, options.seed) for name, environments in ways]
    text = table(outcomes, options.seed)
    sys.stdout.write(text)
    if not options.dry_run:
        head, _, rest = PAGE.read_text().partition(BEGIN)
        picture = f"![Money spent in the course of the day](../images/{PICTURE.name})"
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{picture}\n{END}{rest.partition(END)[2]}")
        draw(outcomes, PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
