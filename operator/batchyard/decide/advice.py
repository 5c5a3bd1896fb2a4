"""What stands on a definition of the size of its pods and of its images: RightSized, ImagesReady, status.advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from batchyard.decide.advise import Suggestion, advise, asked_and_most, request
from batchyard.decide.condition import Condition
from batchyard.decide.images import Image, Remark, canonical, remark_on_waits, remarks
from batchyard.model.plan import Report
from batchyard.model.resources import read
from batchyard.world.sightings import Sighting
from batchyard.world.specs import Blueprint
from batchyard.world.views import Definition

SIZED, IMAGES = "RightSized", "ImagesReady"
MOVED = Decimal("0.10")  # part by which a suggestion differs from the one on record, or it is the same
_LONGEST = 2000  # characters of a message
_MONEY = Decimal("0.000001")
Json = dict[str, Any]


def advice(definition: Definition, seen: Sighting, sizes: Mapping[str, int], now: float) -> Report | None:
    """Return what is to be written on a definition, None where the verdict stands there already.

    A verdict is whether and why, for this revision, and the request that is suggested, to a tenth. `sizes` has the
    bytes of images by their whole names.
    """
    if definition.blueprint is None or not is_valid(definition):
        return None
    found = _suggestion(seen)
    record, sized, images = _record(definition, seen, found), _sized(seen, found), _images(definition, seen, sizes)
    changes: Json = {}
    told = [images] if _turned(definition, images) else []
    if _moved(definition.status.get("advice") or {}, record) or _turned(definition, sized):
        changes["advice"] = record
        told.append(sized)
    conditions = _merged(definition, [condition for condition in told if condition is not None], now)
    if not told:
        return None
    # All of it, not the difference alone: a write that still waits is superseded by the next one on the same object.
    status = {**definition.status, **changes, "conditions": conditions}
    return Report("jobdefinitions", definition.namespace, definition.name, definition.uid, status)


def is_valid(definition: Definition) -> bool:
    """Say whether the API server has accepted the newest revision: of others nothing is said."""
    known = _known(definition, "Valid")
    return known.get("status") == "True" and known.get("observedGeneration") == definition.generation


def _turned(definition: Definition, condition: Condition | None) -> bool:
    """Say whether a condition stands there otherwise, or of an older revision."""
    if condition is None:
        return False
    known = _known(definition, condition.type)
    now = ("True" if condition.holds else "False", condition.reason, definition.generation)
    return now != (known.get("status"), known.get("reason"), known.get("observedGeneration"))


def _known(definition: Definition, type_: str) -> Json:
    found: Json = next((c for c in definition.status.get("conditions") or () if c.get("type") == type_), {})
    return found


def _merged(definition: Definition, told: list[Condition], now: float) -> list[Json]:
    known = definition.status.get("conditions") or ()
    types = {condition.type for condition in told}
    kept = [c for c in known if c.get("type") not in types]
    return [*kept, *(condition.written(definition.generation, now, known) for condition in told)]


def _suggestion(seen: Sighting) -> Suggestion | None:
    return advise(list(seen.ended.values()), seen.floor)


def _record(definition: Definition, seen: Sighting, found: Suggestion | None) -> Json:
    """Return status.advice; while too few pods are known it counts them, lest a restart begin anew."""
    uses = list(seen.ended.values())
    if not uses:
        return {}
    asked, most = asked_and_most(uses, seen.floor)
    counted = {"revision": definition.generation, "pods": len(uses), "asked": request(asked), "used": request(most)}
    if found is None:
        return {**counted, "suggested": None, "savesPerHour": None, "savesPerThousandPods": None}
    return {
        **counted,
        "suggested": request(found.better),
        "savesPerHour": _money(found.saves),
        "savesPerThousandPods": _money(_per_thousand(found, seen.lasts)),
    }


def _per_thousand(found: Suggestion, lasts: float | None) -> Decimal | None:
    return None if found.saves is None or lasts is None else found.saves * Decimal(str(lasts)) / Decimal("3.6")


def _money(amount: Decimal | None) -> str | None:
    """Return an amount as the status has it; none where more is to be asked for, or nothing is saved."""
    return f"{amount.quantize(_MONEY):f}" if amount is not None and amount >= _MONEY else None


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Say whether what is on record is of another revision, suggests something else, or counts other few pods."""
    if not new:
        return False
    if old.get("revision") != new["revision"]:
        return True
    if not (old.get("suggested") and new["suggested"]):
        return bool(old.get("pods") != new["pods"])
    if _as_asked(old) is not _as_asked(new):
        return True
    try:
        before, after = (read(record["suggested"]) for record in (old, new))
    except (AttributeError, ValueError):
        return True  # somebody else has written what is no amount
    pairs = ((before.cpu, after.cpu), (before.memory, after.memory))
    return any(abs(one - other) >= MOVED * max(one, 1) for one, other in pairs)


def _as_asked(record: Mapping[str, Any]) -> bool:
    return bool(record["suggested"] == record.get("asked"))


def _sized(seen: Sighting, found: Suggestion | None) -> Condition | None:
    if found is None:
        return None
    if not found.words:
        return Condition(SIZED, True, "AsUsed", f"uses {_both(request(found.most))} at most ({found.pods} pods)")
    starved = max((stay.starved for stay in seen.stays.values()), default=0)
    killed = [f"pods with {starved // 2**20}Mi were killed for want of memory"] if starved else []
    message = (
        f"{'; '.join((*killed, *found.words))} ({found.pods} pods). Ask for {_both(request(found.better))}"
        f"{_saved(found, seen.lasts)}"
    )
    return Condition(SIZED, False, _why(found), message[:_LONGEST])


def _why(found: Suggestion) -> str:
    asked, better = found.asked, found.better
    if not asked.cpu or not asked.memory:
        return "RequestsMissing"
    return "RequestsTooSmall" if better.cpu > asked.cpu or better.memory > asked.memory else "RequestsTooLarge"


def _both(amounts: Mapping[str, str]) -> str:
    return f"cpu {amounts['cpu']}, memory {amounts['memory']}"


def _saved(found: Suggestion, lasts: float | None) -> str:
    hour, thousand = _money(found.saves), _money(_per_thousand(found, lasts))
    if hour is None:
        return ""
    more = f", {_short(thousand)} for 1,000 pods of {lasts:.0f} s" if thousand else ""
    return f": that saves {_short(hour)} an hour of a pod{more}"


def _short(amount: str) -> str:
    return amount.rstrip("0").rstrip(".")


def _images(definition: Definition, seen: Sighting, sizes: Mapping[str, int]) -> Condition | None:
    """Return the verdict on the images; none while there is nothing to say and nothing was said."""
    found = list(_remarks(definition, seen, sizes))
    if found:
        return Condition(IMAGES, False, found[0].reason, "; ".join(remark.words for remark in found)[:_LONGEST])
    return Condition(IMAGES, True, "Ready") if _known(definition, IMAGES) else None


def _remarks(definition: Definition, seen: Sighting, sizes: Mapping[str, int]) -> Iterator[Remark]:
    if definition.blueprint is None:
        return
    for name in images_of(definition.blueprint):
        yield from remarks(Image(name, sizes.get(canonical(name))))
    waits = remark_on_waits(list(seen.stays.values()), _has_claims(definition.blueprint))
    if waits is not None:
        yield waits


def images_of(blueprint: Blueprint) -> list[str]:
    """Return the images of all containers of a definition, each once."""
    groups = blueprint.multi_node.groups if blueprint.multi_node else ()
    specs = [(template or {}).get("spec") or {} for template in (blueprint.template, *(g.template for g in groups))]
    containers = [each for spec in specs for part in ("initContainers", "containers") for each in spec.get(part) or ()]
    return list(dict.fromkeys(each["image"] for each in containers if each.get("image")))


def _has_claims(blueprint: Blueprint) -> bool:
    volumes = (blueprint.template.get("spec") or {}).get("volumes") or ()
    claimed = any(kind in volume for volume in volumes for kind in ("persistentVolumeClaim", "ephemeral", "csi"))
    return claimed or blueprint.checkpoint is not None
