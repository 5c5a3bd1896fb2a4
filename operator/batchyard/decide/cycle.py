"""The working state of one decision: the snapshot, the time, and the plan under construction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchyard.decide.explain import Outlook
from batchyard.decide.lines import Line, Rank, Row
from batchyard.decide.memory import enlarge
from batchyard.decide.needs import NO_TASTE, Needs, Taste
from batchyard.decide.resolve import Effective
from batchyard.decide.roster import Roster
from batchyard.decide.share import Board
from batchyard.decide.stock import Stock
from batchyard.model.phase import Phase
from batchyard.model.plan import Plan, Verb
from batchyard.model.resources import Resources
from batchyard.world.schedules import Schedule
from batchyard.world.store import Store
from batchyard.world.views import Attempt, Definition, Job

if TYPE_CHECKING:
    from batchyard.decide.budget import Till
    from batchyard.decide.tally import Tally
    from batchyard.world.purse import Fund

FOREVER = float("inf")
DEFECT_SECONDS = 60.0  # before an object that brought out a defect of ours is looked at again


@dataclass(slots=True)
class Standing:
    """Where one job stands after its pods were judged; `until` is when this must be looked at again."""

    job: Job
    phase: Phase
    reason: str = ""
    message: str = ""
    attempts: tuple[Attempt, ...] = ()
    until: float = FOREVER
    since: float = 0.0  # when a live phase began
    effective: Effective | None = None
    asks: tuple[Ask, ...] = ()  # the pods that the job may start now
    outlook: Outlook | None = None  # what the environments said, for a job that found no room
    orders: tuple[Verb, ...] = ()  # what its live pod must be told, until a change of the pod shows that it was
    revision: int | None = None  # of its definition, as its pods have it
    children: Tally | None = None  # of an array: where they stand
    kept: Kept | None = None  # room of a multi-node job whose pods do not exist yet
    multi_node: Mapping[str, Any] | None = None  # how many nodes of it have started and run, for its status
    escalation: Escalation | None = None  # what has opened on-demand environments to a job whose queue tries spot first

    @property
    def alive(self) -> int:
        """Return how many of its queue's running jobs this one is; of an array each child counts."""
        if self.children is not None:
            return self.children.live.bit_count()
        return int(self.phase in (Phase.Starting, Phase.Running))


@dataclass(frozen=True, slots=True)
class Escalation:
    """The rule that let a job use on-demand environments, and the sentence for people."""

    rule: str
    words: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Room that nobody else may have: on these nodes of one environment, so much of each."""

    environment: str
    nodes: tuple[tuple[str, Resources], ...]


@dataclass(frozen=True, slots=True)
class PodSet:
    """Nodes of a multi-node job that are alike: what the pod of each needs and runs."""

    nodes: tuple[int, ...]
    needs: Needs
    template: Mapping[str, Any]


@dataclass(slots=True)
class Ask:
    """Pods of one kind that a job may start now; a plain job asks for one, an array for many that are alike.

    A multi-node job asks for all its pods at once: one ask of count 1 with `sets`; `needs` are those of its main node.
    `served` counts those that this cycle has found room for, `started` those of them whose node is ready.
    """

    standing: Standing
    needs: Needs
    attempt: int
    taste: Taste = NO_TASTE
    count: int = 1
    served: int = 0
    started: int = 0
    passed: bool = False  # its turn in this cycle is over without room for it
    sets: tuple[PodSet, ...] = ()
    indexes: int = 0  # of an array the children that may start, of which the lowest start first
    killed: tuple[Attempt, ...] = ()  # attempts before, among which those are that ran out of memory
    interruptions: int = 0  # of these attempts before, those that a spot interruption ended
    lasts: float = FOREVER  # seconds from the start of one to its end at the latest
    booked: int = 0  # of these the ones that have what they use up: one of them is next
    line: Line | None = None  # where it stands
    rank: Rank | None = None  # its place there
    touched: bool = False  # its turn came in this decision

    @property
    def template(self) -> Mapping[str, Any]:
        """Return what runs."""
        effective = self.standing.effective
        assert effective is not None
        return enlarge(effective.template, effective.retry.on_out_of_memory, self.killed)

    @property
    def kind(self) -> Hashable:
        """Return what asks that are served alike have in common."""
        return tuple((len(pods.nodes), pods.needs) for pods in self.sets) if self.sets else self.needs

    @property
    def size(self) -> int:
        """Return the number of pods that one of `count` is: the nodes of a multi-node job, else one."""
        return sum(len(pods.nodes) for pods in self.sets) or 1

    @property
    def cpu(self) -> int:
        """Return the millicores that one of `count` takes."""
        if not self.sets:
            return self.needs.requests.cpu
        return sum(len(pods.nodes) * pods.needs.requests.cpu for pods in self.sets)

    @property
    def job(self) -> Job:
        """Return the job that asks."""
        return self.standing.job

    @property
    def waits(self) -> bool:
        """Say whether a pod of it has not started."""
        return self.started < self.count


def wait(standing: Standing, why: Outlook) -> None:
    """Tell a job why it waits."""
    standing.reason, standing.message, standing.outlook = why.reason, why.message, why


def tell(standing: Standing) -> None:
    """Tell a job whose turn did not come what the one before it in its line was told."""
    for ask in () if standing.phase.final else standing.asks:
        if not ask.touched and ask.line is not None and ask.line.outlook is not None:
            wait(standing, ask.line.outlook)


@dataclass(frozen=True, slots=True)
class Position:
    """A waiting job's place in its queue, from 1, and the millicores that those before it ask for."""

    number: int
    ahead: int


@dataclass(slots=True)
class Cycle:
    """One call of decide; nothing of it outlives the call but the plan and the store's memo."""

    store: Store
    now: float
    plan: Plan = field(default_factory=Plan)
    rows: list[Row] = field(default_factory=list)  # how far this decision has come with each line
    shift: Counter[tuple[str, Phase]] = field(
        default_factory=Counter
    )  # queue and phase -> jobs that this decision moved
    positions: dict[str, Position] = field(default_factory=dict)  # uid -> place at the front of its queue
    boards: dict[str, Board] = field(default_factory=dict)  # queue with a SchedulingPolicy -> its shares
    running: Counter[str] = field(default_factory=Counter)  # queue -> its pods that live or have room
    tills: dict[Fund, Till] = field(default_factory=dict)  # the money of each budget
    stock: Stock = field(default_factory=Stock)  # of consumable resources
    heads: set[str] = field(default_factory=set)  # uids of jobs that wait first in line under a limit of their queue
    claimed: set[str] = field(default_factory=set)  # machines that have work or are about to
    unrecorded: frozenset[str] | None = None  # nodes with ended attempts not yet on record; found when first asked
    ignored: dict[str, float] | None = None  # nodes with pods that no kubelet has seen -> since when; as above
    surplus: list[Job] = field(default_factory=list)  # finished jobs beyond the history limits of their schedules

    @property
    def roster(self) -> Roster:
        """Return the sum of all standings."""
        if self.store.memo.roster is None:
            self.store.memo.roster = Roster()
        roster: Roster = self.store.memo.roster
        return roster

    def look(self, uid: str, when: float) -> None:
        """Have a job looked at again at `when` at the latest."""
        self.plan.wake_at(when)
        self.roster.look(uid, when)

    def do(self, *verbs: Verb) -> None:
        """Add verbs to the plan."""
        self.plan.verbs.extend(verbs)

    def defect(self, whose: Job | Definition | Schedule, error: Exception) -> str:
        """Note that an object could not be dealt with; return what failed where, without a word of its own."""
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else "nowhere"
        self.plan.defects.append((f"{whose.namespace}/{whose.name}", f"{type(error).__name__} at {place}"))
        return self.plan.defects[-1][1]
