"""What the API server cannot check of a submission, and the operator would only say later: names and parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Failure, Refusal
from batchyard.cli.near import meant
from batchyard.world.specs import Parameter


def check(cluster: Cluster, jobs: Iterable[Body]) -> None:
    """Refuse a definition that is not there and parameters that it does not take; warn of a queue that is not there.

    Whoever may not read definitions or queues is not hindered: the operator says the same later.
    """
    for job in jobs:
        reference = (job.get("spec") or {}).get("definition")
        if isinstance(reference, dict) and reference.get("name"):
            _check_definition(cluster, job, str(reference["name"]), reference.get("revision"))
    for queue in sorted({str(job["spec"].get("queue") or "") for job in jobs} - {""}):
        _check_queue(cluster, queue)


def _check_definition(cluster: Cluster, job: Body, name: str, revision: Any) -> None:
    namespace = job["metadata"]["namespace"]
    try:
        definition = cluster.get("JobDefinition", name, namespace)
    except Refusal as refused:
        if refused.code != 404 or "JobDefinition" not in refused.message:
            return
        fix = cluster.alike("JobDefinition", name, namespace)
        fix = fix or f"kubectl get jobdefinitions -n {namespace} shows those that there are"
        raise Failure(f"DEFINITION: there is no JobDefinition {name!r} in namespace {namespace!r}; {fix}") from refused
    if revision is not None and revision != definition["metadata"]["generation"]:
        return  # the parameters of an older revision may have been others
    from batchyard.decide.parameters import ParameterError, bind  # loads all of decide, which other commands need not

    try:
        given = job["spec"].get("parameters") or {}
        declared = msgspec.convert(definition["spec"].get("parameters") or {}, dict[str, Parameter], strict=False)
        bind(declared, given, declared=True)
    except ParameterError as error:
        guess = next(filter(None, (meant(word, declared) for word in given if word not in declared)), "")
        raise Failure(f"-p: {error}" + (f"; {guess}" if guess else "")) from error
    except msgspec.ValidationError:
        return


def _check_queue(cluster: Cluster, queue: str) -> None:
    try:
        cluster.get("JobQueue", queue)
    except Refusal as refused:
        if refused.code == 404 and "JobQueue" in refused.message:
            guess = cluster.alike("JobQueue", queue)
            more = f"; {guess}" if guess else ""
            show.say(f"Warning: there is no JobQueue {queue!r} yet, so the job will wait for it (--queue){more}")
