"""The machines of all providers by name, and those of each environment in order."""

from __future__ import annotations

from collections.abc import Container

from batchyard.model.machine import Machine


class Machines(dict[str, Machine]):
    """A table that remembers each environment's machines in order until one comes, changes or goes."""

    def __init__(self) -> None:
        super().__init__()
        self._of: dict[str, list[Machine]] | None = None

    def __setitem__(self, name: str, machine: Machine) -> None:
        self._of = None
        super().__setitem__(name, machine)

    def __delitem__(self, name: str) -> None:
        self._of = None
        super().__delitem__(name)

    def pop(self, name: str, default: Machine | None = None) -> Machine | None:  # type: ignore[override]
        """Take out a machine that may not be there."""
        self._of = None
        return super().pop(name, default)

    def of(self, environment: str) -> list[Machine]:
        """Return an environment's machines by name; the list is not to be changed."""
        if self._of is None:
            self._of = {}
            for _, machine in sorted(self.items()):
                self._of.setdefault(machine.environment, []).append(machine)
        return self._of.get(environment, [])

    def without(self, environments: Container[str]) -> list[Machine]:
        """Return the machines whose environment is none of these, by name."""
        self.of("")
        strays = [m for name, found in (self._of or {}).items() if name not in environments for m in found]
        return sorted(strays, key=lambda machine: machine.name)
