"""What an environment's nodes cost and who had it: useful, wasted, running and idle money, by the pods' own times.

docs/adr/0037-cost.md defines the sums. Amounts are of the currency of the prices, to twelve places;
times are unix seconds.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf
from typing import Any

from batchyard.model.machine import Machine, Shape
from batchyard.world.money import NOTHING, read_amount, worth
from batchyard.world.parse import seconds
from batchyard.world.tab import END, START, Gang, Spell, Tab
from batchyard.world.views import Pod

REMEMBERED = 600.0  # seconds for which nodes that are gone and pods that have ended are known again
AMOUNTS = ("useful", "wasted", "running", "idle")


@dataclass(slots=True)
class Bill:
    """One environment: all is counted until `at`; nodes = useful + wasted + running + idle, to the last place."""

    uid: str
    since: float
    at: float
    began: float  # when this operator took over
    nodes: Decimal = NOTHING
    useful: Decimal = NOTHING
    wasted: Decimal = NOTHING
    running: Decimal = NOTHING  # of pods of which nobody knows yet what they were good for
    tabs: dict[str, Tab] = field(default_factory=dict)
    spells: dict[str, Spell] = field(default_factory=dict)  # by uid of the pod, until its end and outcome are counted
    on: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # node -> their uids
    live: int = 0  # of them those that have not ended
    closed: dict[str, float] = field(default_factory=dict)  # uids of pods that have lately ended
    gangs: dict[Gang, set[str]] = field(default_factory=dict)  # attempts of several pods
    outcomes: dict[Gang, bool] = field(default_factory=dict)  # of these the ones whose main pod has ended
    former: dict[str, float] = field(default_factory=dict)  # nodes that lately went -> when
    unclaimed: Decimal = NOTHING  # of `running`: of pods that ran when another operator wrote, until they are known
    known: list[Machine] | None = None  # the machines as they were last looked at
    shapes: tuple[Shape, ...] = ()  # whose prices the tabs have
    base: dict[str, Decimal] = field(default_factory=dict)  # the amounts when this operator took over
    stirred: bool = False  # something has ended since all was counted

    @classmethod
    def begin(cls, uid: str, told: Mapping[str, Any], now: float) -> Bill:
        """Go on where a status left off, or begin now."""
        at = min(seconds(told["updatedAt"]) if told.get("updatedAt") else now, now)
        bill = cls(uid, seconds(told["since"]) if told.get("since") else at, at, at)
        amounts = {name: read_amount(told.get(name)) or NOTHING for name in AMOUNTS}
        bill.useful, bill.wasted, bill.running, _ = amounts.values()
        bill.unclaimed, bill.nodes = bill.running, sum(amounts.values(), NOTHING)
        bill.base = {"nodes": bill.nodes, **amounts}
        return bill

    @property
    def idle(self) -> Decimal:
        """Return the rest: what no pod had."""
        return self.nodes - self.useful - self.wasted - self.running

    # Nodes

    def open(self, node: str, price: Decimal, launched: float) -> None:
        """Count a node from its launch; one that is older than what another operator told, from where that ends."""
        tab = self.tabs.get(node)
        if tab is None:
            since = max(launched, self.former.pop(node, 0.0), self.began)
            tab = self.tabs[node] = Tab(price, since)
            for uid in self.on.get(node, ()):
                tab.put(uid, self.spells[uid])
        tab.ends, tab.price = inf, price

    def close(self, node: str, now: float) -> None:
        """Take in that a node is gone."""
        self.tabs[node].ends, self.stirred = now, True

    # Pods

    def enter(self, uid: str, spell: Spell, ended: float = inf) -> None:
        """Take in a pod, as soon as it has a node."""
        self.spells[uid] = spell
        self.on[spell.node].add(uid)
        self.live += 1
        if spell.gang is not None:
            self.gangs.setdefault(spell.gang, set()).add(uid)
        self._claim(spell, ended)
        if (tab := self.tabs.get(spell.node)) is not None:
            tab.put(uid, spell)

    def start(self, uid: str, when: float) -> None:
        """Take in when a known pod started."""
        spell = self.spells[uid]
        if spell.started is None:
            spell.started = when
            self._claim(spell, inf)
            if (tab := self.tabs.get(spell.node)) is not None:
                tab.note(when, START, uid)

    def end(self, uid: str, when: float, *, useful: bool | None) -> None:
        """Take in when a known pod ended, and whether it was useful; None: its main pod will tell."""
        spell = self.spells[uid]
        if spell.ended is not None:
            return
        spell.ended, spell.useful, self.stirred = when, useful, True
        self.live -= 1
        tab = self.tabs.get(spell.node)
        if spell.started is None:
            self._over(uid, spell)
        elif tab is not None:
            tab.note(when, END, uid)
        else:  # its node was gone before
            self._correct(spell, self.former.get(spell.node, 0.0))
            self._over(uid, spell)
        if spell.gang is not None and useful is not None:
            self.outcomes.setdefault(spell.gang, useful)
            for other in list(self.gangs.get(spell.gang, ())):
                self._settle(other)

    def _claim(self, spell: Spell, ended: float) -> None:
        """Give a pod that ran before this operator took over its part of what was then said to be running."""
        if self.unclaimed and spell.started is not None:
            its = min(worth(spell.rate, spell.started, min(self.began, ended)), self.unclaimed)
            spell.paid += its
            self.unclaimed -= its

    def forgo(self) -> None:
        """Take for idle what no pod that is still known has claimed."""
        self.running, self.unclaimed = self.running - self.unclaimed, NOTHING

    # Counting

    def count(self, until: float) -> None:
        """Count everything until then, and forget the nodes that were gone by then."""
        for node, tab in list(self.tabs.items()):
            self._run(tab, min(until, tab.ends))
            if tab.ends <= until:
                self._remove(node, tab)
        self.at, self.stirred = max(self.at, until), False
        for table in (self.closed, self.former):
            for name in [name for name, when in table.items() if when < self.at - REMEMBERED]:
                del table[name]

    def _run(self, tab: Tab, until: float) -> None:
        while tab.due and tab.due[0][0] <= until:
            when, what, uid = heapq.heappop(tab.due)
            spell = self.spells.get(uid)
            if spell is not None and not spell.over:
                self._advance(tab, when)
                (self._starts if what == START else self._ends)(tab, uid, spell)
        self._advance(tab, until)

    def _advance(self, tab: Tab, until: float) -> None:
        cost, owed = tab.advance(until)
        self.nodes += cost
        self.running += owed

    def _starts(self, tab: Tab, _: str, spell: Spell) -> None:
        if not spell.seated:
            self._shift(spell, spell.missed(self.began, tab.at))
            tab.seat(spell)

    def _ends(self, tab: Tab, uid: str, spell: Spell) -> None:
        self.running -= tab.leave(spell)
        self._shift(spell, -spell.too_much(tab.at))
        self._over(uid, spell)

    def _correct(self, spell: Spell, until: float) -> None:
        """Put right what was counted of a pod whose node is gone, when its end is heard of at last."""
        self._shift(spell, -spell.too_much(until) if spell.seated else spell.missed(self.began, until))

    def _shift(self, spell: Spell, amount: Decimal) -> None:
        """Make idle money a pod's that was heard of late, or the other way round."""
        amount = min(amount, self.idle)
        spell.paid, self.running = spell.paid + amount, self.running + amount

    def _remove(self, node: str, tab: Tab) -> None:
        """Close the tab of a node that is gone; what ran on it waits for its outcome."""
        self.former[node] = tab.ends
        del self.tabs[node]
        for uid in list(self.on.get(node, ())):
            spell = self.spells[uid]
            self.running -= tab.leave(spell)
            if spell.ended is not None:
                self._over(uid, spell)

    def _over(self, uid: str, spell: Spell) -> None:
        spell.over = True
        self._settle(uid)

    def _settle(self, uid: str) -> None:
        """Put the money of a pod that has ended where it belongs, once that is known."""
        spell = self.spells[uid]
        useful = self.outcomes.get(spell.gang) if spell.gang is not None else spell.useful
        if not spell.over or useful is None:
            return
        self.running -= spell.paid
        if useful:
            self.useful += spell.paid
        else:
            self.wasted += spell.paid
        self._forget(uid, spell)

    def _forget(self, uid: str, spell: Spell) -> None:
        del self.spells[uid]
        self.closed[uid] = spell.ended or self.at
        self.on[spell.node].discard(uid)
        if not self.on[spell.node]:
            del self.on[spell.node]
        if spell.gang is not None:
            self.gangs[spell.gang].discard(uid)
            if not self.gangs[spell.gang]:
                del self.gangs[spell.gang]
                self.outcomes.pop(spell.gang, None)


class Bills:
    """The bills of all managed environments, and the pods that decide has yet to look at."""

    def __init__(self) -> None:
        self.of: dict[str, Bill] = {}
        self.news: list[Pod] = []  # in the order in which they were heard of
        self.frozen = False  # a copy to play with counts nothing

    def __deepcopy__(self, _: object) -> Bills:
        twin = Bills()
        twin.frozen = True
        return twin

    def hear(self, pod: Pod) -> None:
        """Note a version of a pod of ours that has a node."""
        if pod.job and pod.uid and pod.node and not self.frozen:
            self.news.append(pod)
