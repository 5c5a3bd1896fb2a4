"""Whether a failed attempt is followed by another, and when (AWS retryStrategy and evaluateOnExit)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchyard.decide.needs import NO_TASTE, Taste
from batchyard.decide.outcome import AWS_NAMES, INFRASTRUCTURE, NEVER_RETRIED
from batchyard.world.parse import seconds
from batchyard.world.specs import ExitRule, Retry
from batchyard.world.views import Attempt

FREE_RETRIES = 20  # a job that infrastructure fails this often is told so rather than moved for ever


@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt, not before `at` (unix seconds)."""

    at: float


@dataclass(frozen=True, slots=True)
class Enough:
    """No further attempt; why."""

    reason: str
    message: str


def at_fault(attempt: Attempt) -> bool:
    """Say whether the node may have been the cause; a program's own error is no reason to launch another."""
    return attempt.reason in INFRASTRUCTURE or attempt.reason in ("CannotPullContainer", "CannotStartContainer")


def taste_of(retry: Retry, attempts: Sequence[Attempt]) -> Taste:
    """Return which nodes the next attempt avoids: those at fault, and rather those where one ran before."""
    if not attempts or not retry.avoid_failed_nodes:
        return NO_TASTE
    tried = frozenset(attempt.node for attempt in attempts if attempt.node)
    return Taste(frozenset(attempt.node for attempt in attempts if attempt.node and at_fault(attempt)), tried)


def after(attempts: Sequence[Attempt], retry: Retry) -> Again | Enough:
    """Return what follows the last, failed attempt.

    Timed-out and terminated attempts are never retried; infrastructure's faults are retried free up to a cap;
    others while attempts remain and no evaluateOnExit entry says Exit (no entry matches: retry).
    """
    last = attempts[-1]
    reason, message = last.reason or "Error", last.message or ""
    if reason in NEVER_RETRIED:
        return Enough(reason, message)
    rule = _matching(last, retry)
    if rule is not None and rule.action == "Exit":
        return Enough(reason, f"{message} (no retry: evaluateOnExit says Exit)")
    if reason in INFRASTRUCTURE:
        return _free(attempts, message)
    used = sum(1 for attempt in attempts if attempt.counted)
    if used >= retry.attempts:
        tries = f" (attempt {used} of {retry.attempts})" if retry.attempts > 1 else ""
        return Enough(reason, f"{message}{tries}")
    return Again(_ended(last) + _pause(used, retry))


def _free(attempts: Sequence[Attempt], message: str) -> Again | Enough:
    free = sum(1 for attempt in attempts if attempt.reason in INFRASTRUCTURE)
    if free > FREE_RETRIES:
        return Enough("InfrastructureFailures", f"the nodes failed this job {free} times; the last time: {message}")
    rejected = sum(1 for attempt in attempts if attempt.reason == "PodRejected")
    pause = min(2.0 ** (rejected - 1), 60.0) if attempts[-1].reason == "PodRejected" else 0.0
    return Again(_ended(attempts[-1]) + pause)


def _ended(attempt: Attempt) -> float:
    return seconds(attempt.stopped_at) if attempt.stopped_at else 0.0


def _pause(used: int, retry: Retry) -> float:
    backoff = retry.backoff
    if backoff is None or backoff.initial_seconds == 0:
        return 0.0
    return float(min(backoff.initial_seconds * 2 ** (used - 1), backoff.max_seconds))


def _matching(attempt: Attempt, retry: Retry) -> ExitRule | None:
    for rule in retry.evaluate_on_exit:
        if matches(rule, attempt):
            return rule
    return None


def matches(rule: ExitRule, attempt: Attempt) -> bool:
    """Say whether all conditions of a rule match; exact, or prefix when the pattern ends in `*`.

    An infrastructure failure is matched only by a rule that names it in onStatusReason: a closing
    `onReason: "*", Exit` must not undo the free retry.
    """
    reason = attempt.reason or ""
    aws_reason, aws_status = AWS_NAMES.get(reason, ("", ""))
    if reason in INFRASTRUCTURE and rule.on_status_reason in (None, "*"):
        return False
    conditions = [
        (rule.on_reason, (reason, aws_reason, f"{aws_reason}: {attempt.message}", attempt.message or "")),
        (rule.on_status_reason, (reason, aws_status, attempt.message or "")),
        (rule.on_exit_code, ("" if attempt.exit_code is None else str(attempt.exit_code),)),
    ]
    return all(any(_like(pattern, text) for text in texts) for pattern, texts in conditions if pattern is not None)


def _like(pattern: str, text: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
