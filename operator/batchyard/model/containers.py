"""Rules between the containers of one Pod: which of them matter, and which start after which."""

from collections.abc import Mapping
from functools import reduce
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from batchyard.model.api import ApiModel, Rule
from batchyard.model.obeys import obeys, once
from batchyard.model.template import CONTAINER_NAME

MOST_CONTAINERS = 10

_ContainerName = Annotated[str, Field(min_length=1, max_length=63), WithJsonSchema(CONTAINER_NAME)]


class ContainerDependency(ApiModel):
    """Another container of the same Pod, and what must have become of it."""

    name: _ContainerName = Field(description="Name of the container to wait for. AWS: containerName.")
    condition: Literal["Start", "Success", "Complete"] = Field(
        default="Start",
        description="Start (default): it has started. Success: it has exited with 0. Complete: it has exited. The "
        "latter two only of a container with essential: false. AWS: condition.",
    )


class ContainerRule(ApiModel):
    """What one container means to the others."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.dependsOn) || self.dependsOn.all(d, d.name != self.name)",
            "a container cannot depend on itself; name another one in containers[].dependsOn",
            lambda c: all(d.name != c.name for d in c.depends_on),
            "dependsOn",
        ),
    )

    name: _ContainerName = Field(description="Name of a container in the template. Example: main.")
    essential: bool = Field(
        default=True,
        description="true (default): the attempt ends when this container does, all others are stopped, and its exit "
        "code counts. false: its end and its exit code do not matter. AWS: essential.",
    )
    depends_on: tuple[ContainerDependency, ...] = Field(
        default_factory=tuple,
        max_length=MOST_CONTAINERS,
        description="What must have happened before it starts; absent: nothing. Example: [{name: fetch, condition: "
        "Success}]. AWS: dependsOn.",
    )


def _ordered(containers: tuple[ContainerRule, ...]) -> bool:
    left = {rule.name: {dependency.name for dependency in rule.depends_on} for rule in containers}
    for _ in containers:
        left = {name: names & left.keys() for name, names in left.items() if names & left.keys()}
    return not left


def _round(inner: str, number: int) -> str:
    """Give the CEL that leaves of the names n<number> those that depend on one of them, as n<number + 1>."""
    waits = f"c.name in n{number} && has(c.dependsOn) && c.dependsOn.exists(d, d.name in n{number})"
    return f"[self.filter(c, {waits}).map(c, c.name)].all(n{number + 1}, {inner})"


# Each round takes away the containers that wait for nothing; a circle never gets shorter.
_IS_ORDERED = (
    "[self.map(c, c.name)].all(n0, "
    + reduce(_round, reversed(range(MOST_CONTAINERS)), f"size(n{MOST_CONTAINERS}) == 0")
    + ")"
)


def _exits(containers: tuple[ContainerRule, ...]) -> bool:
    ending = {rule.name for rule in containers if not rule.essential}
    return all(d.condition == "Start" or d.name in ending for rule in containers for d in rule.depends_on)


ContainerRules = Annotated[
    tuple[ContainerRule, ...],
    Field(max_length=MOST_CONTAINERS),
    once("spec.containers names a container twice; merge the two entries", "name"),
    obeys(
        "self.all(c, !has(c.dependsOn) || c.dependsOn.all(d, d.condition == 'Start' || "
        "self.exists(t, t.name == d.name && !t.essential)))",
        "condition Success and Complete wait for the end of a container, which must have essential: false in "
        "spec.containers; an essential one ends the attempt",
        _exits,
    ),
    obeys(
        _IS_ORDERED,
        "spec.containers wait for one another in a circle; take one of the dependsOn out",
        _ordered,
    ),
]
"""What the containers mean to one another, each container once."""


def _names(template: Mapping[str, Any]) -> set[str]:
    return {container["name"] for container in template["spec"]["containers"]}


def _unchecked(spec: Any) -> bool:
    return spec.template is None or spec.multi_node is not None or not spec.containers


def _known(spec: Any) -> bool:
    named = {rule.name for rule in spec.containers} | {d.name for rule in spec.containers for d in rule.depends_on}
    return _unchecked(spec) or named <= _names(spec.template)


def _some_essential(spec: Any) -> bool:
    idle = {rule.name for rule in spec.containers if not rule.essential}
    return _unchecked(spec) or not _names(spec.template) <= idle


# The groups of a multi-node Job may have templates with other containers: the operator checks each.
_NEEDED = "!has(self.containers) || !has(self.template) || has(self.multiNode) || "
_IN_TEMPLATE = "self.template.spec.containers.exists(t, t.name == {}.name)"
TEMPLATE_RULES = (
    Rule(
        f"{_NEEDED}self.containers.all(c, {_IN_TEMPLATE.format('c')} && "
        f"(!has(c.dependsOn) || c.dependsOn.all(d, {_IN_TEMPLATE.format('d')})))",
        "spec.containers names a container that spec.template.spec.containers does not have; correct the name",
        _known,
        "containers",
    ),
    Rule(
        f"{_NEEDED}self.template.spec.containers.exists(t, "
        "!self.containers.exists(c, c.name == t.name && !c.essential))",
        "spec.containers leaves no container essential; take essential: false from the one that does the work",
        _some_essential,
        "containers",
    ),
)
"""What a spec with both containers and a template must keep to."""
