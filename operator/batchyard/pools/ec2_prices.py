"""What EC2's instance types cost: questions to AWS' price list and to the history of spot prices, and their answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_PLACES = Decimal("0.000000001")
_MOST = Decimal(10) ** 6
_LINUX = "Linux/UNIX"


def endpoint(region: str) -> str:
    """Return the region whose price list has the prices of a region: it is kept in a few only."""
    return "cn-northwest-1" if region.startswith("cn-") else "us-east-1"


def products(region: str, name: str) -> dict[str, Any]:
    """Return the GetProducts request for the on-demand price of a type: Linux, not dedicated, nothing installed."""
    attributes = {
        "instanceType": name,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "preInstalledSw": "NA",
        "marketoption": "OnDemand",  # not what a reserved block of capacity costs
    }
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in attributes.items()]
    return {"ServiceCode": "AmazonEC2", "FormatVersion": "aws_v1", "Filters": filters}


def on_demand(answer: Mapping[str, Any]) -> str:
    """Return the price of an hour out of GetProducts' answer, the lowest of several; empty if there is none."""
    found = [price for item in answer.get("PriceList") or () for price in _hours(item)]
    return text(min(found)) if found else ""


def _hours(item: Any) -> Iterator[Decimal]:
    product = json.loads(item) if isinstance(item, str) else item
    for term in (product.get("terms") or {}).get("OnDemand", {}).values():
        for price in term.get("priceDimensions", {}).values():
            found = amount(next(iter(price.get("pricePerUnit", {}).values()), ""))
            if price.get("unit") == "Hrs" and found:
                yield found


def amount(written: str) -> Decimal | None:
    """Return a price, None where it is none that anybody pays."""
    try:
        found = Decimal(written)
    except InvalidOperation:
        return None
    return found if found.is_finite() and 0 < found < _MOST else None


def history(types: Iterable[str], now: float) -> dict[str, Any]:
    """Return the DescribeSpotPriceHistory request for the prices that hold now, of each type in each zone."""
    since = datetime.fromtimestamp(now, UTC)
    return {"InstanceTypes": list(types), "ProductDescriptions": [_LINUX], "StartTime": since}


def latest(entries: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Return the latest price of each type and zone out of DescribeSpotPriceHistory's answer."""
    found: dict[tuple[str, str], str] = {}
    for entry in sorted(entries, key=lambda entry: entry["Timestamp"]):
        if (price := amount(entry["SpotPrice"])) is not None:
            found[entry["InstanceType"], entry["AvailabilityZone"]] = text(price)
    return found


def text(price: Decimal) -> str:
    """Write a price without the zeros at its end."""
    return f"{price.quantize(_PLACES).normalize():f}"
