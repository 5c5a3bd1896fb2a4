"""Where the nodes of a managed environment come from."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from batchyard.model.api import NAME_PATTERN, ApiModel, Rule


class DockerProvider(ApiModel):
    """Nodes as Docker containers on the operator's machine, each with a real kubelet and containerd."""

    image: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="Image of the node containers; the one built by `make cluster` when absent.",
    )
    network: str = Field(
        default="host",
        min_length=1,
        max_length=128,
        description="Docker network of the node containers; host by default: every kubelet gets ports of its own.",
    )
    images_directory: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="Directory of image archives (*.tar) on the operator's machine that each new node imports, so that "
        "Jobs run without a registry. Absent: ~/.cache/batchyard/images, if that exists.",
    )
    shared_volume: str | None = Field(
        default=None,
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$",
        max_length=128,
        description="Name of a docker volume that every node has at /shared: what Jobs keep there, by a hostPath, is "
        "on every node of the environment and outlives them. Absent: none. Example: batchyard-shared.",
    )


class SimulatedProvider(ApiModel):
    """Nodes that exist in the API only (KWOK): for tests of scale and for trying out a policy; nothing really runs."""


class LaunchTemplate(ApiModel):
    """An EC2 launch template, which has the image, the role, the security groups and what makes it join the cluster."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.id) != has(self.name)",
            "launchTemplate names a template by exactly one of id and name; write for example "
            "launchTemplate: {name: batchyard-node}",
            lambda t: (t.id is None) != (t.name is None),
        ),
    )

    id: str | None = Field(
        default=None, min_length=1, max_length=64, description="Its id. Example: lt-0123456789abcdef0."
    )
    name: str | None = Field(
        default=None, min_length=3, max_length=128, description="Its name. Example: batchyard-node."
    )
    version: str = Field(
        default="$Default",
        min_length=1,
        max_length=32,
        description="Its version: a number, $Default or $Latest. $Default when absent.",
    )


class Alternatives(ApiModel):
    """The EC2 instance types that are as good as one shape of spec.instanceTypes."""

    shape: str = Field(min_length=1, max_length=63, description="Name of an entry of spec.instanceTypes. Example: c8.")
    types: tuple[Annotated[str, Field(min_length=1, max_length=63)], ...] = Field(
        min_length=1,
        max_length=20,
        description="EC2 instance types, of which EC2 takes one; each must offer at least what the shape says. "
        "Example: [c7i.2xlarge, c6i.2xlarge, c7a.2xlarge].",
    )


class Ec2Provider(ApiModel):
    """Nodes as EC2 instances, each asked for by an instant fleet of one: docs/how-to/ec2.md."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.region == oldSelf.region",
            "spec.provider.ec2.region cannot change, because the nodes that are there would be lost from sight; create "
            "a new ComputeEnvironment",
        ),
    )

    region: str = Field(min_length=1, max_length=32, description="AWS region of the nodes. Example: eu-central-1.")
    launch_template: LaunchTemplate = Field(
        description="The launch template of every node. Example: {name: batchyard-node, version: $Latest}."
    )
    subnet_ids: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = Field(
        default=(),
        max_length=20,
        description="Subnets, and thereby zones, of which EC2 takes the best for each node; the template's own when "
        "empty. Example: [subnet-0a1b2c3d, subnet-4e5f6a7b].",
    )
    alternatives: tuple[Alternatives, ...] = Field(
        default=(),
        max_length=30,
        description="EC2 types that stand for a shape; a shape without an entry is the EC2 type of its name. More "
        "types mean more spot capacity and fewer interruptions. "
        "Example: [{shape: c8, types: [c7i.2xlarge, c6i.2xlarge]}].",
    )
    tags: dict[str, Annotated[str, Field(max_length=256)]] = Field(
        default_factory=dict,
        max_length=30,
        description="Tags of the instances beside Batchyard's own. Example: {cost-centre: research}.",
    )
    interruption_queue_url: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        pattern="^https?://",
        description="SQS queue, in the same region, that EventBridge fills with EC2 Spot Instance Interruption "
        "Warnings; it is for this cluster alone. Absent: notices are read from node taints. "
        "Example: https://sqs.eu-central-1.amazonaws.com/123456789012/batchyard.",
    )


class NodeClassReference(ApiModel):
    """The object that tells Karpenter how machines are made in its cloud: image, network, rights."""

    group: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^[^/]+$",
        description="API group of the node class. Example: karpenter.k8s.aws.",
    )
    kind: str = Field(min_length=1, max_length=63, description="Kind of the node class. Example: EC2NodeClass.")
    name: str = Field(min_length=1, max_length=253, description="Name of the node class. Example: default.")


class KarpenterProvider(ApiModel):
    """Nodes by Karpenter, which runs in the cluster already: a NodeClaim for each, owned by no NodePool."""

    node_class_ref: NodeClassReference = Field(
        description="The node class of the machines, which you make. Example: {group: karpenter.k8s.aws, kind: "
        "EC2NodeClass, name: default}."
    )
    zones: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=63)], ...], Field(max_length=20)] = Field(
        default_factory=tuple,
        description="Zones that machines may be in, up to 20; any when absent. Example: [eu-west-1a, eu-west-1b].",
    )


class MachineDeployment(ApiModel):
    """The MachineDeployment whose template the machines of a shape are made from."""

    shape: str = Field(min_length=1, max_length=63, description="Name of an entry of spec.instanceTypes. Example: c8.")
    name: str = Field(
        min_length=1,
        max_length=63,
        description="Name of a MachineDeployment in the namespace, with replicas: 0. Example: workers-c8-spot.",
    )


def _one_each(given: tuple[MachineDeployment, ...]) -> tuple[MachineDeployment, ...]:
    if len({entry.shape for entry in given}) < len(given):
        raise ValueError("every shape has one MachineDeployment")
    return given


class ClusterApiProvider(ApiModel):
    """Nodes by Cluster API, whose management cluster this one is: a MachineSet for each, copied from your template."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.__namespace__ == oldSelf.__namespace__",  # a reserved word of CEL, as Kubernetes spells it
            "spec.provider.clusterAPI.namespace cannot change, because the nodes that are there would be lost from "
            "sight; create a new ComputeEnvironment",
        ),
    )

    namespace: str = Field(
        default="default",
        min_length=1,
        max_length=63,
        pattern=NAME_PATTERN,
        description="Namespace of the Cluster and its MachineDeployments, where the machines come too; default when "
        "absent. Example: clusters.",
    )
    machine_deployments: Annotated[tuple[MachineDeployment, ...], AfterValidator(_one_each)] = Field(
        default=(),
        max_length=50,
        description="The MachineDeployments of the shapes; a shape without an entry takes the one that is named "
        "<environment>-<shape>, in lower case and with - for _. "
        "Example: [{shape: c8, name: workers-c8-spot}].",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["shape"]},
    )


# The fields of spec.provider, of which one is given.
PROVIDERS = ("docker", "simulated", "karpenter", "clusterAPI", "ec2")
CATALOGUES = ("ec2",)  # of these the ones that know sizes and prices of the names in spec.instanceTypes


class Provider(ApiModel):
    """Where the nodes come from: exactly one of its fields."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"[{', '.join(f'has(self.{name})' for name in PROVIDERS)}].filter(given, given).size() == 1",
            "spec.provider names exactly one provider; write for example provider: {docker: {}}",
            lambda p: sum(given is not None for _, given in p) == 1,
        ),
        Rule(
            " && ".join(f"has(self.{name}) == has(oldSelf.{name})" for name in PROVIDERS),
            "spec.provider cannot change from one provider to another; create a new ComputeEnvironment",
        ),
    )

    docker: DockerProvider | None = Field(
        default=None,
        description="Every node is a Docker container with a real kubelet and containerd: real elasticity on a laptop "
        "and in CI. Example: {}.",
    )
    simulated: SimulatedProvider | None = Field(
        default=None, description="Nodes in the API only, played by KWOK; nothing really runs. Example: {}."
    )
    ec2: Ec2Provider | None = Field(
        default=None,
        description="Every node is an EC2 instance. Example: {region: eu-central-1, launchTemplate: {name: "
        "batchyard-node}}.",
    )
    karpenter: KarpenterProvider | None = Field(
        default=None,
        description="Every node is a NodeClaim that Karpenter makes a machine for, in the cloud that it is set up for. "
        "The names in spec.instanceTypes are those of the cloud's own types. Example: {nodeClassRef: {group: "
        "karpenter.k8s.aws, kind: EC2NodeClass, name: default}}.",
    )
    cluster_api: ClusterApiProvider | None = Field(
        default=None,
        alias="clusterAPI",
        description="Every node is a Machine of Cluster API, made as a MachineDeployment of yours says. Example: "
        "{namespace: clusters}.",
    )
