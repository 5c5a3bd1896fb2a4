"""The timeout takes a minute by its schema: it has run beside the tests before this one."""

from __future__ import annotations

from datetime import datetime

from cluster.lab import Lab

STUBBORN_SECONDS = 150


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_timeout_is_a_term_then_a_kill_and_never_retried(story: Lab) -> None:
    status = story.failed("timeout", STUBBORN_SECONDS)
    (attempt,) = status["attempts"]
    assert (attempt["reason"], attempt["exitCode"]) == ("TimedOut", 137)
    assert "60 s" in attempt["message"]
    ran = (moment(attempt["stoppedAt"]) - moment(attempt["startedAt"])).total_seconds()
    assert 60 <= ran <= 80
    assert "told to stop" in attempt["message"], "the program was told before it was killed"
