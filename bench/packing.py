"""`python -m bench.packing`: the nodes that a decision launches for 10,000 jobs, beside what no packing beats.

Pure: no cluster, one process. The bound on cost is the linear relaxation (scipy's HiGHS): jobs may be cut up and nodes
bought in part, but each job only goes to shapes that it fits. `nodes` is the first decision's, `settled` what there is
after further decisions, in which all nodes are still on their way and only their room is known.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # scenes to decide about are built as in the tests

import msgspec  # noqa: E402
import numpy  # noqa: E402
from scipy.optimize import linprog  # noqa: E402
from scipy.sparse import coo_matrix  # noqa: E402

from batchyard.decide import decide  # noqa: E402
from batchyard.model.machine import MachineState, Shape  # noqa: E402
from batchyard.model.plan import Launch, Plan  # noqa: E402
from batchyard.model.resources import read  # noqa: E402
from batchyard.world.store import Store  # noqa: E402
from builders import NOW, environment, job, machine, of, queue, store, template  # noqa: E402

JOBS, SEEDS, GPU = 10_000, (1, 2, 3, 4, 5), "nvidia.com/gpu"
Amounts = tuple[int, int, int]  # millicores, MiB, devices


@dataclass(frozen=True, slots=True)
class Mix:
    """One kind of problem: how many sizes of job, how many shapes of node, and whether there are GPUs."""

    name: str
    sizes: int
    shapes: int
    gpu: bool

    def problem(self, seed: int) -> tuple[list[tuple[Amounts, float]], list[Amounts]]:
        """Return shapes with their prices, and jobs."""
        rng = random.Random(seed)  # noqa: S311
        shapes = [_shape(rng, self) for _ in range(self.shapes)]
        fitting = [size for size in (_size(rng, self) for _ in range(50 * self.sizes)) if _fits_any(size, shapes)]
        sizes = fitting[: self.sizes]
        return shapes, [rng.choice(sizes) for _ in range(JOBS)]


MIXES = (
    Mix("plain, 40 sizes", 40, 1, gpu=False),
    Mix("plain, 400 sizes", 400, 1, gpu=False),
    Mix("gpu, 40 sizes", 40, 1, gpu=True),
    Mix("gpu, 400 sizes", 400, 1, gpu=True),
    Mix("several: 10 shapes", 40, 10, gpu=False),
    Mix("several: 100 shapes", 100, 100, gpu=False),
    Mix("several: 100 shapes with GPUs", 100, 100, gpu=True),
)


def _shape(rng: random.Random, mix: Mix) -> tuple[Amounts, float]:
    if mix.shapes == 1:
        cpu, per, gpu = (64, 4, 8) if mix.gpu else (32, 4, 0)
    else:
        cpu, per = rng.choice((16, 32, 48, 64, 96)), rng.choice((2, 4, 8))
        gpu = rng.choice((0, 0, 0, 1, 4, 8)) if mix.gpu else 0
    price = (0.034 * cpu + 0.0045 * cpu * per + gpu) * rng.uniform(0.8, 1.25)
    return (cpu * 1000, cpu * per * 1024, gpu), round(price, 4)


def _size(rng: random.Random, mix: Mix) -> Amounts:
    gpu = rng.choice((1, 1, 2, 4)) if mix.gpu and rng.random() < 0.3 else 0
    if gpu:
        return gpu * rng.choice((2000, 4000, 8000)), gpu * rng.choice((8, 16, 32)) * 1024, gpu
    cpu = rng.choice((250, 500, 1000, 2000, 4000, 8000)) if mix.sizes <= 100 else rng.randint(2, 80) * 100
    return cpu, int(cpu * 1.024 * rng.choice((1, 2, 4, 8))), 0


def _fits(size: Amounts, shape: Amounts) -> bool:
    return all(takes <= has for takes, has in zip(size, shape, strict=True))


def _fits_any(size: Amounts, shapes: Sequence[tuple[Amounts, float]]) -> bool:
    return any(_fits(size, shape) for shape, _ in shapes)


def scene(shapes: Sequence[tuple[Amounts, float]], jobs: Sequence[Amounts]) -> Store:
    """Return a world in which all jobs wait and no node is there."""
    offered = tuple(
        Shape(f"s{n}", read(_amounts(shape), pods=250), str(price)) for n, (shape, price) in enumerate(shapes)
    )
    known = store(environment(max_vcpus=10_000_000, shapes=offered), queue())
    for number, size in enumerate(jobs):
        known.apply(job(f"j{number}", template=_template(size)))
    return known


def _amounts(size: Amounts) -> dict[str, str]:
    cpu, memory, gpu = size
    return {"cpu": f"{cpu}m", "memory": f"{memory}Mi", **({GPU: str(gpu)} if gpu else {})}


def _template(size: Amounts) -> dict[str, Any]:
    built = template()
    resources = built["spec"]["containers"][0]["resources"]
    resources["requests"] = _amounts(size)
    if size[2]:
        resources["limits"] = {GPU: str(size[2])}
    return built


def bound(shapes: Sequence[tuple[Amounts, float]], jobs: Sequence[Amounts]) -> float:
    """Return what the linear relaxation costs."""
    sizes = sorted(set(jobs))
    pairs = [(k, s) for k, size in enumerate(sizes) for s, (shape, _) in enumerate(shapes) if _fits(size, shape)]
    width = len(pairs) + len(shapes)
    cells = [(3 * s + r, n, sizes[k][r]) for n, (k, s) in enumerate(pairs) for r in range(3) if sizes[k][r]]
    cells += [(3 * s + r, len(pairs) + s, -shape[r]) for s, (shape, _) in enumerate(shapes) for r in range(3)]
    rows, columns, values = zip(*cells, strict=True)
    room = coo_matrix((values, (rows, columns)), shape=(3 * len(shapes), width)).tocsr()
    each = coo_matrix((numpy.ones(len(pairs)), ([k for k, _ in pairs], range(len(pairs)))), shape=(len(sizes), width))
    found = linprog(
        [0.0] * len(pairs) + [price for _, price in shapes],
        A_ub=room, b_ub=numpy.zeros(3 * len(shapes)),
        A_eq=each.tocsr(), b_eq=[jobs.count(size) for size in sizes], method="highs",
    )  # fmt: skip
    return float(found.fun)


def fewest(shape: Amounts, jobs: Sequence[Amounts]) -> int:
    """Return the lower bound on nodes of one shape: the most that any resource asks for."""
    return max(-(-sum(size[r] for size in jobs) // shape[r]) for r in range(3) if shape[r])


def _launch(known: Store, plan: Plan) -> list[Shape]:
    found = [verb.order for verb in of(plan, Launch)]
    for order in found:
        known.machines[order.name] = machine(order.name, order.shape, state=MachineState.Launching, launched_at=NOW)
    return [order.shape for order in found]


def measure(mix: Mix, seed: int) -> dict[str, float]:
    """Return the figures of one problem."""
    shapes, jobs = mix.problem(seed)
    known, least = scene(shapes, jobs), bound(shapes, jobs)
    began = process_time()
    plan = decide(known, NOW)
    seconds = process_time() - began
    first = _launch(known, plan)
    more = [shape for number in range(3) for shape in _launch(known, decide(known, NOW + 1 + number))]
    figures = {"seconds": seconds, "count": len(first), "cost": _price(first) / least}
    figures["settled"] = _price([*first, *more]) / least
    if mix.shapes == 1:
        figures["nodes"] = len(first) / fewest(shapes[0][0], jobs)
    return figures


def _price(shapes: Sequence[Shape]) -> float:
    return sum(float(shape.price_per_hour) for shape in shapes)


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a figure may be at most in mixes of a kind."""

    figure: str
    mixes: str
    at_most: float
    what: str

    def is_of(self, mix: Mix) -> bool:
        """Say whether a mix is held to it."""
        return self.mixes == "all" or mix.name.startswith(self.mixes)


def _short(limits: Sequence[Limit], mix: Mix, worst: dict[str, float]) -> Iterator[str]:
    for limit in limits:
        if limit.is_of(mix) and worst.get(limit.figure, 0.0) > limit.at_most:
            yield f"{mix.name}: {limit.figure} {worst[limit.figure]:.3f} > {limit.at_most} ({limit.what})"


def main() -> int:
    """Print and write the table; return 1 if any mix falls short."""
    limits = msgspec.yaml.decode((ROOT / "bench" / "packing_thresholds.yaml").read_bytes(), type=list[Limit])
    table = ["| mix | nodes launched | nodes / bound | cost / LP | cost / LP, settled | decision, CPU s |",
             "|---|---:|---:|---:|---:|---:|"]  # fmt: skip
    failures: list[str] = []
    for mix in MIXES:
        runs = [measure(mix, seed) for seed in SEEDS]
        worst = {figure: max(run[figure] for run in runs) for figure in runs[0]}
        nodes = f"{worst['nodes']:.3f}" if "nodes" in worst else ""
        table.append(f"| {mix.name} | {worst['count']:.0f} | {nodes} | {worst['cost']:.3f} | {worst['settled']:.3f} "
                     f"| {worst['seconds']:.2f} |")  # fmt: skip
        sys.stdout.write(table[-1] + "\n")
        sys.stdout.flush()
        failures += _short(limits, mix, worst)
    _write(table, failures)
    sys.stdout.write("".join(f"SHORT: {failure}\n" for failure in failures) or "bench-packing: all reached\n")
    return 1 if failures else 0


def _write(table: Sequence[str], failures: Sequence[str]) -> None:
    words = (
        f"# Packing\n\nMade by `make bench-packing`: {JOBS:,} jobs that wait, no node, one decision; the worst of "
        f"{len(SEEDS)} random problems of each mix.\nHow the mixes are made and what the bounds are: "
        "`bench/packing.py`; what must be reached: `bench/packing_thresholds.yaml`.\n\n"
    )
    short = "".join(f"- Short: {failure}\n" for failure in failures) or "All thresholds are reached.\n"
    (ROOT / "bench" / "packing.md").write_text(words + "\n".join(table) + "\n\n" + short)


if __name__ == "__main__":
    sys.exit(main())
