"""Our kinds come in by kopf's on.event: level-triggered, no annotations, no finalizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf

from batchyard.engine.ingest import Ingest
from batchyard.model.labels import GROUP, VERSION


def register(registry: kopf.OperatorRegistry, ingest: Ingest) -> None:
    """Register the handlers of all kinds."""

    @kopf.on.event(GROUP, VERSION, "computeenvironments", registry=registry)
    async def compute_environment(type: str | None, body: Mapping[str, Any], **_: Any) -> None:  # noqa: A002
        ingest.take("computeenvironments", type, body)

    @kopf.on.event(GROUP, VERSION, "schedulingpolicies", registry=registry)
    async def scheduling_policy(type: str | None, body: Mapping[str, Any], **_: Any) -> None:  # noqa: A002
        ingest.take("schedulingpolicies", type, body)

    @kopf.on.event(GROUP, VERSION, "jobqueues", registry=registry)
    async def job_queue(type: str | None, body: Mapping[str, Any], **_: Any) -> None:  # noqa: A002
        ingest.take("jobqueues", type, body)

    @kopf.on.event(GROUP, VERSION, "consumableresources", registry=registry)
    async def consumable_resource(type: str | None, body: Mapping[str, Any], **_: Any) -> None:  # noqa: A002
        ingest.take("consumableresources", type, body)

    @kopf.on.event(GROUP, VERSION, "jobdefinitions", registry=registry)
    async def job_definition(type: str | None, body: Mapping[str, Any], **_: Any) -> None:  # noqa: A002
        ingest.take("jobdefinitions", type, body)

    @kopf.on.event(GROUP, VERSION, "jobschedules", registry=registry)
    async def job_schedule(type: str | None, body: Mapping[str, Any], **_: Any) -> None:  # noqa: A002
        ingest.take("jobschedules", type, body)

    @kopf.on.event(GROUP, VERSION, "batchjobs", registry=registry)
    async def job(type: str | None, body: Mapping[str, Any], **_: Any) -> None:  # noqa: A002
        ingest.take("batchjobs", type, body)
