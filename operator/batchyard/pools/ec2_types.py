"""How large EC2's instance types are: an entry of DescribeInstanceTypes, read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchyard.model.resources import Resources

_ARCHITECTURES = {"x86_64": "amd64", "x86_64_mac": "amd64", "arm64": "arm64", "arm64_mac": "arm64"}
_GPUS = {"NVIDIA": "nvidia.com/gpu", "AMD": "amd.com/gpu", "Habana": "habana.ai/gaudi"}  # as their plug-ins name them
_NEURON = "aws.amazon.com/neuron"
_MOST_PODS = {False: 110, True: 250}  # that Amazon's node images allow, by whether there are 30 vCPUs or more


@dataclass(frozen=True, slots=True)
class Size:
    """What one machine has; `resources.pods` is how many Pods AWS' network plug-in would give addresses to."""

    resources: Resources
    architecture: str = ""


def size(entry: Mapping[str, Any]) -> Size:
    """Return the size of an instance type as EC2 describes it."""
    vcpus = int(entry["VCpuInfo"]["DefaultVCpus"])
    known = entry.get("ProcessorInfo", {}).get("SupportedArchitectures") or ()
    resources = Resources(
        cpu=vcpus * 1000,
        memory=int(entry["MemoryInfo"]["SizeInMiB"]) * 2**20,
        pods=_pods(entry.get("NetworkInfo") or {}, vcpus),
        extended=tuple(sorted(_devices(entry).items())),
    )
    return Size(resources, next((_ARCHITECTURES[name] for name in known if name in _ARCHITECTURES), ""))


def _pods(network: Mapping[str, Any], vcpus: int) -> int:
    """Apply the rule of AWS' network plug-in: a pod has one of the addresses of the interfaces, but for their first."""
    interfaces, addresses = network.get("MaximumNetworkInterfaces", 0), network.get("Ipv4AddressesPerInterface", 0)
    most = _MOST_PODS[vcpus >= 30]
    return min(int(interfaces) * (int(addresses) - 1) + 2, most) if interfaces and addresses else most


def _devices(entry: Mapping[str, Any]) -> dict[str, int]:
    """Return GPUs and accelerators by the resource that a node has for them, those of unknown makers left out."""
    found: dict[str, int] = {}
    gpus = (entry.get("GpuInfo") or {}).get("Gpus") or ()
    others = (entry.get("InferenceAcceleratorInfo") or {}).get("Accelerators") or ()
    for device in (*gpus, *others):
        name = _GPUS.get(device.get("Manufacturer", ""))
        if name is not None:
            found[name] = found.get(name, 0) + int(device.get("Count", 0))
    neurons = sum(int(device.get("Count", 0)) for device in (entry.get("NeuronInfo") or {}).get("NeuronDevices") or ())
    return {name: count for name, count in {**found, _NEURON: neurons}.items() if count}


def least(sizes: Sequence[Size]) -> Size:
    """Return what each of several types has at least: any of them may come."""
    resources = [each.resources for each in sizes]
    known = {each.architecture for each in sizes}
    return Size(
        Resources(
            cpu=min(each.cpu for each in resources),
            memory=min(each.memory for each in resources),
            pods=max(each.pods for each in resources),  # the system of the one that is made for most keeps most
            extended=_in_all([dict(each.extended) for each in resources]),
        ),
        known.pop() if len(known) == 1 else "",
    )


def _in_all(devices: Sequence[Mapping[str, int]]) -> tuple[tuple[str, int], ...]:
    names: Iterable[str] = set(devices[0]).intersection(*devices[1:])
    return tuple(sorted((name, min(each[name] for each in devices)) for name in names))
