"""Parameters: checked, put in their places; overrides: merged by name."""

from typing import Any

import pytest

from batchyard.decide.override import OverrideError, merge
from batchyard.decide.parameters import ParameterError, bind, substitute, undeclared
from batchyard.world.specs import Parameter
from builders import template

DECLARED = {
    "n": Parameter(type="Integer", default=3),
    "ratio": Parameter(type="Number"),
    "scene": Parameter(required=True),
    "fast": Parameter(type="Boolean", enum=(True,)),
    "mode": Parameter(default="a", enum=("a", "b")),
}


@pytest.mark.parametrize(
    ("given", "name", "bound"),
    [
        ({}, "n", "3"), ({"n": 7}, "n", "7"), ({"n": "7"}, "n", "7"), ({"ratio": 1}, "ratio", "1"),
        ({"ratio": "0.5"}, "ratio", "0.5"), ({"fast": True}, "fast", "true"), ({"fast": "true"}, "fast", "true"),
        ({"scene": 5}, "scene", "5"), ({"scene": False}, "scene", "false"), ({}, "mode", "a"), ({"mode": "b"}, "mode", "b"),  # noqa: E501
    ],
)  # fmt: skip
def test_a_value_is_bound_as_text(given: dict[str, Any], name: str, bound: str) -> None:
    assert bind(DECLARED, {"scene": "x", **given}, declared=True)[name] == bound


def test_an_optional_parameter_without_value_is_not_bound() -> None:
    assert "ratio" not in bind(DECLARED, {"scene": "x"}, declared=True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "spec.parameters.scene is required"),
        ({"scene": "x", "speed": 1}, "spec.parameters.speed is not declared by the definition; it declares: fast, mode"),  # noqa: E501
        ({"scene": "x", "n": "three"}, "'three' is not of type Integer; write for example 3"),
        ({"scene": "x", "n": 1.5}, "not of type Integer"), ({"scene": "x", "n": True}, "not of type Integer"),
        ({"scene": "x", "ratio": "much"}, "not of type Number"), ({"scene": "x", "fast": "yes"}, "not of type Boolean"),
        ({"scene": "x", "mode": "c"}, "'c' is not one of: a, b"), ({"scene": "x", "fast": False}, "is not one of: true"),  # noqa: E501
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_the_fix(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        bind(DECLARED, given, declared=True)


def test_an_inline_template_declares_nothing_and_takes_everything() -> None:
    assert bind({}, {"any": 1, "thing": True}, declared=False) == {"any": "1", "thing": "true"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Ref::scene", "a.blend"), ("--in=Ref::scene", "--in=a.blend"), ("Ref::scene.png", "a.blend.png"),
        ("Ref::scene-2", "a.blend-2"), ("Ref::scene,Ref::n", "a.blend,3"), ("Ref::scenery", "Ref::scenery"),
        ("Ref::missing", "Ref::missing"), ("Ref::", "Ref::"), ("plain", "plain"),
    ],
)  # fmt: skip
def test_a_reference_is_replaced_wherever_it_stands(text: str, filled: str) -> None:
    container = {"name": "main", "command": [text], "args": [text], "env": [{"name": "A", "value": text}]}
    done = substitute(
        {"spec": {"containers": [container], "initContainers": [container]}}, {"scene": "a.blend", "n": "3"}
    )
    for group in ("containers", "initContainers"):
        assert done["spec"][group][0]["command"] == done["spec"][group][0]["args"] == [filled]
        assert done["spec"][group][0]["env"] == [{"name": "A", "value": filled}]


def test_the_template_itself_is_left_as_it_was() -> None:
    container = {"name": "main", "command": ["Ref::n"], "env": [{"name": "B", "valueFrom": {"fieldRef": {}}}]}
    before = {"spec": {"containers": [container]}}
    substitute(before, {"n": "3"})
    assert before == {"spec": {"containers": [{**container, "command": ["Ref::n"]}]}}


def test_references_that_nothing_declares_are_found() -> None:
    container = {"name": "main", "command": ["Ref::a", "Ref::b.c"], "env": [{"name": "A", "value": "Ref::d"}]}
    assert undeclared({"spec": {"containers": [container]}}, {"a": None}) == ["b.c", "d"]
    assert undeclared({"spec": {"containers": [container]}}, {"a": None, "b": None, "d": None}) == []


def test_overrides_are_merged_by_container_name() -> None:
    base = template()
    base["spec"]["containers"][0] |= {
        "command": ["old"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }
    base["spec"]["containers"].append({"name": "side", "command": ["side"]})
    main = {
        "name": "main", "command": ["new"], "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2Gi"}},
    }  # fmt: skip
    merged = merge(base, {"containers": [main]})["spec"]["containers"]
    assert merged[0]["command"] == ["new"]
    assert [(e["name"], e["value"]) for e in merged[0]["env"]] == [("A", "1"), ("B", "3"), ("C", "4")]
    assert merged[0]["resources"] == {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "2Gi"}}
    assert merged[1] == {"name": "side", "command": ["side"]}
    assert base["spec"]["containers"][0]["command"] == ["old"]


def test_an_override_of_a_container_that_is_not_there_is_named() -> None:
    with pytest.raises(OverrideError, match="no container 'other'; it has: main"):
        merge(template(), {"containers": [{"name": "other"}]})


def test_no_overrides_change_nothing() -> None:
    assert merge(template(), {}) == merge(template(), {"containers": []}) == template()
