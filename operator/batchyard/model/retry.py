"""Retry and timeout of a Job: which failures are tried again, how often, how soon, and with what changed."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Factor, Quantity, Rule

_Pattern = Annotated[str, Field(min_length=1, max_length=512)]


def _is_pattern(pattern: str | None, characters: str = "[^*]") -> bool:
    return pattern is None or re.fullmatch(rf"{characters}*\*?", pattern) is not None


class ExitRule(ApiModel):
    """If every given condition matches how the attempt ended, take the action."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.onStatusReason) || has(self.onReason) || has(self.onExitCode)",
            "a rule of evaluateOnExit needs a condition: onStatusReason, onReason or onExitCode; "
            'to match everything write onReason: "*"',
            lambda r: bool(r.on_status_reason or r.on_reason or r.on_exit_code),
        ),
        Rule(
            "!has(self.onStatusReason) || self.onStatusReason.matches('^[^*]*[*]?$')",
            'onStatusReason may have a * only at its end; write for example "Host*"',
            lambda r: _is_pattern(r.on_status_reason),
            "onStatusReason",
        ),
        Rule(
            "!has(self.onReason) || self.onReason.matches('^[^*]*[*]?$')",
            'onReason may have a * only at its end; write for example "OutOfMemory*"',
            lambda r: _is_pattern(r.on_reason),
            "onReason",
        ),
        Rule(
            "!has(self.onExitCode) || self.onExitCode.matches('^[0-9]*[*]?$')",
            'onExitCode is digits, with a * only at its end, in quotes; write for example "137" or "1*"',
            lambda r: _is_pattern(r.on_exit_code, "[0-9]"),
            "onExitCode",
        ),
    )

    action: Literal["Retry", "Exit"] = Field(
        description="Retry: try again, if attempts are left. Exit: the Job fails now. AWS: action."
    )
    on_status_reason: _Pattern | None = Field(
        default=None,
        description="Matches why the attempt ended, as in status.attempts[].reason: exactly, or a beginning with * at "
        'its end. Example: "Host*". At most 512 characters. AWS: onStatusReason.',
    )
    on_reason: _Pattern | None = Field(
        default=None,
        description="Matches the reason of the container that failed, as Kubernetes gives it: exactly, or a beginning "
        'with * at its end. Example: "OOMKilled". At most 512 characters. AWS: onReason.',
    )
    on_exit_code: _Pattern | None = Field(
        default=None,
        description="Matches the exit code of the container that failed: digits in quotes, exactly, or a beginning "
        "with "
        '* at its end. Example: "137". AWS: onExitCode.',
    )


class Backoff(ApiModel):
    """How long a failed Job waits before its next attempt: the first wait, doubled each time up to the longest."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.initialSeconds <= self.maxSeconds",
            "retry.backoff.initialSeconds is above maxSeconds; lower the one or raise the other",
            lambda b: b.initial_seconds <= b.max_seconds,
            "initialSeconds",
        ),
    )

    initial_seconds: int = Field(
        default=0,
        ge=0,
        le=86_400,
        description="Seconds before the second attempt; doubled before each further one. 0 by default: at once, as "
        "AWS.",
    )
    max_seconds: int = Field(default=300, ge=0, le=86_400, description="The longest wait in seconds; 300 by default.")


class OnOutOfMemory(ApiModel):
    """More memory for the next attempt after one was killed for using too much."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "double(self.memoryFactor) > 1.0",
            'retry.onOutOfMemory.memoryFactor is above 1; write for example "1.5"',
            lambda o: o.memory_factor > 1,
            "memoryFactor",
        ),
    )

    memory_factor: Factor = Field(
        default="2",
        validate_default=True,
        description='Requests and limits for memory are multiplied by this, a decimal number above 1 in quotes; "2" by '
        'default. Example: "1.5".',
    )
    max_memory: Quantity | None = Field(
        default=None,
        description="Memory never grows beyond this quantity; absent: the largest node decides. Example: 64Gi.",
    )


class Retry(ApiModel):
    """When and how a failed attempt is tried again."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.attempts >= 1 && self.attempts <= 10",
            "retry.attempts is from 1 to 10; 1 means no retry",
            lambda r: 1 <= r.attempts <= 10,
            "attempts",
        ),
    )

    attempts: int = Field(
        default=1,
        ge=1,
        le=10,
        description="How often the Job may be tried in all, 1 to 10; 1 by default: no retry. An attempt that a lost or "
        "reclaimed node ended is not counted. Cancelled, terminated and timed-out Jobs are never tried again. "
        "Example: 3. AWS: attempts.",
    )
    evaluate_on_exit: tuple[ExitRule, ...] = Field(
        default_factory=tuple,
        max_length=5,
        description="Up to 5 rules, tried in order; the first whose conditions all match decides. None matches: Retry. "
        'Example: [{action: Retry, onStatusReason: "Host*"}, {action: Exit, onExitCode: "2"}]. AWS: evaluateOnExit.',
    )
    backoff: Backoff = Field(
        default_factory=Backoff,
        description="How long to wait before the next attempt; absent: not at all, as AWS. Example: "
        "{initialSeconds: 10, maxSeconds: 300}.",
    )
    on_out_of_memory: OnOutOfMemory | None = Field(
        default=None,
        description="More memory for the next attempt when a container was killed for using too much; absent: the same "
        'again. Example: {memoryFactor: "1.5", maxMemory: 64Gi}.',
    )
    avoid_failed_nodes: bool = Field(
        default=True,
        description="Try again on another node than those where an attempt has failed, as long as there is another; "
        "true by default.",
    )


class Timeout(ApiModel):
    """How long one attempt may run."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.attemptDurationSeconds >= 60",
            "timeout.attemptDurationSeconds is at least 60",
            lambda t: t.attempt_duration_seconds >= 60,
            "attemptDurationSeconds",
        ),
    )

    attempt_duration_seconds: int = Field(
        ge=60,
        description="Seconds an attempt may run, at least 60, counted from its own start (not from submission, nor "
        "while images are pulled). Then its containers get SIGTERM, SIGKILL after the template's "
        "terminationGracePeriodSeconds, and the Job fails without a retry. Example: 3600. AWS: attemptDurationSeconds.",
    )
