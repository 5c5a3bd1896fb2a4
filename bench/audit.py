"""Who asked the API server for what, from its audit log.

`apiserver_request_total` does not tell clients apart; the audit log has the user and the user agent of each request.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

AGENT = "batchyard-bench"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_CONTROLLERS = ("system:kube-controller-manager", "system:serviceaccount:kube-system:")
_USERS = {
    "system:serviceaccount:batchyard-system:batchyard": "operator",
    "system:kube-scheduler": "kube-scheduler",
    "system:apiserver": "kube-apiserver",
}
_LEASES = {"group": "coordination.k8s.io", "resources": ["leases"]}
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    # Leases are the price of time, not of jobs; a watch is one request however much it says.
    "rules": [
        {"level": "None", "nonResourceURLs": ["*"]},
        {"level": "None", "resources": [_LEASES]},
        {"level": "None", "verbs": ["watch"]},
        {"level": "Metadata"},
    ],
}


class _User(msgspec.Struct):
    username: str = ""


class _Object(msgspec.Struct):
    resource: str = ""
    subresource: str = ""
    name: str = ""


class _Answer(msgspec.Struct):
    code: int = 0


class _Line(msgspec.Struct, rename="camel"):
    verb: str
    request_received_timestamp: datetime
    stage_timestamp: datetime
    user: _User
    user_agent: str = ""
    object_ref: _Object | None = None
    response_status: _Answer | None = None


class Sort(NamedTuple):
    """What requests have in common: who asked for what."""

    client: str
    verb: str
    resource: str  # pods, pods/status

    @property
    def writes(self) -> bool:
        """Whether they change something."""
        return self.verb in WRITES

    @property
    def kind(self) -> str:
        """The resource without its subresource."""
        return self.resource.split("/")[0]


class Asked(NamedTuple):
    """One request: who, what, when it came in and when it was answered (seconds since 1970)."""

    client: str
    verb: str
    resource: str  # pods, pods/status
    name: str
    code: int
    received: float
    answered: float


def policy() -> str:
    """Return the audit policy for the API server: one line a request, when it is answered."""
    return json.dumps(POLICY)


def read(log: Path, begin: int, end: int) -> Iterator[Asked]:
    """Yield the requests between two offsets of the log."""
    decoder = msgspec.json.Decoder(_Line)
    with log.open("rb") as file:
        file.seek(begin)
        while file.tell() < end and (line := file.readline()):
            yield _asked(decoder.decode(line))


def _asked(line: _Line) -> Asked:
    about = line.object_ref or _Object()
    resource = f"{about.resource}/{about.subresource}" if about.subresource else about.resource
    code = line.response_status.code if line.response_status else 0
    times = (line.request_received_timestamp.timestamp(), line.stage_timestamp.timestamp())
    return Asked(client(line.user.username, line.user_agent), line.verb, resource, about.name, code, *times)


def client(user: str, agent: str) -> str:
    """Name the client of a request: the program it came from.

    client("system:serviceaccount:kube-system:job-controller", "...")  kube-controller-manager
    client("admin", "kwok/v0.8.0")                                     kwok
    """
    if user in _USERS:
        return _USERS[user]
    if user.startswith(_CONTROLLERS):
        return "kube-controller-manager"
    if agent.startswith(AGENT):
        return "bench"
    return "kwok" if agent.startswith("kwok") else "other"


def count(requests: Iterable[Asked]) -> Counter[Sort]:
    """Count requests of one sort."""
    return Counter(Sort(asked.client, asked.verb, asked.resource) for asked in requests)
