"""Definitions: each change of spec is kept as a revision, and its pod is judged once by the API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchyard.decide.admit import is_terminating
from batchyard.decide.condition import Condition
from batchyard.decide.containers import ContainersError, arrange
from batchyard.decide.cycle import Cycle
from batchyard.decide.gang import GangError, Template, gang_of
from batchyard.decide.override import names
from batchyard.decide.parameters import ParameterError, check, substitute, text, undeclared
from batchyard.decide.pods import Placement, Run, manifest
from batchyard.model.plan import Check, Keep, Report
from batchyard.world.specs import Blueprint, JobSpec
from batchyard.world.views import Definition, Job

_SAMPLES = {"String": "text", "Integer": "1", "Number": "1", "Boolean": "true"}


def revise(cycle: Cycle) -> None:
    """Keep and check every newest revision that is not kept or checked yet."""
    for definition in list(cycle.store.definitions.values()):
        if definition.deleting or is_terminating(cycle.store, definition.namespace):
            continue
        try:
            _revise(cycle, definition)
        except Exception as error:  # a defect of ours that one definition brings out must not stop all else
            cycle.defect(definition, error)


def _revise(cycle: Cycle, definition: Definition) -> None:
    if definition.invalid or definition.blueprint is None:
        _verdict(cycle, definition, "InvalidSpec", definition.invalid)
        return
    if (definition.namespace, definition.uid, definition.generation) not in cycle.store.revisions:
        cycle.do(Keep(definition.namespace, definition.name, definition.uid, definition.generation, definition.spec))
    if not _checked(definition):
        _check(cycle, definition, definition.blueprint)


def _checked(definition: Definition) -> bool:
    return any(
        c.get("type") == "Valid" and c.get("observedGeneration") == definition.generation
        for c in definition.status.get("conditions") or ()
    )


def _check(cycle: Cycle, definition: Definition, blueprint: Blueprint) -> None:
    problem = _parameter_problem(blueprint) or _gang_problem(blueprint)
    if problem:
        _verdict(cycle, definition, "InvalidTemplate", problem)
        return
    try:
        pod = sample_pod(definition, blueprint)
    except ContainersError as error:
        _verdict(cycle, definition, "InvalidContainers", str(error))
        return
    cycle.do(Check(definition.namespace, definition.name, definition.uid, definition.generation, pod))


def _parameter_problem(blueprint: Blueprint) -> str:
    groups = blueprint.multi_node.groups if blueprint.multi_node else ()
    for template in (blueprint.template, *(group.template for group in groups)):
        unknown = undeclared(template, blueprint.parameters) if template else []
        if unknown:
            return f"spec.template uses Ref::{unknown[0]}, which spec.parameters does not declare"
    for name, parameter in blueprint.parameters.items():
        try:
            if parameter.default is not None:
                check(name, parameter, parameter.default)
        except ParameterError as error:
            return f"default of {error}"
    return ""


def _gang_problem(blueprint: Blueprint) -> str:
    try:
        return "" if _main_template(blueprint) else "spec.template is missing"
    except GangError as error:
        return str(error)


def _main_template(blueprint: Blueprint) -> Template:
    """Return what the main node of a multi-node definition runs, of another what it runs."""
    spec = blueprint.multi_node
    if spec is None:
        return blueprint.template
    gang = gang_of(spec, blueprint.template)
    return gang.template(gang.main)


def sample_pod(definition: Definition, blueprint: Blueprint) -> Mapping[str, Any]:
    """Return the pod that a job with default (or sample) parameters would get, without an owner."""
    values = {
        name: text(p.default if p.default is not None else p.enum[0] if p.enum else _SAMPLES[p.type])
        for name, p in blueprint.parameters.items()
    }
    job = Job(name=definition.name, namespace=definition.namespace, uid="check", spec=JobSpec(queue="check"))
    run = Run(job, 0, definition.generation, Placement("check", "", {}, True))
    template = _main_template(blueprint)
    own = set(names(template))
    rules = [r for r in blueprint.containers if r.name in own or not blueprint.multi_node]
    pod = manifest(run, arrange(substitute(template, values), rules))
    metadata = {k: v for k, v in pod["metadata"].items() if k != "ownerReferences"}
    return {**pod, "metadata": metadata}


def _verdict(cycle: Cycle, definition: Definition, reason: str, message: str) -> None:
    if not _checked(definition):
        cycle.do(verdict(definition, reason, message, cycle.now))


def verdict(definition: Definition, reason: str, message: str, now: float) -> Report:
    """Return the write of a definition's verdict; reason `Accepted` means valid."""
    valid = reason == "Accepted"
    condition = Condition("Valid", valid, reason, message[:2000])
    known = definition.status.get("conditions") or ()
    others = [c for c in known if c.get("type") != "Valid"]
    status = {
        "phase": "Valid" if valid else "Invalid",
        "revision": definition.generation,
        "message": None if valid else message[:2000],
        "observedGeneration": definition.generation,
        "conditions": [condition.written(definition.generation, now, known), *others],
    }
    return Report("jobdefinitions", definition.namespace, definition.name, definition.uid, status)
