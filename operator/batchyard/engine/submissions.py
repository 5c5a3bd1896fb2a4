"""What becomes of the jobs that schedules submit: there, there already, or refused and submitted again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from time import time
from typing import Any

import orjson
import structlog

from batchyard.engine.bell import Bell
from batchyard.engine.refusals import submission_refusal
from batchyard.engine.taken import Taken, look
from batchyard.kube.outcome import Kind, Outcome
from batchyard.kube.paths import batchyard
from batchyard.kube.session import Session
from batchyard.model.plan import Submit, Tell
from batchyard.world import parse
from batchyard.world.store import Store
from batchyard.world.views import Job

log = structlog.get_logger(__name__)

Later = Callable[[Coroutine[Any, Any, None]], None]


class Submissions:
    """Hears how each submission ended; `later` runs what has to look again."""

    def __init__(self, store: Store, bell: Bell, session: Session, later: Later) -> None:
        self._store = store
        self._bell = bell
        self._session = session
        self._later = later
        self.now: Callable[[], float] = time

    def submitted(self, verb: Submit, outcome: Outcome) -> Tell | None:
        """A fire's job was created, exists already, or was refused; return the event that says so.

        Where nobody knows, it is looked for: another fire must not go beside one that the watch has yet to tell of.
        """
        if outcome.kind in (Kind.CONFLICT, Kind.UNKNOWN):
            self._later(look(self._store, self._session, self._name_taken(verb), self.now))
            return None
        told = None
        if outcome.kind is Kind.DONE:
            self._created(verb, parse.job(orjson.loads(outcome.body)))
        elif outcome.kind in (Kind.REFUSED, Kind.GONE) and outcome.status:
            told = self._not_submitted(verb, outcome)
        self._store.submission_ended(verb.schedule)
        self._bell.ring()
        return told

    def _not_submitted(self, verb: Submit, outcome: Outcome) -> Tell | None:
        before, schedule = self._store.refusals.get(verb.schedule), self._store.schedules.get(verb.schedule)
        refusal = submission_refusal(outcome, before, self.now())
        self._store.refusals[verb.schedule] = refusal
        log.info("job refused", job=verb.manifest["metadata"]["name"], message=refusal.message)
        if schedule is None or (before is not None and before.message == refusal.message):
            return None
        place = (schedule.namespace, schedule.name, schedule.uid)
        return Tell("JobSchedule", *place, True, "SubmissionRefused", refusal.message[:900])

    def _name_taken(self, verb: Submit) -> Taken:
        def adopt(body: bytes) -> bool:
            found = parse.job(orjson.loads(body))
            if found.scheduler == verb.schedule:
                self._created(verb, found)
                self._store.submission_ended(verb.schedule)
            return found.scheduler == verb.schedule

        meta = verb.manifest["metadata"]
        message = f"a Job named {meta['name']!r} that is not this schedule's stands in the way; delete it"
        path = batchyard("batchjobs", meta["namespace"], meta["name"])
        give_up = lambda: self._store.submission_ended(verb.schedule)  # noqa: E731
        return Taken(path, verb.schedule, "JobNameTaken", message, adopt, give_up)

    def _created(self, verb: Submit, job: Job) -> None:
        self._store.refusals.pop(verb.schedule, None)
        self._store.apply(job)

    def terminated(self, outcome: Outcome) -> None:
        """A job was told to end in favour of a later one of its schedule; the watch tells of those that are gone."""
        if outcome.kind is Kind.DONE:
            self._store.apply(parse.job(orjson.loads(outcome.body)))
        self._bell.ring()
