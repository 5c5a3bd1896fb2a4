"""Amounts of resources as integers: millicores, bytes, pods, devices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

import msgspec

_SUFFIX = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)([numkMGTPE]?|[KMGTPE]i)")
_LARGEST = Decimal(10) ** 30  # no node has so much; with exponents beyond, a number of one line would fill the memory
_DIGITS = 40
_UNCOUNTED = frozenset({"cpu", "memory", "pods", "ephemeral-storage"})


@lru_cache(maxsize=8192)
def parse_quantity(text: str) -> Decimal:
    """Return a Kubernetes quantity as an exact number; ValueError names the text that is none."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a quantity; write for example 500m, 2 or 4Gi")
    number = Decimal(found[1])
    if not number:
        return Decimal(0)
    if abs(number.adjusted()) > _DIGITS:
        return (_LARGEST if number.adjusted() > 0 else _SUFFIX["n"]).copy_sign(number)
    return min(max(number * _SUFFIX[found[2]], -_LARGEST), _LARGEST)


def millicores(text: str | float) -> int:
    """Return a CPU quantity in millicores, rounded up as Kubernetes does."""
    return _ceiling(parse_quantity(str(text)) * 1000)


def whole(text: str | float) -> int:
    """Return a quantity of bytes or devices as an integer, rounded up."""
    return _ceiling(parse_quantity(str(text)))


def _ceiling(number: Decimal) -> int:
    return int(number.to_integral_value(rounding=ROUND_CEILING))


class Resources(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A vector of resources; `extended` is sorted by name and holds no zeros."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0
    extended: tuple[tuple[str, int], ...] = ()

    def __add__(self, other: Resources) -> Resources:
        return self._with(other, 1)

    def __sub__(self, other: Resources) -> Resources:
        return self._with(other, -1)

    def _with(self, other: Resources, sign: int) -> Resources:
        extended = self.extended
        if other.extended:
            amounts = dict(extended)
            for name, amount in other.extended:
                amounts[name] = amounts.get(name, 0) + sign * amount
            extended = _sorted(amounts)
        return Resources(
            cpu=self.cpu + sign * other.cpu,
            memory=self.memory + sign * other.memory,
            pods=self.pods + sign * other.pods,
            extended=extended,
        )

    def fits(self, room: Resources) -> bool:
        """Say whether this much can be taken from `room`."""
        if self.cpu > room.cpu or self.memory > room.memory or self.pods > room.pods:
            return False
        if not self.extended:
            return True
        have = dict(room.extended)
        return all(amount <= have.get(name, 0) for name, amount in self.extended)

    def largest(self, other: Resources) -> Resources:
        """Return the larger of both, resource by resource."""
        mine, others = dict(self.extended), dict(other.extended)
        return Resources(
            cpu=max(self.cpu, other.cpu),
            memory=max(self.memory, other.memory),
            pods=max(self.pods, other.pods),
            extended=_sorted({name: max(mine.get(name, 0), others.get(name, 0)) for name in mine | others}),
        )

    def share_of(self, whole: Resources) -> float:
        """Return the largest part that this is of `whole`, over all resources (dominant share)."""
        pairs = [(self.cpu, whole.cpu), (self.memory, whole.memory), (self.pods, whole.pods)]
        have = dict(whole.extended)
        pairs += [(amount, have.get(name, 0)) for name, amount in self.extended]
        return (
            max((part / total if total else float("inf")) for part, total in pairs if part > 0)
            if any(part > 0 for part, _ in pairs)
            else 0.0
        )

    def shortage(self, room: Resources) -> tuple[str, str]:
        """Return (need, have) in words for the resources that do not fit, empty strings if all do."""
        short = [name for name, amount in self._items() if amount > dict(room._items()).get(name, 0)]
        have = dict(room._items())
        return (
            ", ".join(f"{name} {show(name, amount)}" for name, amount in self._items() if name in short),
            ", ".join(f"{name} {show(name, max(have.get(name, 0), 0))}" for name in short),
        )

    def _items(self) -> list[tuple[str, int]]:
        return [("cpu", self.cpu), ("memory", self.memory), ("pods", self.pods), *self.extended]

    def __str__(self) -> str:
        return ", ".join(f"{name} {show(name, amount)}" for name, amount in self._items() if amount) or "nothing"


def _sorted(amounts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, amount) for name, amount in amounts.items() if amount))


def show(name: str, amount: int) -> str:
    """Write an amount as people write it: `1500m`, `2`, `31431Mi`."""
    if name == "cpu":
        return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
    if name == "memory":
        return f"{amount // 2**20}Mi" if amount >= 2**20 else f"{amount // 1024}Ki"
    return str(amount)


def read(amounts: Mapping[str, str | int | float], *, pods: int | None = None) -> Resources:
    """Return a map of Kubernetes quantities as Resources; `pods` overrides the map's own."""
    return Resources(
        cpu=millicores(amounts.get("cpu", 0)),
        memory=whole(amounts.get("memory", 0)),
        pods=whole(amounts.get("pods", 0)) if pods is None else pods,
        extended=_sorted({name: whole(value) for name, value in amounts.items() if name not in _UNCOUNTED}),
    )


NOTHING = Resources()


def total(parts: Iterable[Resources]) -> Resources:
    """Return the sum of all parts."""
    result = NOTHING
    for part in parts:
        result = result + part
    return result
