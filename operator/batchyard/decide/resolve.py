"""From a job and its pinned revision to what will run: template, parameters, overrides, retry, timeout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from weakref import WeakValueDictionary

from batchyard.decide.checkpoint import prepared
from batchyard.decide.containers import ContainersError, arrange, over
from batchyard.decide.gang import Gang, GangError, Template, gang_of, overridden
from batchyard.decide.memory import enlarge
from batchyard.decide.needs import Needs, needs_of
from batchyard.decide.override import OverrideError, merge, names
from batchyard.decide.parameters import ParameterError, bind, substitute
from batchyard.world.specs import Blueprint, Checkpoint, JobSpec, Retry, Take
from batchyard.world.store import Store
from batchyard.world.views import Attempt, Definition, Job, Key

_MISTAKES: dict[type[Exception], str] = {
    ParameterError: "InvalidParameters", OverrideError: "InvalidOverrides", ContainersError: "InvalidContainers",
}  # fmt: skip


NEWS_LATE = 2.0  # seconds by which the watch of definitions may be behind that of jobs


class RefusedError(Exception):
    """The user's error: a stable reason and a sentence with the fix; `final` if waiting cannot cure it."""

    def __init__(self, reason: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.reason, self.message, self.final = reason, message, final

    def final_at(self, job: Job) -> float:
        """Return from when on the job has failed by it, inf for never: a mended definition may be heard of after it."""
        if not self.final:
            return inf
        return job.created + NEWS_LATE if job.spec.definition is not None else 0.0


@dataclass(frozen=True, slots=True)
class Origin:
    """What a job is made of; `everywhere` are the containers of all groups of a multi-node job."""

    spec: JobSpec
    blueprint: Blueprint
    everywhere: tuple[str, ...] = ()

    def build(self, template: Template) -> Template:
        """Return what becomes of a template with the job's parameters, overrides and rules on containers."""
        spec, blueprint = self.spec, self.blueprint
        parameters = bind(blueprint.parameters, spec.parameters or {}, declared=spec.definition is not None)
        whole = substitute(merge(template, spec.overrides or {}, self.everywhere), parameters)
        elsewhere = set(self.everywhere) - set(names(template))
        rules = over(blueprint.containers, spec.containers)
        return prepared(arrange(whole, [rule for rule in rules if rule.name not in elsewhere]), self.checkpoint)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Return what is said of a checkpoint: the job's word in the definition's place."""
        return self.spec.checkpoint or self.blueprint.checkpoint


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Effective:
    """What a job says once its definition, parameters and overrides are applied; `timeout` in seconds.

    Of a multi-node job `template` is that of its main node, and `gang` has those of all.
    """

    origin: Origin
    retry: Retry
    timeout: int | None
    priority: int
    revision: int | None
    consumables: tuple[tuple[str, int], ...] = ()  # name and quantity, by name
    gang: Gang | None = None
    needs: Needs | None = None  # of a pod of it, before any of them ran out of memory; None if they cannot be read
    grace: int | None = None  # seconds that its pod has to end

    @property
    def template(self) -> Template:
        """Return the pod template, made anew each time: with parameters each of many jobs has one of its own."""
        return self.gang.template(self.gang.main) if self.gang else self.origin.build(self.origin.blueprint.template)


# What one spec and one blueprint come to, as long as a job stands on it. Its `origin` keeps the numbers from being
# given to others meanwhile.
_KNOWN: WeakValueDictionary[tuple[int, int, int | None], Effective] = WeakValueDictionary()


def resolve(store: Store, job: Job) -> Effective:
    """Return what the job runs; raise RefusedError, and no other, when what the job says does not allow it.

    retry and timeout of a job replace the definition's whole (AWS SubmitJob); consumables and containers name by name.
    """
    blueprint, revision = _blueprint(store, job)
    same = (id(job.spec), id(blueprint), revision)
    effective = _KNOWN.get(same)
    if effective is not None:
        return effective
    try:
        effective = _applied(job, blueprint or Blueprint(template=job.spec.template or {}), revision)
        _KNOWN[same] = effective
    except tuple(_MISTAKES) as error:
        raise RefusedError(_MISTAKES[type(error)], str(error), final=True) from error
    return effective


def _applied(job: Job, blueprint: Blueprint, revision: int | None) -> Effective:
    """Return what its blueprint makes of a job with its parameters, overrides and rules on containers."""
    gang = _gang(job, blueprint)
    everywhere = tuple(name for template in gang.templates for name in names(template)) if gang else ()
    origin = Origin(job.spec, blueprint, everywhere)
    gang = gang.built(origin.build) if gang else None
    template = gang.template(gang.main) if gang else origin.build(blueprint.template)
    timeout = job.spec.timeout or blueprint.timeout
    priority = job.spec.priority if job.spec.priority is not None else blueprint.priority
    return Effective(
        origin=origin,
        retry=job.spec.retry or blueprint.retry or Retry(),
        timeout=timeout.attempt_duration_seconds if timeout else None,
        priority=priority or 0,
        revision=revision,
        consumables=_merged(blueprint.consumables, job.spec.consumables),
        gang=gang,
        needs=_needs(template, job.spec.capacity_type),
        grace=(template.get("spec") or {}).get("terminationGracePeriodSeconds"),
    )


def _needs(template: Template, capacity_type: str) -> Needs | None:
    try:
        return needs_of(template, capacity_type)
    except ValueError:  # told when a pod is asked for: until then something else may keep the job from it
        return None


def needs_after(effective: Effective, capacity_type: str, killed: Sequence[Attempt]) -> Needs:
    """Return what the pod needs after these attempts; ValueError names the field that is not what it must be."""
    if effective.needs is not None and not killed:
        return effective.needs
    return needs_of(enlarge(effective.template, effective.retry.on_out_of_memory, killed), capacity_type)


def _merged(own: Iterable[Take], over: Iterable[Take]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted({take.name: take.quantity for take in (*own, *over)}.items()))


def _gang(job: Job, blueprint: Blueprint) -> Gang | None:
    """Return the groups of a multi-node job; with a definition the job may say their number of nodes only."""
    asked = job.spec.multi_node
    try:
        if job.spec.definition is None:
            return gang_of(asked, job.spec.template) if asked else None
        spec = overridden(blueprint.multi_node, asked.nodes if asked else None)
        return gang_of(spec, blueprint.template) if spec else None
    except GangError as error:
        whose = f"JobDefinition {job.spec.definition.name!r}: " if job.spec.definition else ""
        raise RefusedError("InvalidMultiNode", f"{whose}{error}", final=True) from None


def _blueprint(store: Store, job: Job) -> tuple[Blueprint | None, int | None]:
    """Return the blueprint of a job's revision and its number; None for a job that brings its own template."""
    if job.spec.definition is None:
        return None, None
    name = job.spec.definition.name
    definition = store.definitions.get(Key(job.namespace, name))
    if definition is None:
        raise RefusedError("DefinitionNotFound", _missing(job, name))
    number = pin(store, job, definition)
    revision = store.revisions.get((definition.namespace, definition.uid, number))
    if revision is None:
        raise _no_revision(definition, number)
    _check_valid(definition, number)
    return revision.blueprint, number


def _missing(job: Job, name: str) -> str:
    return f"JobDefinition {name!r} does not exist in namespace {job.namespace!r}; the job starts when it is created"


def pin(store: Store, job: Job, definition: Definition) -> int:
    """Return the revision the job was submitted with: asked for, on record, on its pods, else the newest."""
    asked = job.spec.definition.revision if job.spec.definition else None
    known = asked or job.status.definition_revision or store.pinned.get(job.uid)
    if known:
        return known
    on_pods = [pod.revision for pod in store.pods_of.get(job.uid, {}).values() if pod.revision]
    return min(on_pods) if on_pods else definition.generation


def _no_revision(definition: Definition, number: int) -> RefusedError:
    if definition.invalid:
        return RefusedError("DefinitionInvalid", f"JobDefinition {definition.name!r}: {definition.invalid}")
    if number == definition.generation:
        return RefusedError("RevisionPending", f"revision {number} of JobDefinition {definition.name!r} is being kept")
    return RefusedError(
        "RevisionNotFound",
        f"JobDefinition {definition.name!r} has no revision {number}; its newest is {definition.generation}",
        final=number < definition.generation,
    )


def _check_valid(definition: Definition, number: int) -> None:
    for condition in definition.status.get("conditions") or ():
        concerns = condition.get("observedGeneration") == number and condition.get("type") == "Valid"
        if concerns and condition.get("status") == "False" and condition.get("reason") == "InvalidTemplate":
            raise RefusedError(
                "DefinitionInvalid",
                f"revision {number} of JobDefinition {definition.name!r} is not valid: {condition.get('message')}",
                final=True,
            )
