"""What all API objects have in common: frozen, strict, camelCase outside, and the rules the API server checks too."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

NAME_LENGTH = 50
"""Longest name of a Batchyard object: `<job>-<index>-<attempt>` must still be a DNS label."""

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
LABEL_VALUE_PATTERN = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
LABEL_KEY_PATTERN = (
    r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
QUANTITY_PATTERN = (
    r"^([0-9]*[1-9][0-9]*(\.[0-9]*)?|[0-9]*\.[0-9]*[1-9][0-9]*)"
    r"([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$"
)
MONEY_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"
FACTOR_PATTERN = r"^[0-9]{1,2}(\.[0-9]{1,3})?$"


@dataclass(frozen=True, slots=True)
class Rule:
    """One sentence about a whole object: the CEL text for the API server and, unless it compares with the old object,
    the same test in Python."""

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    field: str = ""

    def schema(self) -> dict[str, str]:
        """Give the entry of `x-kubernetes-validations`."""
        path = {"fieldPath": f".{self.field}"} if self.field else {}
        return {"rule": self.cel, "message": self.message, **path}


RULES = "x-kubernetes-validations"


class ApiModel(BaseModel):
    """A part of an API object: immutable, no unknown fields, snake_case in Python and camelCase in YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _obey_rules(self) -> Self:
        for rule in self.rules:
            if rule.holds and not rule.holds(self):
                raise ValueError(rule.message)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the CEL rules to the JSON schema."""
        schema = handler(core)
        body = handler.resolve_ref_schema(schema)
        if cls.rules:
            body[RULES] = [rule.schema() for rule in cls.rules]
        return schema

    def to_api(self) -> dict[str, Any]:
        """Give the JSON object as the API server takes it: camelCase, absent instead of null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _sentence(cel: str, message: str) -> dict[str, Any]:
    return {RULES: [{"rule": cel, "message": message}]}


def _matches(pattern: str, message: str) -> dict[str, Any]:
    return _sentence(f"self.matches({json.dumps(pattern)})", message)


def is_name(name: str) -> bool:
    """Tell whether an object of ours may have this name: a DNS label of at most 50 characters."""
    return len(name) <= NAME_LENGTH and re.match(NAME_PATTERN, name) is not None


def _quantity(given: object) -> str:
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str) or re.match(QUANTITY_PATTERN, text) is None:
        raise ValueError(f"{given!r} is not a Kubernetes quantity above 0; write for example 4, 500m or 16Gi")
    return text


def _decimal(pattern: str, example: str) -> Callable[[object], object]:
    def check(given: object) -> object:
        if isinstance(given, Decimal) or (isinstance(given, str) and re.match(pattern, given)):
            return given
        raise ValueError(f'{given!r} is not a decimal number in quotes; write for example "{example}"')

    return check


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone, for example 2026-05-01T12:00:00Z")
    return moment


_DECIMAL = "this is not a decimal number in quotes; write for example "
QUANTITY_SCHEMA: dict[str, Any] = {
    "x-kubernetes-int-or-string": True,
    "maxLength": 32,
    **_sentence(
        f"type(self) == int ? self > 0 : self.matches({json.dumps(QUANTITY_PATTERN)})",
        "this is not a Kubernetes quantity above 0; write for example 4, 500m or 16Gi",
    ),
}
Quantity = Annotated[str, BeforeValidator(_quantity), WithJsonSchema(QUANTITY_SCHEMA)]
"""A Kubernetes quantity above zero, kept as its text: "8", "500m", "16Gi"."""

_MONEY: dict[str, Any] = {"type": "string", "maxLength": 20}
_Money = Annotated[
    Decimal,
    BeforeValidator(_decimal(MONEY_PATTERN, "0.34")),
    PlainSerializer(lambda amount: format(round(amount, 9).normalize(), "f"), return_type=str),
]
Money = Annotated[_Money, WithJsonSchema({**_MONEY, **_matches(MONEY_PATTERN, _DECIMAL + '"0.34"')})]
"""An amount of money, a decimal string outside and a Decimal inside."""

Spent = Annotated[_Money, WithJsonSchema({**_MONEY, "pattern": MONEY_PATTERN})]
"""The same in a status: the operator needs no sentence that explains it, and a pattern costs less than a rule."""

Factor = Annotated[
    Decimal,
    BeforeValidator(_decimal(FACTOR_PATTERN, "1.5")),
    PlainSerializer(lambda factor: format(factor, "f"), return_type=str),
    WithJsonSchema({"type": "string", "maxLength": 6, **_matches(FACTOR_PATTERN, _DECIMAL + '"1.5"')}),
]
"""A small decimal number, a decimal string outside and a Decimal inside."""

Moment = Annotated[datetime, AfterValidator(_aware)]
"""A point in time with its zone."""

_NAME = f"a name is a DNS label of at most {NAME_LENGTH} characters; use a-z, 0-9 and -"
Name = Annotated[
    str,
    Field(min_length=1, max_length=NAME_LENGTH, pattern=NAME_PATTERN),
    WithJsonSchema({"type": "string", "maxLength": NAME_LENGTH, **_matches(NAME_PATTERN, _NAME)}),
]
"""The name of another Batchyard object."""


def _labels(given: dict[str, str]) -> dict[str, str]:
    for key, value in given.items():
        if re.match(LABEL_KEY_PATTERN, key) is None:
            raise ValueError(f"{key!r}: {_LABEL_KEY}")
        if value and re.match(LABEL_VALUE_PATTERN, value) is None:
            raise ValueError(f"{key}={value!r}: {_LABEL_VALUE}")
    return given


_LABEL_KEY = "a label's key is [prefix/]name of letters, digits, -, _ and . with at most 63 after the slash"
_LABEL_VALUE = (
    "a label's value has letters, digits, -, _ and . only, at most 63, and begins and ends with a letter or digit"
)
LABELS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "maxProperties": 50,
    "additionalProperties": {
        "type": "string",
        "maxLength": 63,
        **_sentence(f"self == '' || self.matches({json.dumps(LABEL_VALUE_PATTERN)})", _LABEL_VALUE),
    },
    **_sentence(f"self.all(key, key.matches({json.dumps(LABEL_KEY_PATTERN)}))", _LABEL_KEY),
}
Labels = Annotated[
    dict[str, Annotated[str, Field(max_length=63)]],
    Field(max_length=50),
    AfterValidator(_labels),
    WithJsonSchema(LABELS_SCHEMA),
]
"""Labels as Kubernetes takes them, at most 50."""
