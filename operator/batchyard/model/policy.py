"""SchedulingPolicy: how the users of a queue share it."""

import contextlib
import itertools
import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from batchyard.model.api import ApiModel, Name
from batchyard.model.condition import CONDITIONS_SCHEMA, Condition
from batchyard.model.obeys import obeys

MOST_SHARES = 500

SHARE_NAME = (
    "self.matches('^[A-Za-z0-9._-]+$')",
    "a share's name has letters, digits, ., _ and - only; prefixes with * stand in SchedulingPolicies",
)
"""What a Job's share must keep to, and the sentence if it does not."""


def is_share(name: str) -> bool:
    """Tell whether a Job may name this share: letters, digits, `.`, `_` and `-`."""
    return re.match(r"^[A-Za-z0-9._-]+$", name) is not None


_ENTRY = r"^[A-Za-z0-9._-]*[*]?$"
_LEAST, _MOST = Decimal("0.0001"), Decimal("999.9999")
# Without a type, so that 0.5 may be written with and without quotes; CEL does not see such a field.
WEIGHT_SCHEMA: dict[str, Any] = {
    "x-kubernetes-preserve-unknown-fields": True,
    "maxProperties": 0,
    "maxItems": 0,
    "maxLength": 8,
    # Whole ones, since the API server compares whole numbers with the whole part of a limit.
    "minimum": 0,
    "exclusiveMinimum": True,
    "maximum": 1000,
    "exclusiveMaximum": True,
    "pattern": r"^([1-9][0-9]{0,2}(\.[0-9]{1,4})?|0\.0{0,3}[1-9][0-9]{0,3})$",
}


def _weight(given: object) -> Decimal:
    if isinstance(given, Decimal | int | float | str) and not isinstance(given, bool):
        with contextlib.suppress(InvalidOperation):
            weight = Decimal(str(given))
            if _LEAST <= weight <= _MOST:
                return weight
    raise ValueError(f"{given!r}: a share's weight is from {_LEAST} to {_MOST}; lower gets more")


Weight = Annotated[
    Decimal,
    BeforeValidator(_weight),
    PlainSerializer(lambda weight: format(weight, "f"), return_type=str),
    WithJsonSchema(WEIGHT_SCHEMA),
]
"""How much a share counts: a decimal number, with or without quotes."""


ShareEntry = Annotated[
    str,
    Field(min_length=1, max_length=255),
    obeys(
        f"self.matches('{_ENTRY}')",
        "a share's name has letters, digits, ., _ and - only, and may end in * to mean all that begin so",
        lambda name: re.match(_ENTRY, name) is not None,
    ),
]
"""A share, or with * at the end all that begin so."""


class Share(ApiModel):
    """One share, or all whose names begin alike, and its weight."""

    share: ShareEntry = Field(
        description="The spec.share of the Jobs, or a beginning with * at its end: all shares that begin so count as "
        'one. Example: "team-a" or "team*". AWS: shareIdentifier.'
    )
    weight: Weight = Field(
        default=Decimal(1),
        description="0.0001 to 999.9999, 1 by default, lower gets more: a share of weight 0.5 gets twice what one of "
        "weight 1 gets. Example: 0.5. AWS: weightFactor.",
    )


def _apart(shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """Refuse entries of which one covers the other; too dear for CEL, which would compare each of 500 with each."""
    ordered = sorted(shares, key=lambda entry: (entry.share.removesuffix("*"), not entry.share.endswith("*")))
    for wide, next_ in itertools.pairwise(ordered):
        covered = wide.share.endswith("*") and next_.share.startswith(wide.share[:-1])
        if covered or wide.share == next_.share:
            raise ValueError(f"the entries overlap: {wide.share} covers {next_.share}; take one of the two out")
    return shares


class SchedulingPolicySpec(ApiModel):
    """How what has been used is forgotten, what is kept free for others, and who gets how much."""

    share_decay_seconds: int = Field(
        default=0,
        ge=0,
        le=604_800,
        description="Over how many seconds past usage is forgotten, 0 to 604800 (7 days); 0, the default, means 600. "
        "Example: 3600. AWS: shareDecaySeconds.",
    )
    compute_reservation: int = Field(
        default=0,
        ge=0,
        le=99,
        description="Percent of the queue's maximum vCPUs kept free for shares that have no Jobs now, 0 to 99: of n "
        "active shares it keeps (computeReservation/100)^n. 0 by default. Example: 25. AWS: computeReservation.",
    )
    shares: Annotated[tuple[Share, ...], Field(max_length=MOST_SHARES), AfterValidator(_apart)] = Field(
        default_factory=tuple,
        description="Weights of shares, up to 500; a share that is not named has weight 1. Entries that "
        "overlap make the policy Invalid. "
        'Example: [{share: team-a, weight: 0.5}, {share: "batch*", weight: 2}]. AWS: shareDistribution.',
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["share"]},
    )


class SchedulingPolicyStatus(ApiModel):
    """Whether the policy can be used, and who uses it; written by the operator."""

    phase: Literal["Checking", "Valid", "Invalid"] = Field(
        default="Checking",
        description="Checking: not looked at yet. Valid: queues may use it. Invalid: message says why; queues that "
        "name it are Invalid too.",
    )
    message: str = Field(default="", max_length=32768, description="The phase in a sentence for people.")
    queues: tuple[Name, ...] = Field(
        default_factory=tuple, max_length=1000, description="Names of the JobQueues that use the policy."
    )
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    conditions: tuple[Condition, ...] = Field(
        default_factory=tuple,
        max_length=16,
        description="Valid: whether the policy can be used.",
        json_schema_extra=CONDITIONS_SCHEMA,
    )
