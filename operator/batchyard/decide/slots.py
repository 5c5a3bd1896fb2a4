"""A node as a place for pods, and what one offers: remembered by decisions until anything of it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from batchyard.decide.needs import Needs, selects, tolerates
from batchyard.model.machine import Machine, Shape, Taint
from batchyard.model.resources import NOTHING, Resources
from batchyard.world.store import Store
from batchyard.world.views import Node


@dataclass(slots=True)
class Slot:
    """A node, or a machine on its way to become one; `taken` says that this cycle put work on it."""

    name: str
    free: Resources
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    ready: bool
    shape: Shape | None = None
    taken: bool = False
    until: float = 0.0  # when the last of its jobs is expected to have ended, 0 if there is none
    claims: list[tuple[float, Resources]] = field(default_factory=list)  # room taken in this decision -> its latest end

    def accepts(self, needs: Needs) -> bool:
        """Say whether the pod may and can go here."""
        return needs.requests.fits(self.free) and tolerates(needs, self.taints) is None and selects(needs, self.labels)

    def take(self, needs: Needs) -> None:
        """Count the pod here."""
        self.free = self.free - needs.requests
        self.taken = True


@dataclass(frozen=True, slots=True)
class Offer:
    """What a machine whose node is well has to offer: true for these very views, of which a change makes new ones."""

    machine: Machine
    node: Node
    used: Resources  # by the pods on it
    size: int  # millicores of the whole machine
    slot: Slot
    free: Resources  # of the slot when a decision begins
    until: float  # of the slot likewise


def offered(store: Store, machine: Machine) -> Offer | None:
    """Return what a machine still offers, None if it must be looked at; to look at each costs 5 us a decision."""
    name, offers = machine.name, store.memo.offers
    offer: Offer | None = offers.get(name)
    if offer is None or offer.machine is not machine or offer.used is not store.used.get(name, NOTHING):
        return None
    if offer.node is not store.nodes.get(name) or name in store.retiring or name in store.refusers:
        return None
    if offer.slot.free is not offer.free:  # the last decision put something on it
        offer.slot.free, offer.slot.taken, offer.slot.claims = offer.free, False, []
        offer.slot.until = offer.until
    return offer


def remember(store: Store, machine: Machine, size: int, slot: Slot) -> None:
    """Remember what a machine offers whose node is Ready and in no trouble."""
    offers, name = store.memo.offers, machine.name
    if len(offers) > 2 * len(store.machines):  # most are of machines that are gone
        offers.clear()
    offers[name] = Offer(machine, store.nodes[name], store.used.get(name, NOTHING), size, slot, slot.free, slot.until)
