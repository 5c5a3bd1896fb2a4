"""Leadership by a Lease of coordination.k8s.io: one active operator, and a token that says so only while it is true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from time import monotonic

import msgspec
import structlog
from msgspec.structs import replace

from batchyard.kube.paths import lease
from batchyard.kube.session import ApiError, Response, Session, UnreachableError

log = structlog.get_logger(__name__)

CONFLICT = 409
NOT_FOUND = 404


class LeaseSpec(msgspec.Struct, rename="camel", frozen=True):
    """Who leads, since when, for how long; the times are for people, nobody compares them with a clock of their own."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class LeaseMetadata(msgspec.Struct, rename="camel", frozen=True, omit_defaults=True):
    """Name, namespace and the version on which a write is conditional."""

    name: str
    namespace: str
    resource_version: str = ""


class Lease(msgspec.Struct, frozen=True):
    """What we read and write of a lease."""

    metadata: LeaseMetadata
    spec: LeaseSpec


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds, as in client-go.

    Others may take a lease unchanged for `duration`; we stop `renew_deadline` after our last success, which leaves them
    no overlap; we call every `retry_period`, and no call may last longer than that.
    """

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    clock: Callable[[], float] = monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def lasting(cls, duration: float) -> Terms:
        """Return terms in client-go's proportions, 15 to 10 to 2."""
        return cls(duration, duration * 10 / 15, duration * 2 / 15)


class Token:
    """Proof of leadership to carry along and to check before each write; it expires by itself, whatever hangs."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._until = float("-inf")

    def valid(self) -> bool:
        """Say whether we still lead."""
        return self._terms.clock() < self._until

    def extend(self, since: float) -> None:
        """Lead on until the renewal deadline, counted from when the successful call began."""
        self._until = since + self._terms.renew_deadline

    def revoke(self) -> None:
        """Lead no longer."""
        self._until = float("-inf")


class Candidate:
    """One contender for a lease: waits for `elected`, carries `token`, and must leave the process when `lost` is set.

    A leader's lease is judged by when *we* saw it change last, never by its times, so clocks may differ. A leader whose
    lease has an earlier version than before, or is written at one before the `horizon`, the latest that was seen of
    anything, steps down: the API server's history was rewritten (etcd was restored), and what is known of it is void.
    """

    def __init__(self, session: Session, place: LeaseMetadata, identity: str, terms: Terms | None = None) -> None:
        self.elected = asyncio.Event()
        self.lost = asyncio.Event()
        self._terms = terms or Terms()
        self.token = Token(self._terms)
        self._session = session
        self._place = place
        self.identity = identity
        self._seen: Lease | None = None
        self._seen_at = 0.0
        self.horizon: Callable[[], int] = lambda: 0
        self._newest = 0
        self._rewritten = False
        self._comparable = False
        self.answered = False  # the API server has ever told who leads
        self.last_answer = self._terms.clock()

    @property
    def leader(self) -> str:
        """Return who holds the lease by the latest answer; empty if nobody does, or nobody has told."""
        return (self._seen.spec.holder_identity or "") if self._seen is not None else ""

    async def run(self) -> None:
        """Contend until elected, renew until leadership is lost, then return; to step down, cancel and `release`."""
        told = None
        while not await self._attempt():
            leader = self._seen.spec.holder_identity if self._seen else None
            if leader != told:
                log.info("standing by", lease=self._place.name, leader=leader)
                told = leader
            await asyncio.sleep(self._terms.retry_period)
        log.info("leadership acquired", lease=self._place.name, identity=self.identity)
        self._rewritten = False
        self.elected.set()
        try:
            while self.token.valid() and not self._rewritten:
                await asyncio.sleep(self._terms.retry_period)
                await self._attempt()
            self.token.revoke()
        finally:
            self.lost.set()
        log.error("leadership lost", lease=self._place.name, identity=self.identity)

    async def release(self) -> None:
        """Give the lease up so that the next leader need not wait; from this moment on the token is invalid."""
        held = self.token.valid()
        self.token.revoke()
        if held and self._seen is not None:
            spec = replace(self._seen.spec, holder_identity=None, lease_duration_seconds=1)
            await self._in_time(self._write(spec))

    async def _attempt(self) -> bool:
        """Try once to take the lease, or to renew it; say whether we hold it now."""
        began = self._terms.clock()
        held = await self._in_time(self._take())
        if held:
            self.token.extend(began)
        return bool(held)

    async def _in_time(self, call: Coroutine[None, None, bool]) -> bool | None:
        try:
            async with asyncio.timeout(self._terms.retry_period):
                held = await call
            self.answered, self.last_answer = True, self._terms.clock()
            return held
        except (TimeoutError, UnreachableError, ApiError, msgspec.DecodeError) as error:
            log.warning("lease call failed", lease=self._place.name, error=f"{type(error).__name__} {error}")
            return None

    async def _take(self) -> bool:
        if not self.token.valid():
            await self._look()
        if not self._may_take():
            return False
        if await self._write(self._claim()):
            return True
        # Refused: somebody wrote first, perhaps we ourselves in a call whose answer was lost. Look who holds it now.
        await self._look()
        if self._may_take():
            return await self._write(self._claim())
        self.token.revoke()
        return False

    def _is_ours(self) -> bool:
        return self._seen is not None and self._seen.spec.holder_identity == self.identity

    def _may_take(self) -> bool:
        if self._seen is None or self._is_ours() or not self._seen.spec.holder_identity:
            return True
        lasting = self._seen.spec.lease_duration_seconds or self._terms.duration
        return self._terms.clock() >= self._seen_at + lasting

    def _claim(self) -> LeaseSpec:
        now = self._terms.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = LeaseSpec(self.identity, ceil(self._terms.duration), now, now, 0)
        if self._seen is None:
            return spec
        before = self._seen.spec
        if self._is_ours():
            return replace(spec, acquire_time=before.acquire_time, lease_transitions=before.lease_transitions)
        return replace(spec, lease_transitions=(before.lease_transitions or 0) + 1)

    async def _look(self) -> None:
        answer = await self._session.request("GET", lease(self._place.namespace, self._place.name))
        if answer.status == NOT_FOUND:
            self._seen = None
        else:
            self._saw(answer.expect_ok())

    async def _write(self, spec: LeaseSpec) -> bool:
        """Create or change the lease as we saw it last; False if somebody wrote since."""
        namespace, name = self._place.namespace, self._place.name
        version = self._seen.metadata.resource_version if self._seen else ""
        body = msgspec.json.encode(Lease(LeaseMetadata(name, namespace, version), spec))
        known = self.horizon()  # before the write, whose version is later than that of anything seen before
        if self._seen is None:
            answer = await self._session.request("POST", lease(namespace), body=body)
        else:
            answer = await self._session.request("PATCH", lease(namespace, name), body=body)
        if answer.status in (CONFLICT, NOT_FOUND):
            return False
        self._saw(answer.expect_ok(), known)
        return True

    def _saw(self, answer: Response, known: int = 0) -> None:
        found = _LEASE.decode(answer.body)
        version = found.metadata.resource_version
        if version.isdigit():
            self._judge(int(version), known)
        if self._seen is None or found.metadata.resource_version != self._seen.metadata.resource_version:
            self._seen, self._seen_at = found, self._terms.clock()

    def _judge(self, version: int, known: int) -> None:
        """Where leases have an etcd of their own, its versions were never later than others' and tell nothing."""
        if version < self._newest or (self._comparable and version < known):
            log.warning(
                "history was rewritten", lease=self._place.name, version=version, known=max(known, self._newest)
            )
            self._rewritten = True
        self._comparable = self._comparable or 0 < known < version
        self._newest = version


_LEASE = msgspec.json.Decoder(Lease)
