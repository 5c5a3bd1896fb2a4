"""Multi-node parallel Jobs: how many nodes, which is the main one, and what runs on which."""

import re
from typing import Any, ClassVar

from pydantic import Field

from batchyard.model.api import ApiModel, Rule
from batchyard.model.template import PodTemplate

MOST_NODES = 1000
_NODE = "(0|[1-9][0-9]{0,2})"
NODES_PATTERN = f"^({_NODE}|{_NODE}:|:{_NODE}|{_NODE}:{_NODE})$"

_LAST = "int(self.nodes.substring(self.nodes.indexOf(':') + 1))"
_FIRST = "int(self.nodes.split(':')[0])"
_WELL_FORMED = f"self.groups.all(g, g.nodes.matches('{NODES_PATTERN}'))"
_ENDS = (
    "self.groups.map(g, [g.nodes.startsWith(':') ? 0 : int(g.nodes.split(':')[0]), "
    "g.nodes.endsWith(':') ? self.nodes - 1 : int(g.nodes.substring(g.nodes.indexOf(':') + 1))])"
)


def _of_groups(cel: str) -> str:
    """Give a rule on `ends`, the list of [first, last] of each group, that leaves ill-formed groups to their own."""
    return f"!has(self.groups) || !{_WELL_FORMED} || [{_ENDS}].all(ends, {cel})"


class NodeGroup(ApiModel):
    """Nodes that run the same template."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"self.nodes.matches('{NODES_PATTERN}')",
            'a group\'s nodes is an index or first:last, counted from 0; write for example "0", "1:3", ":3" or "1:"',
            lambda g: re.match(NODES_PATTERN, g.nodes) is not None,
            "nodes",
        ),
        Rule(
            f"!self.nodes.matches('^[0-9]+:[0-9]+$') || {_FIRST} <= {_LAST}",
            'a group\'s nodes runs from the lower index to the higher; write for example "1:3"',
            lambda g: re.match("^[0-9]+:[0-9]+$", g.nodes) is None or g.ends(0)[0] <= g.ends(0)[1],
            "nodes",
        ),
    )

    nodes: str = Field(
        min_length=1,
        max_length=7,
        description='The nodes by index: one, or first:last with either end open. Example: "0", "1:3", ":3" or "1:". '
        "Where groups lie inside one another, the narrower counts. AWS: targetNodes.",
    )
    template: PodTemplate | None = Field(
        default=None, description="The Pod of these nodes, a whole PodTemplateSpec; absent: spec.template."
    )

    def ends(self, nodes: int) -> tuple[int, int]:
        """Give the first and the last index, of a Job with so many nodes; ValueError if ill-formed."""
        first, colon, last = self.nodes.partition(":")
        return int(first or 0), (int(last) if last else nodes - 1) if colon else int(first)


def _well_formed(job: "MultiNode") -> bool:
    return all(re.match(NODES_PATTERN, group.nodes) for group in job.groups)


def _inside(job: "MultiNode") -> bool:
    ends = [group.ends(job.nodes) for group in job.groups if _well_formed(job)]
    return all(first < job.nodes and last < job.nodes for first, last in ends)


def _covers(job: "MultiNode") -> bool:
    if not job.groups or not _well_formed(job):
        return True
    covered = {node for first, last in (g.ends(job.nodes) for g in job.groups) for node in range(first, last + 1)}
    return covered >= set(range(job.nodes))


class MultiNode(ApiModel):
    """One Pod on each of several nodes at the same time, or none at all."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.mainNode) || self.mainNode < self.nodes",
            "multiNode.mainNode is out of range; nodes count from 0 to multiNode.nodes - 1",
            lambda m: m.main_node is None or m.main_node < m.nodes,
            "mainNode",
        ),
        Rule(
            _of_groups("ends.all(g, g[0] < self.nodes && g[1] < self.nodes)"),
            "multiNode.groups names a node that there is not; nodes count from 0 to multiNode.nodes - 1",
            _inside,
            "groups",
        ),
        Rule(
            # Nothing is left out if node 0 is in a group, and the node after each group's last one.
            _of_groups(
                "ends.exists(g, g[0] == 0) && ends.all(g, g[1] + 1 >= self.nodes || "
                "ends.exists(h, h[0] <= g[1] + 1 && h[1] > g[1]))"
            ),
            "multiNode.groups leaves nodes out; together they cover 0 to multiNode.nodes - 1, write for example "
            '"0" and "1:"',
            _covers,
            "groups",
        ),
    )

    nodes: int = Field(
        ge=1,
        le=MOST_NODES,
        description="Number of nodes, 1 to 1000; all are had before any Pod exists. A Job with a definition may give "
        "this alone, where the definition has a group with an open end. Example: 8. AWS: numNodes.",
    )
    main_node: int | None = Field(
        default=None,
        ge=0,
        le=MOST_NODES - 1,
        description="Index of the main node, 0 by default: it starts first, the others find its address in "
        "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS, and its end is the end of the Job. AWS: mainNode.",
    )
    groups: tuple[NodeGroup, ...] = Field(
        default_factory=tuple,
        max_length=5,
        description="What runs on which nodes, 1 to 5 groups that together cover all; absent only in a Job with a "
        'definition. Example: [{nodes: "0", template: ...}, {nodes: "1:", template: ...}]. AWS: nodeRangeProperties.',
    )


def every_group_has_a_template(spec: Any) -> bool:
    """Tell whether the spec has a template for every group of its multiNode, or one for all of them."""
    if spec.multi_node is None or spec.template is not None:
        return True
    return all(group.template is not None for group in spec.multi_node.groups)
