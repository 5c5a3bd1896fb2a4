"""The API server as the commands reach it: JSON in and out, long lists by pages, watches and logs as streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kubernetes.client import ApiClient
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from batchyard.cli.errors import Refusal, Unreachable, refusal
from batchyard.cli.near import meant
from batchyard.model.labels import GROUP, VERSION

Body = dict[str, Any]
PLURALS = {
    "Job": "batchjobs",
    "JobDefinition": "jobdefinitions",
    "JobQueue": "jobqueues",
    "ComputeEnvironment": "computeenvironments",
    "ConsumableResource": "consumableresources",
}
NAMESPACED = ("Job", "JobDefinition")
PAGE = 500
_LOOKED_AT = 500  # names that a wrong one is compared with
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 60.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """One user's connection, and the namespace that his commands mean."""

    client: ApiClient
    namespace: str
    chosen: bool = False  # by a flag, not by the kubeconfig

    def get(self, kind: str, name: str, namespace: str = "") -> Body:
        """Return one object; Refusal with what to do if it is not there."""
        try:
            return self.json("GET", self.path(kind, namespace) + f"/{name}")
        except Refusal as refused:
            if refused.code == 404 and "not found" in refused.message:
                raise Refusal(404, self._missing(kind, name, namespace)) from refused
            raise

    def find(self, kind: str, name: str, namespace: str = "") -> Body | None:
        """Return one object, None if it is not there or we may not see it."""
        try:
            return self.get(kind, name, namespace)
        except Refusal as refused:
            if refused.code in (403, 404):
                return None
            raise

    def _missing(self, kind: str, name: str, namespace: str) -> str:
        alike = self.alike(kind, name, namespace)
        where = f" in namespace {namespace or self.namespace!r}" if kind in NAMESPACED else ""
        fix = f"`kubectl get {PLURALS[kind]}` shows those that there are"
        if kind == "Job":
            fix = "`list -A` shows those of all namespaces (--namespace)"
        return f"no {kind} {name!r}{where}; {alike or fix}"

    def alike(self, kind: str, name: str, namespace: str = "") -> str:
        """Return which of the objects that there are was probably meant; nothing if we may not see them."""
        try:
            found = self.json("GET", self.path(kind, namespace), {"limit": _LOOKED_AT})["items"]
        except (Refusal, Unreachable):
            return ""
        return meant(name, (body["metadata"]["name"] for body in found))

    def path(self, kind: str, namespace: str = "", everywhere: bool = False) -> str:
        """Return the path of a kind of ours, in a namespace or in all."""
        inside = kind in NAMESPACED and not everywhere
        middle = f"/namespaces/{namespace or self.namespace}" if inside else ""
        return f"/apis/{GROUP}/{VERSION}{middle}/{PLURALS[kind]}"

    def all(self, path: str, **selectors: str) -> Iterator[Body]:
        """Yield the objects under a path, asked for by the page."""
        query: Body = {**{key: text for key, text in selectors.items() if text}, "limit": PAGE}
        while True:
            try:
                page = self.json("GET", path, query)
            except Refusal as refused:
                if refused.code == 400 and selectors.get("labelSelector"):
                    raise Refusal(400, f"--selector: {refused.message}; write for example team=red") from refused
                raise
            yield from page["items"]
            query["continue"] = page["metadata"].get("continue")
            if not query["continue"]:
                return

    def create(self, body: Body, dry_run: bool = False) -> Body:
        """Create an object of ours and return it as the server has it; unknown fields are refused."""
        query = {"fieldValidation": "Strict", "fieldManager": "kubectl-batchyard"}
        if dry_run:
            query["dryRun"] = "All"
        return self.json("POST", self.path(body["kind"], body["metadata"].get("namespace", "")), query, body)

    def patch(self, kind: str, name: str, body: Body) -> Body:
        """Merge a patch into an object of ours."""
        return self.json("PATCH", f"{self.path(kind)}/{name}", {"fieldManager": "kubectl-batchyard"}, body)

    def watch(self, path: str, seconds: int, **query: str) -> Iterator[Body]:
        """Yield the events of a watch that the server ends after so many seconds."""
        with self.open("GET", path, {**query, "watch": "true", "timeoutSeconds": seconds}) as answer:
            try:
                yield from map(json.loads, lines(answer))
            except HTTPError as error:
                raise self._unreachable(error) from error

    def json(self, method: str, path: str, query: Body | None = None, body: Body | None = None) -> Body:
        """Return the JSON of an answer; Refusal or Unreachable say what went wrong."""
        with self.open(method, path, query, body) as answer:
            try:
                found: Body = json.loads(answer.read())
            except HTTPError as error:
                raise self._unreachable(error) from error
        return found

    def open(self, method: str, path: str, query: Body | None = None, body: Body | None = None) -> BaseHTTPResponse:
        """Return an answer whose body is still to be read; the caller closes it."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = self.client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json, */*", "Content-Type": kind},
            body=body,
            auth_settings=["BearerToken"],
        )
        endless = "true" in ((query or {}).get("watch"), (query or {}).get("follow"))
        try:
            timeout = (CONNECT_SECONDS, None if endless else ANSWER_SECONDS)
            answer: BaseHTTPResponse = self.client.call_api(*request, _request_timeout=timeout).response
            if answer.status >= 300:
                raise refusal(answer.status, answer.read())
        except HTTPError as error:
            raise self._unreachable(error) from error
        return answer

    def _unreachable(self, error: HTTPError) -> Unreachable:
        why = str(getattr(error, "reason", None) or error).rsplit(": ", 1)[-1]
        server = self.client.configuration.host
        return Unreachable(f"the API server {server} gives no answer ({why}); check --kubeconfig and --context")


def lines(answer: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield the lines of a stream as they come, without their ends."""
    rest = b""
    for chunk in answer.stream(65_536, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from filter(None, whole)
