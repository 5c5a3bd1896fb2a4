"""What decide has concluded of jobs, and of which of them it was dropped since decide last asked."""

from __future__ import annotations

from typing import Any


class Memo(dict[str, Any]):
    """Conclusions by job uid; what they rest on has changed when one is dropped, and when all are cleared.

    `roster` is decide's own sum of them; it goes with the last of them, as do the `offers` of machines.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped: dict[str, None] = {}  # in the order in which they were
        self.roster: Any = None
        self.offers: dict[str, Any] = {}  # machine -> what decide found it to offer

    def pop(self, key: str, default: Any = None) -> Any:
        """Drop a conclusion."""
        self.dropped[key] = None
        return super().pop(key, default)

    def clear(self) -> None:
        """Drop all conclusions."""
        super().clear()
        self.dropped.clear()
        if self.roster is not None:
            self.roster.dissolve()
        self.roster = None
        self.offers.clear()
