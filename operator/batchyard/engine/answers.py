"""What becomes of a write: confirmed in the store, taken back, or a refusal that the job will explain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from time import time
from typing import Any

import msgspec
import orjson
import structlog

from batchyard.decide.revise import verdict
from batchyard.engine.bell import Bell
from batchyard.engine.refusals import refusal_of, verdict_of
from batchyard.engine.submissions import Submissions
from batchyard.engine.taken import NAME_TAKEN, First, Taken, look
from batchyard.kube.backoff import Backoff
from batchyard.kube.outcome import Kind, Outcome
from batchyard.kube.paths import batchyard, core
from batchyard.kube.session import Response, Session, UnreachableError
from batchyard.model.plan import Bury, Check, Forget, Hold, Report, Start
from batchyard.world import parse
from batchyard.world.assume import reported, restore
from batchyard.world.outcomes import CONFIGMAP, outcomes
from batchyard.world.pods import pod as pod_view
from batchyard.world.raw import RawPod
from batchyard.world.schedules import Schedule
from batchyard.world.store import Store
from batchyard.world.views import (
    Consumable,
    Definition,
    Environment,
    Job,
    JobStatus,
    Key,
    Pod,
    Policy,
    Queue,
    View,
    key,
)

log = structlog.get_logger(__name__)

_POD = msgspec.json.Decoder(RawPod)
NOT_FOUND = 404
AGAIN = Backoff(first=0.2, longest=5.0)
BURIAL_SECONDS = 1.0  # between writes of the tombstones of a namespace, for each BURIED of them: a write handles all
BURIED = 1_000
_REFUSED_BURIAL_SECONDS = 5.0


class Answers:
    """Hears how each write ended."""

    def __init__(self, store: Store, bell: Bell, session: Session, now: Callable[[], float] = time) -> None:
        self._store = store
        self._bell = bell
        self._session = session
        self._now = now
        self._tasks: set[asyncio.Task[None]] = set()
        self.submissions = Submissions(store, bell, session, self._later)
        self.submissions.now = now

    def started(self, verb: Start, pod: Pod, outcome: Outcome) -> None:
        """A pod was created, exists already, or was refused."""
        match outcome.kind:
            case Kind.DONE:
                self._store.refusals.pop(verb.job, None)
                self._store.apply(pod_view(_POD.decode(outcome.body)))
            case Kind.CONFLICT:
                self._later(look(self._store, self._session, self._pod_taken(verb, pod), self._now))
            case Kind.REFUSED if outcome.reason in ("NotLeader", "Closed"):
                pass
            case Kind.REFUSED | Kind.GONE:
                refusal = refusal_of(outcome, self._store.refusals.get(verb.job), self._now())
                log.info("pod refused", pod=pod.name, reason=refusal.reason, message=refusal.message)
                self._store.refusals[verb.job] = refusal
                self._store.retract_pod(key(pod))
            case _:
                self._store.retract_pod(key(pod))
        self._bell.ring()

    def prepared(self, first: First, outcome: Outcome, then: Callable[[], None]) -> None:
        """What a pod needs to be there before it was created, or exists already; `then` goes on."""
        if outcome.kind is Kind.DONE:
            then()
        elif outcome.kind is Kind.CONFLICT:
            self._later(look(self._store, self._session, self._name_taken(first, then), self._now))
        else:
            self.started(first.verb, first.pod, outcome)

    def _name_taken(self, first: First, then: Callable[[], None]) -> Taken:
        verb, pod, name, kind = first.verb, first.pod, first.body["metadata"]["name"], first.body["kind"]

        def adopt(body: bytes) -> bool:
            ours = any(
                owner["uid"] == verb.job for owner in orjson.loads(body)["metadata"].get("ownerReferences") or ()
            )
            if ours:  # from an earlier attempt
                then()
            return ours

        message = f"a {kind} named {name!r} that is not this job's stands in the way; delete it, or rename the job"
        path = core(first.plural, pod.namespace, name)
        return Taken(path, verb.job, NAME_TAKEN[kind], message, adopt, lambda: self._store.retract_pod(key(pod)))

    def _pod_taken(self, verb: Start, pod: Pod) -> Taken:
        def adopt(body: bytes) -> bool:
            found = pod_view(_POD.decode(body))
            if found.job == verb.job:
                self._store.apply(found)
            return found.job == verb.job

        message = f"a pod named {pod.name!r} that is not this job's stands in the way; delete it"
        path = core("pods", pod.namespace, pod.name)
        return Taken(path, verb.job, "PodNameTaken", message, adopt, lambda: self._store.retract_pod(key(pod)))

    def told(self, before: Pod, outcome: Outcome) -> None:
        """A pod was told to stop, or to go."""
        if outcome.kind is Kind.GONE:
            self._store.remove(before)
        elif outcome.kind not in (Kind.DONE, Kind.SUPERSEDED):
            restore(self._store, before)
        self._bell.ring()

    def recorded(self, before: Job, status: JobStatus, outcome: Outcome) -> None:
        """A job's status was written, or somebody wrote first; a later write under way keeps its say."""
        latest = self._store.settle_status(before.uid, status)
        match outcome.kind:
            case Kind.DONE:
                job = parse.job(orjson.loads(outcome.body))
                self._store.apply(job)
                self._store.bury_pods(job.uid, (a.number for a in job.status.attempts if a.ended))
            case Kind.GONE:
                self._store.remove_job(before.uid)
            case Kind.REFUSED if outcome.status:
                # The schema refuses what we wrote: our defect. Kept as assumed, else it would be written for ever.
                log.error("status refused", job=f"{before.namespace}/{before.name}", message=outcome.message)
            case _ if latest:
                self._later(self._refresh(before))
        self._bell.ring()

    async def _refresh(self, job: Job) -> None:
        answer = await self._surely(batchyard("batchjobs", job.namespace, job.name))
        if not answer.ok:
            self._store.remove_job(job.uid)
            return
        fresh = parse.job(orjson.loads(answer.body))
        if fresh.uid != job.uid:
            self._store.remove_job(job.uid)
        self._store.apply(fresh)

    async def _surely(self, path: str) -> Response:
        """Ask until the object is there or surely not: what the watch has told it tells no second time."""
        failures, at_least = 0, 0.0
        while True:
            with suppress(UnreachableError):
                answer = await self._session.request("GET", path)
                if answer.ok or answer.status == NOT_FOUND:
                    return answer
                at_least = answer.retry_after
            failures += 1
            await asyncio.sleep(AGAIN.delay(failures, at_least))

    def forgotten(self, verb: Forget, outcome: Outcome) -> None:
        """A job was deleted; its pods follow."""
        if outcome.kind in (Kind.DONE, Kind.GONE):
            self._store.remove_job(verb.uid)

    def buried(self, verb: Bury, outcome: Outcome, sent: float) -> None:
        """The tombstones of a namespace were written; the next write of them is at least a second later."""
        rest = BURIAL_SECONDS
        if outcome.kind is Kind.DONE:
            view = outcomes(orjson.loads(outcome.body))
            self._store.apply(view)
            rest *= max(len(view.texts) / BURIED, 1)
        elif outcome.kind is Kind.GONE and not verb.anew:
            self._vanished(self._store.outcomes.get(CONFIGMAP + verb.namespace))
        elif outcome.kind is not Kind.CONFLICT:  # there is one already: the watch brings it
            rest = _REFUSED_BURIAL_SECONDS
            log.warning("outcomes not kept; their jobs stay", namespace=verb.namespace, error=outcome.message)
        self._store.burials[verb.namespace] = sent + rest
        self._bell.ring()

    def kept(self, outcome: Outcome) -> None:
        """A revision is kept."""
        if outcome.kind is Kind.DONE:
            view = parse.revision(orjson.loads(outcome.body))
            if view is not None:
                self._store.apply(view)
        elif outcome.kind is not Kind.CONFLICT:
            log.warning("revision could not be kept", error=outcome.message)
        self._bell.ring()

    def verdict(self, verb: Check, outcome: Outcome, now: float) -> Report | None:
        """Return the report on a definition's dry run, None if it must be asked again or has moved on."""
        definition = self._store.definitions.get(Key(verb.namespace, verb.definition))
        if definition is None or definition.uid != verb.uid or definition.generation != verb.number:
            return None
        if outcome.kind is Kind.DONE or outcome.kind is Kind.CONFLICT:
            return verdict(definition, "Accepted", "", now)
        if outcome.kind is Kind.REFUSED and outcome.status:
            return verdict(definition, *verdict_of(outcome), now)
        return None

    def reported(self, verb: Report, outcome: Outcome) -> None:
        """A status was written; the watch brings the rest, but of what pods wait for."""
        if outcome.kind is Kind.GONE:
            self._vanished(reported(self._store, verb))
        if outcome.kind is Kind.DONE and verb.version:
            self._store.apply(parse.consumable(orjson.loads(outcome.body)))
            self._bell.ring()
        if outcome.kind in (Kind.CONFLICT, Kind.UNKNOWN):
            if verb.version:
                self._later(self._read_again(verb))
            else:
                self._doubt(reported(self._store, verb))
        if outcome.kind is Kind.REFUSED and outcome.status:
            log.error("status refused", kind=verb.plural, name=verb.name, message=outcome.message)

    async def _read_again(self, verb: Report) -> None:
        answer = await self._surely(batchyard(verb.plural, verb.namespace, verb.name))
        if answer.ok:
            self._store.apply(parse.consumable(orjson.loads(answer.body)))

    def held(self, verb: Hold, outcome: Outcome) -> None:
        """A finalizer was added or removed; without its last finalizer a deleted environment is gone."""
        if outcome.kind is Kind.GONE:
            self._vanished(self._store.environments.get(verb.environment))
        elif outcome.kind is Kind.DONE:
            body = orjson.loads(outcome.body)
            view = parse.environment(body)
            if body["metadata"].get("deletionTimestamp") and not body["metadata"].get("finalizers"):
                self._vanished(view)
            else:
                self._store.apply(view)
        self._bell.ring()

    def _doubt(self, view: Environment | Queue | Definition | Policy | Consumable | Schedule | None) -> None:
        """Whether a status was written is not known: nothing counts as written, so that it is written again."""
        if view is not None:
            self._store.apply(msgspec.structs.replace(view, status={}))
            self._bell.ring()

    def _vanished(self, view: View | None) -> None:
        """Take in that an object is gone: kopf does not tell of what went before its watch began."""
        if view is not None:
            self._store.remove(view)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._patient(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Look again no more; the next operator lists everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _patient(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except UnreachableError as error:
            log.warning("could not look again; a full list will", error=str(error))
        self._bell.ring()
