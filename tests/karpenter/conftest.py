"""One operator with the chart's rights beside the real Karpenter and its KWOK cloud: `make test-karpenter`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from cluster.conftest import api, lab
from cluster.lab import Lab

__all__ = ["api", "lab"]

if "BATCHYARD_KARPENTER" not in os.environ:
    collect_ignore_glob = ["test_*.py"]

NODE_CLASS = "batchyard-test"


@pytest.fixture(scope="package")
def yard(lab: Lab) -> Iterator[Lab]:
    """The lab with a node class of Karpenter's KWOK cloud."""
    if lab.api.find("KWOKNodeClass", NODE_CLASS) is None:
        lab.api.create({"kind": "KWOKNodeClass", "metadata": {"name": NODE_CLASS}, "spec": {}})
    yield lab
    lab.clear(180)
    lab.made.clear()
    assert lab.api.list("NodeClaim", labelSelector="batchyard.dev/provider=karpenter") == []
    lab.api.delete("KWOKNodeClass", NODE_CLASS)
