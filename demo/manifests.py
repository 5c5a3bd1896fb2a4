"""The objects that the demo applies: the YAML files beside this one, and jobs from the definitions in batch.yaml."""

from __future__ import annotations

import json
from pathlib import Path

ENVIRONMENTS = frozenset({"demo-spot", "demo-on-demand"})
QUEUE = "demo"
LABEL = "batchyard.dev/demo"


def text(name: str, folder: str) -> str:
    """Return a YAML file of the demo, with the folder of /images that holds this cluster's data."""
    return (Path(__file__).parent / f"{name}.yaml").read_text().replace("/images/demo", f"/images/{folder}")


def namespace(name: str) -> str:
    """Return the namespace of one run."""
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL: "run"}}})


def job(name: str, definition: str, **parameters: int) -> str:
    """Return a Job that runs the newest revision of a definition (JSON is YAML)."""
    spec = {"queue": QUEUE, "definition": {"name": definition}, **({"parameters": parameters} if parameters else {})}
    return json.dumps({"apiVersion": "batchyard.dev/v1alpha1", "kind": "Job", "metadata": {"name": name}, "spec": spec})
