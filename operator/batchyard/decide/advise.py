"""Advice on a definition: what its pods asked for and what they used, a better request, and what that would save.

Pure: samples in, sentences and amounts out. Amounts are millicores and bytes, as in `Resources`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from batchyard.decide.price import hourly, part
from batchyard.model.resources import NOTHING, Resources, show
from batchyard.world.sightings import Use

FEWEST = 3  # pods whose use must be known before anything is suggested
HEADROOM = {"cpu": Decimal("1.15"), "memory": Decimal("1.25")}  # above the most that was seen: memory kills, CPU slows
STEP = {"cpu": 50, "memory": 64 * 2**20}  # suggestions are multiples of these, one at least
WORTH = Decimal("0.20")  # part by which a suggestion differs from what is asked for, or it is not made


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to ask for instead; `saves` is money an hour of one pod, None where the nodes have no price."""

    asked: Resources
    most: Resources
    better: Resources
    pods: int
    saves: Decimal | None
    words: tuple[str, ...]


def asked_and_most(uses: Sequence[Use], floor: Resources = NOTHING) -> tuple[Resources, Resources]:
    """Return what pods of one definition ask for, and the most that they used, no less than `floor`.

    Of pods that asked for different amounts (after an out-of-memory kill) the smallest request counts: it is the
    template's.
    """
    asked = min((use.asked for use in uses), key=lambda each: (each.memory, each.cpu))
    most = Resources(cpu=max(use.used.cpu for use in uses), memory=max(use.used.memory for use in uses))
    return asked, most.largest(floor)


def advise(uses: Sequence[Use], floor: Resources = NOTHING) -> Suggestion | None:
    """Return a better request for pods of one definition, None where too few are known.

    Without a difference worth the change `better` is what is asked for.
    """
    if len(uses) < FEWEST:
        return None
    asked, most = asked_and_most(uses, floor)
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
