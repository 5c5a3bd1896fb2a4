"""Rules on a field that is no object of its own, a list or a text, for the API server and for the model alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from batchyard.model.api import RULES, Rule


@dataclass(frozen=True, slots=True)
class Obeys:
    """The rules of a field, as a part of its annotation; `self` in their CEL is the field's value."""

    rules: tuple[Rule, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the value once it has its type."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the rules to the field's schema."""
        schema = handler(core)
        return {**schema, RULES: [*schema.get(RULES, []), *(rule.schema() for rule in self.rules)]}

    def _check(self, value: Any) -> Any:
        for rule in self.rules:
            if rule.holds and not rule.holds(value):
                raise ValueError(rule.message)
        return value


def obeys(cel: str, message: str, holds: Callable[[Any], bool]) -> Obeys:
    """Give the annotation of a field with one rule."""
    return Obeys((Rule(cel, message, holds),))


def once(message: str, key: str = "") -> Obeys:
    """Let no two items of a list be the same, by one of their fields or as a whole."""
    inner = f".{key}" if key else ""

    def holds(items: tuple[Any, ...]) -> bool:
        seen = [getattr(item, key) if key else item for item in items]
        return len(set(seen)) == len(seen)

    return obeys(f"self.all(a, self.exists_one(b, b{inner} == a{inner}))", message, holds)
