"""Whether a failed attempt is followed by another, when, and with what changed."""

from typing import Any

import msgspec
import pytest

from batchyard.decide import decide
from batchyard.decide.memory import enlarge
from batchyard.decide.retry import FREE_RETRIES, Again, Enough, after
from batchyard.model.plan import Start
from batchyard.world.specs import OnOutOfMemory, Retry
from batchyard.world.views import Attempt
from builders import (
    NOW,
    attempt,
    decided,
    exited,
    failed,
    job,
    of,
    only,
    pool_of,
    started,
    status,
    stopped,
    store,
    template,
)


def ended(number: int, reason: str, **fields: Any) -> Attempt:
    free = reason in ("Interrupted", "NodeReplaced", "NodeLost", "PodDeleted", "PodRejected")
    return msgspec.convert(attempt(number, reason, **{"counted": not free, **fields}), Attempt)


def retry(attempts: int = 3, *rules: dict[str, str], **fields: Any) -> Retry:
    return msgspec.convert({"attempts": attempts, "evaluateOnExit": rules, **fields}, Retry)


RETRY_HOST = {"action": "Retry", "onStatusReason": "Host EC2*"}
EXIT_ALL = {"action": "Exit", "onReason": "*"}


class TestAttempts:
    @pytest.mark.parametrize(
        ("allowed", "failures", "again"), [(1, 1, False), (3, 1, True), (3, 2, True), (3, 3, False)]
    )
    def test_attempts_are_counted(self, allowed: int, failures: int, again: bool) -> None:
        verdict = after([ended(n, "Error") for n in range(1, failures + 1)], retry(allowed))
        assert isinstance(verdict, Again) is again

    @pytest.mark.parametrize("reason", ["TimedOut", "Terminated"])
    def test_what_was_stopped_on_purpose_is_never_retried(self, reason: str) -> None:
        assert after([ended(1, reason)], retry(10, {"action": "Retry", "onReason": "*"})) == Enough(reason, "")

    @pytest.mark.parametrize("reason", ["Interrupted", "NodeReplaced", "NodeLost", "PodDeleted", "PodRejected"])
    def test_infrastructures_faults_are_free_but_capped(self, reason: str) -> None:
        some = [ended(n, reason) for n in range(1, FREE_RETRIES + 1)]
        assert isinstance(after(some, retry(1)), Again)
        verdict = after([*some, ended(99, reason, message="gone")], retry(1))
        assert isinstance(verdict, Enough)
        assert verdict.reason == "InfrastructureFailures"
        assert "21 times; the last time: gone" in verdict.message

    def test_free_retries_do_not_use_up_attempts(self) -> None:
        assert isinstance(after([ended(1, "NodeLost"), ended(2, "Error")], retry(2)), Again)

    def test_the_last_failure_names_how_many_were_tried(self) -> None:
        verdict = after([ended(1, "Error"), ended(2, "Error", message="exit 3")], retry(2))
        assert verdict == Enough("Error", "exit 3 (attempt 2 of 2)")


class TestEvaluateOnExit:
    """Patterns written for AWS Batch work as they are."""

    @pytest.mark.parametrize(
        ("rules", "end", "again"),
        [
            ([EXIT_ALL], ended(1, "Error", exitCode=1), False),
            ([RETRY_HOST, EXIT_ALL], ended(1, "Error"), False),
            ([RETRY_HOST, EXIT_ALL], ended(1, "Interrupted"), True),
            ([EXIT_ALL], ended(1, "Interrupted"), True),  # a closing "*" does not undo the free retry
            ([{"action": "Exit", "onStatusReason": "*"}], ended(1, "NodeLost"), True),
            ([{"action": "Exit", "onStatusReason": "Host EC2*"}], ended(1, "Interrupted"), False),
            ([{"action": "Exit", "onReason": "CannotPullContainerError*"}], ended(1, "CannotPullContainer"), False),
            ([{"action": "Exit", "onReason": "CannotPullContainerError:*"}], ended(1, "CannotPullContainer", message="x"), False),  # noqa: E501
            ([{"action": "Exit", "onReason": "OutOfMemoryError*"}], ended(1, "OutOfMemory"), False),
            ([{"action": "Exit", "onReason": "OutOfMemoryError: Container killed due to memory usage"}], ended(1, "OutOfMemory"), False),  # noqa: E501
            ([{"action": "Exit", "onReason": "OutOfMemory"}], ended(1, "OutOfMemory"), False),
            ([{"action": "Exit", "onStatusReason": "Task failed to start"}], ended(1, "CannotStartContainer"), False),
            ([{"action": "Exit", "onStatusReason": "Essential container in task exited"}], ended(1, "Error"), False),
            ([{"action": "Exit", "onExitCode": "2"}], ended(1, "Error", exitCode=2), False),
            ([{"action": "Exit", "onExitCode": "2"}], ended(1, "Error", exitCode=22), True),
            ([{"action": "Exit", "onExitCode": "2*"}], ended(1, "Error", exitCode=22), False),
            ([{"action": "Exit", "onExitCode": "2"}], ended(1, "CannotPullContainer"), True),
            ([{"action": "Exit", "onExitCode": "2", "onReason": "Out*"}], ended(1, "Error", exitCode=2), True),  # all must match  # noqa: E501
            ([{"action": "Retry", "onExitCode": "2"}, EXIT_ALL], ended(1, "Error", exitCode=2), True),  # the first decides  # noqa: E501
            ([EXIT_ALL, {"action": "Retry", "onExitCode": "2"}], ended(1, "Error", exitCode=2), False),
            ([{"action": "Exit", "onReason": "no match"}], ended(1, "Error"), True),  # none matches: retry
            ([{"action": "Exit", "onReason": "disk full*"}], ended(1, "Error", message="disk full on /tmp"), False),
        ],
    )  # fmt: skip
    def test_rules(self, rules: list[dict[str, str]], end: Attempt, again: bool) -> None:
        verdict = after([end], retry(3, *rules))
        assert isinstance(verdict, Again) is again
        if isinstance(verdict, Enough):
            assert verdict.message.endswith("(no retry: evaluateOnExit says Exit)")

    def test_a_retry_rule_does_not_add_attempts(self) -> None:
        assert isinstance(after([ended(1, "Error")], retry(1, {"action": "Retry", "onReason": "*"})), Enough)


class TestWhen:
    @pytest.mark.parametrize(("failures", "pause"), [(1, 10), (2, 20), (3, 40), (5, 60), (9, 60)])
    def test_the_pause_doubles_up_to_its_limit(self, failures: int, pause: float) -> None:
        rule = retry(10, backoff={"initialSeconds": 10, "maxSeconds": 60})
        assert after([ended(n, "Error") for n in range(1, failures + 1)], rule) == Again(NOW + pause)

    def test_without_backoff_and_after_a_reclaim_it_goes_on_at_once(self) -> None:
        assert after([ended(1, "Error")], retry(3)) == Again(NOW)
        assert after([ended(1, "Interrupted")], retry(1, backoff={"initialSeconds": 99})) == Again(NOW)

    def test_a_node_that_refuses_pods_is_not_asked_in_a_hurry(self) -> None:
        refused = [ended(n, "PodRejected") for n in range(1, 12)]
        assert [after(refused[:n], retry(1)) for n in (1, 2, 3, 11)] == [Again(NOW + p) for p in (1, 2, 4, 60)]

    def test_the_job_waits_out_its_backoff_and_starts_on_time(self) -> None:
        spec = {"retry": {"attempts": 2, "backoff": {"initialSeconds": 30}}}
        known = store(*pool_of("n1"), job(**spec), failed())
        plan = decide(known, NOW + 1)
        assert not started(plan)
        assert status(plan)["phase"] == "Runnable"
        assert status(plan)["reason"] == "Backoff"
        assert decide(known, NOW + 29).wake == NOW + 30
        assert started(decide(known, NOW + 30)) == [("job-2", "n1")]


class TestMemory:
    RULE = OnOutOfMemory(memory_factor="1.5", max_memory="3Gi")

    def grown(self, kills: int, rule: OnOutOfMemory | None) -> Any:
        base = template(memory="1Gi")
        base["spec"]["containers"][0]["resources"]["limits"] = {"memory": "2Gi", "cpu": "1"}
        base["spec"]["containers"].append({"name": "side", "resources": {"limits": {"memory": "1Gi"}}})
        done = enlarge(base, rule, [ended(n, "OutOfMemory", container="main") for n in range(1, kills + 1)])
        return done["spec"]["containers"]

    def test_the_container_that_was_killed_gets_more(self) -> None:
        main, side = self.grown(1, OnOutOfMemory(memory_factor="1.5"))
        assert main["resources"]["requests"] == {"cpu": "1", "memory": str(3 * 2**29)}
        assert main["resources"]["limits"] == {"memory": str(3 * 2**30), "cpu": "1"}
        assert side["resources"] == {"limits": {"memory": "1Gi"}}

    def test_once_per_kill_and_never_above_the_maximum_nor_below_what_it_had(self) -> None:
        assert self.grown(2, self.RULE)[0]["resources"]["requests"]["memory"] == str(9 * 2**28)
        assert self.grown(9, self.RULE)[0]["resources"]["requests"]["memory"] == str(3 * 2**30)
        small = OnOutOfMemory(max_memory="512Mi")
        assert self.grown(1, small)[0]["resources"]["requests"]["memory"] == str(2**30)

    def test_without_rule_or_kill_nothing_changes(self) -> None:
        assert self.grown(3, None) == self.grown(0, self.RULE)

    def test_the_next_attempt_asks_for_more(self) -> None:
        spec = {"retry": {"attempts": 2, "onOutOfMemory": {"memoryFactor": "2"}}}
        killed = failed(containers=(exited(137, reason="OOMKilled"),))
        start = only(decided(*pool_of("n1"), job(**spec), killed), Start)
        assert start.manifest["spec"]["containers"][0]["resources"]["requests"]["memory"] == str(2 * 2**30)


class TestEnds:
    def test_a_job_out_of_attempts_fails_with_the_last_words(self) -> None:
        plan = decided(*pool_of("n1"), job(), failed(code=3, containers=(exited(3, message="disk full\n"),)))
        said = status(plan)
        assert (said["phase"], said["reason"]) == ("Failed", "Error")
        assert said["message"] == "container 'main' exited with code 3: disk full"
        assert not of(plan, Start)

    def test_a_timed_out_attempt_fails_the_job_whatever_attempts_remain(self) -> None:
        plan = decided(*pool_of("n1"), job(retry={"attempts": 5}), failed(stop=stopped("TimedOut")))
        assert (status(plan)["phase"], status(plan)["reason"]) == ("Failed", "TimedOut")

    def test_an_interrupted_attempt_is_free_and_goes_on_record_before_its_node_is_gone(self) -> None:
        plan = decided(*pool_of("n2"), job(), failed(code=143, stop=stopped("Interrupted")))
        assert started(plan) == [("job-2", "n2")]
        plan = decided(*pool_of(max_vcpus=0), job(), failed(code=143, stop=stopped("Interrupted")))
        (entry,) = status(plan)["attempts"]
        assert (entry["reason"], entry["counted"], entry["exitCode"]) == ("Interrupted", False, 143)
