"""Entries of spec.instanceTypes whose size or price the provider may know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from batchyard.model.machine import Shape
from batchyard.model.offer import Entry
from batchyard.model.resources import Resources, read


def entries(items: Iterable[Mapping[str, Any]], *, spot: bool) -> tuple[Entry, ...]:
    """Return all entries if any of them leaves something to the provider, else none."""
    found = tuple(map(entry, items))
    return found if any(lacks(each, spot=spot) for each in found) else ()


def lacks(each: Entry, *, spot: bool) -> bool:
    """Say whether the size or a price that matters is not written."""
    return each.resources is None or not each.price_per_hour or (spot and not each.spot_price_per_hour)


def entry(item: Mapping[str, Any]) -> Entry:
    """Return one entry; a price of nothing is none."""
    extended, pods = item.get("extended") or {}, int(item.get("pods") or 110)
    sized = item.get("cpu") is not None
    amounts = {**extended, "cpu": item["cpu"], "memory": item["memory"]} if sized else extended
    given = read(amounts, pods=pods)
    return Entry(
        name=item["name"],
        resources=given if sized else None,
        pods=pods,
        extended=given.extended,
        price_per_hour=_price(item.get("pricePerHour")),
        spot_price_per_hour=_price(item.get("spotPricePerHour")),
    )


def _price(written: str | None) -> str:
    return written if written and Decimal(written) else ""


def made_from(each: Entry) -> Shape:
    """Return what of an entry its nodes are made from: not what the provider says of it, which is not the user's."""
    return Shape(each.name, each.resources or Resources(pods=each.pods, extended=each.extended))
