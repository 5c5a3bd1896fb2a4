"""JobSchedule: cron, rate or one time; each fire is a Job whose name is made of the schedule and the minute."""

import json
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Labels, Moment, Rule
from batchyard.model.condition import CONDITIONS_SCHEMA, Condition
from batchyard.model.job import JobSpec

SCHEDULE_NAME_LENGTH = 39
"""Longest name of a schedule: `<schedule>-<minutes since 1970>` must be the name of a Job."""

ConcurrencyPolicy = Literal["Allow", "Forbid", "Replace"]
SchedulePhase = Literal["Active", "Suspended", "Invalid", "Ended"]
NEW_OBJECT = "x-batchyard-new-object"
"""Marks a schema whose rules on changes are left out: a template is not the object itself."""

_FORMS = "spec.schedule is five fields ('0 2 * * *'), cron(0 2 * * ? *), rate(5 minutes) or at(2027-01-01T00:00:00)"
_RATES = "spec.schedule: a rate is a number above 0 and minutes, hours or days; write for example rate(5 minutes)"
_SIX = (
    "spec.schedule: cron(...) has six fields and a ? in just one of day-of-month and day-of-week; write for example "
    "cron(0 2 * * ? *)"
)
_ANY_FORM = r"^(@[A-Za-z]+|(\S+\s+){4}\S+|(cron|rate|at)\(.*\))$"
_RATE = r"^rate\(\s*0*[1-9][0-9]{0,8}\s+(minute|hour|day)s?\s*\)$"
_CRON = r"^cron\(\s*(\S+\s+){2}(\?\s+\S+\s+[^?\s]+|[^?\s]+\s+\S+\s+\?)\s+\S+\s*\)$"
_Seconds = Annotated[int, Field(ge=10, le=31_536_000)]
_Limit = Annotated[int, Field(ge=0, le=1000)]


def _form(pattern: str, message: str, of: str = "") -> Rule:
    """Give the rule that a schedule which begins with `of` matches the pattern."""
    unless = f"!self.schedule.startsWith('{of}') || " if of else ""
    return Rule(
        f"{unless}self.schedule.matches({json.dumps(pattern)})",
        message,
        lambda s: not s.schedule.startswith(of) or re.match(pattern, s.schedule) is not None,
        "schedule",
    )


class JobTemplateMetadata(ApiModel):
    """What the Jobs carry besides their name."""

    labels: Labels = Field(default_factory=dict, description="Labels of the Jobs. Example: {team: a}.")
    annotations: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=50)] = Field(
        default_factory=dict, description="Annotations of the Jobs, up to 50."
    )


class JobTemplate(ApiModel):
    """The Job that every fire makes."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.spec.stop)",
            "spec.jobTemplate.spec.stop would end every Job before it starts; leave it out, or set spec.suspend",
            lambda template: template.spec.stop is None,
            "spec",
        ),
    )

    metadata: JobTemplateMetadata = Field(
        default_factory=JobTemplateMetadata, description="Labels and annotations of the Jobs."
    )
    spec: JobSpec = Field(
        description="The spec of the Jobs, as in a Job. A change holds from the next fire on.",
        json_schema_extra={NEW_OBJECT: True},
    )


class JobScheduleSpec(ApiModel):
    """When to fire, what to submit, and what to do with fires that meet a running Job or were missed."""

    rules: ClassVar[tuple[Rule, ...]] = (
        _form(_ANY_FORM, _FORMS),
        _form(_RATE, _RATES, "rate("),
        _form(_CRON, _SIX, "cron("),
        Rule(
            "!has(self.start) || !has(self.end) || self.start < self.end",
            "spec.end is not after spec.start; move one of them",
            lambda s: s.start is None or s.end is None or s.start < s.end,
            "end",
        ),
    )

    schedule: str = Field(
        min_length=1,
        max_length=256,
        description="When to fire: five fields of Unix cron ('*/5 * * * *', or @daily and the like), cron(minutes "
        "hours day-of-month month day-of-week year) as EventBridge has it, with L, W, # and ?, rate(5 minutes), or "
        "at(2027-01-01T00:00:00) for one time. AWS: ScheduleExpression.",
    )
    time_zone: str = Field(
        default="UTC",
        min_length=1,
        max_length=64,
        description="The time zone of schedule, by its IANA name; UTC by default. A fixed hour that the clock skips in "
        "spring comes at once after the gap; one that it shows twice in autumn comes the first time only. Example: "
        "Europe/Berlin. AWS: ScheduleExpressionTimezone.",
    )
    start: Moment | None = Field(
        default=None,
        description="No fire before this moment; a rate counts from it, and fires at it. Absent: a rate counts from "
        "the creation. AWS: StartDate.",
    )
    end: Moment | None = Field(default=None, description="No fire after this moment. AWS: EndDate.")
    flexible_window_minutes: int = Field(
        default=0,
        ge=0,
        le=1440,
        description="Each fire is put off by up to so many minutes, always the same for the same fire, and never past "
        "the next one, so that many schedules do not fire at one moment; 0 by default: on time. AWS: "
        "FlexibleTimeWindow.MaximumWindowInMinutes.",
    )
    concurrency_policy: ConcurrencyPolicy = Field(
        default="Allow",
        description="What a fire does while a Job of this schedule has not ended. Allow (default): both run. Forbid: "
        "the newest fire waits until the Job has ended, within startingDeadlineSeconds. Replace: the new Job is "
        "submitted, and the ones before it are terminated.",
    )
    starting_deadline_seconds: _Seconds | None = Field(
        default=None,
        description="How late a fire may still be made, at least 10 seconds. With it, concurrencyPolicy Allow makes up "
        "for every fire missed within that time, the newest 100 at most; without it, and with Forbid and Replace, "
        "only the latest missed one is made up for, however late.",
    )
    suspend: bool = Field(
        default=False,
        description="Whether to fire nothing; fires that pass meanwhile are not made up for. AWS: State DISABLED.",
    )
    successful_jobs_history_limit: _Limit = Field(
        default=3, description="How many succeeded Jobs are kept, 3 by default; older ones are deleted."
    )
    failed_jobs_history_limit: _Limit = Field(
        default=1, description="How many failed Jobs are kept, 1 by default; older ones are deleted."
    )
    job_template: JobTemplate = Field(
        description="The Job that each fire makes; its name is <schedule>-<minutes since 1970>, and it carries the "
        "label batchyard.dev/schedule."
    )


def _listed(description: str, most: int, **extra: Any) -> Any:
    return Field(default_factory=tuple, max_length=most, description=description, json_schema_extra=extra or None)


class JobScheduleStatus(ApiModel):
    """What has become of the schedule; written by the operator."""

    phase: SchedulePhase = Field(
        default="Active",
        description="Active: fires as schedule says. Suspended: by spec.suspend. Invalid: schedule or timeZone cannot "
        "be used, message says why. Ended: no fire is left.",
    )
    message: str = Field(default="", max_length=32768, description="The phase in a sentence for people.")
    last_fire: Moment | None = Field(
        default=None,
        description="The time of the latest fire whose Job was submitted; what comes before it is settled.",
    )
    next_fires: tuple[Moment, ...] = _listed("The next five fires, flexibleWindowMinutes left out.", 5)
    next: str = Field(
        default="",
        max_length=32,
        description="The next fire on the clock of spec.timeZone, for people. Example: 15 Jan 12:00.",
    )
    active: tuple[Annotated[str, Field(max_length=63)], ...] = _listed(
        "Names of its Jobs that have not ended, the newest 100.", 100
    )
    active_jobs: int = Field(default=0, ge=0, description="How many of its Jobs have not ended.")
    timetable: str = Field(
        default="",
        max_length=1024,
        description="The schedule, zone, start, end and suspend that this status describes.",
    )
    since: Moment | None = Field(
        default=None,
        description="Since when that timetable holds: its creation, or when it was changed. Fires before are not made "
        "up for.",
    )
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    conditions: tuple[Condition, ...] = _listed(
        "Valid: whether the schedule can be used. Submitted: whether the API server took the latest Job, with its own "
        "words when not.",
        16,
        **CONDITIONS_SCHEMA,
    )
