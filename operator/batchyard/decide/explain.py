"""Why a job waits: a verdict per environment with numbers, and one sentence with the fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchyard.decide.needs import Needs, selects, tolerates
from batchyard.decide.room import Pool, capacity, shape_labels
from batchyard.model.machine import Shape, Taint
from batchyard.model.resources import Resources
from batchyard.world.store import Store
from batchyard.world.views import Node

# Most hopeful first: the first that any environment says becomes the job's reason.
_RANK = (
    "NodesStarting", "AtMaxVCpus", "NodesBusy", "BehindOthers", "InsufficientCapacity", "SpotFirst",
    "BudgetExceeded",
    "EnvironmentDisabled", "EnvironmentInvalid", "EnvironmentDeleting", "PriceTooHigh", "NoMatchingNode", "JobTooLarge",
    "CapacityTypeMismatch", "EnvironmentNotFound",
)  # fmt: skip
_WAITS = frozenset({"AtMaxVCpus", "NodesBusy"})  # room will come when something ends; the place in line is held
_HOPELESS = frozenset(
    {
        *("NoMatchingNode", "JobTooLarge", "CapacityTypeMismatch", "EnvironmentNotFound"),
        *("ConsumableNotFound", "ConsumableTooLarge", "ConsumableUsedUp"),
    }
)
TOKENS = frozenset({*_RANK, *_HOPELESS, "NoEnvironments", "MaxRunningJobs", "QueueHeld", "ShareReservation",
                    "ConsumableUnavailable", "ConsumableBooking"})  # fmt: skip  # all that those in line can be told


_NEVER = frozenset({*_RANK[_RANK.index("EnvironmentDisabled") :]})  # unless a user changes something


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one environment says to a job: a stable token, what the job needs, what there is."""

    environment: str
    verdict: str
    need: str = ""
    have: str = ""
    words: str = ""  # the whole sentence, where the verdict's own would not do

    @property
    def waits(self) -> bool:
        """Say whether the job fits in principle and room will come."""
        return self.verdict in _WAITS

    @property
    def never(self) -> bool:
        """Say whether no waiting cures it."""
        return self.verdict in _NEVER

    def status(self) -> dict[str, str]:
        """Return the entry of status.waiting.environments."""
        entry = {"name": self.environment, "verdict": self.verdict, "need": self.need, "have": self.have}
        return {name: text for name, text in entry.items() if text}

    def sentence(self) -> str:
        """Return the verdict for people."""
        return self.words or _SENTENCES[self.verdict].format(name=self.environment, need=self.need, have=self.have)


_SENTENCES = {
    "NodesStarting": "node {have} of {name!r} is starting",
    "AtMaxVCpus": "{name!r} is at its maxVCpus: needs {need}, has {have}",
    "NodesBusy": "the nodes of {name!r} are busy: needs {need}, the emptiest has {have} free",
    "BehindOthers": "{name!r} is full and {have}",
    "InsufficientCapacity": "{name!r} could not get {need}: {have}",
    "PriceTooHigh": "{name!r} launches no {need}: {have}",
    "SpotFirst": "{name!r} is on-demand, which is for later: {have}",
    "BudgetExceeded": "{name!r} is on-demand, and {have}",
    "EnvironmentDisabled": "{name!r} is disabled (spec.state)",
    "EnvironmentInvalid": "{name!r} is invalid: {have}",
    "EnvironmentDeleting": "{name!r} is being deleted",
    "NoMatchingNode": "no node of {name!r} can take it: {need}",
    "JobTooLarge": "needs {need}; the largest node of {name!r} offers {have}",
    "CapacityTypeMismatch": "{name!r} is {have}, the job wants {need}",
    "EnvironmentNotFound": "ComputeEnvironment {name!r} does not exist",
}


Offer = tuple[Resources, Mapping[str, str], tuple[Taint, ...], Shape | None]


def too_large(store: Store, pool: Pool, needs: Needs) -> Verdict | None:
    """Say why no node of the environment could ever take the pod, None if one could."""
    name, environment = pool.environment.name, pool.environment
    if environment.managed:
        offers: list[Offer] = [(capacity(store, environment, s), shape_labels(environment, s), environment.taints, s)
                  for s in environment.shapes if s.resources.cpu <= pool.limit]  # fmt: skip
        offers += [(slot.free, slot.labels, slot.taints, slot.shape) for slot in pool.slots]
    else:
        offers = [(node.allocatable, node.labels, node.taints, None) for node in _nodes(store, pool)]
    fitting = [offer for offer in offers if needs.requests.fits(offer[0])]
    if not fitting:
        return _larger_than(name, needs, [offer[0] for offer in offers], environment.shapes)
    keeps = [(tolerates(needs, taints), selects(needs, labels)) for _, labels, taints, _ in fitting]
    if any(taint is None and selected for taint, selected in keeps):
        return None
    taint = next((taint for taint, _ in keeps if taint is not None), None)
    if taint is not None:
        return Verdict(
            name, "NoMatchingNode", f"the template tolerates no taint {taint.key}={taint.value}:{taint.effect}"
        )
    wanted = ", ".join(f"{label}={value}" for label, value in needs.selector) or "the node affinity"
    return Verdict(name, "NoMatchingNode", f"nodes with {wanted}")


def _nodes(store: Store, pool: Pool) -> list[Node]:
    names = {slot.name for slot in pool.slots}
    return [store.nodes[name] for name in sorted(names)]


def _larger_than(name: str, needs: Needs, offers: Sequence[Resources], shapes: Sequence[Shape]) -> Verdict:
    if not offers:
        what = "none within its maxVCpus" if shapes else "no node"
        return Verdict(name, "JobTooLarge", str(needs.requests), what)
    # The offer that lacks least tells the user most.
    closest = min(offers, key=lambda offer: needs.requests.share_of(offer))
    need, have = needs.requests.shortage(closest)
    return Verdict(name, "JobTooLarge", need, have)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What all environments of a queue say to jobs of one kind, and the sum of it; shared by those jobs."""

    reason: str
    message: str
    verdicts: tuple[Verdict, ...] = ()

    @property
    def hopeless(self) -> bool:
        """Say whether no waiting cures it: the user must change the job or an environment."""
        return self.reason in _HOPELESS


def outlook(verdicts: Sequence[Verdict]) -> Outlook:
    """Return the reason and the sentence that the verdicts of all environments come to."""
    if not verdicts:
        return Outlook("NoEnvironments", "the queue names no compute environment (spec.computeEnvironments)", ())
    first = min(verdicts, key=lambda verdict: _RANK.index(verdict.verdict))
    return Outlook(first.verdict, "; ".join(verdict.sentence() for verdict in verdicts), tuple(verdicts))
