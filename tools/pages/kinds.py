"""A page for each kind: its names, its columns, and a table for each object in its spec and status."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tools.pages.table import code, table

from batchyard.model.api import RULES
from batchyard.model.crd import structural
from batchyard.model.job import FIXED
from batchyard.model.kind import JOB, KINDS, Kind

Schema = Mapping[str, Any]
# Told in a sentence, where a table of their fields would be Kubernetes' own documentation or another page of ours.
_ELSEWHERE = {
    "template": "A whole PodTemplateSpec, as in a Deployment. Refused at `kubectl apply`: ",
    "jobTemplate": "`metadata` (labels and annotations of the Jobs) and `spec`, as in a [Job](job.md), without `stop`.",
    "conditions": "As everywhere in Kubernetes: type, status, reason, message, observedGeneration, lastTransitionTime.",
}


def pages() -> Iterator[tuple[str, str]]:
    """Yield the path below `reference/` and the text of each page."""
    for kind in KINDS:
        yield f"{kind.name.lower()}.md", page(kind)


def page(kind: Kind) -> str:
    """Return the page of a kind."""
    parts = [f"# {kind.name}", kind.description, _names(kind), "## Columns of kubectl get", _columns(kind)]
    for name, model in (("spec", kind.spec), ("status", kind.status)):
        parts += [f"## {name}", *_objects(name, structural(model), "##")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _names(kind: Kind) -> str:
    fixed = f" These fields of `spec` never change: {', '.join(map(code, FIXED))}." if kind is JOB else ""
    return (
        f"`kubectl get {kind.plural}`, or `{kind.short}`; {kind.scope.lower()}; `apiVersion: {kind.api_version}`. "
        f"The same from the cluster: `kubectl explain {kind.singular}.spec`.{fixed}"
    )


def _columns(kind: Kind) -> str:
    rows = [(column.name, code(column.path), "-o wide" if column.priority else "", column.description)
            for column in kind.columns]  # fmt: skip
    return table(("column", "shows", "only with", ""), rows)


def _objects(path: str, schema: Schema, level: str) -> Iterator[str]:
    """Yield the table of an object's fields, its rules, then the same of the objects in it."""
    required = schema.get("required", ())
    fields = schema["properties"]
    rows = [(code(name), _type(inner), _default(inner, name in required), inner.get("description", ""))
            for name, inner in fields.items()]  # fmt: skip
    yield table(("field", "type", "default", ""), rows)
    rules = [rule["message"] for rule in schema.get(RULES, ())]
    if rules:
        yield "Checked by the API server:\n\n" + "\n".join(f"- {message}" for message in rules)
    for name, inner in fields.items():
        yield from _inside(f"{path}.{name}", name, inner, f"{level}#" if len(level) < 4 else level)


def _inside(path: str, name: str, schema: Schema, level: str) -> Iterator[str]:
    holds = schema.get("items") if schema.get("type") == "array" else schema
    if not isinstance(holds, Mapping) or not holds.get("properties"):
        return
    yield f"{level} {path}{'[]' if holds is not schema else ''}"
    if name in _ELSEWHERE:
        yield _ELSEWHERE[name] + (_refused(holds) if name == "template" else "")
    else:
        yield from _objects(path, holds, level)


def _refused(schema: Schema) -> str:
    """Name what a template may not have."""
    pod = schema["properties"]["spec"]["properties"]
    found = [name for name, inner in pod.items() if inner.get("description", "").startswith("Refused")]
    return f"{', '.join(map(code, found))}, and environment variables that begin with `AWS_BATCH` or `BATCHYARD_`."


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}s"
    if "additionalProperties" in schema:
        return "map"
    return str(schema.get("format") or schema.get("type") or "any").replace("date-time", "time")


def _default(schema: Schema, required: bool) -> str:
    if required:
        return "required"
    default = schema.get("default")
    return "" if default in (None, [], {}) else code(json.dumps(default))
