"""What a job waits for: other jobs, whole or child by child, and in an array the child before."""

from __future__ import annotations

from batchyard.decide.admit import NOT_FOUND, WAITING, Blocked, admission
from batchyard.decide.chain import FAILED, chain_of
from batchyard.decide.cycles import spelt
from batchyard.model.phase import Phase
from batchyard.world.children import to_run
from batchyard.world.indexes import first, full, parse
from batchyard.world.outcomes import Outcome
from batchyard.world.specs import Dependency
from batchyard.world.store import Store
from batchyard.world.views import Job, Key
from batchyard.world.waits import CYCLE

SHOWN = 5  # dependencies that a message names
LOST = "which leaves no outcome: create it anew, or stop this job"
_HOW = {"Succeeded": "", "Failed": " to fail", "Finished": " to end"}

Unmet = tuple[Dependency, Phase | None]


def barred(store: Store, job: Job) -> Blocked | None:
    """Return what keeps a job from starting whatever capacity there is: its queue, or what it waits for.

    A mistake about the queue is told before a wait, and nothing counts as Runnable that waits for others.
    """
    waits = blocked(store, job)
    if waits is not None and waits.phase.final:
        return waits
    refused = admission(store, job)
    return refused if waits is None or (refused is not None and refused.phase != Phase.Runnable) else waits


def blocked(store: Store, job: Job) -> Blocked | None:
    """Return what a job waits for, or why that can never come; None once its dependencies were met.

    Dependencies once met stay met. Those of an array's children keep the array back only while no child may start.
    """
    if not job.spec.depends_on or store.begun(job):
        return None
    if job.uid in store.cycles:
        return Blocked(Phase.Failed, CYCLE, f"the job waits for itself: {spelt(store.cycles[job.uid])}")
    unmet: list[Unmet] = []
    named = [needed for needed in job.spec.depends_on if needed.job]
    for needed in named:
        phase = store.phase_of(Key(job.namespace, needed.job or ""))
        if phase is None or (needed.array != "OneToOne" and not phase.final):
            unmet.append((needed, phase))
        elif needed.array == "OneToOne" or needed.when not in ("Finished", phase):
            found = _judge(store, job, needed)
            if isinstance(found, Blocked):
                return found
            unmet += [(needed, phase)] * found
    return _waiting(job, len(named), unmet) if unmet else None


def children(store: Store, job: Job, succeeded: int, failed: int) -> tuple[int, int]:
    """Return the sets of an array's children that may start as far as dependencies go, and that never can.

    To be asked of children that have never started only: what has started goes on whatever becomes of the others.
    `succeeded` and `failed` are the array's own children that have ended, for Sequential.
    """
    assert job.spec.array is not None
    may, doomed = full(job.spec.array.size), 0
    for needed in job.spec.depends_on:
        if needed.array == "Sequential":
            allowed, never = _sequential(job, needed.when, succeeded, failed)
        elif needed.array == "OneToOne" and needed.job:
            allowed, never = _paired(job, needed, store.outcome(Key(job.namespace, needed.job)))
        else:
            continue
        may, doomed = may & allowed, doomed | never
    return may & ~doomed, doomed


def child_reason(store: Store, job: Job, index: int) -> str:
    """Say why a child can never start; `index` is one of the doomed of `children`."""
    for needed in job.spec.depends_on:
        outcome = store.outcome(Key(job.namespace, needed.job)) if needed.job else None
        if needed.array == "OneToOne" and outcome and _paired(job, needed, outcome)[1] >> index & 1:
            return f"child {index} of {needed.job} {_ended_otherwise(needed)}"
    return "a child before it ended otherwise than dependsOn asks (Sequential)"


def _ended_otherwise(needed: Dependency) -> str:
    return "succeeded, and its failure was waited for" if needed.when == "Failed" else "failed"


def _sequential(job: Job, when: str, succeeded: int, failed: int) -> tuple[int, int]:
    """The next child may start once the last one has ended as it should; those that do not run are left out."""
    runs = to_run(job)
    good, bad = _split(when, succeeded, failed)
    rest = runs & ~good
    never = runs & ~full(first(bad) + 1) & ~(succeeded | failed) if bad else 0
    return runs & good | rest & -rest, never


def _paired(job: Job, needed: Dependency, outcome: Outcome | None) -> tuple[int, int]:
    assert job.spec.array is not None
    every = full(job.spec.array.size)
    if outcome is None:
        return 0, 0
    if outcome.size != job.spec.array.size:
        return 0, every
    if outcome.succeeded is None:  # a tombstone whose children were too scattered to be kept
        return (every, 0) if needed.when == "Finished" else (0, every)
    succeeded = parse(outcome.succeeded)
    failed = every & ~succeeded
    if not outcome.phase.final:  # a child that the other array does not run will never succeed
        failed = parse(outcome.failed) | (every & ~parse(outcome.indexes) if outcome.indexes else 0)
    return _split(needed.when, succeeded, failed)


def _split(when: str, succeeded: int, failed: int) -> tuple[int, int]:
    """Return those that have ended as is asked for, and those that have ended otherwise."""
    if when == "Finished":
        return succeeded | failed, 0
    return (failed, succeeded) if when == "Failed" else (succeeded, failed)


def _judge(store: Store, job: Job, needed: Dependency) -> Blocked | bool:
    """Return why a dependency can never be met, else whether it has yet to be; that of children: by none of them."""
    outcome = store.outcome(Key(job.namespace, needed.job or ""))
    assert outcome is not None
    if needed.array != "OneToOne":
        return _failed(job, needed, outcome)
    mine = job.spec.array.size if job.spec.array else 0
    if not mine or outcome.size != mine:
        sizes = f"arrays of the same size, but {job.name} {_size(mine)} and {needed.job} {_size(outcome.size)}"
        message = f"dependsOn {needed.job} with array: OneToOne needs two {sizes}"
        return Blocked(Phase.Failed, "InvalidDependency", message)
    may, never = _paired(job, needed, outcome)
    runs = to_run(job)
    return _failed(job, needed, outcome) if not runs & ~never else not runs & (may | never)


def _size(size: int) -> str:
    return f"has {size} children" if size else "is no array"


def _failed(job: Job, needed: Dependency, outcome: Outcome) -> Blocked:
    message = chain_of(needed.job or "", outcome).then(job.name).message()
    if needed.array == "OneToOne" and outcome.succeeded is None:
        message += " (which of its children succeeded was too scattered to be kept)"
    return Blocked(Phase.Failed, FAILED, message)


def _waiting(job: Job, named: int, unmet: list[Unmet]) -> Blocked:
    missing = [needed.job or "" for needed, phase in unmet if phase is None]
    count = f"waits for {len(unmet)} of {named} dependencies: "
    there = _list([f"{needed.job} ({phase}){_HOW[needed.when]}" for needed, phase in unmet if phase is not None])
    if not missing:
        return Blocked(Phase.Pending, WAITING, count + there)
    absent = f"{_list(missing)} not found in namespace {job.namespace!r} (not created yet, or deleted, {LOST})"
    return Blocked(Phase.Pending, NOT_FOUND, count + absent + (f"; {there}" if there else ""))


def _list(texts: list[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
