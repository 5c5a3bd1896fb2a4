"""What helps a job that waits, by its reason or by the verdict of an environment: who can do what, with the command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LOWER = "ask for less in the template's resources, or submit to a queue with larger nodes"
_QUEUE = {
    "QueueNotFound": "create JobQueue {queue}, or stop the job and submit it to another: kubectl get jobqueues",
    "QueueInvalid": "the queue's environments have to be mended: kubectl describe jobqueue {queue}",
    "QueueHeld": "it starts when the queue is released: "
    'kubectl patch jobqueue {queue} --type merge -p \'{{"spec": {{"state": "Enabled"}}}}\'',
    "QueueDisabled": "enable the queue, or stop the job and submit it to another: kubectl get jobqueues",
    "QueueDraining": "enable the queue, or stop the job and submit it to another: kubectl get jobqueues",
    "NamespaceNotAllowed": "submit from a namespace that the queue's spec.namespaceSelector picks, or to another queue",
    "NoEnvironments": "name an environment in spec.computeEnvironments of JobQueue {queue}",
    "MaxRunningJobs": "it starts when a job of the queue ends; spec.maxRunningJobs of JobQueue {queue} may be raised",
    "BudgetExceeded": "it starts when money comes free; the amount in spec.budget or spec.shareBudgets of JobQueue "
    "{queue} may be raised: kubectl get jobqueue {queue} -o yaml",
    "PolicyNotFound": "create the SchedulingPolicy that JobQueue {queue} names, or take spec.schedulingPolicy out",
    "PolicyInvalid": "mend the SchedulingPolicy that JobQueue {queue} names: kubectl describe schedulingpolicies",
    "ShareRequired": "stop it and submit it with --share",
    "BehindOthers": "it starts in its turn; a higher --priority goes first: "
    'kubectl patch batchjob {job} --type merge -p \'{{"spec": {{"priority": 100}}}}\'',
}
_JOB = {
    "DefinitionNotFound": "create the JobDefinition it names: kubectl get jobdefinitions",
    "WaitingForDependencies": "it starts when these have ended: batchyard graph {job}",
    "DependencyNotFound": "submit the job that it waits for, or stop this one: batchyard graph {job}",
    "DependencyCycle": "stop one of the jobs of the circle: batchyard graph {job}",
    "MaxConcurrent": "it goes on when a child ends; spec.array.maxConcurrent may be raised while it runs",
    "ConsumableUnavailable": "it starts when a holder ends; spec.total of the ConsumableResource may be raised",
    "ConsumableNotFound": "create the ConsumableResource, or stop the job and submit it without",
    "ConsumableTooLarge": "ask for less of it, or raise spec.total of the ConsumableResource",
    "ConsumableUsedUp": "raise spec.total of the ConsumableResource: what was used up does not come back",
    "Backoff": "nothing: it is tried again when spec.retry.backoff has passed",
}
_ENVIRONMENT = {
    "AtMaxVCpus": "it starts when others end; spec.maxVCpus of ComputeEnvironment {environment} may be raised",
    "NodesBusy": "it starts when others end there",
    "NodesStarting": "nothing: a node is coming",
    "InsufficientCapacity": "the provider of {environment} has none now and is asked again; "
    "another environment in the queue would help",
    "SpotFirst": "nothing: it may use {environment} when spec.spot of JobQueue {queue} says so; capacityType: OnDemand "
    "goes there at once",
    "EnvironmentDisabled": "set spec.state of ComputeEnvironment {environment} to Enabled",
    "EnvironmentDeleting": "name another environment in spec.computeEnvironments of JobQueue {queue}",
    "EnvironmentInvalid": "ComputeEnvironment {environment} has to be mended: kubectl describe ce {environment}",
    "EnvironmentNotFound": "create ComputeEnvironment {environment}, or take it out of JobQueue {queue}",
    "PriceTooHigh": "raise spec.maxPricePercent of ComputeEnvironment {environment}, "
    "or name another environment in JobQueue {queue}",
    "NoMatchingNode": "add the label or the toleration, or a node that has it to {environment}",
    "JobTooLarge": f"{_LOWER}, or add a larger instance type to {{environment}}",
    "CapacityTypeMismatch": "submit it with another spec.capacityType, or add such an environment to JobQueue {queue}",
}


def advice(job: str, queue: str, said: Mapping[str, Any]) -> Iterator[str]:
    """Yield what can be done, most hopeful first and each thing once."""
    reason = str(said.get("reason") or "")
    names = {"job": job, "queue": queue}
    for word in (_QUEUE.get(reason), _JOB.get(reason)):
        if word:
            yield word.format(**names)
    alike: dict[str, list[str]] = {}
    for verdict in said.get("environments") or ():
        alike.setdefault(verdict["verdict"], []).append(verdict["name"])
    for verdict, environments in alike.items():
        if verdict in _ENVIRONMENT:
            yield _ENVIRONMENT[verdict].format(**names, environment=" or ".join(environments))
