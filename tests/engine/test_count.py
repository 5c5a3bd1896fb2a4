"""What is counted of jobs: once each, from the times on record, and only of what exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from batchyard.decide import decide
from batchyard.engine.count import ENDS, OTHER, count
from batchyard.engine.headcount import jobs
from batchyard.engine.shares import shares
from batchyard.model.labels import INTERRUPTED
from batchyard.model.machine import Taint
from batchyard.model.plan import Lane, Record
from batchyard.telemetry import metrics
from batchyard.telemetry.catalogue import OTHERS, SHARES, UNKNOWN
from batchyard.world.shares import Account, Base
from batchyard.world.store import Store
from batchyard.world.views import Attempt, Policy
from builders import NOW, job, pool_of, store

CREATED = "2027-01-15T08:00:00Z"


class Told(Collector):
    """What a scrape would say of some families."""

    def __init__(self, collect: Any) -> None:
        self.collect = collect  # type: ignore[method-assign]

    def sample(self, name: str, **labels: str) -> float | None:
        registry = CollectorRegistry()
        registry.register(self)
        assert generate_latest(registry)
        return registry.get_sample_value(name, labels)


@pytest.fixture
def counted() -> Iterator[Told]:
    """The counts of a queue with two environments, from nothing."""
    tallies = (
        *(metrics.ATTEMPTS, metrics.RUN, metrics.WAIT, metrics.COST, metrics.WASTED, metrics.ESTIMATE_ERROR),
        *(metrics.SHARE_COST, metrics.NAMESPACE_COST),
    )
    for tally in tallies:
        tally.values.clear()
    yield Told(lambda: metrics.counted({"default": ("pool", "spot")}, ["pool", "spot"], ENDS))
    for tally in tallies:
        tally.values.clear()


def attempt(number: int, reason: str, **more: Any) -> Attempt:
    times = {"started_at": "2027-01-15T08:00:10Z", "stopped_at": "2027-01-15T08:00:25Z", "cost": "0.5"}
    return Attempt(number=number, compute_environment="pool", reason=reason, **{**times, **more})


def record(*attempts: Attempt, **more: Any) -> Record:
    written = [msgspec.to_builtins(one) for one in attempts]
    return Record("uid-a", {"attempts": written, "startedAt": "2027-01-15T08:00:10Z"}, Lane.Outcome, **more)


def ended(told: Told, outcome: str, reason: str) -> float | None:
    labels = {"queue": "default", "environment": "pool", "outcome": outcome, "reason": reason}
    return told.sample("batchyard_attempts_total", **labels)


def test_what_has_not_happened_yet_is_told_as_nothing(counted: Told) -> None:
    assert ended(counted, "Failed", "OutOfMemory") == 0
    assert counted.sample("batchyard_job_wait_seconds_count", queue="default") == 0
    assert counted.sample("batchyard_cost_total", queue="default", environment="spot") == 0


def test_a_job_is_counted_with_its_times_and_its_cost(counted: Told) -> None:
    count(job("a"), record(attempt(1, "Completed")))
    assert ended(counted, "Succeeded", "Completed") == 1
    assert counted.sample("batchyard_attempt_run_seconds_sum", queue="default", outcome="Succeeded") == 15
    assert counted.sample("batchyard_attempt_run_seconds_bucket", queue="default", outcome="Succeeded", le="10.0") == 0
    assert counted.sample("batchyard_attempt_run_seconds_bucket", queue="default", outcome="Succeeded", le="30.0") == 1
    assert counted.sample("batchyard_job_wait_seconds_count", queue="default") == 1
    assert counted.sample("batchyard_cost_total", queue="default", environment="pool") == 0.5
    assert counted.sample("batchyard_wasted_cost_total", queue="default", environment="pool") == 0


def test_what_is_on_record_is_not_counted_again(counted: Told) -> None:
    first = attempt(1, "OutOfMemory")
    before = job("a")
    count(before, record(first))
    after = msgspec.structs.replace(
        before, status=msgspec.structs.replace(before.status, attempts=(first,), started_at=first.started_at)
    )
    count(after, record(first, attempt(2, "Completed")))
    assert (ended(counted, "Failed", "OutOfMemory"), ended(counted, "Succeeded", "Completed")) == (1, 1)
    assert counted.sample("batchyard_job_wait_seconds_count", queue="default") == 1
    assert counted.sample("batchyard_wasted_cost_total", queue="default", environment="pool") == 0.5


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("Interrupted", "Infrastructure"), ("Terminated", "Stopped"), ("TimedOut", "Failed"), ("made up", "Failed")],
)
def test_an_outcome_follows_from_the_reason_and_reasons_are_a_closed_list(
    counted: Told, reason: str, outcome: str
) -> None:
    count(job("a"), record(attempt(1, reason)))
    assert ended(counted, outcome, reason if reason != "made up" else OTHER) == 1


def test_of_an_array_its_children_are_counted(counted: Told) -> None:
    children = (attempt(1, "Completed", index=0), attempt(1, "Error", index=1), attempt(2, "Completed", index=1))
    verb = record(ends={"Completed": 2, "Error": 1, "NodeLost": 4}, ended=children)
    count(job("a", array={"size": 20}), verb)
    assert (ended(counted, "Succeeded", "Completed"), ended(counted, "Failed", "Error")) == (2, 1)
    assert counted.sample("batchyard_job_wait_seconds_count", queue="default") == 2, "first attempts only"
    lost = {"queue": "default", "environment": UNKNOWN, "outcome": "Infrastructure", "reason": "NodeLost"}
    assert counted.sample("batchyard_attempts_total", **lost) == 4


def test_cost_is_counted_by_namespace_and_share_and_made_up_shares_are_told_together(counted: Told) -> None:
    for number in range(SHARES + 5):
        count(job(f"j{number}", share=f"s{number}"), record(attempt(1, "Completed")))
    assert counted.sample("batchyard_namespace_cost_total", job_namespace="default") == 0.5 * (SHARES + 5)
    assert counted.sample("batchyard_share_cost_total", queue="default", share="s0") == 0.5
    assert counted.sample("batchyard_share_cost_total", queue="default", share=f"s{SHARES}") is None
    assert counted.sample("batchyard_share_cost_total", queue="default", share=OTHERS) == 2.5


def test_what_came_earlier_than_foreseen_is_below_nothing(counted: Told) -> None:
    metrics.start_estimated("default", -7.0, within=True)
    name = "batchyard_start_estimate_error_seconds"
    assert counted.sample(f"{name}_bucket", queue="default", le="-10.0") == 0
    assert counted.sample(f"{name}_bucket", queue="default", le="-5.0") == 1
    assert counted.sample(f"{name}_count", queue="default") == 1
    assert counted.sample(f"{name}_sum", queue="default") is None


def test_what_is_gone_is_forgotten(counted: Told) -> None:
    count(job("a"), record(attempt(1, "Completed")))
    gone = Told(lambda: metrics.counted({}, ["pool"], ENDS))
    assert ended(gone, "Succeeded", "Completed") is None
    assert metrics.ATTEMPTS.values == metrics.RUN.values == metrics.WAIT.values == {}
    assert ended(counted, "Succeeded", "Completed") == 0, "a queue of the same name begins anew"


def waiting_world() -> Store:
    known = store(*pool_of("n1", max_vcpus=8))
    for view in (job("a"), job("b", queue="no-such-queue"), job("c", queue="nor-this")):
        known.apply(view)
    return known


def test_jobs_of_queues_that_do_not_exist_are_told_together() -> None:
    known = waiting_world()
    decide(known, NOW)
    told = Told(lambda: list(jobs(known)))
    assert told.sample("batchyard_jobs", queue=UNKNOWN, phase="Pending") == 2
    assert told.sample("batchyard_jobs", queue="no-such-queue", phase="Pending") is None
    assert told.sample("batchyard_jobs", queue="default", phase="Pending") == 0


def test_jobs_are_counted_also_before_the_first_decision() -> None:
    told = Told(lambda: list(jobs(waiting_world())))
    assert told.sample("batchyard_jobs", queue="default", phase="Submitted") == 1


def test_a_node_with_a_notice_is_counted_once() -> None:
    known = store(*pool_of("n1"))
    node = known.nodes["n1"]
    noticed = (*node.taints, Taint(INTERRUPTED))
    for version in ("9999998", "9999999"):
        known.apply(msgspec.structs.replace(node, taints=noticed, ready=version > "9999998", version=version))
    assert known.interruptions == {node.environment: 1}


def test_only_the_busiest_shares_are_told_one_by_one() -> None:
    known = store(*pool_of("n1"))
    known.apply(Policy(name="fair", uid="uid-fair"))
    queue = known.queues["default"]
    known.apply(msgspec.structs.replace(queue, policy="fair", version="9999999", generation=2))
    known.ledger.accounts["default"] = {
        f"s{number:03}": Account(Base(float(number), 2e9)) for number in range(SHARES + 3)
    }
    told = Told(lambda: shares(known))
    assert told.sample("batchyard_share_usage_vcpu_seconds", queue="default", share="s102") == 102
    assert told.sample("batchyard_share_usage_vcpu_seconds", queue="default", share="s002") is None
    assert told.sample("batchyard_share_usage_vcpu_seconds", queue="default", share=OTHERS) == 0 + 1 + 2
