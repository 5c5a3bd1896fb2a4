"""Arrays: where all children of a job stand, which of them may start now, and when the whole has ended."""

from __future__ import annotations

from collections.abc import Iterator

from batchyard.decide.admit import WAITING, Blocked
from batchyard.decide.census import take
from batchyard.decide.chain import FAILED
from batchyard.decide.cycle import Cycle, Standing
from batchyard.decide.depend import barred, blocked, child_reason, children
from batchyard.decide.resolve import Effective, RefusedError, needs_after, resolve
from batchyard.decide.retry import FREE_RETRIES, Enough, after
from batchyard.decide.tally import Child, Tally
from batchyard.decide.turns import asks
from batchyard.model.phase import Phase
from batchyard.world.children import ROUGH, chosen
from batchyard.world.indexes import first, gather, text
from batchyard.world.store import Store
from batchyard.world.views import Job

FOREVER = float("inf")
_NAMED = 100  # characters of failed indexes in the final sentence


def stand_array(cycle: Cycle, job: Job) -> Standing:
    """Return where an array stands now."""
    standing = Standing(job, Phase.Runnable, since=cycle.now)
    try:
        tally = take(cycle, job)
    except ValueError as error:
        standing.phase, standing.reason, standing.message = Phase.Failed, "InvalidArray", str(error)
        return standing
    standing.children, standing.orders, standing.until = tally, tally.orders, tally.until
    _succeed(tally)
    stopped = None if tally.begun else _stop(job, tally)  # as of a plain job, what kept it from starting is idle then
    why, effective = _judge(cycle, job, tally)
    why = stopped or _stop(job, tally) or why
    _depend(cycle.store, job, tally)
    standing.effective = effective
    if not tally.waiting and not tally.live:
        return _ended(cycle.store, standing, why)
    standing.phase = Phase.Running if tally.begun else Phase.Runnable
    if why is not None:
        _explain(standing, tally, why)
    elif effective is not None and job.deleting is None:
        _ask(cycle, standing, effective)
    if tally.remark and not standing.asks:
        standing.reason, standing.message = "InvalidStop", tally.remark
    return standing


def _succeed(tally: Tally) -> None:
    done = [i for i, child in tally.known.items() if child.attempts[-1].reason == "Completed"]
    tally.succeed(gather(done, tally.size) & ~tally.live)


def _judge(cycle: Cycle, job: Job, tally: Tally) -> tuple[Blocked | None, Effective | None]:
    """Decide on the children that have no live pod; return what keeps all of them back, and what they run."""
    if not tally.waiting:
        refused = _refusal(cycle, job, tally)
        return refused if refused is not None and refused.phase == Phase.Failed else None, None
    effective = _effective(cycle, job, tally)
    if isinstance(effective, Blocked):
        waits = None if effective.phase.final else blocked(cycle.store, job)  # what can never come is told first
        return _keep_back(tally, waits if waits is not None and waits.phase.final else effective), None
    tally.fail(_worn_out(tally, effective))
    bar = (barred(cycle.store, job) or _refusal(cycle, job, tally)) if tally.waiting else None
    return _keep_back(tally, bar), effective


def _keep_back(tally: Tally, blocked: Blocked | None) -> Blocked | None:
    """Fail all that wait if nothing cures what keeps them back."""
    if blocked is not None and blocked.phase == Phase.Failed:
        tally.fail(tally.waiting)
    elif blocked is not None and blocked.phase == Phase.Pending:
        tally.blocked = tally.waiting
    return blocked


def _effective(cycle: Cycle, job: Job, tally: Tally) -> Effective | Blocked:
    try:
        effective = resolve(cycle.store, job)
        needs_after(effective, job.spec.capacity_type, ())
    except RefusedError as refused:
        if (final := refused.final_at(job)) <= cycle.now:
            return Blocked(Phase.Failed, refused.reason, refused.message)
        tally.until = min(tally.until, final)
        return Blocked(Phase.Pending, refused.reason, refused.message)
    except ValueError as error:
        return Blocked(Phase.Failed, "InvalidTemplate", str(error))
    return effective


def _refusal(cycle: Cycle, job: Job, tally: Tally) -> Blocked | None:
    refusal = cycle.store.refusals.get(job.uid)
    if refusal is None or refusal.until <= cycle.now:
        return None
    tally.until = min(tally.until, refusal.until)
    phase = Phase.Failed if refusal.until == FOREVER else Phase.Runnable
    return Blocked(phase, refusal.reason, refusal.message)


def _worn_out(tally: Tally, effective: Effective) -> int:
    """Return the waiting children that get no further attempt."""
    idle = gather(_idle(tally), tally.size)
    found = 0
    for index in _idle(tally):
        verdict = _verdict(tally.known[index], effective)
        if isinstance(verdict, Enough):
            found |= 1 << index
        else:
            tally.due[index] = verdict
    for (attempts, counted), group in tally.retried.items():
        free = 0 if attempts > ROUGH else attempts - counted
        if counted >= effective.retry.attempts or free > FREE_RETRIES:
            found |= group & ~idle & tally.waiting
    return found


def _idle(tally: Tally) -> Iterator[int]:
    """Yield the children that wait for their next attempt and whose former ones are known one by one."""
    waiting = tally.waiting.to_bytes(tally.size // 8 + 1, "little")
    return (index for index in tally.known if waiting[index >> 3] >> (index & 7) & 1)


def _verdict(child: Child, effective: Effective) -> float | Enough:
    """Return when the next attempt may start; of one whose last pod is gone only the record's numbers speak."""
    if not child.attempts[-1].pod:
        return Enough("Error", "") if child.counted >= effective.retry.attempts else 0.0
    verdict = after(child.attempts, effective.retry)
    return verdict if isinstance(verdict, Enough) else verdict.at


def _stop(job: Job, tally: Tally) -> Blocked | None:
    """Have what the user stopped end: what waits at once, what lives when its pod has obeyed."""
    stop = job.spec.stop
    if stop is None:
        return None
    try:
        wanted = tally.all if stop.indexes is None else chosen(job, stop.indexes, "stop.indexes")
    except ValueError as error:
        tally.remark = f"nothing is stopped: {error}"
        return None
    cancelled = wanted & tally.waiting
    tally.fail(cancelled)
    if stop.indexes is not None:
        return None
    ended = {attempt.reason for attempt in tally.new} | {job.status.reason}
    terminated = "Terminated" in ended or (tally.live and stop.mode == "Terminate")
    if terminated or cancelled or "Cancelled" in ended:
        tally.stopped = "Terminated" if terminated else "Cancelled"
    sentence = stop.reason or f"stopped by the user ({stop.mode})"
    return Blocked(Phase.Failed, tally.stopped, sentence) if tally.stopped else None


def _depend(store: Store, job: Job, tally: Tally) -> None:
    """Fail the children whose dependency failed, and hold those back whose dependency has not ended."""
    if not any(needed.array for needed in job.spec.depends_on):
        return
    fresh = tally.fresh
    while fresh:
        allowed, doomed = children(store, job, tally.succeeded, tally.failed)
        tally.blocked |= fresh & ~allowed
        if not doomed & fresh:
            return
        tally.fail(doomed & fresh)
        fresh = tally.fresh


def _explain(standing: Standing, tally: Tally, why: Blocked) -> None:
    """Say what keeps the waiting children back, while others may live."""
    standing.reason, standing.message, standing.until = why.reason, why.message, tally.until
    if not tally.begun and why.phase == Phase.Pending:
        standing.phase = Phase.Pending


def _ask(cycle: Cycle, standing: Standing, effective: Effective) -> None:
    tally, array = standing.children, standing.job.spec.array
    assert tally is not None
    assert array is not None
    room = tally.size if array.max_concurrent is None else array.max_concurrent - tally.live.bit_count()
    refusal = cycle.store.refusals.get(standing.job.uid)  # after one, a single pod tries before the others follow
    refused = refusal is not None and refusal.reason != "PodNameTaken"
    standing.asks = asks(standing, effective, (min(room, 1) if refused else room, cycle.now))
    standing.until = tally.until
    if standing.asks or not tally.waiting:
        return
    if room <= 0:
        standing.reason = "MaxConcurrent"
        standing.message = f"array.maxConcurrent is {array.max_concurrent}"
    elif tally.waiting & ~tally.blocked:
        standing.reason, standing.message = "Backoff", "failed attempts are followed by others after the backoff"
    else:
        standing.reason, standing.message = WAITING, "the children that they depend on have not ended"
        standing.phase = standing.phase if tally.begun else Phase.Pending


def _ended(store: Store, standing: Standing, why: Blocked | None) -> Standing:
    """Say how the whole ended: well if not more children failed than may (AWS: none may)."""
    job, tally = standing.job, standing.children
    assert tally is not None
    total, failed = tally.all.bit_count(), (tally.failed & tally.all).bit_count()
    allowed = tolerated(job, total)
    whole = why is not None and why.phase == Phase.Failed
    standing.phase = Phase.Succeeded if not failed or (failed <= allowed and not whole) else Phase.Failed
    standing.reason = "Completed" if standing.phase == Phase.Succeeded else "ChildrenFailed"
    if failed:
        standing.message = f"{failed} of {total} children failed ({_some(tally.failed & tally.all)}); {allowed} may"
    if standing.phase == Phase.Failed and why is not None and whole:
        standing.reason = why.reason
        standing.message = why.message if failed == total else f"{why.message}; {standing.message}"
    elif standing.phase == Phase.Failed:
        _blame_dependencies(store, standing, tally)
    return standing


def _blame_dependencies(store: Store, standing: Standing, tally: Tally) -> None:
    """Say which children failed because one failed that they depend on."""
    job = standing.job
    if not any(needed.array for needed in job.spec.depends_on):
        return
    doomed = children(store, job, tally.succeeded, tally.failed)[1] & tally.failed & tally.all
    if doomed:
        standing.message += f"; {_some(doomed)} never started: {child_reason(store, job, first(doomed))}"
        standing.reason = FAILED if doomed == tally.failed & tally.all else standing.reason


def tolerated(job: Job, total: int) -> int:
    """Return how many of the children that are to run may fail; a percentage is rounded down."""
    assert job.spec.array is not None
    given = job.spec.array.tolerate_failures
    return total * int(given.rstrip("%")) // 100 if isinstance(given, str) else given


def _some(indexes: int) -> str:
    """Name the first of a set's indexes."""
    ranges = text(indexes)
    if ranges.startswith("bits:"):
        return "see status.array.failed"
    return ranges if len(ranges) <= _NAMED else ranges[:_NAMED].rsplit(",", 1)[0] + " and more"
