"""Which node of a multi-node job runs what, and what is said of groups that cannot be."""

from typing import Any

import pytest

from batchyard.decide.gang import GangError, assign, gang_of, overridden
from batchyard.world.specs import MultiNode, NodeGroup


def multi(nodes: int | None, *ranges: str, main: int = 0, **templates: Any) -> MultiNode:
    groups = tuple(NodeGroup(nodes=text, template=templates.get(f"t{n}")) for n, text in enumerate(ranges))
    return MultiNode(nodes=nodes, main_node=main, groups=groups)


@pytest.mark.parametrize(
    ("nodes", "ranges", "groups"),
    [
        (1, ["0"], "0"), (4, ["0:3"], "0000"), (4, ["0:"], "0000"), (4, [":3"], "0000"), (4, [":"], "0000"),
        (4, ["0", "1:"], "0111"), (4, ["1:", "0"], "1000"), (4, [":1", "2:3"], "0011"), (3, ["0", "1", "2"], "012"),
        (6, ["0:", "2:3"], "001100"), (6, ["2:3", "0:"], "110011"), (6, ["0:5", "1:4", "2"], "012110"),
        (5, ["0:2", "2:4"], "00111"), (5, ["2:4", "0:2"], "11100"), (4, ["0:3", "0:3"], "1111"),
    ],
)  # fmt: skip
def test_the_narrower_group_counts_and_of_equals_the_later(nodes: int, ranges: list[str], groups: str) -> None:
    assert "".join(map(str, assign(nodes, ranges))) == groups


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (multi(4, "0", "2:"), "spec.multiNode.groups leaves out node 1; together they must cover 0 to 3"),
        (multi(4, "1:"), "leaves out node 0"), (multi(4, ":2"), "leaves out node 3"),
        (multi(4, "0:", "3:1"), 'groups[1].nodes is \'3:1\'; write the lower index first: "1:3"'),
        (multi(4, "0:4"), "groups[0].nodes is '0:4'; nodes count from 0 to 3 (spec.multiNode.nodes is 4)"),
        (multi(4, "0:", "7"), "nodes count from 0 to 3"), (multi(4, "0:", "4:"), "nodes count from 0 to 3"),
        (multi(4, "0:", "9:2"), "nodes count from 0 to 3"), (multi(4, "a:b"), 'write an index or first:last'),
        (multi(4, ""), "write an index or first:last"), (multi(4, "-1:2"), "write an index or first:last"),
        (multi(4, "0:", main=4), "spec.multiNode.mainNode is 4; nodes count from 0 to 3"),
        (multi(2, "0", "1", t0={"spec": {}}), "groups[1] has no template, and there is no spec.template for it"),
    ],
)  # fmt: skip
def test_groups_that_cannot_be_are_told_with_the_field_and_the_fix(spec: MultiNode, sentence: str) -> None:
    with pytest.raises(GangError) as told:
        gang_of(spec, None)
    assert sentence in str(told.value)


def test_a_group_without_a_template_runs_the_jobs() -> None:
    gang = gang_of(multi(3, "0", "1:", main=1, t1={"a": 1}), {"b": 2})
    assert [gang.template(node) for node in range(3)] == [{"b": 2}, {"a": 1}, {"a": 1}]
    assert (gang.nodes, gang.main) == (3, 1)
    assert gang_of(multi(2), {"b": 2}).template(1) == {"b": 2}


def test_a_group_that_counts_for_no_node_needs_no_template() -> None:
    assert gang_of(multi(2, "0:1", "0:1", t1={"a": 1}), None).template(0) == {"a": 1}


class TestOverride:
    """Only the number of nodes of a definition, and only if one of its groups has an open end."""

    def test_the_number_grows_and_shrinks(self) -> None:
        own = multi(4, "0", "1:")
        assert overridden(own, 9) == multi(9, "0", "1:")
        assert overridden(own, None) is overridden(own, 4) is own
        assert overridden(None, None) is None
        assert overridden(multi(3), 5) == multi(5)

    @pytest.mark.parametrize(
        ("own", "nodes", "sentence"),
        [
            (multi(4, "0", "1:3"), 5, "every group has a fixed end"),
            (multi(4, ":3"), 5, "every group has a fixed end"), (None, 5, "the definition has no multiNode"),
            (multi(4, "0:1", "2:"), 2, "groups[1].nodes is '2:'; nodes count from 0 to 1"),
            (multi(4, "0:", main=3), 3, "mainNode is 3; nodes count from 0 to 2"),
        ],
    )  # fmt: skip
    def test_what_it_does_not_allow(self, own: MultiNode | None, nodes: int, sentence: str) -> None:
        with pytest.raises(GangError) as told:
            gang_of(overridden(own, nodes) or multi(1), {"b": 2})
        assert sentence in str(told.value)

    def test_a_fixed_number_may_be_said_again(self) -> None:
        assert overridden(multi(4, "0:3"), 4) == multi(4, "0:3")
