"""Where each unfinished job stands: its pods judged, retries decided, blockers named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from math import inf

from batchyard.decide.array import stand_array
from batchyard.decide.attempts import ended_attempts
from batchyard.decide.backfill import kind_of, lasting
from batchyard.decide.cycle import DEFECT_SECONDS, Ask, Cycle, Standing
from batchyard.decide.cycles import find_cycles
from batchyard.decide.depend import barred, blocked
from batchyard.decide.enforce import enforce
from batchyard.decide.escalate import escalate
from batchyard.decide.gang_live import grown, nodes_at_fault, stand_gang, summary
from batchyard.decide.gang_pods import sets_of
from batchyard.decide.lines import Kind, Rank
from batchyard.decide.needs import needs_of
from batchyard.decide.order import rank_of
from batchyard.decide.resolve import Effective, RefusedError, needs_after, resolve
from batchyard.decide.retry import Enough, after, taste_of
from batchyard.model.phase import Phase
from batchyard.world.store import Store
from batchyard.world.views import Attempt, Job, Pod


def settle(cycle: Cycle) -> None:
    """Find where every unfinished job stands; judged are those of which something has changed, or whose time came."""
    store, roster = cycle.store, cycle.roster
    find_cycles(store)
    stale = _stale(cycle)
    store.memo.dropped.clear()
    for uid in stale:
        _judge(cycle, uid)
    for uid in sorted(roster.ordering, key=store.active.__getitem__):
        cycle.do(*roster.ordering[uid].orders)
    if (until := roster.next_until()) < inf:
        cycle.plan.wake_at(until)
    cycle.running = roster.running.copy()


def judge(store: Store, now: float, most: int) -> bool:
    """Judge so many jobs ahead of a decision that would have to judge more; say whether it still would.

    A decision does the same without. It takes 10 us a job and yields to nobody, so with 100,000 of them the Lease would
    run out.
    """
    cycle = Cycle(store, now)
    dropped = _dropped(cycle)
    if len(dropped) <= most:
        return False
    find_cycles(store)
    for uid in list(islice(dropped, most)):
        del dropped[uid]
        _judge(cycle, uid)
    return len(dropped) > most


def _judge(cycle: Cycle, uid: str) -> None:
    store, roster = cycle.store, cycle.roster
    roster.leave(uid)
    if uid in store.active:
        standing = store.memo[uid] = _judged(cycle, store.jobs[uid])
        roster.enter(standing, lines(cycle, standing))


def _stale(cycle: Cycle) -> list[str]:
    """Return the jobs to be judged, in the order in which they came."""
    store, roster = cycle.store, cycle.roster
    known = (uid for uid in _dropped(cycle) if uid in store.active or uid in roster.entries)
    return sorted({*known, *roster.due(cycle.now)}, key=lambda uid: store.active.get(uid, 0))


def _dropped(cycle: Cycle) -> dict[str, None]:
    """Return the jobs of which something has changed since they were judged: all, before any was."""
    dropped = cycle.store.memo.dropped
    if not cycle.roster.entries:
        dropped.update(dict.fromkeys(cycle.store.active))
    return dropped


def lines(cycle: Cycle, standing: Standing) -> Iterator[tuple[Kind, Rank, Ask]]:
    """Yield the asks of a job with the lines in which they stand; who uses up what others want too stands alone."""
    if standing.job.deleting is not None:
        return
    effective = standing.effective
    alone = standing.job.uid if effective is not None and effective.consumables else ""
    for number, ask in enumerate(standing.asks):
        spec = standing.job.spec
        kind = (spec.queue, spec.share or "", (*kind_of(ask), alone))
        yield kind, rank_of(cycle.store, ask, number), ask


def _judged(cycle: Cycle, job: Job) -> Standing:
    """Return where a job stands; a defect of ours that one job brings out must not stop all the others."""
    try:
        return stand(cycle, job)
    except Exception as error:
        defect = cycle.defect(job, error)
        phase = job.status.phase if job.status.phase != Phase.Submitted else Phase.Pending
        ended = tuple(attempt for attempt in job.status.attempts if attempt.ended)
        message = f"Batchyard cannot judge this job ({defect}) and leaves it as it is; please report this"
        return Standing(job, phase, "OperatorDefect", message, ended, until=cycle.now + DEFECT_SECONDS)


def stand(cycle: Cycle, job: Job) -> Standing:
    """Return where one job stands now."""
    standing = stand_array(cycle, job) if job.spec.array is not None else _stand(cycle, job)
    on_pods = (pod.revision for pod in cycle.store.pods_of.get(job.uid, {}).values() if pod.revision)
    standing.revision = standing.effective.revision if standing.effective else min(on_pods, default=None)
    escalate(cycle, standing)
    return standing


def _stand(cycle: Cycle, job: Job) -> Standing:
    pods = sorted(cycle.store.pods_of.get(job.uid, {}).values(), key=lambda pod: pod.attempt)
    attempts = ended_attempts(cycle.store, job, [pod for pod in pods if not pod.worker])
    live = [pod for pod in pods if not pod.final]
    if any(pod.node_index is not None for pod in live):
        return stand_gang(cycle, job, pods, attempts)
    if live:
        return _live(cycle, job, live[-1], attempts)
    if attempts and attempts[-1].reason == "Completed":
        return Standing(job, Phase.Succeeded, "Completed", "", attempts, multi_node=summary(job, pods))
    standing = _between(cycle, job, attempts)
    # A stop does not change how the attempts of a job have failed; what kept it from starting it does make idle.
    if job.spec.stop is not None and not (attempts and standing.phase == Phase.Failed):
        standing = _stopped(job, attempts)
    standing.multi_node = summary(job, pods) if standing.phase.final else None
    return standing


def _stopped(job: Job, attempts: tuple[Attempt, ...]) -> Standing:
    assert job.spec.stop is not None
    reason = "Terminated" if attempts and attempts[-1].reason == "Terminated" else "Cancelled"
    sentence = job.spec.stop.reason or f"stopped by the user ({job.spec.stop.mode})"
    return Standing(job, Phase.Failed, reason, sentence, attempts)


def _live(cycle: Cycle, job: Job, pod: Pod, attempts: tuple[Attempt, ...]) -> Standing:
    standing = Standing(job, Phase.Starting, attempts=attempts, since=pod.created or cycle.now)
    if pod.running_since is not None:
        standing.phase, standing.since = Phase.Running, pod.running_since
    standing.message = _progress(pod)
    standing.orders = enforce(cycle, standing, pod)
    return standing


def _progress(pod: Pod) -> str:
    if not pod.node:
        return pod.unschedulable or "waiting for kube-scheduler to pick a node"
    if pod.running_since is not None:
        return f"attempt {pod.attempt} runs on node {pod.node}"
    waits = [f"{c.name}: {c.reason} {c.message}".strip() for c in pod.containers if c.state == "waiting" and c.reason]
    return f"attempt {pod.attempt} starts on node {pod.node}" + (f" ({'; '.join(waits)[:500]})" if waits else "")


def _between(cycle: Cycle, job: Job, attempts: tuple[Attempt, ...]) -> Standing:
    try:
        effective = resolve(cycle.store, job)
    except RefusedError as refused:
        return _refused(cycle, job, attempts, refused)
    if attempts:
        verdict = after(attempts, effective.retry)
        if isinstance(verdict, Enough):
            return Standing(job, Phase.Failed, verdict.reason, verdict.message, attempts, effective=effective)
        if verdict.at > cycle.now:
            return _pausing(job, attempts, effective, verdict.at)
    return _runnable(cycle, job, attempts, effective)


def _refused(cycle: Cycle, job: Job, attempts: tuple[Attempt, ...], refused: RefusedError) -> Standing:
    waits = None if refused.final else blocked(cycle.store, job)
    if waits is not None and waits.phase == Phase.Failed:
        return Standing(job, waits.phase, waits.reason, waits.message, attempts, since=cycle.now)
    standing = Standing(job, Phase.Failed, refused.reason, refused.message, attempts, since=cycle.now)
    if (final := refused.final_at(job)) > cycle.now:
        standing.phase, standing.until = Phase.Pending, final
    return standing


def _pausing(job: Job, attempts: tuple[Attempt, ...], effective: Effective, at: float) -> Standing:
    last = attempts[-1]
    message = f"attempt {last.number} failed ({last.reason}); the next one starts after the backoff"
    return Standing(job, Phase.Runnable, "Backoff", message, attempts, until=at, effective=effective)


def _runnable(cycle: Cycle, job: Job, attempts: tuple[Attempt, ...], effective: Effective) -> Standing:
    bar = barred(cycle.store, job)
    if bar is not None:
        return Standing(job, bar.phase, bar.reason, bar.message, attempts, effective=effective)
    refusal = cycle.store.refusals.get(job.uid)
    if refusal is not None and (refusal.until > cycle.now):
        final = refusal.until == float("inf")
        phase = Phase.Failed if final else Phase.Runnable
        return Standing(job, phase, refusal.reason, refusal.message, attempts, until=refusal.until, effective=effective)
    standing = Standing(job, Phase.Runnable, attempts=attempts, effective=effective)
    try:
        standing.asks = (_ask(cycle.store, standing, effective),)
    except ValueError as error:
        return Standing(job, Phase.Failed, "InvalidTemplate", str(error), attempts, effective=effective)
    return standing


def _ask(store: Store, standing: Standing, effective: Effective) -> Ask:
    """Return the one pod that a plain job asks for, or all those of a multi-node job."""
    job, attempts = standing.job, standing.attempts
    number, taste = next_number(store, job, attempts), taste_of(effective.retry, attempts)
    if effective.gang is None:
        needs = needs_after(effective, job.spec.capacity_type, attempts)
        return Ask(standing, needs, number, taste, killed=attempts, lasts=lasting(effective))
    standing.effective = effective = grown(effective, attempts)
    needs = needs_of(effective.template, job.spec.capacity_type)
    if effective.retry.avoid_failed_nodes:
        taste = replace(taste, avoid=taste.avoid | nodes_at_fault(store.pods_of.get(job.uid, {}).values()))
    sets = sets_of(effective.gang, job.spec.capacity_type) if effective.gang else ()
    return Ask(standing, needs, number, taste, sets=sets)


def next_number(store: Store, job: Job, attempts: tuple[Attempt, ...]) -> int:
    """Return the next attempt's number; pods of earlier attempts keep theirs for ever."""
    known = [attempt.number for attempt in attempts] + [pod.attempt for pod in store.pods_of.get(job.uid, {}).values()]
    return max(known, default=0) + 1
