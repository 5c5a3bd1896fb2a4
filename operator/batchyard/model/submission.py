"""What a Job and the template of a scheduled Job have in common: what to run, where to queue, how to try again."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from batchyard.model.api import ApiModel, Name, Rule
from batchyard.model.array import Array
from batchyard.model.checkpoint import Checkpoint
from batchyard.model.consumable import Consumables
from batchyard.model.containers import TEMPLATE_RULES, ContainerRules
from batchyard.model.definition import SCALAR, ParameterValue
from batchyard.model.dependency import Dependency
from batchyard.model.multinode import MultiNode, every_group_has_a_template
from batchyard.model.obeys import obeys
from batchyard.model.overrides import Overrides
from batchyard.model.policy import SHARE_NAME, is_share
from batchyard.model.retry import Retry, Timeout
from batchyard.model.template import PodTemplate

CapacityType = Literal["Any", "Spot", "OnDemand"]


class DefinitionReference(ApiModel):
    """The definition, and which revision of it."""

    name: Name = Field(
        description="Name of a JobDefinition in the Job's namespace. A Job waits for one that is not there."
    )
    revision: int | None = Field(
        default=None,
        ge=1,
        description="The revision to run; absent: the newest at submission. Either way status.definitionRevision "
        "pins it.",
    )


def _has_one_source(job: Any) -> bool:
    if job.definition is not None:
        return job.template is None
    return job.template is not None or job.multi_node is not None


def _overrides_nodes_only(job: Any) -> bool:
    if job.multi_node is None or job.definition is None:
        return True
    return not job.multi_node.groups and job.multi_node.main_node is None


class Submission(ApiModel):
    """What to run, where to queue, and what to do when it fails."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.definition) ? !has(self.template) : (has(self.template) || has(self.multiNode))",
            "spec needs exactly one of definition and template; write for example definition: {name: render}",
            _has_one_source,
        ),
        Rule(
            "!has(dyn(self).parameters) || has(self.definition)",
            "spec.parameters are those of a definition; leave them out, or write the values into spec.template",
            lambda job: not job.parameters or job.definition is not None,
            "parameters",
        ),
        Rule(
            "!has(self.array) || !has(self.multiNode)",
            "spec has both array and multiNode; leave one of them out, or submit one multi-node Job per index",
            lambda job: job.array is None or job.multi_node is None,
        ),
        Rule(
            "!has(self.multiNode) || !has(self.definition) || "
            "(!has(self.multiNode.groups) && !has(self.multiNode.mainNode))",
            "spec.multiNode of a Job with a definition has nodes only; groups and mainNode are the definition's",
            _overrides_nodes_only,
            "multiNode",
        ),
        Rule(
            "!has(self.multiNode) || has(self.definition) || "
            "(has(self.multiNode.groups) && size(self.multiNode.groups) > 0)",
            'spec.multiNode.groups is missing; to run spec.template on every node write groups: [{nodes: "0:"}]',
            lambda job: job.multi_node is None or job.definition is not None or bool(job.multi_node.groups),
            "multiNode",
        ),
        Rule(
            "!has(self.multiNode) || has(self.definition) || has(self.template) || !has(self.multiNode.groups) || "
            "self.multiNode.groups.all(g, has(g.template))",
            "spec.template is missing, and a group of spec.multiNode has none of its own; give one of the two",
            lambda job: job.definition is not None or every_group_has_a_template(job),
            "multiNode",
        ),
        Rule(
            "!has(self.dependsOn) || has(self.array) || self.dependsOn.all(d, !has(d.array))",
            "array: Sequential and OneToOne in spec.dependsOn are between children; give this Job spec.array, or leave "
            "array out to wait for the whole Job",
            lambda job: job.array is not None or all(d.array is None for d in job.depends_on),
            "dependsOn",
        ),
        *TEMPLATE_RULES,
    )

    queue: Name = Field(
        description="Name of the JobQueue. A Job waits for a queue that is not there yet. Example: default. AWS: "
        "jobQueue."
    )
    definition: DefinitionReference | None = Field(
        default=None,
        description="The JobDefinition to run; give either this or template. Example: {name: render, revision: 3}. "
        "AWS: jobDefinition.",
    )
    template: PodTemplate | None = Field(
        default=None,
        description="The Pod that every attempt runs, a whole PodTemplateSpec, for a Job without a definition. Not "
        "needed where every group of multiNode has its own.",
    )
    parameters: Annotated[
        dict[str, ParameterValue],
        WithJsonSchema({"type": "object", "maxProperties": 50, "additionalProperties": SCALAR}),
    ] = Field(
        default_factory=dict,
        description="Values for the definition's parameters: text, numbers or true and false, up to 50. Example: "
        "{scene: a.blend, frames: 3}. AWS: parameters.",
    )
    overrides: Overrides = Field(
        default_factory=Overrides,
        description="What differs from the template in this Job, merged by container name.",
    )
    array: Array | None = Field(
        default=None,
        description="Run the template many times, each child with its own index, retries and timeout. Example: "
        '{size: 1000, maxConcurrent: 50, tolerateFailures: "5%"}. AWS: arrayProperties.',
    )
    multi_node: MultiNode | None = Field(
        default=None,
        description="Run on several nodes at the same time; not together with array. Example: {nodes: 4, groups: "
        '[{nodes: "0:"}]}. AWS: nodeProperties, nodeOverrides.',
    )
    depends_on: tuple[Dependency, ...] = Field(
        default_factory=tuple,
        max_length=100,
        description="What must have ended before the Job starts, up to 100 entries; all of them must hold. Example: "
        "[{job: prepare}, {job: split, array: OneToOne}, {array: Sequential}]. AWS: dependsOn.",
    )
    containers: ContainerRules = Field(
        default_factory=tuple,
        description="Which containers matter, and which start after which, up to 10, by their names in the template; "
        "an entry replaces the definition's of the same name. Example: [{name: main, dependsOn: [{name: fetch, "
        "condition: Success}]}, {name: fetch, essential: false}]. AWS: ecsProperties.taskProperties.containers.",
    )
    consumables: Consumables = Field(
        default_factory=tuple,
        description="ConsumableResources that an attempt takes when it starts, up to 20; an entry replaces the "
        "definition's of the same name. Example: [{name: licence, quantity: 2}]. AWS: "
        "consumableResourcePropertiesOverride.",
    )
    share: Annotated[str, Field(min_length=1, max_length=255), obeys(*SHARE_NAME, is_share)] | None = Field(
        default=None,
        description="Whose share of a queue with a schedulingPolicy the Job uses up: up to 255 letters, digits, ., _ "
        "and -. Example: team-a. AWS: shareIdentifier.",
    )
    checkpoint: Checkpoint | None = Field(
        default=None,
        description="A volume that follows the Job from attempt to attempt, and a file that says when its node goes; "
        "absent: as the definition says, or neither. Example: {size: 1Gi}.",
    )
    retry: Retry | None = Field(
        default=None,
        description="When a failed attempt is tried again; absent: as the definition says, or not at all. Example: "
        '{attempts: 3, evaluateOnExit: [{action: Exit, onExitCode: "2"}]}. AWS: retryStrategy.',
    )
    timeout: Timeout | None = Field(
        default=None,
        description="How long an attempt may run; absent: as the definition says, or for ever. Example: "
        "{attemptDurationSeconds: 3600}. AWS: timeout.",
    )
    priority: int | None = Field(
        default=None,
        ge=0,
        le=9999,
        description="Place within the queue, or within its share of the queue, 0 to 9999, higher first, then the older "
        "first; absent: the definition's, or 0. May be changed while the Job waits. AWS: schedulingPriorityOverride.",
    )
    capacity_type: CapacityType = Field(
        default="Any",
        description="Any (default): every environment of the queue. Spot or OnDemand: only those of that capacityType.",
    )
    deadline_seconds: int | None = Field(
        default=None,
        ge=60,
        le=31_536_000,
        description="Seconds from its submission by which the Job should have ended, 60 to 31536000; it is no timeout. "
        "In a queue with spec.spot the Job may use on-demand environments as soon as less is left than nine of ten of "
        "its kind ran; absent: no deadline. Example: 14400.",
    )
    ttl_seconds_after_finished: int = Field(
        default=604_800,
        ge=0,
        le=315_360_000,
        description="Seconds after its end until the Job and its Pods are deleted; 604800 (7 days) by default. May be "
        "changed.",
    )
