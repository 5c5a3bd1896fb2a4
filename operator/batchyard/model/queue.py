"""JobQueue: who may submit, in which order Jobs start, and on which environments."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Labels, Money, Name, Rule
from batchyard.model.obeys import obeys, once
from batchyard.model.policy import ShareEntry

_LabelText = Annotated[str, Field(max_length=63)]


class LabelRequirement(ApiModel):
    """One requirement on the namespace's labels."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.operator in ['In', 'NotIn'] ? (has(self.values) && size(self.values) > 0) : "
            "(!has(self.values) || size(self.values) == 0)",
            "operator In and NotIn need values; Exists and DoesNotExist have none",
            lambda r: (r.operator in ("In", "NotIn")) == bool(r.values),
            "values",
        ),
    )

    key: str = Field(min_length=1, max_length=316, description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How the label's value relates to values: In, NotIn, Exists or DoesNotExist."
    )
    values: tuple[_LabelText, ...] = Field(
        default_factory=tuple, max_length=50, description="The values for In and NotIn; absent for the others."
    )


class LabelSelector(ApiModel):
    """A label selector as everywhere in Kubernetes; the empty one selects everything."""

    match_labels: Labels = Field(default_factory=dict, description="Labels that must be there with just these values.")
    match_expressions: tuple[LabelRequirement, ...] = Field(
        default_factory=tuple, max_length=20, description="Further requirements; all of them must hold."
    )


_REASON = "^([A-Z][A-Za-z]*|[A-Z]+:[A-Z0-9_]+)$"


class StateTimeLimit(ApiModel):
    """How long the first Job of the queue may wait for one reason."""

    reason: Annotated[
        str,
        Field(min_length=1, max_length=64),
        obeys(
            f"self.matches('{_REASON}')",
            "a reason is a CamelCase word as in status.reason of waiting Jobs, or AWS's word for it; write for example "
            "InsufficientCapacity",
            lambda token: re.match(_REASON, token) is not None,
        ),
    ] = Field(
        description="The status.reason it must have had all the time, or AWS's word for it. Example: "
        "InsufficientCapacity, JobTooLarge, MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT. AWS: reason."
    )
    max_seconds: int = Field(
        ge=1,
        le=2_592_000,
        description="For how many seconds without a break, 1 to 2592000 (30 days). Example: 3600. AWS: maxTimeSeconds, "
        "600 to 86400.",
    )
    action: Literal["Cancel"] = Field(
        default="Cancel", description="Cancel (default): the Job fails, and message says for what. AWS: action."
    )


class SpotFirst(ApiModel):
    """When Jobs of the queue may leave spot for its on-demand environments."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.maxWaitSeconds) || has(self.maxInterruptions)",
            "spec.spot names no rule; write for example {maxWaitSeconds: 300, maxInterruptions: 2}",
            lambda spot: spot.max_wait_seconds is not None or spot.max_interruptions is not None,
        ),
    )

    max_wait_seconds: int | None = Field(
        default=None,
        ge=0,
        le=2_592_000,
        description="Seconds that a Job waits for spot, from its submission, the end of what it depended on or its "
        "latest attempt; an array from the latest start or end of a child. Then it may use on-demand environments "
        "too. 0 to 2592000 (30 days); absent: no limit. Example: 300.",
    )
    max_interruptions: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="How often a Job, or a child of an array, may lose its node to a spot interruption before it may "
        "use on-demand environments too, 1 to 100; absent: no limit. Example: 2.",
    )


def _is_money(message: str) -> Rule:
    return Rule("!self.amount.matches('^[0.]*$')", message, lambda budget: budget.amount > 0, "amount")


class Budget(ApiModel):
    """How much the Jobs of the queue may cost within a time, and what happens when that is spent."""

    rules: ClassVar[tuple[Rule, ...]] = (
        _is_money(
            'spec.budget.amount must be more than 0; write for example "50.00", or spec.state: Held to start nothing'
        ),
    )

    amount: Money = Field(
        description="How much may be spent within the window, in the currency of the instance types' prices: a decimal "
        "number above 0 in quotes. Counted is what attempts have cost and what those that run are expected to cost. "
        'Example: "50.00".',
    )
    window_seconds: int = Field(
        default=86_400,
        ge=60,
        le=31_536_000,
        description="The window, which moves on with time: 60 to 31536000 (a year); 86400, a day, by default. What was "
        "spent longer ago counts no more. Example: 604800.",
    )
    on_exceeded: Literal["Hold", "SpotOnly", "Notify"] = Field(
        default="Hold",
        description="Hold (default): no further Job of the queue starts until money leaves the window; what runs goes "
        "on. SpotOnly: Jobs use the queue's spot environments only. Notify: nothing but the condition BudgetExceeded "
        "and an Event.",
    )


MOST_BUDGETS = 20  # of shares: each has its parts of the window in the status


class ShareBudget(Budget):
    """How much the Jobs of one share, or of all that begin alike, may cost within a time."""

    rules: ClassVar[tuple[Rule, ...]] = (
        _is_money('an amount of spec.shareBudgets must be more than 0; write for example "50.00"'),
    )

    share: ShareEntry = Field(
        description="The spec.share of the Jobs, or a beginning with * at its end: what all shares that begin so spend "
        'together. Example: "team-a" or "team*".'
    )


class JobQueueSpec(ApiModel):
    """The queue's place among others, its environments and its limits."""

    state: Literal["Enabled", "Disabled", "Held", "Draining"] = Field(
        default="Enabled",
        description="Enabled (default): accepts and starts Jobs. Disabled: refuses new Jobs and finishes those it has. "
        "Held: accepts Jobs and starts none; running ones go on. Draining: refuses new Jobs, runs what is queued to "
        "the end, and says when it is empty. AWS: state.",
    )
    priority: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Queues that share an environment are served from the highest priority to the lowest; 0 by "
        "default. Example: 10. AWS: priority.",
    )
    compute_environments: Annotated[
        tuple[Name, ...],
        Field(min_length=1, max_length=10),
        once("spec.computeEnvironments names an environment twice; name each once, in the order to try"),
    ] = Field(
        description="Names of the ComputeEnvironments, 1 to 10, each once: a Job goes to the first that can take it. "
        "Example: [spot, on-demand]. AWS: computeEnvironmentOrder.",
    )
    namespace_selector: LabelSelector | None = Field(
        default=None,
        description="Labels of the namespaces whose Jobs may use the queue; absent: every namespace. Example: "
        "{matchLabels: {kubernetes.io/metadata.name: research}}.",
    )
    max_running_jobs: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="How many Jobs of the queue may be Starting or Running at one time; absent: no limit. Example: "
        "100.",
    )
    strategy: Literal["StrictFIFO", "Backfill"] = Field(
        default="Backfill",
        description="What happens behind a first Job that has to wait. Backfill (default): others may overtake it "
        "when its own earliest start is not delayed, as the timeouts of running attempts tell. StrictFIFO: nobody "
        "overtakes.",
    )
    scheduling_policy: Name | None = Field(
        default=None,
        description="Name of a SchedulingPolicy: Jobs then need spec.share, and start in the order of what their "
        "shares have used. Absent: by priority, then age. Example: fair. AWS: schedulingPolicyArn.",
    )
    spot: SpotFirst | None = Field(
        default=None,
        description="Spot first: Jobs use the queue's on-demand environments only once one of these rules, or the "
        "Job's deadlineSeconds, says so; absent: all environments are tried in order at once. Example: "
        "{maxWaitSeconds: 300, maxInterruptions: 2}.",
    )
    budget: Budget | None = Field(
        default=None,
        description="What the queue's Jobs may cost within a time; absent: no limit. Example: "
        '{amount: "50.00", windowSeconds: 86400, onExceeded: Hold}.',
    )
    share_budgets: Annotated[
        tuple[ShareBudget, ...],
        Field(max_length=MOST_BUDGETS),
        once("spec.shareBudgets names a share twice; give each share one entry", "share"),
    ] = Field(
        default_factory=tuple,
        description="What Jobs of single shares may cost within a time, up to 20, beside budget: a Job starts when its "
        'queue and its share have money. Example: [{share: team-a, amount: "20.00"}].',
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["share"]},
    )
    state_time_limits: tuple[StateTimeLimit, ...] = Field(
        default_factory=tuple,
        max_length=10,
        description="How long the first Job of the queue may wait for a reason before it is cancelled, up to 10. "
        "Example: [{reason: InsufficientCapacity, maxSeconds: 3600, action: Cancel}]. AWS: jobStateTimeLimitActions.",
    )
