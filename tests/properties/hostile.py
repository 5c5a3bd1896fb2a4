"""Objects that the CRDs' schemas let in and nobody in his right mind would write."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

Json = dict[str, Any]
CRDS = Path(__file__).resolve().parents[2] / "crds"
FAR = ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59.999Z",
       "2026-11-24T00:00:00Z", "9999-12-31T23:59:59.999999999Z")  # fmt: skip
NUMBERS = (0, 1, -1, 2, 3, 63, 10**6, 10**18, 2**63 - 1, -(2**63))
QUANTITIES = ("1", "0", "1e30", "9e99", "1e999999999", "1E999", "8Ei", "1Ei", "999999999999999999999999Ei", "1n", "0.1",
              ".5", "1.", "100m", "32Mi", "4Gi", 1, 0.5, 10**18, 1e300)  # fmt: skip
TEXTS = ("", "x", "main", "0", "-1", "1e30", "-5", "NaN", "inf", "²", "٣", "1" * 30, "9" * 5000, "\x00", "\u2028",
         "🧨" * 50, "Ref::x", "Ref::x" * 40, "a" * 300, "5%", "101%", "-1%", "%", "0-99999", "0:", "1:", "3-1", "7-",
         "bits:AAAA", "bits:", "default", "pool", "*", "Host*", "{}", "%s%n", "2", "1.5", "0.5", "0-9999999",
         "rate(1 minute)", "cron(0 0 * * ? *)", "* * * * *", "0 0 31 2 *", "at(9999-12-31T23:59:59)", "Europe/Berlin",
         "../../etc/passwd", "64Gi", "batchyard.dev/job-uid")  # fmt: skip
KEYS = ("key", "operator", "values", "value", "effect", "name", "nodeAffinity", "podAffinity", "labelSelector",
        "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", "matchExpressions", "matchFields",
        "persistentVolumeClaim", "ephemeral", "tolerationSeconds", "cpu", "memory", "", "x")  # fmt: skip
_SCALARS = st.sampled_from((None, True, False, *NUMBERS, 0.5, 1e300, *TEXTS))
JUNK = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
_EXPRESSION = {"key": ("zone", "batchyard.dev/instance-type", ""), "operator": ("In", "Gt", "Lt", "NotIn", "x"),
               "values": [("1", "a", "²")]}  # fmt: skip
_TERMS = {"nodeSelectorTerms": [{"matchExpressions": [_EXPRESSION], "matchFields": [_EXPRESSION]}]}
_MEANT: dict[str, Any] = {
    "affinity": {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _TERMS},
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ("x",)}]},
    },
    "tolerations": [{"key": ("batchyard.dev/compute-environment", "", "x"), "operator": ("Exists", "Equal", "?"),
                     "value": ("pool", "x"), "effect": ("NoSchedule", "NoExecute", "")}],
    "volumes": [{"name": ("v",), "persistentVolumeClaim": {"claimName": ("c",)}}],
    "overhead": {"cpu": ("1", "-8", "1e30")},
}  # fmt: skip
"""What the open parts of a pod template are meant to hold: a tuple gives choices; any part may turn out as junk."""


def shaky(shape: Any) -> st.SearchStrategy[Any]:
    """Values of a shape, of which any part may be missing or something else."""
    if isinstance(shape, tuple):
        meant: st.SearchStrategy[Any] = st.sampled_from(shape)
    elif isinstance(shape, list):
        meant = st.lists(shaky(shape[0]), max_size=2)
    else:
        meant = st.fixed_dictionaries({}, optional={name: shaky(inner) for name, inner in shape.items()})
    return st.one_of(meant, meant, meant, meant, JUNK)


def _text(schema: Json) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("format") == "date-time":
        return st.sampled_from(FAR)
    low, high = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    fitting = [text for text in TEXTS if low <= len(text) <= high and _matches(schema, text)]
    if "pattern" in schema:
        return st.sampled_from([*fitting, "1"]) | st.from_regex(schema["pattern"], fullmatch=True).map(
            lambda t: t[:high]
        )
    return st.sampled_from([*fitting, "x" * min(high, 2000)])


def _matches(schema: Json, text: str) -> bool:
    return "pattern" not in schema or re.search(schema["pattern"], text) is not None


def _number(schema: Json) -> st.SearchStrategy[int]:
    low, high = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
    return st.sampled_from(sorted({low, high, *(n for n in NUMBERS if low <= n <= high)}))


@st.composite
def _object(draw: st.DrawFn, schema: Json, known: tuple[str, ...]) -> Json:
    properties: Json = schema.get("properties", {})
    required = [name for name in schema.get("required", ()) if name in properties]
    optional = sorted(properties.keys() - set(required))
    chosen = draw(st.lists(st.sampled_from(optional), max_size=5, unique=True)) if optional else []
    found = {name: draw(values(properties[name], name, known)) for name in [*required, *chosen]}
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        names = st.lists(st.sampled_from([*KEYS, "a/b", "batchyard.dev/stop"]), max_size=3, unique=True)
        found |= {name: draw(values(extra, name, known)) for name in draw(names)}
    return found


def values(schema: Json, name: str, known: tuple[str, ...] = ()) -> st.SearchStrategy[Any]:
    """Values that the API server's structural schema lets in; rules in CEL may not, which makes for more, not less."""
    if name in _MEANT:
        meant = shaky(_MEANT[name])
        kind = dict if schema.get("type") == "object" else list
        return meant.filter(lambda value: isinstance(value, kind))
    if name in ("queue", "job", "computeEnvironment") and known:
        return st.sampled_from(known) | _text(schema)
    match schema.get("type"):
        case "object":
            return _object(schema, known)
        case "array":
            return _list(schema, known)
        case "string":
            return _text(schema)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return st.booleans()
    if "pattern" in schema or schema.get("x-kubernetes-int-or-string"):
        return st.sampled_from([q for q in (*QUANTITIES, *TEXTS) if _fits(schema, q)])
    return JUNK


def _fits(schema: Json, value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= schema.get("maxLength", 10**6) and _matches(schema, value)
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def _list(schema: Json, known: tuple[str, ...]) -> st.SearchStrategy[list[Any]]:
    low = schema.get("minItems", 0)
    keys = schema.get("x-kubernetes-list-map-keys")
    unique = {"unique_by": lambda item: tuple(str(item.get(key)) for key in keys)} if keys else {}
    return st.lists(values(schema["items"], "", known), min_size=low, max_size=max(low, 3), **unique)


@cache
def schema_of(plural: str) -> Json:
    """The schema of spec and status, as the API server has it."""
    crd = yaml.safe_load((CRDS / f"{plural}.yaml").read_text())
    found: Json = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def bodies(plural: str, known: tuple[str, ...] = ()) -> st.SearchStrategy[Json]:
    """Whole objects but for their metadata: what a user submits, and what one with rights on status makes of it."""
    properties = schema_of(plural)["properties"]
    return st.fixed_dictionaries(
        {"spec": values(properties["spec"], "spec", known)},
        optional={"status": values(properties["status"], "status", known)},
    )
