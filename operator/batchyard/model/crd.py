"""CustomResourceDefinitions from the models: `python -m batchyard.model.crd crds/` writes one file per kind."""

import sys
from pathlib import Path
from typing import Any

import yaml

from batchyard.model.api import RULES, ApiModel
from batchyard.model.kind import CATEGORY, KINDS, Kind
from batchyard.model.labels import GROUP, VERSION
from batchyard.model.lean import lean
from batchyard.model.schedule import NEW_OBJECT

Schema = dict[str, Any]

# In the order in which a reader wants them.
_KEPT = (
    *("description", "type", "format", "default", "nullable", "enum", "pattern"),
    *("minLength", "maxLength", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
    *("minItems", "maxItems", "minProperties", "maxProperties"),
    *("anyOf", "required", "properties", "items", "additionalProperties"),
)

# Both that the API server may see; it would copy the schema for each object to add the one that is missing.
_METADATA = {"name": {"type": "string"}, "generateName": {"type": "string"}}


def structural(model: type[ApiModel]) -> Schema:
    """Turn a model into a structural schema, the subset of JSON Schema that CustomResourceDefinitions take.

    References are written out, null and titles left out; https://kubernetes.io/docs/tasks/extend-kubernetes/.
    """
    schema = model.model_json_schema(by_alias=True)
    return _plain(schema, schema.get("$defs", {}))


def _plain(schema: Schema, definitions: Schema) -> Schema:
    schema = _written_out(schema, definitions)
    plain = {key: schema[key] for key in _KEPT if key in schema}
    plain |= {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}
    for key in ("items", "additionalProperties"):
        if isinstance(plain.get(key), dict):
            plain[key] = _plain(plain[key], definitions)
    if "properties" in plain:
        plain["properties"] = {name: _plain(inner, definitions) for name, inner in plain["properties"].items()}
    if plain.get("additionalProperties") in (True, False):
        del plain["additionalProperties"]
    if "default" in plain and plain["default"] in (None, ""):
        del plain["default"]
    return _without_changes(plain) if schema.get(NEW_OBJECT) else plain


def _without_changes(schema: Any) -> Any:
    """Leave out the rules that compare with the old object: in a template they would forbid to change it."""
    if isinstance(schema, list):
        return [_without_changes(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rules = [rule for rule in schema.get(RULES, ()) if "oldSelf" not in rule["rule"]]
    rest = {name: _without_changes(inner) for name, inner in schema.items() if name != RULES}
    return {**rest, RULES: rules} if rules else rest


def _written_out(schema: Schema, definitions: Schema) -> Schema:
    """Replace a reference and a union with null by what they mean, keeping what stands beside them."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        return _written_out({**target, **_without(schema, "$ref")}, definitions)
    choices = schema.get("anyOf", [])
    real = [choice for choice in choices if choice != {"type": "null"}]
    if len(real) == 1 and len(choices) == 2:
        return _written_out({**real[0], **_without(schema, "anyOf")}, definitions)
    if "const" in schema:
        return {**_without(schema, "const"), "enum": [schema["const"]]}
    return schema


def _without(schema: Schema, key: str) -> Schema:
    return {name: value for name, value in schema.items() if name != key}


def root(kind: Kind) -> Schema:
    """Give the schema of a whole object; the status has a default, so that a new object shows its phase at once."""
    status = structural(kind.status)
    first_phase = status["properties"]["phase"]["default"]
    schema = {
        "description": kind.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{kind.name}."},
            "metadata": {"type": "object", "properties": _METADATA},
            "spec": structural(kind.spec),
            "status": {**status, "default": {"phase": first_phase}},
        },
        RULES: [rule.schema() for rule in kind.rules],
    }
    return lean(schema, kind.fixed) if kind.busy else schema


def _version(kind: Kind) -> Schema:
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.schema() for column in kind.columns],
        "schema": {"openAPIV3Schema": root(kind)},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return version


def definition(kind: Kind) -> Schema:
    """Give the CustomResourceDefinition of a kind."""
    names = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.singular,
        "shortNames": [kind.short],
        "categories": [CATEGORY],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": kind.scope, "versions": [_version(kind)]},
    }


class _Dumper(yaml.SafeDumper):
    """Write every value out: no anchors, so that a file reads alone and compares line by line."""

    def ignore_aliases(self, data: Any) -> bool:
        """Refuse aliases."""
        return True


def text(kind: Kind) -> str:
    """Give the definition as YAML, the same for the same models."""
    body = yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"# Generated from operator/batchyard/model by `make crds`; do not edit.\n{body}"


def write(directory: Path) -> list[Path]:
    """Write one file per kind and give their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{kind.plural}.yaml" for kind in KINDS]
    for path, kind in zip(paths, KINDS, strict=True):
        path.write_text(text(kind), encoding="utf-8")
    return paths


if __name__ == "__main__":
    for directory in sys.argv[1:]:
        write(Path(directory))
