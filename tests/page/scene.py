"""A small company's afternoon as a store: what the status page has to show, and what strangers write into it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import msgspec

import builders as b
from batchyard.decide import decide
from batchyard.engine.explain import Explain
from batchyard.engine.forecast import Forecast
from batchyard.engine.loop import Loop
from batchyard.engine.serve import Health, Server
from batchyard.model.plan import Report
from batchyard.world.estimates import Estimate
from batchyard.world.parse import rfc3339
from batchyard.world.specs import Budget
from batchyard.world.store import Store

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>&amp;\u202e"


def afternoon(now: float = b.NOW) -> Store:
    """Return a store that has been decided about at `now`."""
    store = b.store(*_pools(now), *_queues(), *_jobs(now), b.consumable("matlab", 2), observed=now)
    settle(store, now)
    fits = [uid for uid in store.front if store.jobs[uid].name.startswith(("hotfix", "transcode"))]
    for place, uid in enumerate(fits):
        store.estimates[uid] = Estimate(now + 240 + 35 * place, now + 420 + 80 * place)
    return store


def settle(store: Store, now: float) -> None:
    """Decide, and take the statuses of queues and environments as written."""
    plan = decide(store, now)
    for report in b.of(plan, Report):
        table: dict[str, Any] = {"jobqueues": store.queues, "computeenvironments": store.environments}.get(
            report.plural, {}
        )
        if report.name in table:
            store.apply(b.newer(table[report.name], status=dict(report.status)))
    store.front = decide(store, now).front


def _pools(now: float) -> list[Any]:
    nodes: list[Any] = []
    for pool, kind, names in (
        ("spot", "Spot", ("spot-7hx2-0", "spot-7hx2-1", "spot-9kd4-0")),
        ("on-demand", "OnDemand", ("ond-2fq8-0",)),
    ):
        nodes += [b.machine(name, environment=pool, capacity_type=kind, launched_at=now - 900) for name in names]
        nodes += [b.node(name, env=pool) for name in names]
    nodes.append(
        b.machine("spot-9kd4-1", environment="spot", capacity_type="Spot", state="Launching", launched_at=now - 20)
    )
    return [
        b.environment("spot", max_vcpus=32, capacity_type="Spot"),
        b.environment("on-demand", max_vcpus=8),
        b.environment("lab", invalid="provider 'docker' cannot be used: nothing answers at /var/run/docker.sock"),
        *nodes,
    ]


def _queues() -> list[Any]:
    return [
        b.queue("default", ("spot", "on-demand"), priority=10),
        b.queue(
            "urgent",
            ("on-demand", "spot"),
            priority=100,
            strategy="StrictFIFO",
            budgets=(
                Budget(amount=Decimal(50), window_seconds=86_400),
                Budget(amount=Decimal(20), window_seconds=86_400, share="team*"),
            ),
        ),
        b.queue("nightly", ("spot",), priority=1, state="Held"),
    ]


def _jobs(now: float) -> list[Any]:
    return [*_running(now), *_waiting(now), *_ended(now)]


def _running(now: float) -> list[Any]:
    found: list[Any] = []
    places = ("spot-7hx2-0", "spot-7hx2-0", "spot-7hx2-1", "spot-7hx2-1", "spot-9kd4-0", "ond-2fq8-0")
    for number, node in enumerate(places):
        job = b.job(f"encode-{number}", {"phase": "Running"}, template=b.template("4"), meta={"namespace": "media"})
        job = b.newer(job, created=now - 800 + 90 * number)
        pool = "on-demand" if node.startswith("ond") else "spot"
        began = now - 700 + 90 * number
        found += [job, b.pod(job, 1 + (number == 3), node, namespace="media", environment=pool, created=began - 2,
                             phase="Running", containers=(b.running(began),),
                             requests=b.Resources(cpu=4000, memory=2**30, pods=1))]  # fmt: skip
    array = b.job(
        "frames", array={"size": 200, "maxConcurrent": 2}, template=b.template("2"), meta={"namespace": "media"}
    )
    found.append(b.newer(array, created=now - 2000))
    for index in (41, 42):
        found.append(b.pod(array, 1, "spot-9kd4-0", name=f"frames-{index}-1", uid=f"uid-frames-{index}", index=index,
                           namespace="media", environment="spot", created=now - 102 + index, phase="Running",
                           containers=(b.running(now - 50),),
                           requests=b.Resources(cpu=2000, memory=2**30, pods=1)))  # fmt: skip
    return found


def _waiting(now: float) -> list[Any]:
    held = [{"name": "matlab", "quantity": 3}]
    wanted: list[tuple[str, dict[str, Any], float]] = [
        ("too-large", {"template": b.template("64", "500Gi")}, 300),
        ("simulate", {"consumables": held}, 250),
        ("report", {"dependsOn": [{"job": "encode-0"}, {"job": "encode-5"}]}, 200),
        ("backup", {"queue": "nightly"}, 7300),
        ("lost", {"queue": "nowhere"}, 86_400 * 3),
        ("hotfix", {"queue": "urgent", "template": b.template("8")}, 15),
        *((f"transcode-{number}", {"template": b.template("6")}, 140.0 - number) for number in range(4)),
    ]
    return [b.newer(b.job(name, meta={"namespace": "media"}, **spec), created=now - age) for name, spec, age in wanted]


def _ended(now: float) -> list[Any]:
    told = [
        ("thumbnails", "Succeeded", "Completed", "", "0.004210", 34),
        (
            "train",
            "Failed",
            "OutOfMemory",
            "container 'main' was killed for its memory: limit 16Gi; attempt 3 of 3",
            "1.270000",
            400,
        ),
        (
            "licence-check",
            "Failed",
            "Error",
            "container 'main' exited with code 3: no licence server at lic.example:27000",
            "0.000120",
            3000,
        ),
        ("etl", "Succeeded", "Completed", "", "0.310000", 9000),
    ]
    return [
        b.job(name, {"phase": phase, "reason": reason, "message": message, "stoppedAt": rfc3339(now - age),
                     "cost": {"amount": cost, "wasted": cost if phase == "Failed" else "0"},
                     "attempts": [b.attempt(3 if reason == "OutOfMemory" else 1, reason)]},
              {"namespace": "media"})
        for name, phase, reason, message, cost, age in told
    ]  # fmt: skip


def hostile(now: float = b.NOW) -> Store:
    """Return a store in which every string that anybody may write is an attack on a browser."""
    store = afternoon(now)
    for uid, job in list(store.jobs.items()):
        status = msgspec.structs.replace(job.status, message=HOSTILE) if job.status.phase.final else job.status
        store.jobs[uid] = msgspec.structs.replace(job, name=f"{job.name}{HOSTILE}", namespace=HOSTILE, status=status)
    for name, view in list(store.queues.items()):
        store.queues[name] = b.newer(view, status={**view.status, "message": HOSTILE})
    for name, pool in list(store.environments.items()):
        store.environments[name] = b.newer(pool, status={**pool.status, "message": HOSTILE})
    return store


def crowd(jobs: int, now: float = b.NOW) -> Store:
    """Return a store in which so many jobs wait, and as many hundredths have ended."""
    store = afternoon(now)
    for number in range(jobs):
        store.apply(b.newer(b.job(f"crowd-{number}", template=b.template("3")), created=now - 100))
    for number in range(jobs // 100):
        cost = {"amount": "0.25", "wasted": "0.05"}
        store.apply(b.job(f"past-{number}", {"phase": "Succeeded", "stoppedAt": rfc3339(now - number), "cost": cost}))
    settle(store, now)
    return store


def operator(store: Store, candidate: Any = None, **more: Any) -> Server:
    """Return the operator's HTTP server over a store; it is still to be started."""
    health = Health(Loop(cast("Any", SimpleNamespace())), [], 3600, candidate)
    return Server(store, health, Explain(store, Forecast(store)), **more)


def standby(leader: str) -> Any:
    """Return the candidacy of an operator that does not lead."""
    return SimpleNamespace(elected=asyncio.Event(), last_answer=1e12, answered=True, leader=leader, identity="other")
