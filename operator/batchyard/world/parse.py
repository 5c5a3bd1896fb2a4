"""From the API server's JSON bodies to views; a body that cannot be used gives a view that says why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import Any

import msgspec
import pydantic

from batchyard.model import labels as names
from batchyard.model.definition import JobDefinitionSpec
from batchyard.model.environment import ComputeEnvironmentSpec
from batchyard.model.machine import Shape, Taint
from batchyard.model.policy import SchedulingPolicySpec
from batchyard.model.provider import CATALOGUES
from batchyard.model.queue import JobQueueSpec
from batchyard.model.resources import read
from batchyard.model.updatepolicy import UpdatePolicy
from batchyard.world.alike import Alike
from batchyard.world.configuration import Recipe, configurations
from batchyard.world.entries import entries, made_from
from batchyard.world.specs import Blueprint, Budget, JobSpec, SpotFirst, TimeLimit
from batchyard.world.views import (
    Consumable,
    Definition,
    Environment,
    Job,
    JobStatus,
    Namespace,
    Policy,
    Queue,
    Revision,
)

Body = Mapping[str, Any]
MOST_UNITS = 10**9  # times itself: units of a consumable resource that are counted
DEFAULT_DECAY = 600  # seconds, where a policy says 0 (AWS shareDecaySeconds)
_SPECS, _STATUSES = Alike(JobSpec), Alike(JobStatus)


FIRST, LAST = -62_135_596_800.0, 253_402_300_799.0  # the calendar's ends: years 1 and 9999


def instant(stamp: str) -> float:
    """Return an RFC 3339 time as unix seconds; ValueError or OverflowError where it is none."""
    return datetime.fromisoformat(stamp).astimezone(UTC).timestamp()


@lru_cache(maxsize=4096)  # most times are read again within seconds, and each remembered one is 270 bytes
def seconds(stamp: str) -> float:
    """Return an RFC 3339 time as unix seconds; what a user has put in its place and nobody can read counts as 1970."""
    try:
        return instant(stamp)
    except OverflowError:  # in another time zone the year 0 or 10000
        return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def moment(stamp: str | None) -> float | None:
    """Return a time that may be absent."""
    return seconds(stamp) if stamp else None


def rfc3339(at: float) -> str:
    """Write unix seconds as Kubernetes does, with milliseconds only if there are any; beyond the calendar its end."""
    stamp = datetime.fromtimestamp(min(max(at, FIRST), LAST) if at == at else 0.0, UTC)  # nan is not itself
    text = stamp.replace(tzinfo=None).isoformat(timespec="seconds")  # strftime's %Y of the year 1 is 1, not 0001
    return f"{text}.{stamp.microsecond // 1000:03d}Z" if stamp.microsecond >= 1000 else f"{text}Z"


def _common(body: Body) -> dict[str, Any]:
    meta = body["metadata"]
    return {
        "name": meta["name"],
        "uid": meta.get("uid", ""),
        "version": meta.get("resourceVersion", ""),
        "created": moment(meta.get("creationTimestamp")) or 0.0,
        "deleting": moment(meta.get("deletionTimestamp")),
    }


def job(body: Body) -> Job:
    """Return a Job; its shape was checked by the API server's schema."""
    return Job(
        **_common(body),
        namespace=intern(body["metadata"]["namespace"]),
        generation=body["metadata"].get("generation", 1),
        spec=_SPECS.of(body["spec"]),
        status=_STATUSES.of({**(body.get("status") or {}), "createdAt": None}),
        scheduler=_scheduler(body["metadata"]),
    )


def _scheduler(meta: Body) -> str:
    for owner in meta.get("ownerReferences") or ():
        if owner.get("kind") == "JobSchedule" and str(owner.get("apiVersion", "")).startswith(f"{names.GROUP}/"):
            return str(owner.get("uid", ""))
    return ""


def consumable(body: Body) -> Consumable:
    """Return a ConsumableResource; its shape was checked by the API server's schema."""
    spec = body["spec"]
    return Consumable(
        **_common(body),
        generation=body["metadata"].get("generation", 1),
        total=int(spec.get("total") or 0),
        replenishable=spec.get("type", "Replenishable") == "Replenishable",
        status=_counted(body.get("status") or {}),
    )


def _counted(status: Body) -> dict[str, Any]:
    """What is used up is the one number that only the status has; one that cannot be is somebody else's."""
    taking = {entry: amount for entry, amount in (status.get("taking") or {}).items() if 0 <= amount <= MOST_UNITS}
    consumed = min(max(int(status.get("consumed") or 0), 0), MOST_UNITS * MOST_UNITS)
    numbers = {**({"taking": taking} if taking else {}), **({"consumed": consumed} if "consumed" in status else {})}
    return {**{name: value for name, value in status.items() if name not in ("taking", "consumed")}, **numbers}


def _problem(error: pydantic.ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"spec.{field}: {first['msg']}" if field else f"spec: {first['msg']}"


def environment(body: Body) -> Environment:
    """Return a ComputeEnvironment; `invalid` says what is wrong with a spec that cannot be used."""
    common = {
        **_common(body),
        "generation": body["metadata"].get("generation", 1),
        "finalizers": tuple(body["metadata"].get("finalizers") or ()),
        "status": dict(body.get("status") or {}),
    }
    try:
        spec = ComputeEnvironmentSpec.model_validate(dict(body["spec"]))
    except pydantic.ValidationError as error:
        return Environment(**common, invalid=_problem(error))
    raw = body["spec"]
    provider, settings = _provider(raw.get("provider") or {})
    template, policy = spec.node_template, spec.update_policy or UpdatePolicy()
    items = raw.get("instanceTypes") or ()
    open_ = entries(items, spot=str(spec.capacity_type) == "Spot") if provider in CATALOGUES else ()
    shapes = tuple(map(made_from, open_)) if open_ else tuple(map(shape, items))
    taints = tuple(Taint(t.key, t.value or "", str(t.effect)) for t in template.taints)
    recipe = Recipe(template.labels, taints, provider, settings)
    return Environment(
        **common,
        state=str(spec.state),
        managed=str(spec.type) == "Managed",
        capacity_type=str(spec.capacity_type),
        min_vcpus=spec.min_vcpus,
        max_vcpus=spec.max_vcpus or 0,
        shapes=() if open_ else shapes,
        entries=open_,
        strategy=str(spec.allocation_strategy),
        max_price_percent=spec.max_price_percent,
        scale_down_delay=spec.scale_down_delay_seconds,
        node_start_timeout=spec.node_start_timeout_seconds,
        terminates_on_update=policy.terminate_jobs_on_update,
        update_grace=policy.job_execution_timeout_seconds,
        configurations=configurations(recipe, shapes) if str(spec.type) == "Managed" else {},
        labels=dict(template.labels),
        taints=taints,
        provider=provider,
        settings=settings,
        selector=dict(spec.node_selector or {}),
    )


def _provider(providers: Body) -> tuple[str, dict[str, Any]]:
    for kind, settings in providers.items():
        return kind, dict(settings or {})
    return "", {}


def shape(item: Body) -> Shape:
    """Return an entry of spec.instanceTypes."""
    amounts = {**(item.get("extended") or {}), "cpu": item["cpu"], "memory": item["memory"]}
    price = str(item.get("pricePerHour") or "0")
    return Shape(
        name=item["name"],
        resources=read(amounts, pods=int(item.get("pods") or 110)),
        price_per_hour=price,
        spot_price_per_hour=str(item.get("spotPricePerHour") or price),
    )


def queue(body: Body) -> Queue:
    """Return a JobQueue; `invalid` says what is wrong with a spec that cannot be used."""
    common = {
        **_common(body),
        "generation": body["metadata"].get("generation", 1),
        "status": dict(body.get("status") or {}),
    }
    try:
        spec = JobQueueSpec.model_validate(dict(body["spec"]))
    except pydantic.ValidationError as error:
        return Queue(**common, invalid=_problem(error))
    return Queue(
        **common,
        state=str(spec.state),
        priority=spec.priority,
        environments=tuple(spec.compute_environments),
        selector=body["spec"].get("namespaceSelector"),
        max_running=spec.max_running_jobs,
        strategy=str(spec.strategy),
        policy=spec.scheduling_policy or "",
        limits=tuple(TimeLimit(reason=each.reason, max_seconds=each.max_seconds) for each in spec.state_time_limits),
        spot=SpotFirst(**dict(spec.spot)) if spec.spot else None,
        budgets=tuple(Budget(**dict(each)) for each in (spec.budget, *spec.share_budgets) if each),
    )


def policy(body: Body) -> Policy:
    """Return a SchedulingPolicy; `invalid` says what is wrong with a spec that cannot be used."""
    common = {
        **_common(body),
        "generation": body["metadata"].get("generation", 1),
        "status": dict(body.get("status") or {}),
    }
    try:
        spec = SchedulingPolicySpec.model_validate(dict(body["spec"]))
    except pydantic.ValidationError as error:
        return Policy(**common, invalid=_problem(error))
    return Policy(
        **common,
        decay_seconds=spec.share_decay_seconds or DEFAULT_DECAY,
        reservation=spec.compute_reservation,
        shares=tuple((entry.share, entry.weight) for entry in spec.shares),
    )


def definition(body: Body) -> Definition:
    """Return a JobDefinition; `invalid` says what is wrong with a spec that cannot be used."""
    common = {
        **_common(body),
        "namespace": body["metadata"]["namespace"],
        "generation": body["metadata"].get("generation", 1),
        "status": dict(body.get("status") or {}),
    }
    try:
        JobDefinitionSpec.model_validate(dict(body["spec"]))
        return Definition(**common, blueprint=blueprint(body["spec"]), spec=dict(body["spec"]))
    except pydantic.ValidationError as error:
        return Definition(**common, invalid=_problem(error))
    except msgspec.ValidationError as error:
        return Definition(**common, invalid=f"spec: {error}")


def blueprint(spec: Body) -> Blueprint:
    """Return what a definition's spec says of its jobs; msgspec.ValidationError if it is none."""
    read = msgspec.convert(dict(spec), Blueprint)
    if not read.template and read.multi_node is None:
        raise msgspec.ValidationError("template is missing")
    return read


def revision(body: Body) -> Revision | None:
    """Return a ControllerRevision of a definition, None if it is somebody else's or damaged.

    Nobody's schema has checked what it holds: so it must hold what a JobDefinition may.
    """
    meta = body["metadata"]
    labels = meta.get("labels") or {}
    if not _is_kept(meta, labels.get(names.DEFINITION_UID, ""), body.get("revision", 0)):
        return None
    try:
        JobDefinitionSpec.model_validate(dict(body.get("data") or {}))
        spec = blueprint(body.get("data") or {})
    except (pydantic.ValidationError, msgspec.ValidationError):
        return None
    return Revision(
        **_common(body),
        namespace=meta["namespace"],
        definition=(meta.get("annotations") or {}).get(names.DEFINITION, ""),
        definition_uid=labels[names.DEFINITION_UID],
        number=int(body.get("revision", 0)),
        blueprint=spec,
    )


def _is_kept(meta: Body, definition: str, number: int) -> bool:
    """Say whether a ControllerRevision has the name and the owner that ours have."""
    owned = any(
        o.get("uid") == definition and o.get("kind") == "JobDefinition" for o in meta.get("ownerReferences") or ()
    )
    its_name = (meta.get("annotations") or {}).get(names.DEFINITION, "")
    return bool(definition) and owned and meta["name"] == names.revision_name(its_name, definition, number)


def namespace(body: Body) -> Namespace:
    """Return a Namespace."""
    return Namespace(**_common(body), labels=dict(body["metadata"].get("labels") or {}))
