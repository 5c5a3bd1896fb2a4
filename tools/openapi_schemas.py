"""Write the API server's own schemas of all kinds as kubeconform reads them.

`python3 tools/openapi_schemas.py OUT` asks the cluster of `make cluster` for its OpenAPI documents and writes one
strict JSON Schema a kind, OUT/<kind>-<group>-<version>.json in lower case, the core with its version for a group.
Unknown fields are refused, as `kubectl apply --validate=strict` does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from devcluster.errors import SetupError  # noqa: E402 the tree is not installed for this Python
from devcluster.layout import Layout  # noqa: E402
from devcluster.programs import path_of  # noqa: E402

Schema = dict[str, Any]
KINDS = "x-kubernetes-group-version-kind"
OPEN = "x-kubernetes-preserve-unknown-fields"
_REF = "#/components/schemas/"


def documents(kubectl: list[str]) -> Iterator[Schema]:
    """Yield the OpenAPI document of every group and version that is served."""
    for entry in _raw(kubectl, "/openapi/v3")["paths"].values():
        yield _raw(kubectl, entry["serverRelativeURL"])


def _raw(kubectl: list[str], path: str) -> Schema:
    run = subprocess.run([*kubectl, "get", "--raw", path], capture_output=True, text=True, check=False)
    if run.returncode:
        raise SetupError(f"The API server does not tell its schemas: {run.stderr.strip()}")
    found: Schema = json.loads(run.stdout)
    return found


def schemas(document: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the name of the file and the schema of each kind of a document."""
    parts = {name: strict(part) for name, part in document.get("components", {}).get("schemas", {}).items()}
    for name, part in parts.items():
        for kind in part.get(KINDS, ()):
            file = "-".join((kind["kind"], kind["group"] or kind["version"], kind["version"])).lower()
            yield file, {"$ref": f"{_REF}{name}", "components": {"schemas": _needed(parts, name)}}


def _needed(parts: dict[str, Schema], first: str) -> dict[str, Schema]:
    """Return the parts that one of them refers to, and those that these refer to."""
    found: dict[str, Schema] = {}
    names = [first]
    while names:
        name = names.pop()
        if name not in found:
            found[name] = parts[name]
            names += [word.split('"')[0] for word in json.dumps(parts[name]).split(_REF)[1:]]
    return found


def strict(node: Any) -> Any:
    """Return a schema in which objects have no fields but their own."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: strict(value) for key, value in node.items()}
    closed = isinstance(node.get("properties"), dict) and "additionalProperties" not in node and not node.get(OPEN)
    return {**made, "additionalProperties": False} if closed and node.get("type") == "object" else made


def write(out: Path, layout: Layout) -> None:
    """Leave all schemas in a folder, whole or not at all."""
    if not layout.kubeconfig.exists():
        raise SetupError("There is no cluster to ask for its schemas: run `make cluster` first.")
    partial = out.with_name(f"{out.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    for document in documents([str(path_of("kubectl", layout)), f"--kubeconfig={layout.kubeconfig}"]):
        for name, schema in schemas(document):
            (partial / f"{name}.json").write_text(json.dumps(schema))
    partial.rename(out)


def main(arguments: list[str]) -> str | None:
    """Return nothing when the schemas are there, else the sentence that says why not."""
    try:
        write(Path(arguments[0]), Layout.from_environment())
    except SetupError as reason:
        return str(reason)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
