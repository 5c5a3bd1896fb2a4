"""The fields of the contract that come later: each is refused with a sentence, never dropped in silence."""

from batchyard.model.api import Later


def _later(path: str, type_: str, advice: str) -> Later:
    return Later(path.rsplit(".", 1)[-1], type_, f"{path} is not available in this version of Batchyard; {advice}")


PROVIDER = (_later("spec.provider.clusterAPI", "object", "use provider.docker, provider.karpenter or type: Unmanaged"),)
