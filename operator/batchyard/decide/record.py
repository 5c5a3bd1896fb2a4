"""What is written of a job and when: ends at once, progress once it has held, reasons to wait after two seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from sys import intern
from typing import Any

import msgspec

from batchyard.decide.admit import NOT_FOUND, WAITING
from batchyard.decide.attempts import open_attempt, started_at
from batchyard.decide.condition import Condition
from batchyard.decide.cycle import Cycle, Position, Standing
from batchyard.decide.examine import examined, group
from batchyard.decide.front import front
from batchyard.decide.price import job_cost
from batchyard.decide.summary import array_fields, news_of, progress
from batchyard.decide.tally import Tally
from batchyard.model.phase import Phase
from batchyard.model.plan import Lane, Record, Tell
from batchyard.world.estimates import estimated
from batchyard.world.notes import Note
from batchyard.world.parse import rfc3339, seconds
from batchyard.world.views import Attempt, JobStatus, Pod

PROGRESS_HOLD = 1.0  # seconds an attempt must run to be worth the one write that a job has on its way
LATER_HOLD = 5.0  # the same where that write is spent already, in a crowd, and for Starting, which seldom lasts
CROWD = 50  # so many live attempts, and a second write on the way is no longer made for what ends soon
CROWDED_HOLD = 15.0  # seconds an attempt must last among a crowd to be worth a second write
WAITING_HOLD = 2.0  # seconds a reason to wait must last, and a job stay at the front of its queue: most start sooner
CROWDED_FRONT_HOLD = 10.0  # the same where a crowd runs, and the front moves on all the time
BEHIND_HOLD = 60.0  # age of a job behind the front of its queue before it is told why it waits: most start earlier
CROWDED_BEHIND_HOLD = 120.0  # the same where a crowd runs: 20,000 jobs of a few seconds pass a queue in five minutes
CHANGE_HOLD = 10.0  # seconds between rewrites of a reason at the front
WAITING_REFRESH = 30.0  # seconds between rewrites of positions
FIRST = "/first"  # in a note: the job is first in line, and its queue limits how long it may be
_NODES = "multiNode"  # what the note of a live multi-node job is about


def record(cycle: Cycle) -> None:
    """Add the status writes that are due."""
    cycle.positions = front(cycle)
    cycle.plan.front = tuple(cycle.positions)
    for standing in examined(cycle, crowded=cycle.running.total() >= CROWD):
        said = len(cycle.plan.verbs) + len(cycle.plan.notes)
        try:
            _examine(cycle, standing)
        except Exception as error:  # what cannot be said of one job must not keep the others from being told of
            cycle.defect(standing.job, error)
        if len(cycle.plan.verbs) + len(cycle.plan.notes) > said:
            cycle.roster.fresh[standing.job.uid] = None  # what is decided of it is said until it is done
    if (look := cycle.roster.next_look()) < inf:
        cycle.plan.wake_at(look)


def _examine(cycle: Cycle, standing: Standing) -> None:
    place = cycle.positions.get(standing.job.uid)
    if standing.phase.final:
        _final(cycle, standing)
    elif (tally := standing.children) and (standing.phase == Phase.Running or news_of(standing, tally)):
        _array(cycle, standing, place)
    elif standing.phase in (Phase.Starting, Phase.Running):
        _progress(cycle, standing)
    else:
        _waiting(cycle, standing, place)


def _final(cycle: Cycle, standing: Standing) -> None:
    job = standing.job
    status = compose(standing, standing.attempts)
    last = standing.attempts[-1] if standing.attempts else None
    ended_so = last is not None and last.reason == standing.reason
    status["stoppedAt"] = (last.stopped_at if last is not None and ended_so else None) or rfc3339(cycle.now)
    success = standing.phase == Phase.Succeeded
    kind, reason = "Complete" if success else "Failed", standing.reason or "Completed"
    status["conditions"] = [Condition(kind, True, reason, standing.message[:1000]).written(job.generation, cycle.now)]
    cycle.do(Record(job.uid, status, Lane.Outcome, *_ends(standing.children)))
    if not success:
        cycle.do(Tell("Job", job.namespace, job.name, job.uid, True, standing.reason, standing.message[:900]))


def _ends(tally: Tally | None) -> tuple[Mapping[str, int] | None, tuple[Attempt, ...]]:
    return (tally.ends(), tuple(tally.new)) if tally is not None else (None, ())


def _array(cycle: Cycle, standing: Standing, place: Position | None) -> None:
    """Write of an array's children what is new, once a second at most."""
    tally, uid, token = standing.children, standing.job.uid, f"array/{standing.phase}"
    assert tally is not None
    note = cycle.store.noted.get(uid)
    if note is None or note.token != token:
        note = cycle.plan.notes[uid] = Note(token, cycle.now, note.written if note else 0.0)
    news, waits = news_of(standing, tally), any(ask.waits for ask in standing.asks)
    if not news and not waits and (standing.job.status.reason or "") == standing.reason:
        return
    if uid in cycle.store.pending:
        return  # one at a time: only between writes is the record the API server's own word, and what it has can go
    due = max(note.since, note.written) + (PROGRESS_HOLD if news else WAITING_REFRESH)
    if cycle.now < due:
        cycle.look(uid, due)
        return
    cycle.plan.notes[uid] = Note(token, note.since, cycle.now)
    status = _explained(cycle, standing, note, place) if waits else compose(standing, ())
    status["message"] = progress(standing, tally)[:2000]
    if news or _differs(standing.job.status, status, ("reason", "message", "waiting")):
        cycle.do(Record(uid, status, Lane.Progress, *_ends(tally)))


def _progress(cycle: Cycle, standing: Standing) -> None:
    pods = cycle.store.pods_of.get(standing.job.uid, {}).values()
    live = [pod for pod in pods if pod.uid and not pod.final and not pod.worker]
    if not live:  # a pod is on record once the API server has it
        if standing.multi_node is not None and _new_ends(standing):
            cycle.do(Record(standing.job.uid, compose(standing, standing.attempts), Lane.Outcome))
        return
    pod = max(live, key=lambda pod: pod.attempt)
    if _is_written(standing, pod):
        return
    due = standing.since + _hold(cycle, standing)
    if standing.multi_node is not None:
        due = max(due, _told_of_nodes(cycle, standing))
    if cycle.now < due and not _new_ends(standing):
        cycle.look(standing.job.uid, due)
        return
    status = compose(standing, (*standing.attempts, open_attempt(cycle.store, pod)))
    if _differs(standing.job.status, status, ("phase", "attempts", "multiNode")):
        if standing.multi_node is not None:
            cycle.plan.notes[standing.job.uid] = Note(_NODES, standing.since, cycle.now)
        cycle.do(Record(standing.job.uid, status, Lane.Progress))


def _hold(cycle: Cycle, standing: Standing) -> float:
    """Return how long progress must last to be written: less where it is the first write on a job's way."""
    first = standing.job.status.phase == Phase.Submitted and standing.phase == Phase.Running
    if first and standing.multi_node is None:
        return LATER_HOLD if cycle.roster.crowded else PROGRESS_HOLD
    return CROWDED_HOLD if cycle.roster.crowded else LATER_HOLD


def _told_of_nodes(cycle: Cycle, standing: Standing) -> float:
    """How many nodes of a job run is advice, rewritten every half minute; that all have started is told at once."""
    old, new = standing.job.status.multi_node or {}, standing.multi_node or {}
    if old.get("mainPod") != new.get("mainPod") or old.get("started") != new.get("started"):
        return 0.0
    note = cycle.store.noted.get(standing.job.uid)
    return note.written + WAITING_REFRESH if note is not None and note.token == _NODES else 0.0


def _is_written(standing: Standing, pod: Pod) -> bool:
    """Say whether the status on record tells of this very attempt in this very phase."""
    status = standing.job.status
    if status.phase != standing.phase or len(status.attempts) != len(standing.attempts) + 1:
        return False
    last = status.attempts[-1]
    started = (last.started_at is not None) == (pod.running_since is not None)
    if standing.multi_node is not None and standing.multi_node != status.multi_node:
        return False
    return last.number == pod.attempt and last.node == pod.node and started


def _new_ends(standing: Standing) -> bool:
    """Say whether an attempt has ended that is not on record: its pod may go with its node any time."""
    return sum(1 for attempt in standing.job.status.attempts if attempt.ended) < len(standing.attempts)


def _waiting(cycle: Cycle, standing: Standing, place: Position | None) -> None:
    note = _note(cycle, standing)
    if _new_ends(standing):
        cycle.do(Record(standing.job.uid, _explained(cycle, standing, note, place), Lane.Outcome))
    elif cycle.now < (due := _told_at(cycle, standing, note)):
        cycle.look(standing.job.uid, due)
    elif standing.job.status.phase != standing.phase or _is_new_mistake(standing):
        _write_waiting(cycle, standing, note, place)
    elif place is not None or _says_otherwise(standing) or _waits_for_fewer(standing):
        _refresh(cycle, standing, note, place)


def _told_at(cycle: Cycle, standing: Standing, note: Note) -> float:
    due = note.since + WAITING_HOLD
    hopeless = standing.outlook is not None and standing.outlook.hopeless
    if hopeless or not standing.asks:
        return due
    crowded = cycle.roster.crowded
    if not note.fronted:
        return max(due, standing.job.created + (CROWDED_BEHIND_HOLD if crowded else BEHIND_HOLD))
    return max(due, note.fronted + (CROWDED_FRONT_HOLD if crowded else WAITING_HOLD))


def _is_new_mistake(standing: Standing) -> bool:
    """What keeps a job out of the line is the user's to mend, and told as soon as it has changed."""
    return standing.phase == Phase.Pending and (standing.job.status.reason or "") != standing.reason


def _says_otherwise(standing: Standing) -> bool:
    """Behind the front it is news only when waiting has become another matter: which room lacks changes too often."""
    told = standing.job.status.reason or ""
    return group(told) != group(standing.reason) if standing.asks else told != standing.reason


def _waits_for_fewer(standing: Standing) -> bool:
    """What a job waits for is told anew when their number has changed, which begins the sentence; phases are advice."""
    before, after = ((message or "").partition(":")[0] for message in (standing.job.status.message, standing.message))
    return standing.reason in (WAITING, NOT_FOUND) and standing.children is None and before != after


def _refresh(cycle: Cycle, standing: Standing, note: Note, place: Position | None) -> None:
    """Reasons at the front are rewritten when they change; the rest is advice, rewritten every half minute."""
    changed = place is not None and (standing.job.status.reason or "") != standing.reason
    due = note.written + (CHANGE_HOLD if changed else WAITING_REFRESH)
    if cycle.now < due:
        cycle.look(standing.job.uid, due)
    elif _differs(standing.job.status, _explained(cycle, standing, note, place), ("reason", "message", "waiting")):
        _write_waiting(cycle, standing, note, place)
    else:
        cycle.plan.notes[standing.job.uid] = replace(note, written=cycle.now)


def _explained(cycle: Cycle, standing: Standing, note: Note, place: Position | None) -> dict[str, Any]:
    verdicts = standing.outlook.verdicts if standing.outlook else ()
    environments = [verdict.status() for verdict in verdicts] or None
    estimate = cycle.store.estimates.get(standing.job.uid) if place else None
    waiting = {
        "since": rfc3339(int(note.since)),
        "position": place.number if place else None,
        "vCpusAhead": -(-place.ahead // 1000) if place else None,
        "estimatedStart": estimated(estimate) if estimate else None,
        "environments": environments,
    }
    return {**compose(standing, standing.attempts), "waiting": waiting}


def _write_waiting(cycle: Cycle, standing: Standing, note: Note, place: Position | None) -> None:
    cycle.plan.notes[standing.job.uid] = replace(note, written=cycle.now)
    cycle.do(Record(standing.job.uid, _explained(cycle, standing, note, place), Lane.Waiting))


def waits_since(cycle: Cycle, standing: Standing) -> float:
    """Return since when a job has waited for its present reason, and first in line if that counts; now if new."""
    note, token = _known_note(cycle, standing), _token(cycle, standing)
    return note.since if note is not None and note.token == token else cycle.now


def _note(cycle: Cycle, standing: Standing) -> Note:
    known, token, uid = _known_note(cycle, standing), _token(cycle, standing), standing.job.uid
    note = known or Note(token, cycle.now)
    at_front = uid in cycle.positions
    behind = bool(standing.asks) and not at_front
    if not (note.token == token or (behind and _alike(note.token, token))):
        note = replace(note, token=token, since=cycle.now)
    note = replace(note, fronted=(note.fronted or cycle.now) if at_front else 0.0)
    if note != known:
        cycle.plan.notes[uid] = note
    return note


def _alike(one: str, other: str) -> bool:
    """Say whether two tokens tell of the same phase and the same matter."""
    (phase, reason, *_), (another, why, *_) = one.split("/"), other.split("/")
    return phase == another and group(reason) == group(why)


def _token(cycle: Cycle, standing: Standing) -> str:
    first = FIRST if standing.job.uid in cycle.heads else ""
    return intern(f"{standing.phase}/{standing.reason}{first}")


def _known_note(cycle: Cycle, standing: Standing) -> Note | None:
    """Return what a job is known to wait for: after a restart the record goes on where it was."""
    job = standing.job
    noted = cycle.store.noted.get(job.uid)
    waiting, status = job.status.waiting or {}, job.status
    if noted is not None or not waiting.get("since"):
        return noted
    first = FIRST if job.uid in cycle.heads and waiting.get("position") == 1 else ""
    return Note(f"{status.phase}/{status.reason or ''}{first}", seconds(waiting["since"]))


def compose(standing: Standing, attempts: tuple[Attempt, ...]) -> dict[str, Any]:
    """Return a job's whole status; None where a field is to be absent, so that a merge patch removes it."""
    job = standing.job
    started = started_at(attempts)
    nodes = standing.multi_node or {**(job.status.multi_node or {}), "running": 0}
    return {
        **({"multiNode": nodes} if "nodes" in nodes else {}),
        "phase": str(standing.phase),
        "reason": standing.reason or None,
        "message": _sentence(standing)[:4000] or None,
        "definitionRevision": standing.revision or job.status.definition_revision,
        "attempts": [msgspec.to_builtins(attempt) for attempt in attempts] or None,
        "waiting": None,
        **({"escalatedBy": standing.escalation.rule} if standing.escalation and not job.spec.array else {}),
        "cost": job_cost(attempts),
        "createdAt": rfc3339(job.created),
        "startedAt": rfc3339(started) if started else None,
        "stoppedAt": None,
        **(array_fields(standing) if standing.children is not None else {}),
    }


def _sentence(standing: Standing) -> str:
    if standing.escalation is None or standing.phase.final:
        return standing.message
    return "; ".join(filter(None, [standing.message, standing.escalation.words]))


def _differs(old: JobStatus, new: Mapping[str, Any], fields: tuple[str, ...]) -> bool:
    written = msgspec.to_builtins(old)
    return any(_plain(written.get(field)) != _plain(new.get(field)) for field in fields)


def _plain(value: Any) -> Any:
    """Drop what is absent, so that null and missing compare equal."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
