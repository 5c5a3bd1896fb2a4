"""What is remembered that no object says: what jobs are told to wait for, and who said no to what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """What a job is said to wait for, since when, and when that was last written."""

    token: str
    since: float
    written: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no from the API server or a provider: a stable token, its own sentence, and when to try again."""

    reason: str
    message: str
    until: float
    tries: int = 1
