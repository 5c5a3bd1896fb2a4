"""What a Prometheus answers to a query."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

Points = list[tuple[float, float]]  # unix seconds, value; what is not a number is left out


@dataclass(frozen=True, slots=True)
class Series:
    """One line of an answer."""

    labels: dict[str, str]
    points: Points


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Where to ask."""

    url: str

    def over(self, query: str, span: tuple[float, float], step: float) -> list[Series]:
        """Return a query's series over a time (unix seconds); RuntimeError says what is wrong with it."""
        begin, end = span
        found = self.get("query_range", query=query, start=str(begin), end=str(end), step=str(step))["result"]
        return [Series(one["metric"], _numbers(one["values"])) for one in found]

    def at(self, query: str, moment: float) -> list[Series]:
        """Return a query's values at one time."""
        found = self.get("query", query=query, time=str(moment))["result"]
        return [Series(one["metric"], _numbers([one["value"]])) for one in found]

    def get(self, what: str, **parameters: str) -> Any:
        """Return the data of an answer of its HTTP API."""
        address = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 our own Prometheus
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{parameters}: {error.read().decode(errors='replace')}") from error


def _numbers(values: list[tuple[float, str]]) -> Points:
    return [(at, float(text)) for at, text in values if math.isfinite(float(text))]
