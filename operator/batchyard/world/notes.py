"""What is remembered that no object says: what jobs are told to wait for, and who said no to what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """What a job is said to wait for, since when, when that was last written, and since when it is at the front."""

    token: str
    since: float
    written: float = 0.0
    fronted: float = 0.0  # 0: it is not


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no from the API server or a provider: a stable token, its own sentence, and when to try again."""

    reason: str
    message: str
    until: float
    tries: int = 1
