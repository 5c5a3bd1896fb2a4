"""What turns a good ComputeEnvironment bad: (path, value, words of the refusal)."""

from typing import Any

SHAPE = {"name": "c8", "cpu": 8, "memory": "16Gi", "pricePerHour": "0.34", "spotPricePerHour": "0.12"}
CLASS = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
EC2 = {"region": "eu-central-1", "launchTemplate": {"name": "node"}}
BAD_ENVIRONMENTS: list[tuple[str, Any, str]] = [
    ("provider", None, "spec.provider is missing; a Managed environment needs one, for example provider: {docker: {}}"),
    ("provider", {}, "spec.provider names exactly one provider; write for example provider: {docker: {}}"),
    ("provider", {"docker": {}, "simulated": {}}, "spec.provider names exactly one provider"),
    ("provider", {"karpenter": {}}, "spec.provider.karpenter.nodeClassRef: Required value"),
    ("provider", {"docker": {}, "karpenter": {"nodeClassRef": CLASS}}, "spec.provider names exactly one provider"),
    (
        "provider",
        {"clusterAPI": {"machineDeployments": [{"shape": "c8"}]}},
        "spec.provider.clusterAPI.machineDeployments[0].name: Required value",
    ),
    (
        "provider",
        {"clusterAPI": {"machineDeployments": [{"shape": "c8", "name": "a"}] * 2}},
        'clusterAPI.machineDeployments[1]: Duplicate value: {"shape":"c8"}',
    ),
    ("provider", {"docker": {}, "clusterAPI": {}}, "spec.provider names exactly one provider"),
    ("provider", {"ec2": {"region": "r"}}, "spec.provider.ec2.launchTemplate: Required value"),
    ("provider", {"ec2": EC2, "docker": {}}, "spec.provider names exactly one provider"),
    (
        "provider",
        {"ec2": {**EC2, "launchTemplate": {"id": "lt-1", "name": "node"}}},
        "launchTemplate names a template by exactly one of id and name",
    ),
    (
        "provider",
        {"ec2": {**EC2, "launchTemplate": {}}},
        "launchTemplate names a template by exactly one of id and name",
    ),
    ("type", "Unmanaged", "spec.provider is for Managed environments; leave it out"),
    ("nodeSelector", {"a": "b"}, "spec.nodeSelector is for Unmanaged environments; leave it out"),
    ("instanceTypes", [], "spec.instanceTypes is empty; a Managed environment needs at least one"),
    ("instanceTypes", None, "spec.instanceTypes is empty; a Managed environment needs at least one"),
    ("instanceTypes", [SHAPE] * 2, 'instanceTypes[1]: Duplicate value: {"name":"c8"}'),
    (
        "instanceTypes.0.cpu",
        "lots",
        'instanceTypes[0].cpu: Invalid value: "lots": this is not a Kubernetes quantity above 0',
    ),
    ("instanceTypes.0.cpu", 0, "instanceTypes[0].cpu: Invalid value: 0: this is not a Kubernetes quantity above 0"),
    ("instanceTypes.0.cpu", "0.0", "this is not a Kubernetes quantity above 0; write for example 4"),
    ("instanceTypes.0.memory", "-1Gi", "this is not a Kubernetes quantity above 0; write for example 4"),
    ("instanceTypes.0.memory", None, "cpu and memory of an instance type belong together; write both, or neither"),
    (
        "instanceTypes.0",
        {"name": "m7i.large"},
        "spec.instanceTypes has an entry without cpu and memory, which only provider ec2 can look up; write them",
    ),
    ("instanceTypes.0.extended", {"nvidia.com/gpu": "x"}, "this is not a Kubernetes quantity above 0"),
    ("instanceTypes.0.pricePerHour", 0.34, 'pricePerHour in body must be of type string: "number"'),
    ("instanceTypes.0.pricePerHour", "-1", 'pricePerHour: Invalid value: "-1": this is not a decimal number in quotes'),
    ("instanceTypes.0.pods", 0, "instanceTypes[0].pods in body should be greater than or equal to 1"),
    ("minVCpus", 17, "spec.minVCpus is above spec.maxVCpus; lower the one or raise the other"),
    ("minVCpus", -1, "spec.minVCpus in body should be greater than or equal to 0"),
    ("maxVCpus", None, "spec.maxVCpus is missing"),
    ("allocationStrategy", "SpotCapacityOptimized", "spec.allocationStrategy of spot is for environments with"),
    ("maxPricePercent", 50, "spec.maxPricePercent bounds spot prices, so it is for environments with"),
    ("scaleDownDelaySeconds", -1, "scaleDownDelaySeconds in body should be greater than or equal to 0"),
    ("nodeStartTimeoutSeconds", 9, "nodeStartTimeoutSeconds in body should be greater than or equal to 10"),
    (
        "updatePolicy",
        {"jobExecutionTimeoutSeconds": 59},
        "jobExecutionTimeoutSeconds in body should be greater than or equal to 60",
    ),
    (
        "nodeTemplate",
        {"labels": {"kubernetes.io/role": "a"}},
        "labels may not be of kubernetes.io, k8s.io or batchyard.dev",
    ),
    (
        "nodeTemplate",
        {"labels": {"batchyard.dev/queue": "a"}},
        "labels may not be of kubernetes.io, k8s.io or batchyard.dev",
    ),
    ("nodeTemplate", {"labels": {"a b": "c"}}, "a label's key is [prefix/]name of letters"),
    ("nodeTemplate", {"labels": {"a": "b c"}}, "a label's value has letters, digits"),
    ("nodeTemplate", {"taints": [{"key": "a", "effect": "No"}]}, 'taints[0].effect: Unsupported value: "No"'),
]
