"""The array of a Job: many children of one template, told apart by their index."""

import re
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from batchyard.model.api import RULES, ApiModel, Rule
from batchyard.model.obeys import obeys

MOST_CHILDREN = 100_000
INDEXES_LENGTH = 20_000
"""Longest set of indexes: the bitmap of 100,000 children in base64 has 16,689 characters."""

INDEXES_PATTERN = r"^(bits:[A-Za-z0-9+/]+={0,2}|[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*)$"
_PERCENT = r"^(100|[0-9]{1,2})%$"
_INDEXES = (
    'a set of indexes has numbers and ranges from 0, with commas and without spaces; write for example "3,7-9", or '
    "copy status.array.failed"
)
_TOLERANCE = (
    "array.tolerateFailures is a number of children from 0, or a percentage from 0% to 100% in quotes; write for "
    'example 5 or "5%"'
)


def ranges(indexes: str) -> list[tuple[int, int]]:
    """Give first and last of each range of "3,7-9"; nothing for a bitmap, whose size shows in its bytes only."""
    if indexes.startswith("bits:"):
        return []
    ends = [part.split("-") for part in indexes.split(",")]
    return [(int(end[0]), int(end[-1])) for end in ends]


def _rising(indexes: str) -> str:
    for first, last in ranges(indexes):
        if first > last:
            raise ValueError(f'the range {first}-{last} runs backwards; write "{last}-{first}"')
    return indexes


IndexSet = Annotated[
    str,
    Field(min_length=1, max_length=INDEXES_LENGTH),
    obeys(f"self.matches('{INDEXES_PATTERN}')", _INDEXES, lambda text: re.match(INDEXES_PATTERN, text) is not None),
    # Only here: CEL cannot take a range of unknown length apart within its budget.
    AfterValidator(_rising),
]
"""Indexes of children: "3,7-9", or `bits:` with the base64 of a compressed bitmap, as status.array gives them."""


def _tolerance(given: object) -> int | str:
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= MOST_CHILDREN:
        return given
    if isinstance(given, str) and re.match(_PERCENT, given):
        return given
    raise ValueError(f"{given!r}: {_TOLERANCE}")


TOLERANCE_SCHEMA: dict[str, Any] = {
    "x-kubernetes-int-or-string": True,
    "maxLength": 16,
    RULES: [
        {
            "rule": f"type(self) == int ? self >= 0 && self <= {MOST_CHILDREN} : self.matches('{_PERCENT}')",
            "message": _TOLERANCE,
        }
    ],
}
Tolerance = Annotated[int | str, BeforeValidator(_tolerance), WithJsonSchema(TOLERANCE_SCHEMA)]
"""How many children may fail: a number, or a percentage of the size as text."""


class Array(ApiModel):
    """How many children there are, which of them run, how many at a time and how many may fail."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"self.size >= 2 && self.size <= {MOST_CHILDREN}",
            f"array.size is from 2 to {MOST_CHILDREN}; for a single one leave spec.array out, split larger ones into "
            "several Jobs",
            lambda a: 2 <= a.size <= MOST_CHILDREN,
            "size",
        ),
        Rule(
            "!has(self.indexes) || self.indexes.startsWith('bits:') || "
            "self.indexes.findAll('[0-9]+').all(i, int(i) < self.size)",
            "array.indexes names a child that the array does not have; indexes run from 0 to array.size - 1",
            lambda a: a.indexes is None or all(last < a.size for _, last in ranges(a.indexes)),
            "indexes",
        ),
    )

    size: int = Field(
        ge=2,
        le=MOST_CHILDREN,
        description="Number of children, 2 to 100000. Child 0 to size - 1 finds its index in "
        "AWS_BATCH_JOB_ARRAY_INDEX and JOB_COMPLETION_INDEX. Cannot be changed. Example: 1000. AWS: "
        "arrayProperties.size.",
    )
    indexes: IndexSet | None = Field(
        default=None,
        description="The only children to run; absent: all. To run the failed ones of another array again, copy its "
        'status.array.failed. The size stays that of the whole array. Cannot be changed. Example: "3,7-9". AWS: has '
        "none.",
    )
    max_concurrent: int | None = Field(
        default=None,
        ge=1,
        le=MOST_CHILDREN,
        description="How many children may be Starting or Running at a time, from 1; absent: as many as there is room "
        "for. May be changed at any time; running children go on. Example: 50. AWS: has none.",
    )
    tolerate_failures: Tolerance = Field(
        default=0,
        description="The Job still succeeds when at most so many children have failed: a number, or a percentage of "
        'the children that run in quotes, rounded down; 0 by default. Cannot be changed. Example: "5%". AWS: has '
        "none, any failed child fails the Job.",
    )
