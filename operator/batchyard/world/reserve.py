"""What a machine in a cloud keeps from its pods, as long as no node of its kind has told.

CPU and memory of kubelet and system are those of Amazon's own node images (amazon-eks-ami, nodeadm: kube-reserved),
the eviction threshold is kubelet's, and the hypervisor's part of memory is Karpenter's vmMemoryOverheadPercent.
"""

from __future__ import annotations

from batchyard.model.resources import Resources

MIB = 2**20
_CORES = ((1, 60), (1, 10), (2, 5))  # so many cores, each with so many millicores for the system
_FURTHER = 2.5  # millicores of each core beyond these
_KUBELET, _A_POD, _EVICTION = 255 * MIB, 11 * MIB, 100 * MIB
_HYPERVISOR_PER_MILLE = 75


def reserve(whole: Resources) -> Resources:
    """Return what is not for pods; `whole` is the machine, `whole.pods` how many pods the system is made for."""
    memory = _KUBELET + _A_POD * whole.pods + _EVICTION + whole.memory * _HYPERVISOR_PER_MILLE // 1000
    return Resources(cpu=_cpu(whole.cpu // 1000), memory=memory)


def _cpu(cores: int) -> int:
    kept = 0.0
    for several, each in _CORES:
        kept += min(cores, several) * each
        cores = max(cores - several, 0)
    return round(kept + cores * _FURTHER)
