"""Advice on a definition: what its pods asked for and what they used, a better request, and what that would save.

Pure: samples in, sentences and amounts out. Amounts are millicores and bytes, as in `Resources`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from batchyard.decide.price import hourly, part
from batchyard.model.machine import Shape
from batchyard.model.resources import Resources, show

FEWEST = 3  # pods whose use must be known before anything is suggested
HEADROOM = {"cpu": Decimal("1.15"), "memory": Decimal("1.25")}  # above the most that was seen: memory kills, CPU slows
STEP = {"cpu": 50, "memory": 64 * 2**20}  # suggestions are multiples of these, one at least
WORTH = Decimal("0.20")  # part by which a suggestion differs from what is asked for, or it is not made
LARGE_IMAGE = 2**30  # bytes
SLOW_PULL = Decimal("0.10")  # part of the time that a pod lasts


@dataclass(frozen=True, slots=True)
class Use:
    """What one pod asked for, the most that was seen of it in use, and the node that it had, if that has a price."""

    asked: Resources
    used: Resources
    shape: Shape | None = None
    capacity_type: str = "OnDemand"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to ask for instead; `saves` is money an hour of one pod, None where the nodes have no price."""

    asked: Resources
    most: Resources
    better: Resources
    pods: int
    saves: Decimal | None
    words: tuple[str, ...]


def advise(uses: Sequence[Use]) -> Suggestion | None:
    """Return a better request for pods of one definition, None where too few are known.

    Of pods that asked for different amounts (after an out-of-memory kill) the smallest request counts: it is the
    template's. Without a difference worth the change `better` is what is asked for.
    """
    if len(uses) < FEWEST:
        return None
    asked = min((use.asked for use in uses), key=lambda each: (each.memory, each.cpu))
    most = Resources(cpu=max(use.used.cpu for use in uses), memory=max(use.used.memory for use in uses))
    better = Resources(
        cpu=_better("cpu", asked.cpu, most.cpu),
        memory=_better("memory", asked.memory, most.memory),
        pods=asked.pods,
        extended=asked.extended,
    )
    words = tuple(filter(None, (_say("cpu", asked, most, better), _say("memory", asked, most, better))))
    return Suggestion(asked, most, better, len(uses), _saves(uses, asked, better), words)


def _better(name: str, asked: int, most: int) -> int:
    """Return the most that was seen with headroom, rounded up; what is asked for where that is near enough."""
    step = STEP[name]
    wanted = max(-(-int(most * HEADROOM[name]) // step), 1) * step
    if not asked:
        return wanted
    return wanted if abs(wanted - asked) >= asked * WORTH else asked


def _say(name: str, asked: Resources, most: Resources, better: Resources) -> str:
    before, after, seen = getattr(asked, name), getattr(better, name), getattr(most, name)
    if before == after:
        return ""
    if not before:
        return f"asks for no {name}, so that nobody keeps room for it: it used up to {_written(name, seen)}"
    if after > before:
        harm = "may be killed for want of it" if name == "memory" else "takes what others have asked for, or is slow"
        return f"uses up to {_written(name, seen)} of the {_written(name, before)} {name} asked for: it {harm}"
    return f"asks for {_written(name, before)} {name} and uses {_written(name, seen)} at most"


def _written(name: str, value: int) -> str:
    if name == "memory":
        return f"{-(-value // 2**20)}Mi"
    return show(name, value)


def request(resources: Resources) -> dict[str, str]:
    """Return CPU and memory as a template has them."""
    return {"cpu": _written("cpu", resources.cpu), "memory": _written("memory", resources.memory)}


def _saves(uses: Iterable[Use], asked: Resources, better: Resources) -> Decimal | None:
    """Return the mean over the pods' nodes; negative where more is to be asked for."""
    saved = [
        hourly(use.shape, use.capacity_type) * (part(use.shape, asked) - min(part(use.shape, better), Decimal(1)))
        for use in uses
        if use.shape is not None
    ]
    return sum(saved, Decimal(0)) / len(saved) if saved else None


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a definition: its bytes on a node, the seconds that its pulls took, and how long pods run."""

    name: str
    size: int | None = None
    pulls: tuple[float, ...] = ()
    lasts: float | None = None


def advise_image(image: Image) -> list[str]:
    """Return what could be better about an image."""
    found = []
    if unpinned(image.name):
        found.append(
            f"image {image.name} names no version: a retry may run other code than the first attempt; "
            "write a tag that never moves, or a digest (@sha256:...)"
        )
    if image.size is not None and image.size >= LARGE_IMAGE:
        found.append(f"image {image.name} has {image.size / 2**30:.1f} GiB, which every new node has to pull first")
    slowest = max(image.pulls, default=0.0)
    if image.lasts and Decimal(str(slowest)) >= SLOW_PULL * Decimal(str(image.lasts)):
        found.append(
            f"image {image.name} took {slowest:.0f} s to pull, and a pod runs for {image.lasts:.0f} s: put it into "
            "the nodes' own image, or let one pod do more"
        )
    return found


def unpinned(image: str) -> bool:
    """Say whether an image's name may mean another image tomorrow: without a tag or digest, or with the tag latest."""
    if "@sha256:" in image:
        return False
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    return tag in ("", "latest")


_SPAN = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def pulled(message: str) -> tuple[str, float, int | None] | None:
    """Read a kubelet's event Pulled: image, seconds, bytes if it tells; None where nothing was pulled."""
    found = re.match(r'Successfully pulled image "([^"]+)" in ([0-9a-zµ.]+)', message)
    if found is None:
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(found[2]))
    size = re.search(r"Image size: ([0-9]+) bytes", message)
    return found[1], seconds, int(size[1]) if size else None
