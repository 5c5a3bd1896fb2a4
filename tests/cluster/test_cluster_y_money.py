"""What may be spent, on the real API server: budgets that hold jobs back, and spot that is left by rule."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, simulated

LONG = 600_000
A_DOLLAR_A_SECOND = {**shape(2), "pricePerHour": "7200", "spotPricePerHour": "3600"}  # to a pod that takes half


@pytest.fixture(scope="module")
def bank(lab: Lab) -> Lab:
    """The lab with dear simulated nodes, and spot ones of which there is one."""
    lab = replace(lab, namespace=lab.new_namespace("bank"))
    lab.environment("dear", managed("simulated", [A_DOLLAR_A_SECOND], 16))
    lab.environment("one-spot", managed("simulated", [A_DOLLAR_A_SECOND], 2, capacityType="Spot"))
    return lab


def budget(lab: Lab, queue: str) -> dict[str, Any]:
    return lab.status("JobQueue", queue).get("budget") or {}


def submit(lab: Lab, name: str, queue: str, milliseconds: int = 100, **spec: Any) -> str:
    return lab.job(name, queue, template=simulated(milliseconds), **spec)


def test_a_queue_that_has_spent_its_budget_holds_its_jobs_also_over_a_restart_until_it_gets_more(bank: Lab) -> None:
    bank.queue("poor", "dear", budget={"amount": "2.00"})
    submit(bank, "spends", "poor", 4000)
    spent = bank.succeeded("spends")
    assert Decimal(spent["cost"]["amount"]) >= 2
    submit(bank, "waits", "poor")
    message = bank.reason("waits", "BudgetExceeded")["status"]["message"]
    assert f"JobQueue {bank.named('poor')!r} has spent $" in message
    assert "of $2.00 within 24 h" in message
    until(lambda: Decimal(budget(bank, "poor").get("spent", "0")) >= 2, 30, lambda: budget(bank, "poor"))
    bank.operator.kill()
    bank.operator.start()
    submit(bank, "waits-too", "poor")
    bank.reason("waits-too", "BudgetExceeded")
    assert bank.read("waits")["status"]["phase"] == "Runnable"
    assert bank.pods("waits") == []
    bank.api.patch("JobQueue", bank.named("poor"), {"spec": {"budget": {"amount": "100.00"}}})
    bank.succeeded("waits")
    bank.succeeded("waits-too")


def test_a_share_that_has_spent_its_budget_waits_and_others_pass_it_also_in_a_strict_queue(bank: Lab) -> None:
    money = [{"share": "thr*", "amount": "1.00"}, {"share": "rich", "amount": "1000.00"}]
    bank.queue("of-shares", "dear", shareBudgets=money, strategy="StrictFIFO")
    submit(bank, "their-first", "of-shares", 2000, share="three")
    bank.succeeded("their-first")
    submit(bank, "their-second", "of-shares", share="three")
    message = bank.reason("their-second", "BudgetExceeded")["status"]["message"]
    assert f"share 'thr*' of JobQueue {bank.named('of-shares')!r} has spent $" in message
    submit(bank, "of-another", "of-shares", share="rich")
    submit(bank, "of-nobody", "of-shares")
    bank.succeeded("of-another")
    bank.succeeded("of-nobody")
    assert bank.pods("their-second") == []
    told = {entry["share"]: entry for entry in bank.status("JobQueue", "of-shares")["shareBudgets"]}
    assert told["thr*"]["exceeded"] is True
    assert told["rich"]["exceeded"] is False


def test_a_budget_of_nothing_is_refused_with_a_sentence(bank: Lab) -> None:
    with pytest.raises(Exception, match=r"spec.budget.amount must be more than 0"):
        bank.queue("broke", "dear", budget={"amount": "0.00"})


def test_a_job_leaves_spot_when_it_has_waited_as_long_as_its_queue_says(bank: Lab) -> None:
    bank.queue("thrifty", "one-spot", "dear", spot={"maxWaitSeconds": 2})
    for name in ("first", "second"):
        submit(bank, name, "thrifty", LONG)
        bank.phase(name, "Running")
    submit(bank, "third", "thrifty")
    status = bank.succeeded("third")
    assert status["escalatedBy"] == "MaxWaitSeconds"
    assert [run.node in {n["metadata"]["name"] for n in bank.nodes("one-spot")} for run in bank.pods("first")] == [True]
    for name in ("first", "second"):
        assert "escalatedBy" not in bank.read(name)["status"]
        bank.api.patch("Job", name, {"spec": {"stop": {"mode": "Terminate"}}}, bank.namespace)
