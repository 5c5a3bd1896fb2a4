"""Two shares on a full pool: each gets what its weight says, also over a restart; policies that are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cluster.lab import Lab
from cluster.rest import Body, Refused, until
from cluster.specs_of_jobs import managed, shape, simulated

SLOTS = 8  # pods at once
WHOLE, QUARTER = "whole", "quarter"  # shares of weight 1 and 0.25: of five pods the second gets four


def make_policy(lab: Lab, name: str, **spec: object) -> str:
    whole = lab.named(name)
    lab.api.create({"kind": "SchedulingPolicy", "metadata": {"name": whole}, "spec": spec})
    return whole


@pytest.fixture(scope="module")
def pool(lab: Lab) -> Iterator[Lab]:
    lab = replace(lab, namespace=lab.new_namespace("pool"))
    lab.environment("shared", managed("simulated", [shape(SLOTS)], SLOTS))
    weights = [{"share": WHOLE, "weight": 1}, {"share": QUARTER, "weight": "0.25"}]
    policy = make_policy(lab, "fair", shareDecaySeconds=600, shares=weights)
    lab.queue("shared", "shared", schedulingPolicy=policy)
    yield lab
    for job in lab.api.list("Job", lab.namespace):
        if job["spec"]["queue"].startswith(lab.run) and job["metadata"]["name"].startswith("share-"):
            lab.api.delete("Job", job["metadata"]["name"], lab.namespace)
    lab.api.delete("SchedulingPolicy", policy)


def started(lab: Lab, share: str) -> int:
    """Return how many children of a share's array have started."""
    counts = (lab.read(f"share-{share}").get("status") or {}).get("array", {}).get("counts", {})
    return sum(counts.get(phase, 0) for phase in ("starting", "running", "succeeded", "failed"))


def shares(lab: Lab) -> dict[str, Body]:
    return {entry["share"]: entry for entry in lab.status("JobQueue", "shared").get("shares", [])}


def test_each_gets_what_its_weight_says_also_over_a_restart(pool: Lab) -> None:
    for share in (WHOLE, QUARTER):
        spec = {"template": simulated(700, memory="16Mi"), "array": {"size": 600}}
        pool.job(f"share-{share}", "shared", share=share, **spec)

    def total() -> int:
        return started(pool, WHOLE) + started(pool, QUARTER)

    until(lambda: total() >= 100, 120, lambda: shares(pool))
    until(lambda: shares(pool).keys() == {WHOLE, QUARTER} and float(shares(pool)[WHOLE]["usage"]) > 5, 30)
    before = shares(pool)
    pool.operator.kill()
    pool.operator.start()
    known = total()
    until(lambda: total() >= known + 150, 120, lambda: shares(pool))
    until(lambda: shares(pool)[WHOLE]["updatedAt"] > before[WHOLE]["updatedAt"], 30)
    one, four = started(pool, WHOLE), started(pool, QUARTER)
    assert 3.5 <= four / one <= 4.5, f"{four} to {one}"
    after = shares(pool)
    assert all(float(after[share]["usage"]) > float(before[share]["usage"]) for share in after), "nothing was forgotten"
    assert float(after[QUARTER]["usage"]) * 0.25 == pytest.approx(float(after[WHOLE]["usage"]), rel=0.2)
    assert sum(float(entry["vCpus"]) for entry in after.values()) <= SLOTS
    policy = pool.api.get("SchedulingPolicy", pool.named("fair"))["status"]
    assert (policy["phase"], policy["queues"]) == ("Valid", [pool.named("shared")])


def test_a_job_without_a_share_waits_and_is_told(pool: Lab) -> None:
    pool.job("share-none", "shared", template=simulated())
    assert "need spec.share" in pool.reason("share-none", "ShareRequired")["status"]["message"]


@pytest.mark.parametrize("weight", [0, "0", "0.0", "1000", "-1", "0.00001"])
def test_a_weight_that_is_none_is_refused(pool: Lab, weight: object) -> None:
    with pytest.raises(Refused, match=r"spec\.shares\[0\]\.weight"):
        make_policy(pool, "wrong", shares=[{"share": "a", "weight": weight}])


def test_shares_that_overlap_are_refused_by_the_operator_and_mended(pool: Lab) -> None:
    policy = make_policy(pool, "overlap", shares=[{"share": "team*"}, {"share": "team-a"}])
    pool.queue("overlap", "shared", schedulingPolicy=policy)
    pool.job("share-overlap", "overlap", share="team-a", template=simulated())
    told = pool.reason("share-overlap", "PolicyInvalid")["status"]
    assert (told["phase"], "team* covers team-a" in told["message"]) == ("Pending", True)
    until(lambda: (pool.api.get("SchedulingPolicy", policy).get("status") or {}).get("phase") == "Invalid")
    assert "team* covers team-a" in pool.api.get("SchedulingPolicy", policy)["status"]["message"]
    pool.api.patch("SchedulingPolicy", policy, {"spec": {"shares": [{"share": "team*"}]}})
    pool.wait("share-overlap", lambda status: status.get("phase") != "Pending")
    pool.api.delete("SchedulingPolicy", policy)


def test_a_policy_that_does_not_exist_is_named(pool: Lab) -> None:
    pool.queue("unruled", "shared", schedulingPolicy="nobody-made-it")
    pool.job("share-unruled", "unruled", share="a", template=simulated())
    assert "'nobody-made-it' does not exist" in pool.reason("share-unruled", "PolicyNotFound")["status"]["message"]
