"""Why a job failed that waited for another: `a <- b <- c: c failed because b failed because a exited 3`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchyard.model.phase import Phase
from batchyard.world.outcomes import Outcome

FAILED = "DependencyFailed"
_HEAD, _TAIL = 2, 3  # names of a long chain that are kept at its begin and at its end
_LINE = re.compile(r"([a-z0-9.-]+(?: <- (?:[a-z0-9.-]+|\(\d+ more\)))+): ")
_MORE = re.compile(r"\((\d+) more\)")


@dataclass(frozen=True, slots=True)
class Chain:
    """The jobs on the way, the first to blame first; `more` were left out between head and tail."""

    names: tuple[str, ...]
    root: str
    more: int = 0

    def then(self, name: str) -> Chain:
        """Return the chain with the job that failed in consequence; a long one loses a name of its middle."""
        names = (*self.names, name)
        if len(names) <= _HEAD + _TAIL:
            return Chain(names, self.root)
        return Chain((*names[:_HEAD], *names[-_TAIL:]), self.root, self.more + 1)

    def message(self) -> str:
        """Return the chain and the sentence."""
        names, failed = list(self.names), [f"{name} failed" for name in reversed(self.names[1:])]
        if self.more:
            names.insert(_HEAD, f"({self.more} more)")
            failed.insert(_TAIL, f"({self.more} more)")
        return f"{' <- '.join(names)}: {' because '.join([*failed, self.root])}"


def chain_of(name: str, outcome: Outcome) -> Chain:
    """Return why a job failed: read from its own message if it was in consequence, else from how it ended."""
    found = _LINE.match(outcome.message) if outcome.reason == FAILED else None
    if found is None:
        return Chain((name,), root(name, outcome))
    more = _MORE.search(found[1])
    names = tuple(part for part in found[1].split(" <- ") if not part.startswith("("))
    _, _, blamed = outcome.message.partition(f" because {names[0]} ")
    return Chain(names, f"{names[0]} {blamed}", int(more[1]) if more else 0)


def root(name: str, outcome: Outcome) -> str:
    """Say in a few words how a job ended: it exited 3, was cancelled, or its reason and what it said."""
    if outcome.phase == Phase.Succeeded:
        return f"{name} succeeded, and its failure was waited for"
    if outcome.reason in ("Cancelled", "Terminated"):
        return f"{name} was {outcome.reason.lower()}: {outcome.message[:200]}"
    if outcome.exit_code:
        return f"{name} exited {outcome.exit_code}"
    return f"{name} failed with {outcome.reason or 'no reason'}: {outcome.message[:200]}".rstrip(": ")
