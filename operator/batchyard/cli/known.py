"""What is on record of definitions: the operator's advice, its word on their images, and how long their pods ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from batchyard.cli.cluster import Body
from batchyard.decide.advice import IMAGES
from batchyard.world import parse
from batchyard.world.sightings import Use, on_record

_RAN = ("Completed", "Error")  # reasons of attempts that came to an end of their own


@dataclass(frozen=True, slots=True)
class Known:
    """The definitions of a namespace by name, and the mean seconds that attempts of each ran, where any has ended."""

    definitions: Mapping[str, Body] = field(default_factory=dict)
    lasts: Mapping[str, float] = field(default_factory=dict)

    def advised(self) -> set[str]:
        """Return the definitions of which the operator has something to say."""
        return {name for name in self.definitions if self.uses(name) or self.images(name)}

    def uses(self, name: str) -> list[Use]:
        """Return the pods that the operator saw of the newest revision, each as the largest of them."""
        body = self.definitions.get(name)
        return list(on_record(parse.definition(body)).values()) if body else []

    def record(self, name: str) -> dict[str, Any]:
        """Return what the operator has written of the newest revision's requests."""
        body = self.definitions.get(name) or {}
        found: dict[str, Any] = (body.get("status") or {}).get("advice") or {}
        return found if found.get("revision") == (body.get("metadata") or {}).get("generation") else {}

    def images(self, name: str) -> str:
        """Return what the operator says of the images of the newest revision; empty if nothing."""
        body = self.definitions.get(name) or {}
        for each in (body.get("status") or {}).get("conditions") or ():
            newest = each.get("observedGeneration") == body["metadata"].get("generation")
            if each.get("type") == IMAGES and each.get("status") == "False" and newest:
                return str(each.get("message") or "")
        return ""


def lasting(jobs: Iterable[Body]) -> dict[str, float]:
    """Return for how many seconds attempts ran in the mean, by definition."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for job in jobs:
        definition = job["spec"].get("definition")
        if definition:
            found[definition["name"]] += _runs(job.get("status") or {})
    return {name: fmean(runs) for name, runs in found.items() if runs}


def _runs(status: Mapping[str, Any]) -> Iterator[float]:
    array = status.get("array") or {}
    for attempt in (*(status.get("attempts") or ()), *(array.get("attempts") or ())):
        start, stop = parse.moment(attempt.get("startedAt")), parse.moment(attempt.get("stoppedAt"))
        if attempt.get("reason") in _RAN and start is not None and stop is not None:
            yield max(stop - start, 0.0)
