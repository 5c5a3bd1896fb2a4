"""Who waits for whom: jobs by name, the dependants of a job, and the tombstones of jobs that have been collected."""

from __future__ import annotations

from collections import defaultdict

from batchyard.model.phase import Phase
from batchyard.world.outcomes import CONFIGMAP, Outcome, Outcomes, outcome, read
from batchyard.world.podtables import PodTables
from batchyard.world.versions import older
from batchyard.world.views import Job, JobStatus, Key, Namespace, key

CYCLE = "DependencyCycle"
CROWD = 20  # jobs that wait for one, and they are no longer told its phase as it changes: only its end matters
_UNMET = (Phase.Submitted, Phase.Pending)


class Waits(PodTables):
    """Jobs are judged by what the API server has on record of them: a write of ours that is under way may yet fail.

    The end of a job costs one look at each job that names it; other events cost next to nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.namespaces: dict[str, Namespace] = {}
        self.recorded: dict[str, JobStatus] = {}  # job uid -> what is on record, while a status of ours stands over it
        self.named: dict[Key, str] = {}  # the uid of the job of a name
        # name -> uids of unfinished jobs that wait for it -> whether its children matter
        self.dependants: defaultdict[Key, dict[str, bool]] = defaultdict(dict)
        self.unsure: dict[str, None] = {}  # jobs that may have closed a cycle when they came
        self.cycles: dict[str, tuple[str, ...]] = {}  # uid of a job that waits for itself -> the names on the way
        self.outcomes: dict[str, Outcomes] = {}  # name of a ConfigMap -> the tombstones of a namespace
        self.taken: dict[str, set[str]] = {}  # namespace -> names with a tombstone that newer jobs have
        self.burials: dict[str, float] = {}  # namespace -> when its tombstones may be written again

    def on_record(self, uid: str) -> JobStatus | None:
        """Return the status that the API server has of a job, None if the job is not known."""
        job = self.jobs.get(uid)
        return None if job is None else self.recorded.get(uid, job.status)

    def begun(self, job: Job) -> bool:
        """Say whether a job's dependencies were met once: then they stay so, whatever becomes of those jobs."""
        return job.status.phase not in _UNMET or bool(job.status.attempts) or job.uid in self.pods_of

    def phase_of(self, where: Key) -> Phase | None:
        """Return the phase on record of the job of a name, or of its tombstone; None if there is neither."""
        uid = self.named.get(where)
        if uid is None:
            stone = self.tombstone(where)
            return stone.phase if stone else None
        status = self.recorded.get(uid)
        return (status or self.jobs[uid].status).phase

    def outcome(self, where: Key) -> Outcome | None:
        """Return what is on record of the job of a name, or its tombstone; None if there is neither."""
        uid = self.named.get(where)
        status = self.on_record(uid) if uid else None
        return outcome(self.jobs[uid], status) if uid and status else self.tombstone(where)

    def tombstone(self, where: Key) -> Outcome | None:
        """Return the outcome that a collected job left; those of an earlier namespace of the name do not count."""
        view, space = self.outcomes.get(CONFIGMAP + where.namespace), self.namespaces.get(where.namespace)
        if view is None or space is None or view.owner != space.uid:
            return None
        if where.name in self.taken.get(where.namespace, ()):
            return None
        return read(view.texts.get(where.name, ""))

    # Hearing of jobs

    def _hear(self, before: JobStatus | None, job: Job, *, overlaid: bool) -> None:
        """Take in what is on record of a job now; `before` it was that, or it was not known."""
        if overlaid:
            self.recorded[job.uid] = job.status
        else:
            self.recorded.pop(job.uid, None)
        if before is None:
            self._enter(job)
        elif job.status.phase.final and not before.phase.final:
            self._leave(job)
        few = len(self.dependants.get(key(job), ())) <= CROWD
        if before is None or (before.phase != job.status.phase and (few or job.status.phase.final)):
            self._wake(key(job), children_only=False)
        elif before.array != job.status.array:
            self._wake(key(job), children_only=True)

    def _enter(self, job: Job) -> None:
        where = key(job)
        self.named[where] = job.uid
        self._take(where, job.uid)
        if job.status.phase.final and job.status.reason != CYCLE:
            return
        for needed in job.spec.depends_on:
            if needed.job:
                waiting, child = self.dependants[Key(job.namespace, needed.job)], needed.array == "OneToOne"
                waiting[job.uid] = child or waiting.get(job.uid, False)
        if job.spec.depends_on and where in self.dependants:
            self.unsure[job.uid] = None

    def _leave(self, job: Job) -> None:
        """Wake a job no more; what failed of a cycle stays known, so that the rest of it fails in the same way."""
        if job.status.reason == CYCLE and job.uid in self.jobs:
            return
        for needed in job.spec.depends_on:
            where = Key(job.namespace, needed.job or "")
            waiting = self.dependants.get(where, {})
            waiting.pop(job.uid, None)
            if not waiting:
                self.dependants.pop(where, None)

    def _unhear(self, job: Job) -> None:
        """Take in that a job is no longer there."""
        where = key(job)
        self._leave(job)
        for table in (self.recorded, self.unsure, self.cycles):
            table.pop(job.uid, None)
        if self.named.get(where) == job.uid:
            del self.named[where]
        self._wake(where, children_only=False)

    def _wake(self, where: Key, *, children_only: bool) -> None:
        for uid, child in self.dependants.get(where, {}).items():
            if child or not children_only:
                self.memo.pop(uid, None)

    # Tombstones

    def apply_outcomes(self, view: Outcomes) -> None:
        """Take in the tombstones of a namespace."""
        old = self.outcomes.get(view.name)
        if old is not None and older(view, old):
            return
        self.outcomes[view.name] = view
        for name in view.texts.keys() - (old.texts.keys() if old else set()):
            self._wake(Key(view.namespace, name), children_only=False)
        names = self.taken.pop(view.namespace, set()) if old else view.texts
        for name in names:
            where = Key(view.namespace, name)
            if where in self.named:
                self._take(where, self.named[where])

    def _take(self, where: Key, uid: str) -> None:
        """Count a name's tombstone as gone once another job has the name."""
        view = self.outcomes.get(CONFIGMAP + where.namespace)
        text = view.texts.get(where.name) if view else None
        if text is not None and (stone := read(text)) and stone.uid != uid:
            self.taken.setdefault(where.namespace, set()).add(where.name)
