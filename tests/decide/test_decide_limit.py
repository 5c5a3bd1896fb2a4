"""What a queue that is held, drained or full says and does."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.model.plan import Report
from builders import NOW, decided, job, node, of, pod, pool_of, queue, started, status, store


def told(state: str, *things: Any, **fields: Any) -> tuple[str, str]:
    plan = decided(*pool_of("n1"), queue(state=state, **fields), *things)
    (report,) = [each for each in of(plan, Report) if each.plural == "jobqueues"]
    return report.status["phase"], report.status["message"] or ""


class TestHeld:
    def test_it_accepts_and_starts_nothing(self) -> None:
        known = store(*pool_of("n1"), queue(state="Held"), job())
        known.noted.update(decide(known, NOW).notes)
        said = status(decide(known, NOW + 2))
        assert (said["phase"], said["reason"]) == ("Runnable", "QueueHeld")
        assert said["message"] == "JobQueue 'default' is held and starts nothing; set its spec.state to Enabled"
        assert said["waiting"]["position"] == 1

    def test_what_runs_goes_on_and_a_retry_waits(self) -> None:
        again = {"phase": "Runnable", "attempts": [{"number": 1, "reason": "Error", "counted": True, "pod": "again-1"}]}
        things = [job("runs"), pod("runs"), job("again", again, retry={"attempts": 2})]
        known = store(*pool_of("n1"), queue(state="Held"), *things)
        plan = decide(known, NOW)
        assert not plan.verbs or not started(plan)
        assert plan.notes["uid-again"].token == "Runnable/QueueHeld"
        assert "uid-runs" not in plan.notes

    def test_it_launches_no_nodes_and_holds_nobody_elsewhere_up(self) -> None:
        things = [*pool_of("n1", max_vcpus=8), queue("held", state="Held", priority=9)]
        assert started(decided(*things, job("a", queue="held"), job("b"))) == [("b-1", "n1")]

    def test_enabled_again_it_starts_them(self) -> None:
        known = store(*pool_of("n1"), queue(state="Held"), job())
        decide(known, NOW)
        known.apply(queue(generation=2))
        assert started(decide(known, NOW)) == [("job-1", "n1")]

    def test_it_says_so(self) -> None:
        assert told("Held", job()) == ("Held", "starts nothing (spec.state)")


class TestDraining:
    @pytest.mark.parametrize(
        ("phase", "reason", "goes"),
        [
            ("Submitted", None, False), ("Pending", "QueueDraining", False), ("Runnable", "NodesBusy", True),
            ("Pending", "QueueNotFound", False),
        ],
    )  # fmt: skip
    def test_it_refuses_what_is_new_and_runs_what_is_queued(self, phase: str, reason: str | None, goes: bool) -> None:
        plan = decided(*pool_of("n1"), queue(state="Draining"), job(status={"phase": phase, "reason": reason}))
        assert bool(started(plan)) is goes
        if not goes and reason != "QueueDraining":
            assert plan.notes["uid-job"].token == "Pending/QueueDraining"

    def test_it_counts_what_it_has_and_says_when_nothing_is_left(self) -> None:
        queued = [job("a", {"phase": "Runnable"}), job("b"), pod("b"), job("refused")]
        assert told("Draining", *queued) == (
            "Draining", "takes no new jobs, and runs the 2 that it has to their end (spec.state)",
        )  # fmt: skip
        done = [job("a", {"phase": "Succeeded"}), job("refused")]
        assert told("Draining", *done) == ("Draining", "drained: nothing is left of what was queued (spec.state)")

    def test_one_that_waits_for_others_counts(self) -> None:
        waits = job("a", {"phase": "Pending", "reason": "WaitingForDependencies"}, dependsOn=[{"job": "x"}])
        assert "the 1 that it has" in told("Draining", waits)[1]


@pytest.mark.parametrize(("state", "valid"), [("Held", "True"), ("Draining", "True"), ("Disabled", "False")])
def test_a_queue_that_could_be_used_is_valid(state: str, valid: str) -> None:
    plan = decided(*pool_of("n1"), queue(state=state))
    (report,) = [each for each in of(plan, Report) if each.plural == "jobqueues"]
    assert report.status["conditions"][0]["status"] == valid


def test_max_running_jobs_counts_those_that_run_and_those_about_to() -> None:
    known = store(*pool_of("n1"), queue(max_running=2), job("x"), pod("x"), job("a"), job("b"), node("n2"))
    plan = decide(known, NOW)
    assert started(plan) == [("a-1", "n1")]
    known.noted.update(plan.notes)
    assert status(decide(known, NOW + 2), "b")["message"] == ("2 jobs of queue 'default' run; its maxRunningJobs is 2")
