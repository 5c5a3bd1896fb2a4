"""Which namespaces the operator sees: all of them, or some, and then it scales no nodes."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from batchyard.model.kind import KINDS
from batchyard.world.views import Environment, View

_NAMESPACED = frozenset(kind.plural for kind in KINDS if kind.scope == "Namespaced")
_UNSCALED = (
    "this operator sees some namespaces only and scales no nodes; use type: Unmanaged with a nodeSelector, or install "
    "the operator for the whole cluster"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """The namespaces in which the operator has rights; none stands for the whole cluster."""

    namespaces: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """Return the namespaces to list and to watch, each by itself; one empty name is the whole cluster."""
        return self.namespaces or ("",)

    def places_of(self, plural: str) -> tuple[str, ...]:
        """Return the places of one kind of ours; what belongs to the cluster has one."""
        return self.places if plural in _NAMESPACED else ("",)

    def seen(self, view: View) -> View:
        """Return a view as this operator may use it: without rights on nodes no environment of ours has any."""
        if not self.namespaces or not isinstance(view, Environment) or not view.managed:
            return view
        return replace(
            view, managed=False, provider="", shapes=(), entries=(), finalizers=(), invalid=view.invalid or _UNSCALED
        )
