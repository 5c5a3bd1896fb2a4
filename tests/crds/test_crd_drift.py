"""crds/ and the chart carry what the models say, and every field is explained."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchyard.model.crd import definition, root, text, write
from batchyard.model.kind import KINDS, Kind

ROOT = Path(__file__).parents[2]
COPIES = [ROOT / "crds", ROOT / "charts" / "batchyard" / "files" / "crds"]


@pytest.mark.parametrize("directory", COPIES, ids=lambda path: path.parent.name)
def test_checked_in_definitions_are_those_of_the_models(directory: Path, tmp_path: Path) -> None:
    expected = {path.name: path.read_text() for path in write(tmp_path)}
    found = {path.name: path.read_text() for path in directory.glob("*.yaml")}
    assert found == expected, "run `make crds`"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_text_is_the_same_every_time(kind: Kind) -> None:
    assert text(kind) == text(kind)


def fields(schema: dict, path: str) -> Iterator[tuple[str, dict]]:
    """Walk over all properties, those of Pod templates' outline excepted, which Kubernetes documents."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        if name != "template":
            yield from fields(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from fields(schema[key], f"{path}[]")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_has_a_sentence_for_kubectl_explain(kind: Kind) -> None:
    undocumented = [
        path
        for path, schema in fields(root(kind), kind.singular)
        if ".metadata" not in path and len(schema.get("description", "")) < 10 and not path.endswith(".kind")
    ]
    assert undocumented == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_lists_and_maps_are_bounded(kind: Kind) -> None:
    unbounded = [
        path
        for path, schema in fields(root(kind)["properties"]["spec"], "spec")
        if (schema.get("type") == "array" and "maxItems" not in schema)
        or (isinstance(schema.get("additionalProperties"), dict) and "maxProperties" not in schema)
    ]
    of_pods = (".claims", ".valueFrom")
    assert [path for path in unbounded if not path.endswith(of_pods)] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kinds_do_not_collide_with_those_of_kubernetes(kind: Kind) -> None:
    names = definition(kind)["spec"]["names"]
    assert {names["plural"], names["singular"], *names["shortNames"]}.isdisjoint({"jobs", "job", "pods", "po", "no"})
    assert names["categories"] == ["batchyard"]
