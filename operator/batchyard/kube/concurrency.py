"""How many writes may be in flight: one more per window of successes, half as many when the server is overloaded."""

from __future__ import annotations


class Concurrency:
    """Additive increase, multiplicative decrease, between 1 and `most`.

    Requests sent before a halving may yet be refused for that same overload: an older `epoch` does not halve again.
    """

    def __init__(self, start: int, most: int) -> None:
        self.limit = min(start, most)
        self.active = 0
        self._most = most
        self._successes = 0
        self.epoch = 0

    def free(self) -> bool:
        """Say whether one more may start."""
        return self.active < self.limit

    def succeeded(self) -> None:
        """Allow one more after as many successes as are allowed at once."""
        self._successes += 1
        if self._successes >= self.limit:
            self._successes = 0
            self.limit = min(self._most, self.limit + 1)

    def overloaded(self, epoch: int) -> None:
        """Allow half as many, unless that was done since the request began, in this epoch."""
        if epoch == self.epoch:
            self.epoch += 1
            self._successes = 0
            self.limit = max(1, self.limit // 2)
