"""What pods of jobs use now, from the metrics API; where there is none, nothing, and a look every few minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic

import msgspec
import structlog

from batchyard.kube.paths import METRICS, collection
from batchyard.kube.session import ApiError, Session, UnreachableError
from batchyard.model.labels import JOB_UID
from batchyard.model.resources import Resources, millicores, whole
from batchyard.world.views import Key

log = structlog.get_logger(__name__)

SLICE = 500  # pods that are read before others have their turn
_NANO = 1_000_000  # nanocores in a millicore
ABSENT = 5.0  # times the pause between looks, after one that failed
_NONE = (404, 503)  # no such API; one whose server is not there


class _Name(msgspec.Struct, gc=False):
    name: str
    namespace: str


class _Amounts(msgspec.Struct, gc=False):
    cpu: str | int = 0
    memory: str | int = 0


class _Container(msgspec.Struct, gc=False):
    usage: _Amounts


class _PodMetrics(msgspec.Struct, gc=False):
    """Slim PodMetrics (metrics.k8s.io/v1beta1)."""

    metadata: _Name
    containers: list[_Container] | None = None


class Usage:
    """Asks once for all pods of jobs in `places`; says in the log when the API comes and goes, and nothing else."""

    def __init__(
        self, session: Session, places: Sequence[str], every: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._session = session
        self._places = places
        self._every = every
        self._clock = clock
        self._there: bool | None = None
        self._again = 0.0

    async def now(self) -> dict[Key, Resources]:
        """Return what each pod uses; nothing where nobody can say."""
        if self._clock() < self._again:
            return {}
        try:
            found = [item for place in self._places for item in await self._ask(place)]
            used = await _added_up(found)
        except (ApiError, UnreachableError, msgspec.DecodeError, ValueError) as error:
            self._failed(error)
            return {}
        self._again = 0.0
        self._tell(there=True)
        return used

    async def _ask(self, place: str) -> list[_PodMetrics]:
        path = collection(METRICS, "pods", place)
        return (await self._session.list(path, _PodMetrics, {"labelSelector": JOB_UID})).items

    def _failed(self, error: Exception) -> None:
        asked = error.retry_after if isinstance(error, ApiError) else 0.0
        self._again = self._clock() + max(ABSENT * self._every, asked)
        if isinstance(error, ApiError) and error.status.code in _NONE:
            self._tell(there=False)
        else:
            self._tell(there=False, why=str(error)[:300])

    def _tell(self, *, there: bool, why: str = "") -> None:
        if there is self._there:
            return
        self._there = there
        if there:
            log.info("metrics API found: definitions are told what their pods use")
        elif why:
            log.warning("metrics API fails: no advice on requests until it answers", error=why)
        else:
            log.info("no metrics API: no advice on requests")


async def _added_up(found: Sequence[_PodMetrics]) -> dict[Key, Resources]:
    used = {}
    for count, pod in enumerate(found, start=1):
        amounts = [each.usage for each in pod.containers or ()]
        total = Resources(
            cpu=sum(_cpu(each.cpu) for each in amounts), memory=sum(_bytes(each.memory) for each in amounts)
        )
        used[Key(pod.metadata.namespace, pod.metadata.name)] = total
        if not count % SLICE:
            await asyncio.sleep(0)
    return used


# What metrics-server writes is read by itself: no two amounts are alike, and they would push out of the memory for
# quantities those that all pods have.
def _cpu(amount: str | int) -> int:
    if isinstance(amount, str) and amount.endswith("n") and amount[:-1].isdecimal():
        return -(-int(amount[:-1]) // _NANO)
    return millicores(amount)


def _bytes(amount: str | int) -> int:
    if isinstance(amount, str) and amount.endswith("Ki") and amount[:-2].isdecimal():
        return int(amount[:-2]) * 1024
    return whole(amount)
