"""JobDefinition: a versioned template with typed parameters."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, WithJsonSchema

from batchyard.model.advice import Advice
from batchyard.model.api import ApiModel, Rule
from batchyard.model.checkpoint import Checkpoint
from batchyard.model.condition import CONDITIONS_SCHEMA, Condition
from batchyard.model.consumable import Consumables
from batchyard.model.containers import TEMPLATE_RULES, ContainerRules
from batchyard.model.multinode import MultiNode, every_group_has_a_template
from batchyard.model.retry import Retry, Timeout
from batchyard.model.template import PodTemplate

SCALAR: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True, "maxProperties": 0, "maxItems": 0}
ParameterValue = Annotated[StrictStr | StrictBool | StrictInt | StrictFloat, WithJsonSchema(SCALAR)]
"""Any scalar: text, whole number, number or truth value."""

PARAMETER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class Parameter(ApiModel):
    """One parameter of a definition: its type, and what its values may be."""

    type: Literal["String", "Integer", "Number", "Boolean"] = Field(
        default="String",
        description="What a value must be: String (default), Integer, Number or Boolean. A value in quotes is read as "
        'the type asks: "3" is a good Integer.',
    )
    default: ParameterValue | None = Field(
        default=None, description="The value when a Job gives none; of the parameter's type. Example: a.blend."
    )
    enum: Annotated[tuple[ParameterValue, ...], Field(max_length=100)] = Field(
        default_factory=tuple,
        description="The only values allowed, up to 100; absent: any of the type. Example: [low, high].",
    )
    required: bool = Field(
        default=False,
        description="Whether a Job must give a value when there is no default; false by default: the value is then "
        "empty text.",
    )
    description: str = Field(
        default="", max_length=1024, description="What the parameter is for, for the people who submit Jobs."
    )


def names_parameters(parameters: dict[str, Any]) -> bool:
    """Tell whether every key can stand in `Ref::name`: letters, digits, `_`, `.` and `-`, at most 128."""
    return all(len(name) <= 128 and re.match(PARAMETER_NAME, name) for name in parameters)


class JobDefinitionSpec(ApiModel):
    """What Jobs of this definition run; every change makes a new revision."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.parameters) || "
            "self.parameters.all(name, size(name) <= 128 && name.matches('^[A-Za-z0-9][A-Za-z0-9_.-]*$'))",
            "a name in spec.parameters has letters, digits, _ . and - only, and at most 128 of them",
            lambda d: names_parameters(d.parameters),
            "parameters",
        ),
        Rule(
            "has(self.template) || has(self.multiNode)",
            "spec.template is missing; write the Pod that every attempt runs, or spec.multiNode with a template in "
            "every group",
            lambda d: d.template is not None or d.multi_node is not None,
        ),
        Rule(
            "!has(self.multiNode) || (has(self.multiNode.groups) && size(self.multiNode.groups) > 0)",
            'spec.multiNode.groups is missing; to run spec.template on every node write groups: [{nodes: "0:"}]',
            lambda d: d.multi_node is None or bool(d.multi_node.groups),
            "multiNode",
        ),
        Rule(
            "!has(self.multiNode) || has(self.template) || !has(self.multiNode.groups) || "
            "self.multiNode.groups.all(g, has(g.template))",
            "spec.template is missing, and a group of spec.multiNode has none of its own; give one of the two",
            every_group_has_a_template,
            "multiNode",
        ),
        *TEMPLATE_RULES,
    )

    parameters: Annotated[dict[str, Parameter], Field(max_length=50)] = Field(
        default_factory=dict,
        description="The parameters that Jobs may give, by name, up to 50; Ref::name in command, args and the values "
        "of env is replaced by the value. Example: {scene: {type: String, required: true}}. AWS: parameters.",
    )
    template: PodTemplate | None = Field(
        default=None,
        description="The Pod that every attempt runs: a whole PodTemplateSpec. Not needed where every group of "
        "multiNode has its own.",
    )
    multi_node: MultiNode | None = Field(
        default=None,
        description="Run on several nodes at the same time. A Job may give another number of nodes where a group has "
        'an open end. Example: {nodes: 4, groups: [{nodes: "0:"}]}. AWS: nodeProperties.',
    )
    containers: ContainerRules = Field(
        default_factory=tuple,
        description="Which containers matter, and which start after which, up to 10, by their names in the template. "
        "Example: [{name: main, dependsOn: [{name: fetch, condition: Success}]}, {name: fetch, essential: false}]. "
        "AWS: ecsProperties.taskProperties.containers.",
    )
    checkpoint: Checkpoint | None = Field(
        default=None,
        description="A volume that follows a Job from attempt to attempt, and a file that says when its node goes, for "
        "Jobs that say nothing of it themselves; absent: neither. Example: {claimName: results}.",
    )
    consumables: Consumables = Field(
        default_factory=tuple,
        description="ConsumableResources that an attempt takes when it starts, up to 20; a Job may name others and "
        "other quantities. Example: [{name: licence, quantity: 2}]. AWS: consumableResourceProperties.",
    )
    retry: Retry | None = Field(
        default=None, description="When a failed attempt is tried again, unless the Job has its own spec.retry."
    )
    timeout: Timeout | None = Field(
        default=None, description="How long an attempt may run, unless the Job has its own spec.timeout."
    )
    priority: int | None = Field(
        default=None,
        ge=0,
        le=9999,
        description="Priority of the Jobs within their queue, 0 to 9999, higher first, unless the Job has its own; 0 "
        "when absent. AWS: schedulingPriority.",
    )


class JobDefinitionStatus(ApiModel):
    """What the operator thinks of the latest revision."""

    phase: Literal["Checking", "Valid", "Invalid"] = Field(
        default="Checking",
        description="Checking: not looked at yet. Valid: Jobs may use it. Invalid: the API server refuses its Pod, "
        "message says why.",
    )
    revision: int | None = Field(
        default=None,
        ge=1,
        description="The latest revision: metadata.generation at its last change of spec. A Job keeps the revision it "
        "was submitted with. AWS: revision.",
    )
    message: str = Field(default="", max_length=32768, description="The phase in a sentence for people.")
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    advice: Advice | None = Field(
        default=None,
        description="What Pods of a revision ask for, use, and should ask for; absent until some were seen to their "
        "end, which needs the metrics API (metrics.k8s.io). The condition RightSized has it in words.",
    )
    conditions: tuple[Condition, ...] = Field(
        default_factory=tuple,
        max_length=16,
        description="Valid: whether the API server accepts the template's Pod, tried by a dry run, with its own words "
        "when not. RightSized: whether Pods ask for about what they use, and what to ask for when not. ImagesReady: "
        "False where an image names no version, is large, or Pods wait long for it.",
        json_schema_extra=CONDITIONS_SCHEMA,
    )
