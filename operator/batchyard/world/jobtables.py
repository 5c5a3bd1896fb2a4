"""The tables of jobs: which are active, what they were told, and what the finished ones leave behind."""

from __future__ import annotations

from collections import Counter, defaultdict

import msgspec

from batchyard.world.children import CHILDREN
from batchyard.world.estimates import Estimate
from batchyard.world.notes import Note
from batchyard.world.scheduletables import ScheduleTables
from batchyard.world.versions import older
from batchyard.world.views import Job, JobStatus


class JobTables(ScheduleTables):
    """Jobs by uid; a status of ours that is on its way stands over what the API server says."""

    def __init__(self) -> None:
        super().__init__()
        self.active: dict[str, int] = {}  # uids of unfinished jobs -> in which order they came
        self.came = 0  # so many jobs have come to be active
        self.finished: defaultdict[str, Counter[str]] = defaultdict(Counter)  # queue -> finished jobs by phase
        self.noted: dict[str, Note] = {}  # job uid -> what it waits for, since when
        self.pinned: dict[str, int] = {}  # job uid -> definition revision resolved at submission
        self.front: tuple[str, ...] = ()  # uids of the jobs that the latest decision found at the front of their queues
        self.estimates: dict[str, Estimate] = {}  # job uid -> when it is expected to start

    def apply_job(self, job: Job) -> None:
        """Take in a job's newest version; older ones and the dead are ignored."""
        old = self.jobs.get(job.uid)
        if job.uid in self._buried or (old and older(job, old)):
            return
        self.doubtful.discard(job.uid)
        pending, before = self.pending.get(job.uid), self.on_record(job.uid)
        self._put_job(job if pending is None else msgspec.structs.replace(job, status=pending))
        self._hear(before, job, overlaid=pending is not None)

    def knows_job(self, uid: str, version: str) -> bool:
        """Say whether a job is known in this very version, and nothing of ours stands over it or is in doubt."""
        job = self.jobs.get(uid)
        return job is not None and job.version == version != "" and uid not in self.recorded and self.is_confirmed(uid)

    def _put_job(self, job: Job) -> None:
        old = self.jobs.get(job.uid)
        self.jobs[job.uid] = job
        self.memo.pop(job.uid, None)
        self._count(old, job)
        self._index_scheduled(job)
        if old is None and job.uid in self.pods_of:
            self._review(job)
        if job.status.array is not None and job.uid not in self.pending:
            self._children_settled(job.uid)
        if not job.status.phase.final:
            if job.uid not in self.active:
                self.came += 1
                self.active[job.uid] = self.came
            self.expiries.set(job.uid, None)
        elif job.uid in self.pending:
            # Our own write is under way; should it fail, the job's pods must still be there to be judged.
            self.active.pop(job.uid, None)
        else:
            self._finish(job)

    def assume_status(self, uid: str, status: JobStatus) -> None:
        """Count a status as written while its write is under way."""
        self.recorded.setdefault(uid, self.jobs[uid].status)
        self.pending[uid] = status
        self._put_job(msgspec.structs.replace(self.jobs[uid], status=status))

    def settle_status(self, uid: str, status: JobStatus) -> bool:
        """Take in that a write has ended; say whether it was the latest, so that the API server's word counts again."""
        if self.pending.get(uid) is not status:
            return False
        del self.pending[uid]
        self.doubtful.add(uid)
        return True

    def _count(self, old: Job | None, job: Job | None) -> None:
        for view, change in ((old, -1), (job, 1)):
            if view is not None and view.status.array is not None:
                for phase in ("succeeded", "failed"):  # of an array its children are counted, as they end
                    self.finished[view.spec.queue][phase.title()] += change * view.status.array.counts.get(phase, 0)
            elif view is not None and view.status.phase.final:
                self.finished[view.spec.queue][str(view.status.phase)] += change

    def _finish(self, job: Job) -> None:
        self.histories.learn(job)
        self.active.pop(job.uid, None)
        for table in (self.noted, self.pinned, self.refusals):
            table.pop(job.uid, None)
        self.memo.pop(job.uid + CHILDREN, None)
        self._job_finished(job.uid)
        self._set_expiry(job)

    def remove_job(self, uid: str) -> None:
        """Take in that a job is gone."""
        job = self.jobs.pop(uid, None)
        if job is None:
            return
        self._count(job, None)
        self.doubtful.discard(uid)
        self.histories.forget(uid)
        self.memo.pop(uid + CHILDREN, None)
        self._bury(uid)
        for table in (self.active, self.memo, self.noted, self.pinned, self.refusals, self.pending):
            table.pop(uid, None)
        self.expiries.set(uid, None)
        self._drop_scheduled(job)
        self._job_gone(uid)
        self._unhear(job)
