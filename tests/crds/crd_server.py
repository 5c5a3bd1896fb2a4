"""The API server as a user meets it: strict about unknown fields, and dry runs unless a test needs the object."""

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from kubernetes import client

from batchyard.model.kind import Kind

GROUP, VERSION = "batchyard.dev", "v1alpha1"


@dataclass(frozen=True)
class Server:
    """Objects of ours on a real API server, in one namespace of the test run."""

    api: client.CustomObjectsApi
    namespace: str

    def create(self, kind: Kind, spec: Any, name: str = "good", *, keep: bool = False) -> dict:
        return self._call("create", kind, self._body(kind, spec, name), keep=keep)

    def replace(self, kind: Kind, current: dict, spec: Any) -> dict:
        return self._call("replace", kind, {**deepcopy(current), "spec": spec}, keep=False)

    def read(self, kind: Kind, name: str) -> dict:
        verb = self._verb("get", kind)
        return verb(*self._place(kind), name)

    def delete(self, kind: Kind, name: str) -> None:
        self._verb("delete", kind)(*self._place(kind), name)

    def set_status(self, kind: Kind, name: str, status: dict) -> dict:
        suffix = "_custom_object_status"
        verb = getattr(self.api, f"patch_{self._scope(kind)}{suffix}")
        return verb(*self._place(kind), name, {"status": status})

    def refusal(self, call: Any, *arguments: Any) -> str:
        """Give the API server's sentences; fail if it agrees."""
        try:
            agreed = call(*arguments)
        except client.ApiException as error:
            if error.status not in (400, 422):
                raise
            return json.loads(error.body)["message"]
        raise AssertionError(f"accepted: {json.dumps(agreed.get('spec'))}")

    def _call(self, verb: str, kind: Kind, body: dict, *, keep: bool) -> dict:
        name = [body["metadata"]["name"]] if verb == "replace" else []
        options = {"field_validation": "Strict", **({} if keep else {"dry_run": "All"})}
        return self._verb(verb, kind)(*self._place(kind), *name, body=body, **options)

    def _verb(self, verb: str, kind: Kind) -> Any:
        return getattr(self.api, f"{verb}_{self._scope(kind)}_custom_object")

    def _place(self, kind: Kind) -> list[str]:
        return [GROUP, VERSION, *([self.namespace] if kind.scope == "Namespaced" else []), kind.plural]

    @staticmethod
    def _scope(kind: Kind) -> str:
        return "namespaced" if kind.scope == "Namespaced" else "cluster"

    @staticmethod
    def _body(kind: Kind, spec: Any, name: str) -> dict:
        return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind.name, "metadata": {"name": name}, "spec": spec}
