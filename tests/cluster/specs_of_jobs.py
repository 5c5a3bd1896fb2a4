"""What the tests submit: environments, queues, templates for real nodes and for simulated ones."""

from __future__ import annotations

import json
from typing import Any

Spec = dict[str, Any]
JOB_IMAGE = "batchyard.dev/busybox:1"


def shape(cpu: int, memory: str = "", name: str = "") -> Spec:
    return {"name": name or f"c{cpu}", "cpu": str(cpu), "memory": memory or f"{cpu}Gi", "pods": 50,
            "pricePerHour": str(cpu), "spotPricePerHour": f"0.{cpu}"}  # fmt: skip


def managed(provider: str, shapes: list[Spec], most: int, **more: Any) -> Spec:
    fields = {"capacityType": "OnDemand", "scaleDownDelaySeconds": 3, **more}
    settings = fields.pop("settings", {})
    return {"provider": {provider: settings}, "instanceTypes": shapes, "maxVCpus": most, **fields}


def template(*command: str, cpu: str = "100m", memory: str = "32Mi", image: str = JOB_IMAGE, **spec: Any) -> Spec:
    """One container on a real node; its memory is its limit."""
    container = {
        "name": "main",
        "image": image,
        "command": list(command),
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}},
        **spec.pop("container", {}),
    }
    return {"spec": {"terminationGracePeriodSeconds": 2, **spec, "containers": [container]}}


def shell(script: str, **more: Any) -> Spec:
    return template("sh", "-c", script, **more)


def simulated(milliseconds: int = 100, *, exit_code: int = 0, cpu: str = "1", memory: str = "1Gi") -> Spec:
    """A pod that KWOK plays."""
    notes = {"batchyard.dev/simulated-duration": str(milliseconds)}
    if exit_code:
        notes["batchyard.dev/simulated-exit-code"] = str(exit_code)
    container = {"name": "main", "image": "x", "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    return {"metadata": {"annotations": notes}, "spec": {"containers": [container]}}


def played(*command: str, milliseconds: int = 100) -> Spec:
    """A simulated pod whose command tells it apart."""
    made = simulated(milliseconds)
    made["spec"]["containers"][0]["command"] = list(command)
    return made


def short(job: Spec) -> str:
    """A job's status in a line, for messages of failures."""
    return json.dumps(job.get("status"), sort_keys=True)[:3000]
