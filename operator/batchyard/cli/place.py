"""The flags that say whom to talk to; they may stand before and after the subcommand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A kubeconfig, a context in it and a namespace; None is kubectl's default."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None

    def over(self, other: Place) -> Place:
        """Return this place, with what it leaves open taken from the other one."""
        return Place(
            self.kubeconfig or other.kubeconfig, self.context or other.context, self.namespace or other.namespace
        )
