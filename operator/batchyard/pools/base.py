"""The protocol that every provider of machines speaks: four verbs; and a fifth for those who know what they sell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from batchyard.model.machine import LaunchOrder, Machine, MachineState, Shape, Taint
from batchyard.model.offer import Inquiry, Offer, Problem, Quotation

__all__ = [
    "Catalogue",
    "Inquiry",
    "LaunchOrder",
    "Machine",
    "MachineState",
    "Offer",
    "Problem",
    "Provider",
    "ProviderError",
    "Quotation",
    "Shape",
    "Taint",
]


class ProviderError(Exception):
    """The provider said no; the message is a sentence for the environment's status."""

    def __init__(self, message: str, *, reason: str = "LaunchFailed") -> None:
        super().__init__(message)
        self.reason = reason


class Provider(Protocol):
    """One kind of pool; every verb may be repeated without harm and raises ProviderError or times out."""

    async def observe(self) -> Sequence[Machine]:
        """Return every machine of this provider in this cluster; what vanished is absent."""

    async def launch(self, order: LaunchOrder) -> None:
        """Make the machine `order.name`; done already means done."""

    async def retire(self, name: str) -> None:
        """Remove a machine; on return it is gone for certain, and nothing on it can still run."""

    async def interrupt(self, name: str, notice_seconds: float) -> None:
        """Reclaim a machine as a spot market does: notice now, gone after `notice_seconds`."""


@runtime_checkable
class Catalogue(Protocol):
    """A provider that knows the sizes and prices of its machines; optional."""

    async def offers(self, inquiry: Inquiry) -> Quotation:
        """Return what is known now of all that is asked for; what is fresh enough is not read again."""
