"""What an environment's provider offers, put together with its spec: the shapes that all decisions rest on.

A size or a price in the spec is preferred to the provider's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from batchyard.model.machine import Shape
from batchyard.model.offer import Entry, Inquiry, Offer, Problem, moved
from batchyard.model.resources import NOTHING, Resources, read, show
from batchyard.world.money import read_amount
from batchyard.world.parse import rfc3339, seconds
from batchyard.world.reserve import reserve
from batchyard.world.views import Environment

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Offers:
    """What is known of one environment's instance types, by name; `uid` is the environment's."""

    uid: str
    of: Mapping[str, Offer]
    problems: tuple[Problem, ...] = ()


def inquiry(view: Environment) -> Inquiry | None:
    """Return what an environment's provider is to be asked, None where the spec says it all."""
    spot = view.entries if view.capacity_type == "Spot" else ()
    asked = Inquiry(
        view.settings,
        sizes=tuple(each.name for each in view.entries if each.resources is None),
        prices=tuple(each.name for each in view.entries if not each.price_per_hour),
        spot_prices=tuple(each.name for each in spot if not each.spot_price_per_hour),
    )
    return asked if asked.names else None


def resolved(view: Environment, of: Mapping[str, Offer], problems: Iterable[Problem] = ()) -> Environment:
    """Return an environment with the shapes that its spec and the offers come to; without any it is invalid."""
    shapes = tuple(found for each in view.entries if (found := shape_of(each, of.get(each.name))) is not None)
    return msgspec.structs.replace(view, shapes=shapes, invalid="" if shapes else _unsized(view, problems))


def _unsized(view: Environment, problems: Iterable[Problem]) -> str:
    said = "; ".join(problem.message for problem in problems)
    names = ", ".join(each.name for each in view.entries[:5])
    return (
        f"spec.instanceTypes: the size of {names} is not known{f': {said}' if said else ' yet; it is being looked up'}"
    )


def shape_of(given: Entry, offer: Offer | None) -> Shape | None:
    """Return the shape of an entry, None as long as nobody knows its size."""
    offer = offer or Offer(given.name)
    whole = given.resources if given.resources is not None else _whole(given, offer)
    if whole is None:
        return None
    full = given.price_per_hour or offer.price_per_hour
    spot = given.spot_price_per_hour or offer.spot_price_per_hour or full
    return Shape(
        name=given.name,
        resources=whole,
        price_per_hour=full or "0",
        spot_price_per_hour=spot or "0",
        reserve=NOTHING if given.resources is not None else reserve(_made_for(given, whole, offer)),
        architecture=offer.architecture,
        asked=_asked(given, offer),
    )


def _whole(given: Entry, offer: Offer) -> Resources | None:
    found = offer.resources
    if found is None:
        return None
    return Resources(cpu=found.cpu, memory=found.memory, pods=given.pods, extended=given.extended or found.extended)


def _made_for(given: Entry, whole: Resources, offer: Offer) -> Resources:
    theirs = offer.resources.pods if offer.resources is not None else 0
    return msgspec.structs.replace(whole, pods=min(given.pods, theirs or given.pods))


def _asked(given: Entry, offer: Offer) -> frozenset[str]:
    """Return for which capacity types the price is the provider's."""
    full = bool(not given.price_per_hour and offer.price_per_hour)
    spot = not given.spot_price_per_hour and (offer.spot_price_per_hour or full)
    return frozenset(name for name, its in (("OnDemand", full), ("Spot", spot)) if its)


def renewed(before: Mapping[str, Offer], read_now: Iterable[Offer], now: float) -> dict[str, Offer]:
    """Return the offers that hold from now on, of the names in `read_now`.

    They stay as they were until something notable changes or a day has passed, and so does what was not read this time.
    """
    return {each.name: _renewed(before.get(each.name, Offer(each.name)), each, now) for each in read_now}


def _renewed(before: Offer, read_now: Offer, now: float) -> Offer:
    new = Offer(
        before.name,
        read_now.resources if read_now.resources is not None else before.resources,
        read_now.architecture or before.architecture,
        read_now.price_per_hour or before.price_per_hour,
        read_now.spot_price_per_hour or before.spot_price_per_hour,
        now,
    )
    fresh = read_now != Offer(before.name, read_at=read_now.read_at)
    return new if _differs(before, new) or (fresh and now >= before.read_at + DAY) else before


def _differs(old: Offer, new: Offer) -> bool:
    if (old.resources, old.architecture) != (new.resources, new.architecture):
        return True
    return moved(old.price_per_hour, new.price_per_hour) or moved(old.spot_price_per_hour, new.spot_price_per_hour)


def written(of: Mapping[str, Offer]) -> list[dict[str, Any]]:
    """Return offers as status.offers holds them: those that say anything."""
    return [_written(offer) for offer in of.values() if offer.read_at]


def _written(offer: Offer) -> dict[str, Any]:
    size = offer.resources
    told = {
        "instanceType": offer.name,
        "cpu": show("cpu", size.cpu) if size else None,
        "memory": show("memory", size.memory) if size else None,
        "pods": size.pods if size else None,
        "extended": {name: str(amount) for name, amount in size.extended} if size and size.extended else None,
        "architecture": offer.architecture or None,
        "pricePerHour": offer.price_per_hour or None,
        "spotPricePerHour": offer.spot_price_per_hour or None,
        "readAt": rfc3339(int(offer.read_at)),
    }
    return {name: value for name, value in told.items() if value is not None}


def read_offers(status: Mapping[str, Any]) -> dict[str, Offer]:
    """Return the offers of a status; what somebody else has written there and cannot be read is none."""
    found = (_read(item) for item in status.get("offers") or ())
    return {offer.name: offer for offer in found if offer is not None}


def _price(written: str | None) -> str:
    return written if written and read_amount(written) else ""


def _read(item: Mapping[str, Any]) -> Offer | None:
    try:
        amounts = {**(item.get("extended") or {}), "cpu": item.get("cpu", 0), "memory": item.get("memory", 0)}
        size = read(amounts, pods=int(item.get("pods") or 0))
        return Offer(
            name=item["instanceType"],
            resources=size if size.cpu > 0 and size.memory > 0 else None,
            architecture=item.get("architecture") or "",
            price_per_hour=_price(item.get("pricePerHour")),
            spot_price_per_hour=_price(item.get("spotPricePerHour")),
            read_at=seconds(item["readAt"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
