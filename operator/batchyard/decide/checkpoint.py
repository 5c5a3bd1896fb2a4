"""Checkpoints: the volume that follows a job from attempt to attempt, and the file that says when its node goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from batchyard.model import labels as names
from batchyard.world.specs import Checkpoint
from batchyard.world.views import Attempt, Job

Template = Mapping[str, Any]

VOLUME, NOTICE = "batchyard-checkpoint", "batchyard-interruption"
NOTICE_DIRECTORY, NOTICE_FILE = "/batchyard/interruption", "deadline"
_KINDS = ("containers", "initContainers")


def prepared(template: Template, checkpoint: Checkpoint | None) -> Template:
    """Return the template with the volumes, mounts and variables of a checkpoint; whose claim it is, `own` says.

    The file is a volume because variables are fixed when a pod is made: the kubelet writes it anew when we annotate it.
    """
    spec = template.get("spec") or {}
    if checkpoint is None or not spec.get("containers") or not _well_formed(spec):
        return template
    built = {**spec, "volumes": [*(spec.get("volumes") or ()), *_volumes(checkpoint)]}
    for kind in _KINDS:
        if spec.get(kind):
            built[kind] = [_equipped(container, checkpoint) for container in spec[kind]]
    return {**template, "spec": built}


def _well_formed(spec: Mapping[str, Any]) -> bool:
    """Say whether there are lists to add to; a template that has something else there is refused by the API server."""
    containers = [*spec["containers"], *(spec.get("initContainers") or ())]
    return all(
        isinstance(each or [], list) for each in (spec.get("volumes"), *(c.get("volumeMounts") for c in containers))
    )


def _has_volume(checkpoint: Checkpoint) -> bool:
    return checkpoint.claim_name is not None or checkpoint.size is not None


def _volumes(checkpoint: Checkpoint) -> Iterable[dict[str, Any]]:
    deadline = {"path": NOTICE_FILE, "fieldRef": {"fieldPath": f"metadata.annotations['{names.DEADLINE}']"}}
    yield {"name": NOTICE, "downwardAPI": {"items": [deadline]}}
    if _has_volume(checkpoint):
        yield {"name": VOLUME, "persistentVolumeClaim": {"claimName": checkpoint.claim_name or ""}}


def _equipped(container: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [{"name": NOTICE, "mountPath": NOTICE_DIRECTORY, "readOnly": True}]
    variables = {"BATCHYARD_INTERRUPTION_FILE": f"{NOTICE_DIRECTORY}/{NOTICE_FILE}"}
    if _has_volume(checkpoint):
        mounts.append({"name": VOLUME, "mountPath": checkpoint.mount_path})
        variables["BATCHYARD_CHECKPOINT_DIR"] = checkpoint.mount_path
    env = [{"name": name, "value": value} for name, value in variables.items()]
    return {
        **container,
        "env": [*env, *(container.get("env") or ())],
        "volumeMounts": [*(container.get("volumeMounts") or ()), *mounts],
    }


def claim_name(job: Job, part: int | None) -> str:
    """Return the name of the claim that is made for a job, or for its child or node."""
    return f"{job.name}-checkpoint" if part is None else f"{job.name}-{part}-checkpoint"


def claim(job: Job, part: int | None, checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    """Return the PersistentVolumeClaim that must be there before the pod, None if none is to be made.

    It is the Job's own, not the attempt's: it goes when the Job does.
    """
    if checkpoint is None or checkpoint.size is None:
        return None
    storage = {"storageClassName": checkpoint.storage_class_name} if checkpoint.storage_class_name is not None else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": claim_name(job, part),
            "namespace": job.namespace,
            "labels": {names.JOB_UID: job.uid, names.JOB_NAME: job.name},
            "ownerReferences": [
                {"apiVersion": f"{names.GROUP}/{names.VERSION}", "kind": "Job", "name": job.name, "uid": job.uid}
            ],
        },
        "spec": {
            "accessModes": [checkpoint.access_mode],
            "resources": {"requests": {"storage": str(checkpoint.size)}},
            **storage,
        },
    }


def own(spec: Mapping[str, Any], job: Job, part: int | None) -> dict[str, Any]:
    """Return a pod's spec with the claim of this job, child or node; children share a given claim by directories."""
    volume = next((v for v in spec.get("volumes") or () if v.get("name") == VOLUME), None)
    if volume is None or "persistentVolumeClaim" not in volume:
        return dict(spec)
    given = volume["persistentVolumeClaim"]["claimName"]
    if given and part is None:
        return dict(spec)
    if given:
        return {**spec, **{kind: _apart(spec[kind], str(part)) for kind in _KINDS if spec.get(kind)}}
    its = {**volume, "persistentVolumeClaim": {"claimName": claim_name(job, part)}}
    return {**spec, "volumes": [its if each is volume else each for each in spec["volumes"]]}


def _apart(containers: Iterable[Mapping[str, Any]], directory: str) -> list[dict[str, Any]]:
    return [
        {
            **container,
            "volumeMounts": [
                {**mount, "subPath": directory} if mount["name"] == VOLUME else mount
                for mount in container.get("volumeMounts") or ()
            ],
        }
        for container in containers
    ]


def resumed_from(attempts: Iterable[Attempt], number: int) -> int | None:
    """Return the last attempt before this one that ran, however it ended: what it has kept is there."""
    return max((attempt.number for attempt in attempts if attempt.started_at and attempt.number < number), default=None)
