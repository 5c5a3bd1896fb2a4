"""What can go wrong for the user of a command, each in one sentence with the fix; never a stack trace."""

from __future__ import annotations

import json
from typing import Any

import click

REFUSED = 2  # exit code of everything that a command could not do; 1 and others are a job's own


class Failure(click.ClickException):
    """A command cannot go on; the message names the flag or field and the fix."""

    exit_code = REFUSED


class Unreachable(Failure):
    """The API server gave no answer."""


class Refusal(Failure):
    """The API server answered no; `code` is HTTP's, the message the server's own sentence."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def refusal(code: int, body: bytes) -> Refusal:
    """Return an answer from 300 on as a sentence, with the fix where we know one."""
    status = _status(body)
    said = str(status.get("message") or body.decode(errors="replace").strip() or f"HTTP {code}")
    if code == 401:
        return Refusal(code, "the API server does not know you; renew the credentials of this --context")
    if code == 403:
        return Refusal(code, f"{said}; ask an administrator for that right, or name another --namespace or --context")
    if code == 404 and not status:
        return Refusal(code, "the API server does not know the kinds of batchyard.dev; install the CRDs: helm install "
                       "batchyard charts/batchyard, or kubectl apply --server-side -f crds")  # fmt: skip
    return Refusal(code, said)


def _status(body: bytes) -> dict[str, Any]:
    """Return the body if it is a Status of Kubernetes; a path that does not exist answers with plain text."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}
