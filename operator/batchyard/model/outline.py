"""Check plain JSON against a schema as the API server does, for the parts of an object that have no model."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from batchyard.model.api import RULES

Schema = Mapping[str, Any]
Holds = Mapping[str, Callable[[Any], bool]]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list, tuple),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
}


def mistakes(value: Any, schema: Schema, path: str, holds: Holds) -> Iterator[str]:
    """Name what is wrong with the value, with its path; `holds` has the Python twin of each CEL rule but `false`."""
    if value is None and schema.get("nullable"):
        return
    if not _is(value, schema.get("type")):
        yield f"{path}: must be of type {schema['type']}, not {type(value).__name__}"
        return
    for rule in schema.get(RULES, []):
        if rule["rule"] == "false" or not holds[rule["rule"]](value):
            yield f"{path}: {rule['message']}"
    if isinstance(value, dict):
        yield from _object_mistakes(value, schema, path, holds)
    elif isinstance(value, list | tuple):
        yield from _list_mistakes(value, schema, path, holds)
    else:
        yield from _scalar_mistakes(value, schema, path)


def _is(value: Any, kind: str | None) -> bool:
    return kind is None or (isinstance(value, _TYPES[kind]) and isinstance(value, bool) == (kind == "boolean"))


def _object_mistakes(value: dict[str, Any], schema: Schema, path: str, holds: Holds) -> Iterator[str]:
    yield from (f"{path}.{name}: missing" for name in schema.get("required", []) if name not in value)
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path}: at most {schema['maxProperties']} entries"
    known = schema.get("properties", {})
    for name, inner in value.items():
        inner_schema = known.get(name, schema.get("additionalProperties"))
        if inner_schema is not None:
            yield from mistakes(inner, inner_schema, f"{path}.{name}", holds)
        elif known and not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{path}.{name}: unknown field"


def _list_mistakes(value: list[Any] | tuple[Any, ...], schema: Schema, path: str, holds: Holds) -> Iterator[str]:
    low, high = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not low <= len(value) <= high:
        yield f"{path}: from {low} to {high} items, not {len(value)}"
    for index, item in enumerate(value):
        yield from mistakes(item, schema.get("items", {}), f"{path}[{index}]", holds)
    keys = schema.get("x-kubernetes-list-map-keys", [])
    named = [tuple(item.get(key) for key in keys) for item in value if keys and isinstance(item, dict)]
    yield from (
        f"{path}: {key} stands twice" for key in sorted({key for key in named if named.count(key) > 1}, key=str)
    )


def _scalar_mistakes(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{path}: from {schema.get('minLength', 0)} to {schema.get('maxLength', 'any number of')} characters"
        if "pattern" in schema and re.search(schema["pattern"], value) is None:
            yield f"{path}: {value!r} does not match {schema['pattern']}"
    elif isinstance(value, int | float) and value < schema.get("minimum", value):
        yield f"{path}: {value} is below {schema['minimum']}"
