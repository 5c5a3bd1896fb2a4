"""What each node of a multi-node job runs: groups of node indexes, side by side or inside one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from batchyard.world.specs import MultiNode, NodeGroup

Template = Mapping[str, Any]


class GangError(Exception):
    """The groups of a multi-node job cannot be; the message names the field and the fix."""


@dataclass(frozen=True, slots=True)
class Gang:
    """A multi-node job: which node is the main one, the group of each node, the template of each group."""

    main: int
    group_of: tuple[int, ...]
    templates: tuple[Template, ...]

    @property
    def nodes(self) -> int:
        """Return the number of nodes."""
        return len(self.group_of)

    def template(self, node: int) -> Template:
        """Return what a node runs."""
        return self.templates[self.group_of[node]]

    def built(self, build: Callable[[Template], Template]) -> Gang:
        """Return the gang with `build` done to the template of each group."""
        return Gang(self.main, self.group_of, tuple(build(template) for template in self.templates))


def gang_of(spec: MultiNode, template: Template | None) -> Gang:
    """Return what each node runs; a group without a template runs `template`, and so do all without groups.

    Of groups that share a node the narrower counts, of equally wide ones the later (AWS nodeRangeProperties).
    """
    nodes, groups = spec.nodes or 0, spec.groups or (NodeGroup(nodes="0:"),)
    if spec.main_node >= nodes:
        raise GangError(f"spec.multiNode.mainNode is {spec.main_node}; nodes count from 0 to {nodes - 1}")
    group_of = assign(nodes, [group.nodes for group in groups])
    templates = [group.template or template for group in groups]
    for number in sorted(set(group_of)):
        if not templates[number]:
            raise GangError(f"spec.multiNode.groups[{number}] has no template, and there is no spec.template for it")
    return Gang(spec.main_node, group_of, tuple(template or {} for template in templates))


def assign(nodes: int, ranges: Sequence[str]) -> tuple[int, ...]:
    """Return for every node the number of the range that counts for it."""
    ends = [_ends(number, text, nodes) for number, text in enumerate(ranges)]
    widest_first = sorted(range(len(ends)), key=lambda number: (ends[number][0] - ends[number][1], number))
    group_of: list[int | None] = [None] * nodes
    for number in widest_first:
        first, last = ends[number]
        group_of[first : last + 1] = [number] * (last + 1 - first)
    if None in group_of:
        raise GangError(
            f"spec.multiNode.groups leaves out node {group_of.index(None)}; together they must cover 0 to {nodes - 1}, "
            'for example "0" and "1:"'
        )
    return tuple(number for number in group_of if number is not None)


def _ends(number: int, text: str, nodes: int) -> tuple[int, int]:
    where, (first, colon, last) = f"spec.multiNode.groups[{number}].nodes", text.partition(":")
    if not all(part.isdecimal() for part in (first, last) if part) or not text:
        raise GangError(f'{where} is {text!r}; write an index or first:last, for example "0", "1:3", ":3" or "1:"')
    low = int(first or 0)
    high = (int(last) if last else nodes - 1) if colon else low
    if max(low, high) >= nodes and (last or low >= nodes):
        raise GangError(f"{where} is {text!r}; nodes count from 0 to {nodes - 1} (spec.multiNode.nodes is {nodes})")
    if low > high:
        raise GangError(f'{where} is {text!r}; write the lower index first: "{high}:{low}"')
    return low, high


def overridden(own: MultiNode | None, nodes: int | None) -> MultiNode | None:
    """Return a definition's multiNode with the number of nodes that a job asks for (AWS nodeOverrides.numNodes).

    Another number is allowed only if a range of the definition is open at its upper end.
    """
    if nodes is None or (own is not None and own.nodes == nodes):
        return own
    if own is None:
        raise GangError("the Job overrides spec.multiNode.nodes, and the definition has no multiNode")
    if own.groups and not any(group.nodes.endswith(":") for group in own.groups):
        raise GangError(
            f"the Job overrides spec.multiNode.nodes with {nodes}, and every group has a fixed end; give one an "
            'open end, for example "1:"'
        )
    return msgspec.structs.replace(own, nodes=nodes)
