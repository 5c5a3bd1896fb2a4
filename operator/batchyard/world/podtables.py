"""The tables of pods: whose they are, what they take of their nodes, which are astray."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable
from math import inf

import msgspec

from batchyard.model.resources import NOTHING, Resources
from batchyard.world.bill import Bills
from batchyard.world.children import attempts_on_record, has_ended, place_of
from batchyard.world.estimates import Histories
from batchyard.world.memo import Memo
from batchyard.world.pods import disowned, is_of
from batchyard.world.purse import Purse
from batchyard.world.refusers import Refusers
from batchyard.world.shares import Ledger
from batchyard.world.versions import older
from batchyard.world.views import Job, JobStatus, Key, Pod, StopOrder, key

_BURIED = 20_000  # uids of deleted jobs and pods that a late event or answer must not bring back


class PodTables:
    """Pods by name, by job, by node; `used` of a node is always the sum of its live pods' requests."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        # Statuses on their way to the API server, by job uid: they stand over what it says until the write has settled.
        # Until then nothing that the decision rested on may be dropped, for the write may yet be refused.
        self.pending: dict[str, JobStatus] = {}
        self.doubtful: set[str] = set()  # jobs with a write settled, until the API server's word on the job is in
        self.memo = Memo()  # job uid -> what decide concluded; dropped when anything of the job changes
        self.pods: dict[Key, Pod] = {}
        self.pods_of: defaultdict[str, dict[str, Pod]] = defaultdict(dict)
        self.live_on: defaultdict[str, dict[Key, Pod]] = defaultdict(dict)
        self.unbound: dict[Key, Pod] = {}  # live pods of jobs that kube-scheduler has yet to put on a node
        # Live pods on a node whose kubelet has not seen them -> since when a decision has known (inf: none has).
        self.unseen: dict[Key, float] = {}
        self.strays: dict[Key, Pod] = {}  # live pods of finished jobs
        self.removals: dict[str, StopOrder] = {}  # pod uid -> why we had it deleted: no annotation says so
        self.used: dict[str, Resources] = {}
        self.kept_by: defaultdict[str, set[str]] = defaultdict(set)  # node -> multi-node jobs that it is kept for
        self.held: defaultdict[str, Counter[str]] = defaultdict(Counter)  # consumable -> what each job's live pods hold
        self.in_use: Counter[str] = Counter()  # consumable -> the sum of that
        self.ends: dict[str, tuple[tuple[float, Resources], ...]] = {}  # node -> when its pods end, as decide found
        # node -> its jobs' pods -> when each is expected to have ended
        self.until: defaultdict[str, dict[Key, float]] = defaultdict(dict)
        self.histories = Histories()  # how long attempts have run
        self.ledger = Ledger()  # what the shares of queues use
        self.purse = Purse()  # what queues with a budget spend
        self.bills = Bills()  # what environments cost
        self.last_end: dict[str, float] = {}
        self.noticed: OrderedDict[str, None] = OrderedDict()  # nodes that got a reclaim notice, also gone ones
        self.refusers = Refusers()
        # array uid -> its finished pods that the API server has -> chunk, and whether they succeeded
        self.kept: defaultdict[str, dict[str, tuple[int, bool]]] = defaultdict(dict)
        self.purging: set[tuple[str, int, bool]] = set()  # array, chunk, succeeded: their deletion is under way
        self._buried: OrderedDict[str, None] = OrderedDict()

    def apply_pod(self, pod: Pod) -> None:
        """Take in a pod's newest version."""
        pod, where = self._with_its_order(self._as_it_is(pod)), key(pod)
        old = self.pods.get(where)
        if pod.uid in self._buried or (old and older(pod, old)):
            return
        self._note_end(pod)
        self.purse.hear(pod)
        self.bills.hear(pod)
        self._drop_pod(where)
        if not (pod.job and pod.uid and pod.node) or pod.acknowledged is not None or pod.final:
            self.unseen.pop(where, None)
        elif old is None or old.uid != pod.uid or where not in self.unseen:
            self.unseen[where] = inf
        if pod.final and pod.share and pod.job:
            self.ledger.end(pod)
        if pod.final and pod.index is not None and not pod.gone and (pod.job, *place_of(pod)) not in self.purging:
            self.kept[pod.job][pod.name] = place_of(pod)
        if pod.final and (not pod.job or self._settled(pod)):
            return
        self.pods[where] = pod
        if pod.job:
            self.pods_of[pod.job][pod.name] = pod
            self.memo.pop(pod.job, None)
        if not pod.final:
            self._index_live(where, pod)

    def has_heard_pod(self, where: Key, uid: str, version: str) -> bool:
        """Say whether a version of a pod is known: a watch that tells it brings no news."""
        pod = self.pods.get(where)
        return pod is not None and pod.uid == uid and pod.version == version

    def _with_its_order(self, pod: Pod) -> Pod:
        """Return a pod that is being deleted with the reason that we had for it, whatever a watch told in between."""
        order = self.removals.get(pod.uid) if pod.deleting is not None and pod.stop is None else None
        return msgspec.structs.replace(pod, stop=order) if order else pod

    def _as_it_is(self, pod: Pod) -> Pod:
        """Take a pod for its job's only if it can be: in the job's namespace, by its name, a part that there is."""
        job = self.jobs.get(pod.job) if pod.job else None
        return disowned(pod) if job is not None and not is_of(job, pod) else pod

    def _review(self, job: Job) -> None:
        """Look again at pods that were there before their job was known."""
        for pod in list(self.pods_of.get(job.uid, {}).values()):
            if not is_of(job, pod):
                self.apply_pod(pod)

    def _done(self, uid: str) -> bool:
        job = self.jobs.get(uid)
        return job is not None and job.status.phase.final and self.is_confirmed(uid)

    def is_confirmed(self, job: str) -> bool:
        """Say whether what we know of a job's status is the API server's own word."""
        return job not in self.pending and job not in self.doubtful

    def is_on_record(self, pod: Pod) -> bool:
        """Say whether the end of a child's pod is on record, whatever becomes of the child."""
        job = self.jobs.get(pod.job)
        if job is None or pod.index is None or self._settled(pod):
            return True
        return self.is_confirmed(pod.job) and pod.attempt <= attempts_on_record(job, pod.index)

    def _settled(self, pod: Pod) -> bool:
        """Say whether the end of a pod's job, or of its child of an array, is on record."""
        if pod.index is None or self._done(pod.job):
            return self._done(pod.job)
        job = self.jobs.get(pod.job)
        return job is not None and self.is_confirmed(pod.job) and has_ended(job, pod.index)

    def _index_live(self, where: Key, pod: Pod) -> None:
        if self._settled(pod):
            self.strays[where] = pod
        self._hold(pod, 1)
        for node in pod.gang.values():
            self.kept_by[node].add(pod.job)
        if pod.node:
            self.ends.pop(pod.node, None)
            self.live_on[pod.node][where] = pod
            self.used[pod.node] = self.used.get(pod.node, NOTHING) + pod.requests
            if pod.job:
                self.until[pod.node][where] = self.histories.end_of(pod, self.jobs.get(pod.job))
        elif pod.job:
            self.unbound[where] = pod

    def remove_pod(self, pod: Pod) -> None:
        """Take in that a pod's object is gone; one without a final phase stays as a `gone` view until it is judged."""
        pod = self._as_it_is(pod)
        known, order = self.pods.get(key(pod)), self.removals.pop(pod.uid, None)
        if pod.index is not None:
            self._let_go(pod)
        if pod.uid:
            self._bury(pod.uid)
        if known is None or (pod.uid and known.uid and known.uid != pod.uid):
            return
        self.unseen.pop(key(pod), None)
        last = pod if pod.final or not known.uid or older(known, pod) else known
        last = last if last.stop else msgspec.structs.replace(last, stop=known.stop or order)
        last = last if last.final else self._vanished(last)
        self._drop_pod(key(pod))
        if not last.job:
            return
        if last.share:
            self.ledger.end(last)
        self.purse.hear(last)
        self.bills.hear(last)
        self.memo.pop(last.job, None)
        if last.job not in self.jobs or self._settled(last):
            return
        self._note_end(last)
        self.pods[key(last)] = last
        self.pods_of[last.job][last.name] = last

    def _vanished(self, pod: Pod) -> Pod:
        """Return what is left of a pod that nobody has heard end; the market took it if its node had got the notice."""
        market = pod.node in self.noticed and not pod.disrupted
        return msgspec.structs.replace(pod, gone=True, disrupted="NodeReclaimed" if market else pod.disrupted)

    def retract_pod(self, where: Key) -> None:
        """Take back an assumed pod whose creation failed."""
        pod = self.pods.get(where)
        if pod is not None and not pod.uid:
            self._drop_pod(where)
            self.purse.hear(msgspec.structs.replace(pod, gone=True))

    def bury_pods(self, job: str, ended: Iterable[int]) -> None:
        """Drop the views of vanished pods whose end the job's status has on record."""
        numbers = set(ended)
        for pod in [pod for pod in self.pods_of.get(job, {}).values() if pod.gone and pod.attempt in numbers]:
            self._drop_pod(key(pod))

    def _drop_pod(self, where: Key) -> None:
        pod = self.pods.pop(where, None)
        if pod is None:
            return
        if not pod.uid:
            self.memo.pop(pod.job, None)  # an assumed one gives way to an older one of its name, of another job
        if pod.job:
            siblings = self.pods_of[pod.job]
            siblings.pop(pod.name, None)
            if not siblings:
                del self.pods_of[pod.job]
        if not pod.final:
            self._hold(pod, -1)
            self._release(pod)
        self.unbound.pop(where, None)
        self.strays.pop(where, None)
        neighbours = self.live_on.get(pod.node, {}) if pod.node else {}
        if neighbours.pop(where, None) is not None:
            self.ends.pop(pod.node, None)
            self.used[pod.node] = self.used[pod.node] - pod.requests
            self.until[pod.node].pop(where, None)
            if not neighbours:
                del self.live_on[pod.node], self.used[pod.node], self.until[pod.node]

    def busy_until(self, node: str) -> float:
        """Return when the last job on a node is expected to have ended (unix seconds), 0 if there is none."""
        return max(self.until.get(node, {}).values(), default=0.0)

    def _release(self, main: Pod) -> None:
        for node in main.gang.values():
            self.kept_by[node].discard(main.job)
            if not self.kept_by[node]:
                del self.kept_by[node]

    def _hold(self, pod: Pod, sign: int) -> None:
        """Count what a job's live pod holds, of its queue and of consumables; what nobody holds has no entry."""
        if pod.share and pod.job:
            (self.ledger.take if sign > 0 else self.ledger.drop)(pod)
        for name, quantity in pod.consumables.items() if pod.job else ():
            self.in_use[name] += sign * quantity
            holders = self.held[name]
            holders[pod.job] += sign * quantity
            if not holders[pod.job]:
                del holders[pod.job]
            if not holders:
                del self.held[name], self.in_use[name]

    def _note_end(self, pod: Pod) -> None:
        if not (pod.node and pod.job and pod.final):
            return
        self.refusers.hear(pod)
        ends = [container.finished for container in pod.containers if container.finished]
        if ends:
            self.last_end[pod.node] = max(self.last_end.get(pod.node, 0.0), *ends)

    def _let_go(self, pod: Pod) -> None:
        kept = self.kept.get(pod.job, {})
        kept.pop(pod.name, None)
        if not kept:
            self.kept.pop(pod.job, None)

    def purge(self, job: str, place: tuple[int, bool]) -> dict[str, tuple[int, bool]]:
        """Count the finished pods of one chunk as deleted while their deletion is under way; return them."""
        self.purging.add((job, *place))
        gone = {name: where for name, where in self.kept.get(job, {}).items() if where == place}
        for name in gone:
            del self.kept[job][name]
        return gone

    def purged(self, job: str, place: tuple[int, bool], left: dict[str, tuple[int, bool]]) -> None:
        """Take in that a deletion has ended, and which pods it may have left; the watch tells of those that went."""
        self.purging.discard((job, *place))
        if left and job in self.jobs:
            self.kept[job].update(left)

    def _children_settled(self, job: str) -> None:
        """Drop the finished pods of children whose end is on record."""
        for pod in list(self.pods_of.get(job, {}).values()):
            if pod.index is None or not self._settled(pod):
                continue
            if pod.final:
                self._drop_pod(key(pod))
            else:
                self.strays[key(pod)] = pod

    def _job_finished(self, job: str) -> None:
        for pod in list(self.pods_of.get(job, {}).values()):
            if pod.final:
                self._drop_pod(key(pod))
            else:
                self.strays[key(pod)] = pod

    def _job_gone(self, job: str) -> None:
        """Leave a deleted job's pods to the garbage collector; those that are gone are of no more use."""
        self.kept.pop(job, None)
        for pod in list(self.pods_of.get(job, {}).values()):
            self.strays.pop(key(pod), None)
            if pod.gone:
                self._drop_pod(key(pod))

    def _bury(self, uid: str) -> None:
        self._buried[uid] = None
        if len(self._buried) > _BURIED:
            self._buried.popitem(last=False)
