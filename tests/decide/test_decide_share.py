"""Weights, usage and what is kept for others; what a queue tells of its shares and a policy of itself."""

from collections.abc import Mapping
from decimal import Decimal
from math import exp
from typing import Any

import msgspec
import pytest

from batchyard.decide import decide
from batchyard.decide.share import boards
from batchyard.model import labels as names
from batchyard.model.plan import Report, Start
from batchyard.model.resources import Resources
from batchyard.world.assume import assume_report
from batchyard.world.parse import rfc3339
from batchyard.world.views import Policy, Queue
from builders import (
    NOW,
    decided,
    exited,
    job,
    newer,
    of,
    only,
    pod,
    pool_of,
    queue,
    said,
    started,
    store,
    template,
    told,
)


def policy(decay: int = 600, reservation: int = 0, **shares: str) -> Policy:
    weights = tuple((name.replace("_", "*"), Decimal(weight)) for name, weight in shares.items())
    return Policy(name="fair", uid="uid-fair", decay_seconds=decay, reservation=reservation, shares=weights)


def used(**usage: float) -> Mapping[str, Any]:
    return {"shares": [entry(name, amount) for name, amount in usage.items()]}


def entry(name: str, usage: float = 0, vcpus: str = "0", at: float = NOW) -> dict[str, str]:
    return {"share": name, "usage": f"{usage:.3f}", "vCpus": vcpus, "updatedAt": rfc3339(at)}


def fair(**fields: Any) -> Queue:
    return queue(policy="fair", **fields)


class TestAdmission:
    def test_a_job_of_a_queue_with_a_policy_names_its_share(self) -> None:
        known = store(*pool_of("n1"), policy(), fair(), job())
        assert not started(decide(known, NOW))
        assert (told(known)["phase"], told(known)["reason"]) == ("Pending", "ShareRequired")
        assert "so its jobs need spec.share" in told(known)["message"]

    @pytest.mark.parametrize(
        ("things", "reason", "words"),
        [
            ((), "PolicyNotFound", "SchedulingPolicy 'fair' does not exist (there are: none)"),
            ((Policy(name="fair", invalid="spec.shares overlap"),), "PolicyInvalid", "spec.shares overlap"),
        ],
    )
    def test_without_a_policy_that_can_be_used_nothing_starts(self, things: Any, reason: str, words: str) -> None:
        known = store(*pool_of("n1"), *things, fair(), job(share="a"))
        assert not started(decide(known, NOW))
        assert told(known)["reason"] == reason
        assert words in told(known)["message"]
        assert (said(decide(known, NOW))["phase"], words in said(decide(known, NOW))["message"]) == ("Invalid", True)

    def test_when_the_policy_comes_its_jobs_start(self) -> None:
        known = store(*pool_of("n1"), fair(), job(share="a"))
        assert not started(decide(known, NOW))
        known.apply(policy())
        assert started(decide(known, NOW))

    def test_the_share_stands_on_the_pod_and_no_other_can(self) -> None:
        for share, label, note in (("a", "a", None), ("x" * 200, None, "x" * 200), ("-a", None, "-a")):
            meta = only(decided(*pool_of("n1"), policy(), fair(), job(share=share)), Start).manifest["metadata"]
            assert (meta["labels"].get(names.SHARE), meta.get("annotations", {}).get(names.SHARE)) == (label, note)
        forged = {"metadata": {"labels": {names.SHARE: "z"}, "annotations": {names.SHARE: "z"}}, **template()}
        meta = only(decided(*pool_of("n1"), job(template=forged)), Start).manifest["metadata"]
        assert names.SHARE not in {**meta["labels"], **meta.get("annotations", {})}


class TestWeights:
    def weights(self, view: Policy, *jobs: str, status: Mapping[str, Any] | None = None) -> dict[str, float]:
        known = store(view, fair(status=status or {}))
        board = boards(known, NOW, {"default": set(jobs)})["default"]
        return {name: share.weight for name, share in board.shares.items()}

    def test_named_or_one(self) -> None:
        assert self.weights(policy(a="0.5"), "a", "b") == {"a": 0.5, "b": 1}

    def test_those_of_one_prefix_share_one_share(self) -> None:
        view = policy(team_="1", x="3")
        assert self.weights(view, "team1", "x") == {"team1": 1, "x": 3}
        assert self.weights(view, "team1", "team2", "x") == {"team1": 2, "team2": 2, "x": 3}
        assert self.weights(policy(_="2"), "p", "q", "r") == {"p": 6, "q": 6, "r": 6}

    def test_only_active_ones_count_and_one_is_active_until_the_window_has_passed(self) -> None:
        view = policy(team_="1")
        told = {"shares": [entry("team2", at=NOW - 599)]}
        assert self.weights(view, "team1", status=told) == {"team1": 2, "team2": 2}
        told = {"shares": [entry("team2", 50, at=NOW - 600)]}
        assert self.weights(view, "team1", status=told) == {"team1": 1, "team2": 1}

    def test_usage_times_weight_decides_who_is_next(self) -> None:
        things = [*pool_of("n1"), fair(status=used(a=1000, b=600)), policy(a="0.5")]
        full = {"template": template("8", "1Mi")}
        assert started(decided(*things, job("x", share="b", **full), job("y", share="a", **full))) == [("y-1", "n1")]


class TestReservation:
    """A pool of 16 vCPUs of which computeReservation keeps a part for shares that are not active."""

    def ready(self, reservation: int, *jobs: Any) -> list[Any]:
        return [*pool_of("n1", "n2", max_vcpus=16), policy(reservation=reservation), fair(), *jobs]

    @pytest.mark.parametrize(
        ("percent", "shares", "starts"),
        [(50, "a", 8), (50, "ab", 12), (50, "abc", 14), (0, "a", 16), (25, "a", 12), (25, "ab", 15), (99, "a", 0)],
    )
    def test_of_n_active_shares_it_keeps_its_nth_power(self, percent: int, shares: str, starts: int) -> None:
        jobs = [job(f"{share}{n}", share=share, template=template("1", "1Mi")) for share in shares for n in range(17)]
        assert len(started(decided(*self.ready(percent, *jobs)))) == starts

    def test_what_runs_counts_and_who_waits_is_told_the_numbers(self) -> None:
        runs = pod("r", requests=Resources(cpu=7500, pods=1), queue="default", share="a")
        known = store(*self.ready(50, runs, job("r", share="a"), job(share="a")))
        assert not started(decide(known, NOW))
        said = told(known)
        assert said["reason"] == "ShareReservation"
        assert said["message"] == (
            "needs cpu 1; JobQueue 'default' uses 7500m of the 8 vCPUs that its 1 active shares may use: "
            "SchedulingPolicy 'fair' keeps 50.00 % of 16 for others (computeReservation 50)"
        )

    def test_small_pods_do_not_keep_a_large_one_waiting(self) -> None:
        jobs = [job("a", share="a", template=template("6", "1Mi")), job("b", share="a", template=template("4", "1Mi")),
                job("c", share="a", template=template("1", "1Mi"))]  # fmt: skip
        assert [name for name, _ in started(decided(*self.ready(50, *jobs)))] == ["a-1"]

    def test_other_queues_are_not_held(self) -> None:
        things = self.ready(99, queue("plain"), job("a", share="a"), job("b", queue="plain"))
        assert [name for name, _ in started(decided(*things))] == ["b-1"]


class TestTold:
    """status.shares: by what a restart goes on."""

    RUNS = pod("r", requests=Resources(cpu=2500, pods=1), queue="default", share="a", created=NOW - 100)

    def test_usage_decays_and_what_holds_room_adds_to_it(self) -> None:
        things = [*pool_of("n1"), policy(decay=100), self.RUNS, job("r", share="a"), job("w", share="b")]
        told = said(
            decided(*things, fair(status={"shares": [entry("a", 1000, at=NOW - 50), entry("c", 5000, at=NOW - 100)]}))
        )
        a = 1000 * exp(-0.5) + 2.5 * 100 * (1 - exp(-0.5))
        assert told["shares"] == [
            entry("a", a, "2.5"), entry("b"), entry("c", 5000, at=NOW - 100),
        ]  # fmt: skip

    def test_it_is_written_when_shares_come_and_go_and_seldom_while_only_time_passes(
        self,
    ) -> None:
        known = store(*pool_of("n1"), policy(), fair(), self.RUNS, job("r", share="a"))
        writes = []
        for second in range(200):
            plan = decide(known, NOW + second)
            reports = [r for r in of(plan, Report) if r.name == "default"]
            for report in reports:
                if report.status["shares"] != known.queues["default"].status.get("shares"):
                    writes.append(second)
                assume_report(known, report, NOW + second)
            if second == 30:
                known.apply(newer(job("late", share="b")))
            if second == 100:
                for view in list(known.jobs.values()):
                    known.remove_job(view.uid)
                for view in list(known.pods.values()):
                    known.remove(msgspec.structs.replace(view, phase="Failed", deleting=NOW + 100))
        # At first, when b comes, once a minute while nothing but time passes, and when all is over.
        assert writes[0] == 0
        assert writes[1] in (31, 32)
        assert writes[2] <= 92
        assert len(writes) <= 6, writes
        assert not [second for second in writes if second > 111]

    def test_what_counts_no_more_is_forgotten(self) -> None:
        things = [*pool_of(), policy(decay=100), fair(status={"shares": [entry("a", 20, at=NOW - 60)]})]
        # 20 vCPU seconds have become less than one after three times the window.
        assert said(decided(*things))["shares"] == [entry("a", 20, at=NOW - 60)]
        plan = decide(store(*things), NOW - 60 + 299)
        assert said(plan)["shares"] == [entry("a", 20, at=NOW - 60)]
        assert plan.wake is not None
        assert plan.wake < NOW - 60 + 302
        assert said(decide(store(*things), NOW - 60 + 300))["shares"] is None

    def test_who_has_used_too_little_to_be_told_wakes_nobody(self) -> None:
        brief = pod("r", phase="Failed", containers=(exited(1, NOW + 0.5),), queue="default", share="a", created=NOW)
        known = store(*pool_of(), policy(decay=100), fair(), job("r", share="a"), brief)
        known.remove_job("uid-r")
        assert known.ledger.accounts["default"]["a"].dirty
        for second in (1000, 1002):
            plan = decide(known, NOW + second)
            for report in of(plan, Report):
                assume_report(known, report, NOW + second)
        assert not known.queues["default"].status.get("shares")
        assert plan.wake is None or plan.wake > NOW + 1010

    def test_without_a_policy_nothing_is_told(self) -> None:
        assert said(decided(*pool_of("n1"), job(share="a")))["shares"] is None

    def test_a_policy_that_is_gone_for_a_while_costs_the_shares_nothing(self) -> None:
        known = store(*pool_of(), fair(status=used(a=100)))
        assert said(decide(known, NOW))["shares"] == [entry("a", 100)]
        # Nor a write of which nobody knows whether it arrived.
        known.apply(msgspec.structs.replace(known.queues["default"], status={}))
        assert said(decide(known, NOW))["shares"] == [entry("a", 100)]


class TestPolicy:
    def test_it_says_who_uses_it(self) -> None:
        told = said(decided(policy(), queue("b", policy="fair"), queue("a", policy="fair"), queue("c")), "fair")
        assert (told["phase"], told["message"], told["queues"]) == ("Valid", None, ["a", "b"])
        assert told["conditions"][0]["status"] == "True"

    def test_it_says_what_is_wrong_with_it(self) -> None:
        told = said(decided(Policy(name="fair", uid="u", invalid="spec.shares overlap: a* covers ab")), "fair")
        assert (told["phase"], told["message"]) == ("Invalid", "spec.shares overlap: a* covers ab")
        assert told["conditions"][0]["status"] == "False"
