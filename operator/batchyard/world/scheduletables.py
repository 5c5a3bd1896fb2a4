"""The tables of schedules: the jobs that each has submitted, how far its fires are settled, and when jobs may go."""

from __future__ import annotations

from collections import defaultdict

from batchyard.world.expiries import Expiries, expiry
from batchyard.world.notes import Refusal
from batchyard.world.schedules import Schedule, job_minute
from batchyard.world.versions import older
from batchyard.world.views import Job
from batchyard.world.waits import Waits


class ScheduleTables(Waits):
    """Schedules by uid; `fired` is the minute of the latest fire with a job, by schedule, and never goes back."""

    def __init__(self) -> None:
        super().__init__()
        self.schedules: dict[str, Schedule] = {}
        self.jobs_by_schedule: defaultdict[str, dict[str, None]] = defaultdict(dict)  # schedule uid -> job uids
        self.fired: dict[str, int] = {}
        self.submitting: dict[str, int] = {}  # schedule uid -> minute of the fire whose job is being created
        self.refusals: dict[str, Refusal] = {}  # uid of a job or schedule -> why its pod or its job was not taken
        self.expiries = Expiries()  # of finished jobs
        self.leaving: dict[str, float] = {}  # job uid -> until when its deletion is under way

    def apply_schedule(self, view: Schedule) -> None:
        """Take in a schedule's newest version."""
        old = self.schedules.get(view.uid)
        if old is not None and older(view, old):
            return
        self.schedules[view.uid] = view
        self.memo.pop(view.uid, None)
        if old is None:
            self._review_jobs(view.uid)
        if old is not None and old.generation != view.generation:
            self.refusals.pop(view.uid, None)
        if old is None or old.last_minute != view.last_minute:
            self._renew_expiries(view.uid)

    def remove_schedule(self, uid: str) -> None:
        """Take in that a schedule is gone; its jobs follow by the garbage collector."""
        for table in (self.schedules, self.memo, self.fired, self.submitting, self.refusals):
            table.pop(uid, None)
        self._renew_expiries(uid)

    def submission_ended(self, uid: str) -> None:
        """Take in that the creation of a fire's job is not under way any more."""
        self.submitting.pop(uid, None)
        self.memo.pop(uid, None)
        self._renew_expiries(uid)

    def _renew_expiries(self, uid: str) -> None:
        for job in self.jobs_of_schedule(uid):
            if job.status.phase.final and job.uid not in self.pending:
                self._set_expiry(job)

    def _set_expiry(self, job: Job) -> None:
        self.expiries.set(job.uid, expiry(job) if job.deleting is None and self.fire_on_record(job) else None)

    def expired(self, now: float) -> list[Job]:
        """Return the finished jobs whose time to live has passed."""
        return [self.jobs[uid] for uid in self.expiries.due(now)]

    def forgetting(self, uid: str, now: float) -> None:
        """Take in that a job is being deleted; should that fail, it is due again in half a minute."""
        if uid in self.expiries:
            self.expiries.set(uid, now + 30)
        self.leaving[uid] = now + 30

    def jobs_of_schedule(self, uid: str) -> list[Job]:
        """Return the jobs that a schedule has submitted, the oldest fire first."""
        return sorted((self.jobs[job] for job in self.jobs_by_schedule.get(uid, ())), key=job_minute)

    def fire_on_record(self, job: Job) -> bool:
        """Say whether a job's fire is settled without the job: only then may the job go, lest it be fired again."""
        schedule = self.schedules.get(job.scheduler)
        if schedule is None:
            return True
        minute = job_minute(job)
        return minute <= schedule.last_minute and self.submitting.get(job.scheduler) != minute

    def _index_scheduled(self, job: Job) -> None:
        if job.scheduler and self._is_submitted(job):
            self.jobs_by_schedule[job.scheduler][job.uid] = None
            self.fired[job.scheduler] = max(self.fired.get(job.scheduler, -1), job_minute(job))
            self.memo.pop(job.scheduler, None)

    def _is_submitted(self, job: Job) -> bool:
        """Say whether a job is of its schedule: one in another namespace, or of another name, only says so."""
        schedule = self.schedules.get(job.scheduler)
        stem = job.name.rpartition("-")[0]
        return schedule is None or (schedule.namespace, schedule.name) == (job.namespace, stem)

    def _review_jobs(self, uid: str) -> None:
        """Leave out the jobs that were there before the schedule was known and are not its own."""
        known = [self.jobs[job] for job in self.jobs_by_schedule.get(uid, ())]
        if all(self._is_submitted(job) for job in known):
            return
        self.jobs_by_schedule[uid] = {job.uid: None for job in known if self._is_submitted(job)}
        self.fired.pop(uid, None)
        for job in known:
            self._index_scheduled(job)

    def _drop_scheduled(self, job: Job) -> None:
        self.leaving.pop(job.uid, None)
        if job.scheduler:
            siblings = self.jobs_by_schedule[job.scheduler]
            siblings.pop(job.uid, None)
            if not siblings:
                del self.jobs_by_schedule[job.scheduler]
            self.memo.pop(job.scheduler, None)
