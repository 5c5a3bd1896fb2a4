"""The kinds of the API, each described once: names, scope, models, columns of `kubectl get`."""

from dataclasses import dataclass
from typing import Literal

from batchyard.model.api import NAME_LENGTH, NAME_PATTERN, ApiModel, Rule
from batchyard.model.consumable import ConsumableResourceSpec, ConsumableResourceStatus
from batchyard.model.definition import JobDefinitionSpec, JobDefinitionStatus
from batchyard.model.environment import ComputeEnvironmentSpec
from batchyard.model.environmentstatus import ComputeEnvironmentStatus
from batchyard.model.job import FIXED, JobSpec
from batchyard.model.jobstatus import JobStatus
from batchyard.model.labels import GROUP, VERSION
from batchyard.model.policy import SchedulingPolicySpec, SchedulingPolicyStatus
from batchyard.model.queue import JobQueueSpec
from batchyard.model.queuestatus import JobQueueStatus
from batchyard.model.schedule import SCHEDULE_NAME_LENGTH, JobScheduleSpec, JobScheduleStatus

CATEGORY = "batchyard"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; priority 1 shows it with `-o wide` only."""

    name: str
    path: str
    type: Literal["string", "integer", "number", "date"] = "string"
    priority: int = 0
    description: str = ""

    def schema(self) -> dict[str, object]:
        """Give the entry of `additionalPrinterColumns`."""
        extra: dict[str, object] = {"priority": self.priority} if self.priority else {}
        if self.description:
            extra["description"] = self.description
        return {"name": self.name, "type": self.type, "jsonPath": self.path, **extra}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its names in the API, its models and how it is listed.

    `fixed` are the fields of spec that never change; the status of a `busy` one is written all the time.
    """

    name: str
    plural: str
    singular: str
    short: str
    scope: Literal["Cluster", "Namespaced"]
    description: str
    spec: type[ApiModel]
    status: type[ApiModel]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    own_rules: tuple[Rule, ...] = ()
    fixed: tuple[str, ...] = ()
    busy: bool = False

    @property
    def api_version(self) -> str:
        """Give group and version as objects carry them."""
        return f"{GROUP}/{VERSION}"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Give the rules on the whole object."""
        cel = f"size(self.metadata.name) <= {NAME_LENGTH} && self.metadata.name.matches('{NAME_PATTERN}')"
        advice = f"metadata.name is a DNS label of at most {NAME_LENGTH} characters; shorten it, use a-z, 0-9 and -"
        return (Rule(cel, advice, field="metadata.name"), *self.own_rules)


_AGE = Column("Age", ".metadata.creationTimestamp", "date")

COMPUTE_ENVIRONMENT = Kind(
    "ComputeEnvironment",
    "computeenvironments",
    "computeenvironment",
    "ce",
    "Cluster",
    "A pool of nodes that grows and shrinks with the queues that use it.",
    ComputeEnvironmentSpec,
    ComputeEnvironmentStatus,
    (
        Column("Capacity", ".spec.capacityType"),
        Column("Phase", ".status.phase"),
        Column("Nodes", ".status.nodes.ready", "integer", description="Nodes that are Ready."),
        Column("Launching", ".status.nodes.launching", "integer", 1, "Nodes asked for, not yet Ready."),
        Column("vCPUs", ".status.vCpus.provisioned", "integer", description="vCPUs of its nodes."),
        Column("Used", ".status.vCpus.used", "integer", 1, "vCPUs that Jobs request."),
        Column("Max", ".spec.maxVCpus", "integer", 1, "vCPUs it may grow to."),
        Column("Type", ".spec.type", priority=1),
        Column("Message", ".status.message", priority=1),
        _AGE,
    ),
)
JOB_QUEUE = Kind(
    "JobQueue",
    "jobqueues",
    "jobqueue",
    "jq",
    "Cluster",
    "A queue of Jobs: who may submit, in which order they start, and on which environments.",
    JobQueueSpec,
    JobQueueStatus,
    (
        Column("Phase", ".status.phase"),
        Column("Priority", ".spec.priority", "integer"),
        Column("Runnable", ".status.jobs.runnable", "integer", description="Jobs that wait for capacity."),
        Column("Running", ".status.jobs.running", "integer"),
        Column("Failed", ".status.jobs.failed", "integer"),
        Column("Succeeded", ".status.jobs.succeeded", "integer", 1),
        Column("Strategy", ".spec.strategy", priority=1),
        Column("Policy", ".spec.schedulingPolicy", priority=1),
        Column("Oldest", ".status.oldestRunnableSeconds", "integer", 1, "Seconds the oldest Runnable Job has waited."),
        Column("Environments", ".spec.computeEnvironments", priority=1),
        Column("Message", ".status.message", priority=1),
        _AGE,
    ),
)
JOB_DEFINITION = Kind(
    "JobDefinition",
    "jobdefinitions",
    "jobdefinition",
    "jd",
    "Namespaced",
    "A versioned template of Jobs with typed parameters; every change of spec is a new revision.",
    JobDefinitionSpec,
    JobDefinitionStatus,
    (
        Column("Phase", ".status.phase"),
        Column("Revision", ".status.revision", "integer", description="The latest revision."),
        Column("Image", ".spec.template.spec.containers[0].image", description="Image of the first container."),
        Column("Message", ".status.message", priority=1),
        _AGE,
    ),
)
JOB = Kind(
    "Job",
    "batchjobs",
    "batchjob",
    "bj",
    "Namespaced",
    "One Job: a Pod, an array of them, or several nodes at once, queued, placed, run, and tried again on failure.",
    JobSpec,
    JobStatus,
    (
        Column("Phase", ".status.phase"),
        Column("Reason", ".status.reason"),
        Column("Attempt", ".status.attempts[-1:].number", "integer", description="The latest attempt, from 1."),
        Column("Array", ".status.array.progress", description="Children that have ended, of all that are to run."),
        Column("Queue", ".spec.queue", priority=1),
        Column("Node", ".status.attempts[-1:].node", priority=1),
        Column("Environment", ".status.attempts[-1:].computeEnvironment", priority=1),
        Column("Cost", ".status.cost.amount", priority=1),
        Column("Message", ".status.message", priority=1),
        _AGE,
    ),
    (".spec.queue", ".status.phase"),
    (
        Rule(
            "!has(self.spec.dependsOn) || self.spec.dependsOn.all(d, !has(d.job) || d.job != self.metadata.name)",
            "spec.dependsOn names this Job itself, so it would wait for ever; name another Job, or write array: "
            "Sequential for a child to wait for the one before it",
        ),
    ),
    fixed=FIXED,
    busy=True,
)
SCHEDULING_POLICY = Kind(
    "SchedulingPolicy",
    "schedulingpolicies",
    "schedulingpolicy",
    "schedpol",
    "Cluster",
    "How the users of a queue share it: fair share by weights and past usage.",
    SchedulingPolicySpec,
    SchedulingPolicyStatus,
    (
        Column("Phase", ".status.phase"),
        Column("Decay", ".spec.shareDecaySeconds", "integer", description="Seconds over which usage is forgotten."),
        Column("Reserved", ".spec.computeReservation", "integer", description="Percent kept free for idle shares."),
        Column("Queues", ".status.queues", priority=1, description="JobQueues that use it."),
        Column("Message", ".status.message", priority=1),
        _AGE,
    ),
)
CONSUMABLE_RESOURCE = Kind(
    "ConsumableResource",
    "consumableresources",
    "consumableresource",
    "cons",
    "Cluster",
    "Something that Jobs take when they start, such as licences: no more of them run than there is.",
    ConsumableResourceSpec,
    ConsumableResourceStatus,
    (
        Column("Total", ".spec.total", "integer", description="How much there is in all."),
        Column("Used", ".status.inUse", "integer", description="Held by attempts that run."),
        Column("Available", ".status.available", "integer", description="What a Job could still take."),
        Column("Waiting", ".status.waiting", "integer", description="Jobs that wait for it."),
        Column("Type", ".spec.type", priority=1),
        Column("Consumed", ".status.consumed", "integer", 1, "Used up for ever."),
        Column("Phase", ".status.phase", priority=1),
        Column("Message", ".status.message", priority=1),
        _AGE,
    ),
)
JOB_SCHEDULE = Kind(
    "JobSchedule",
    "jobschedules",
    "jobschedule",
    "jsched",
    "Namespaced",
    "Submits a Job again and again, or once: by cron, at a rate, or at a time.",
    JobScheduleSpec,
    JobScheduleStatus,
    (
        Column("Schedule", ".spec.schedule"),
        Column("Zone", ".spec.timeZone"),
        Column("Suspended", ".spec.suspend"),
        Column("Last", ".status.lastFire", "date", description="How long ago the latest fire was."),
        Column("Next", ".status.next", description="The next fire on the clock of Zone."),
        Column("Active", ".status.activeJobs", "integer", description="Its Jobs that have not ended."),
        Column("Phase", ".status.phase", priority=1),
        Column("Message", ".status.message", priority=1),
        _AGE,
    ),
    own_rules=(
        Rule(
            f"size(self.metadata.name) <= {SCHEDULE_NAME_LENGTH}",
            f"metadata.name of a JobSchedule has at most {SCHEDULE_NAME_LENGTH} characters, because its Jobs are named "
            "<schedule>-<minutes since 1970>; shorten it",
            field="metadata.name",
        ),
    ),
)
KINDS = (COMPUTE_ENVIRONMENT, JOB_QUEUE, SCHEDULING_POLICY, CONSUMABLE_RESOURCE, JOB_DEFINITION, JOB, JOB_SCHEDULE)
