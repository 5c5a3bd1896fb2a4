"""Objects of other controllers in the API server, handed to providers as functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from batchyard.kube.paths import core
from batchyard.kube.session import ApiError, Session, UnreachableError
from batchyard.pools.base import ProviderError
from batchyard.pools.objects import Body, Objects


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object at its path, of a controller called `owner`; `switch` of the chart gives the rights to it."""

    session: Session
    path: str
    owner: str
    switch: str

    def functions(self) -> Objects:
        """Return what a provider needs."""
        return Objects(self.listed, self.find, self.create, self.merge, self.delete)

    async def listed(self, selector: str) -> Sequence[Body]:
        """Return the objects with these labels."""
        try:
            return (await self.session.list(self.path, dict[str, Any], {"labelSelector": selector})).items
        except ApiError as error:
            raise self._failed(error) from error
        except UnreachableError as error:
            raise ProviderError(str(error)) from error

    async def find(self, name: str) -> Body | None:
        """Return an object, None if there is none of this name."""
        answer = await self._ask("GET", f"{self.path}/{name}", also="NotFound")
        return orjson.loads(answer) if answer else None

    async def create(self, body: Body) -> None:
        """Make an object, unless it is there."""
        await self._ask("POST", self.path, body, also="AlreadyExists")

    async def merge(self, name: str, patch: Body) -> None:
        """Patch an object, unless it is gone."""
        await self._ask("PATCH", f"{self.path}/{name}", patch, also="NotFound")

    async def delete(self, name: str) -> None:
        """Delete an object, unless it is gone."""
        await self._ask("DELETE", f"{self.path}/{name}", also="NotFound")

    async def _ask(self, method: str, path: str, body: Body | None = None, *, also: str) -> bytes:
        """Return the answer, nothing where it is the failure `also`.

        That an API is not served is told by 404 too, but without a reason: nothing is gone then.
        """
        try:
            answer = await self.session.request(method, path, body=None if body is None else orjson.dumps(body))
        except UnreachableError as error:
            raise ProviderError(str(error)) from error
        if answer.ok:
            return answer.body
        failure = answer.failure()
        if failure.reason == also:
            return b""
        raise self._failed(ApiError(failure))

    def _failed(self, error: ApiError) -> ProviderError:
        if error.status.code == 404:
            return ProviderError(f"{self.owner} is not installed in this cluster: its API {self.path} is not served")
        if error.status.code == 403:
            return ProviderError(f"the operator lacks rights, which {self.switch} gives it: {error.status.message}")
        reason = "Conflict" if error.status.code == 409 else "LaunchFailed"  # the object was written meanwhile
        return ProviderError(error.status.message, reason=reason)


async def complaints(session: Session, name: str) -> Sequence[tuple[str, str]]:
    """Return reason and message of the events about a cluster's object; nothing where they cannot be read."""
    query = {"fieldSelector": f"involvedObject.name={name},type=Warning"}
    try:
        events = (await session.list(core("events", "default"), dict[str, Any], query)).items
    except (ApiError, UnreachableError):
        return ()
    return [(event.get("reason") or "", event.get("message") or "") for event in events]
