"""What Cluster API says against a machine that is to come, and which of it means that there is no capacity."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from batchyard.pools.objects import Body, condition

# There is no common word for it: these are what the clouds of the providers for AWS, Azure, Google, OpenStack, vSphere
# and others say, as those providers quote it in the condition of their machine.
_STOCK_OUT = re.compile(
    r"insufficient\w*capacity|insufficient (\S+ )?(capacity|resources)|not enough (\S+ )?(capacity|resources|hosts)"
    r"|out of (capacity|stock)|stockout|no valid host|resource_pool_exhausted|unfulfillablecapacity"
    r"|skunotavailable|allocationfailed|overconstrained\w*allocation|quota"
    r"|(instance|vcpu|host)limitexceeded|maxspotinstancecountexceeded|spotmaxpricetoolow",
    re.IGNORECASE,
)
_OF_MACHINE = ("InfrastructureReady", "BootstrapReady")
_OF_SET = ("MachinesCreated",)


def is_stock_out(text: str) -> bool:
    """Say whether a complaint is that the cloud has no such machine now, or will let nobody have one more."""
    return _STOCK_OUT.search(text) is not None


def is_lost(its: Body) -> str:
    """Say why a Machine will never do again, empty if it may: its provider has given it up."""
    old = _old(its)
    told = old.get("failureMessage") or old.get("failureReason")
    if told:
        return " ".join(str(told).split())
    ready = condition(its, "InfrastructureReady")
    return str(ready.get("message", "")) if (ready["status"], ready.get("reason")) == ("False", "Deleted") else ""


def complaint(found: Body, its: Body | None) -> str:
    """Say what stands against a machine without a node, empty if nothing.

    Cluster API has progress and failure in the same conditions. A failure is what a provider marks with severity Error
    (deprecated, and yet the only mark that there is), what speaks of capacity, and what keeps a MachineSet from making
    its Machine. All else is progress, on which nodeStartTimeoutSeconds waits.
    """
    said = _of_machine(its) if its is not None else _of_set(found)
    return next((" ".join(words.split()) for words in said if words), "")


def _of_machine(its: Body) -> Iterator[str]:
    yield is_lost(its)
    yield from _errors(its, _OF_MACHINE)
    ready = condition(its, "InfrastructureReady")
    words = f"{ready.get('reason', '')}: {ready.get('message', '')}"
    if ready["status"] == "False" and is_stock_out(words):
        yield words


def _of_set(found: Body) -> Iterator[str]:
    paused, scaling = condition(found, "Paused"), condition(found, "ScalingUp")
    if paused["status"] == "True":
        yield f"Paused: {paused.get('message', '')}"
    if "is blocked because" in (scaling.get("message") or ""):
        yield str(scaling["message"])
    yield from _errors(found, _OF_SET)


def _errors(body: Body, kinds: tuple[str, ...]) -> Iterator[str]:
    for each in _old(body).get("conditions") or ():
        if each["type"] in kinds and each["status"] == "False" and each.get("severity") == "Error":
            yield f"{each.get('reason', '')}: {each.get('message', '')}"


def _old(body: Body) -> Mapping[str, Any]:
    """Return what is left of the status of v1beta1."""
    old: Mapping[str, Any] = ((body.get("status") or {}).get("deprecated") or {}).get("v1beta1") or {}
    return old
