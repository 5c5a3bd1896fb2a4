"""The running operator's own answer, through the API server's service proxy or at a URL."""

from __future__ import annotations

import json
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Failure, Refusal
from batchyard.cli.words import name

SERVICE = "batchyard-system/batchyard"
_SECONDS = 5.0
_TRIES = 8  # behind a Service every try may reach another operator, of which one leads


def ask(cluster: Cluster, job: Body, where: str | None) -> Body | None:
    """Return what /v1/explain says of a job, None if nobody answers; said on stderr if `where` was asked for."""
    page = f"/v1/explain/{job['metadata']['namespace']}/{name(job)}"
    try:
        if where and "://" in where:
            return _at(where.rstrip("/") + page)
        return _from_leader(cluster, where or SERVICE, page)
    except (Refusal, HTTPError, ValueError) as error:
        if where:
            said = error.message if isinstance(error, Refusal) else str(error).rsplit(": ", 1)[-1]
            show.say(f"--operator {where} does not tell ({said}); this is the job's status instead")
        return None


def _at(url: str) -> Body:
    answer = urllib3.PoolManager(retries=False).request("GET", url, timeout=_SECONDS)
    return _read(answer.status, answer.data)


def _from_leader(cluster: Cluster, where: str, page: str) -> Body:
    for left in reversed(range(_TRIES)):
        try:
            return _through_proxy(cluster, where, page)
        except Refusal as refused:
            if "stands by" not in refused.message or not left:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def _through_proxy(cluster: Cluster, where: str, page: str) -> Body:
    namespace, slash, service = where.partition("/")
    if not slash or not namespace or not service:
        raise Failure(f"--operator: {where!r} is neither a URL nor NAMESPACE/SERVICE; write for example {SERVICE}")
    path = f"/api/v1/namespaces/{namespace}/services/http:{service}:http/proxy{page}"
    with cluster.open("GET", path) as answer:
        return _read(answer.status, answer.read())


def _read(status: int, data: bytes) -> Body:
    found: Any = json.loads(data)
    if status != 200 or not isinstance(found, dict) or "phase" not in found:
        raise ValueError(found.get("error", f"HTTP {status}") if isinstance(found, dict) else "no answer of Batchyard")
    return found
