"""A multi-node job whose pods live: the main one first, then the workers; the main one's end is the end of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from batchyard.decide.admit import is_terminating
from batchyard.decide.checkpoint import resumed_from
from batchyard.decide.cycle import Cycle, Kept, Standing
from batchyard.decide.enforce import enforce
from batchyard.decide.gang import Gang
from batchyard.decide.gang_pods import sets_of, worker_starts
from batchyard.decide.interrupt import node_trouble
from batchyard.decide.memory import enlarge
from batchyard.decide.needs import Needs
from batchyard.decide.outcome import INFRASTRUCTURE, judge
from batchyard.decide.pods import Placement, Run
from batchyard.decide.resolve import Effective, RefusedError, resolve
from batchyard.model import labels as names
from batchyard.model.phase import Phase
from batchyard.model.plan import Start, Verb
from batchyard.world.store import Store
from batchyard.world.views import Attempt, Job, Pod

WORKER_PATIENCE = 300.0  # seconds without all workers' pods, or with one that nobody schedules, and the attempt ends
_OWN_FAULT = ("CannotPullContainer", "CannotStartContainer")
_MAIN_ENDED = ("MainEnded", "the main node has ended, and with it the attempt")
Why = tuple[str, str]  # a reason to stop, and its sentence


@dataclass(frozen=True, slots=True)
class Ranks:
    """The pods of one attempt: the main one, if it is still known, and the workers by node."""

    number: int
    main: Pod | None
    workers: Mapping[int, Pod]

    @property
    def running(self) -> int:
        """Return how many nodes run."""
        pods = [*self.workers.values(), *([self.main] if self.main else [])]
        return sum(1 for pod in pods if not pod.final and pod.running_since is not None)


def ranks_of(pods: Sequence[Pod]) -> Ranks:
    """Return the attempt that lives: that of the live main pod, else that of the last live worker, else the last."""
    live = [pod for pod in pods if not pod.final] or list(pods)
    number = max((pod.attempt for pod in live if pod.gang), default=max(pod.attempt for pod in live))
    own = [pod for pod in pods if pod.attempt == number]
    main = next((pod for pod in own if pod.gang), None)
    return Ranks(number, main, {pod.node_index: pod for pod in own if pod.worker and pod.node_index is not None})


def grown(effective: Effective, attempts: Sequence[Attempt]) -> Effective:
    """Return it with more memory for the main node's group where the main container was OOM-killed."""
    gang = effective.gang
    if gang is None:
        return effective
    group, rule = gang.group_of[gang.main], effective.retry.on_out_of_memory
    templates = [enlarge(t, rule, attempts) if n == group else t for n, t in enumerate(gang.templates)]
    larger = Gang(gang.main, gang.group_of, tuple(templates))
    return replace(effective, gang=larger, needs=None)


def nodes_at_fault(pods: Iterable[Pod]) -> frozenset[str]:
    """Return the nodes that workers were put on and never ran on."""
    return frozenset(pod.node for pod in pods if pod.worker and pod.node and _never_ran(pod))


def stand_gang(cycle: Cycle, job: Job, pods: Sequence[Pod], attempts: tuple[Attempt, ...]) -> Standing:
    """Return the standing of a multi-node job of which a pod lives."""
    ranks = ranks_of(pods)
    main, live = ranks.main, [pod for pod in pods if not pod.final]
    standing = Standing(job, Phase.Running, attempts=attempts, since=live[-1].created)
    standing.multi_node = _summary(job, ranks)
    if main is None or main.final:
        standing.message = f"attempt {ranks.number}: the main node has ended; {len(live)} others are being stopped"
        standing.orders = tuple(verb for pod in live for verb in enforce(cycle, standing, pod, _MAIN_ENDED))
        return standing
    standing.since = main.running_since or main.created or cycle.now
    standing.phase = Phase.Starting if main.running_since is None else Phase.Running
    standing.message = _progress(ranks, main)
    standing.orders = tuple(_orders(cycle, standing, ranks, live))
    return standing


def summary(job: Job, pods: Sequence[Pod]) -> dict[str, object] | None:
    """Return the entry status.multiNode of the last attempt, None of a job that has no pods on several nodes."""
    return _summary(job, ranks_of(pods)) if any(pod.gang for pod in pods) else None


def _summary(job: Job, ranks: Ranks) -> dict[str, object]:
    """The entry status.multiNode; once all pods have started, that stays said."""
    main, known = ranks.main, job.status.multi_node or {}
    if main is None:
        return {**known, "running": ranks.running}
    nodes = len(main.gang)
    started = (
        nodes if job.has_started_all(main.attempt) else sum(1 for pod in (main, *ranks.workers.values()) if pod.uid)
    )
    return {"nodes": nodes, "started": started, "running": ranks.running, "mainPod": main.name}


def _progress(ranks: Ranks, main: Pod) -> str:
    where = f"on node {main.node}" if main.node else f"({main.unschedulable or 'waiting for kube-scheduler'})"
    if main.running_since is not None:
        return f"attempt {ranks.number}: {ranks.running} of {len(main.gang)} nodes run; the main one {where}"
    waits = [f"{c.name}: {c.reason} {c.message}".strip() for c in main.containers if c.state == "waiting" and c.reason]
    why = f" ({'; '.join(waits)[:500]})" if waits else ""
    return f"attempt {ranks.number}: the main node starts {where}{why}, the others after it"


def _orders(cycle: Cycle, standing: Standing, ranks: Ranks, live: Sequence[Pod]) -> Iterator[Verb]:
    main = ranks.main
    assert main is not None
    missing = [] if standing.job.has_started_all(main.attempt) else _missing(ranks, main)
    effective, needs, why = _what_runs(cycle.store, standing, main, missing)
    standing.effective = effective
    standing.kept = Kept(main.environment, tuple((main.gang[str(node)], needs[node].requests) for node in missing))
    why = why or _hopeless(cycle, standing, ranks, missing)
    told = enforce(cycle, standing, main, why)
    yield from told
    for pod in live:
        if pod is not main:
            own = pod.attempt == ranks.number
            yield from enforce(cycle, standing, pod, _unplaced(cycle, standing, pod) if own else _MAIN_ENDED)
    if effective is not None and not told and missing and _may_go_on(cycle, standing, main):
        yield from _recruits(cycle, standing.job, effective, main, {node: needs[node] for node in missing})


def _missing(ranks: Ranks, main: Pod) -> list[int]:
    nodes = sorted(int(node) for node in main.gang)
    return [node for node in nodes if node not in ranks.workers and node != main.node_index]


def _what_runs(
    store: Store, standing: Standing, main: Pod, missing: Sequence[int]
) -> tuple[Effective | None, Mapping[int, Needs], Why | None]:
    """Return what the missing workers will run and need, or that nobody knows it any more."""
    if not missing:
        return None, {}, None
    try:
        effective = grown(resolve(store, standing.job), standing.attempts)
        assert effective.gang is not None
        sets = sets_of(effective.gang, standing.job.spec.capacity_type)
        return effective, {node: pods.needs for pods in sets for node in pods.nodes}, None
    except (RefusedError, ValueError) as error:
        alike = Needs(requests=main.requests)
        why = "PodRejected", f"the workers cannot be made any more: {error}"
        return None, dict.fromkeys(missing, alike), why


def _hopeless(cycle: Cycle, standing: Standing, ranks: Ranks, missing: Sequence[int]) -> Why | None:
    """Return why the nodes can never all run, though nothing is wrong with the main one; AWS is silent (ADR 0013)."""
    main = ranks.main
    assert main is not None
    for node in missing:
        trouble = _gone(cycle.store, main, main.gang[str(node)])
        if trouble is not None:
            return trouble[0], f"node {main.gang[str(node)]}, which was kept for node {node} of the job, {trouble[1]}"
    for node, pod in sorted(ranks.workers.items()):
        if _never_ran(pod):
            end = judge(pod)
            reason = end.reason if end.reason in INFRASTRUCTURE or end.reason in _OWN_FAULT else "NodeLost"
            return reason, f"node {node} of the job never ran: {end.message}"
    return _unplaced(cycle, standing, main) or _too_late(cycle, standing, main, missing)


def _never_ran(pod: Pod) -> bool:
    return pod.final and all(container.started is None for container in pod.containers)


def _gone(store: Store, main: Pod, name: str) -> Why | None:
    trouble = node_trouble(store, name)
    if trouble is not None:
        return "Interrupted", trouble
    environment = store.environments.get(main.environment)
    if name in store.nodes or (name in store.machines and (environment is None or environment.managed)):
        return None
    provider = environment.provider if environment else ""
    if environment is not None and environment.managed and store.observed_at.get(provider, 0.0) <= main.created:
        return None  # not looked at since: its machine may be there
    return "NodeLost", "is gone"


def _unplaced(cycle: Cycle, standing: Standing, pod: Pod) -> Why | None:
    """The one node that a pod may go to no longer has the room that was kept for it."""
    if pod.node or not pod.uid:
        return None
    due = pod.created + WORKER_PATIENCE
    if cycle.now >= due:
        return "PodRejected", f"pod {pod.name} found no place: {pod.unschedulable or 'not scheduled'}"
    standing.until = min(standing.until, due)
    return None


def _too_late(cycle: Cycle, standing: Standing, main: Pod, missing: Sequence[int]) -> Why | None:
    if not missing or main.running_since is None:
        return None
    refusal = cycle.store.refusals.get(standing.job.uid)
    why = refusal.message if refusal else "the API server has not taken them"
    due = main.running_since + WORKER_PATIENCE
    if cycle.now >= due or (refusal is not None and refusal.until == float("inf")):
        return "PodRejected", f"the pods of {len(missing)} nodes could not be made: {why}"
    standing.until = min(standing.until, due)
    return None


def _may_go_on(cycle: Cycle, standing: Standing, main: Pod) -> bool:
    """Say whether workers may be made now: the main node runs, has an address, and nobody wants it stopped."""
    job, stop = standing.job, standing.job.spec.stop
    if not main.uid or main.running_since is None or not main.ip:
        return False
    if main.stop is not None or main.deleting is not None or main.removing:
        return False
    if job.deleting is not None or (stop is not None and stop.mode == "Terminate"):
        return False
    if is_terminating(cycle.store, job.namespace):
        return False
    refusal = cycle.store.refusals.get(job.uid)
    if refusal is None or refusal.until <= cycle.now:
        return True
    standing.until = min(standing.until, refusal.until)
    return False


def _recruits(cycle: Cycle, job: Job, effective: Effective, main: Pod, missing: Mapping[int, Needs]) -> Iterator[Start]:
    store = cycle.store
    environment = store.environments.get(main.environment)
    managed = environment is None or environment.managed
    selector = {names.ENVIRONMENT: main.environment} if managed else environment.selector if environment else {}
    run = Run(
        job, main.attempt, main.revision, Placement(main.environment, "", selector, managed),
        checkpoint=effective.origin.checkpoint, resumes=resumed_from(job.status.attempts, main.attempt),
    )  # fmt: skip
    known = {node: needs for node, needs in missing.items() if main.gang[str(node)] in store.nodes}
    assert effective.gang is not None
    yield from worker_starts(store, run, effective.gang, main, known)
