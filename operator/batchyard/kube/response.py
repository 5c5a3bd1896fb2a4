"""What the API server answers, or fails to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec


class UnreachableError(Exception):
    """No answer: refused, cut, reset or too late. Whether the server acted is unknown."""


class Status(msgspec.Struct, frozen=True, gc=False):
    """The API server's own words about a failure (metav1.Status)."""

    message: str = ""
    reason: str = ""
    code: int = 0


class ApiError(Exception):
    """The API server answered, and not with success."""

    def __init__(self, status: Status, retry_after: float = 0.0) -> None:
        super().__init__(f"{status.code} {status.reason}: {status.message}")
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, whole."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Say whether the server did what was asked."""
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> float:
        """Seconds the server asks us to wait; 0 if it does not."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isdigit() else 0.0

    def failure(self) -> Status:
        """Read the Status in the body; a proxy's page of HTML becomes the message."""
        try:
            said = _STATUS.decode(self.body)
        except msgspec.DecodeError:
            said = Status(message=self.body[:500].decode(errors="replace"))
        return Status(message=said.message, reason=said.reason, code=self.status)

    def expect_ok(self) -> Response:
        """Return itself, or raise the failure as ApiError."""
        if not self.ok:
            raise ApiError(self.failure(), self.retry_after)
        return self


_STATUS = msgspec.json.Decoder(Status)
