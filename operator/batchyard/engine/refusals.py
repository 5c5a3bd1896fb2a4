"""What the API server's no to a pod means for its job: wait and try again, or fail with the server's sentence."""

from __future__ import annotations

from batchyard.kube.outcome import Outcome
from batchyard.world.notes import Refusal

FOREVER = float("inf")
_QUOTA_SECONDS = 5.0  # quota frees whenever something in the namespace ends
_LONGEST = 60.0
# Sentences of admission plugins that judge the template itself (PodSecurity, LimitRanger).
_JUDGEMENTS = ("violates PodSecurity", "maximum ", "minimum ", "limit to request ratio", "must specify", "is invalid")


def refusal_of(outcome: Outcome, before: Refusal | None, now: float) -> Refusal:
    """Return why a pod was not taken and when to try again; `until` infinite means never."""
    tries = before.tries + (now >= before.until) if before else 1  # many pods of an array are refused at once
    pause = min(_QUOTA_SECONDS * 2 ** min(tries - 1, 10), _LONGEST)
    message = outcome.message
    if "exceeded quota" in message:
        return Refusal("QuotaExceeded", message, now + pause, tries)
    if outcome.status in (400, 422):
        return Refusal("InvalidTemplate", message, FOREVER, tries)
    if outcome.status == 403 and "cannot create resource" in message:
        return Refusal("OperatorForbidden", f"the operator lacks a right: {message}", now + pause, tries)
    if outcome.status == 403 and any(words in message for words in _JUDGEMENTS):
        return Refusal("PodForbidden", message, FOREVER, tries)
    return Refusal("PodRefused", message, now + pause, tries)


def submission_refusal(outcome: Outcome, before: Refusal | None, now: float) -> Refusal:
    """Return why a schedule's job was not taken; it is always submitted again, because nothing of it may be lost."""
    tries = before.tries + 1 if before else 1
    reason = "QuotaExceeded" if "exceeded quota" in outcome.message else "Refused"
    return Refusal(reason, outcome.message, now + min(_QUOTA_SECONDS * 2 ** (min(tries, 10) - 1), _LONGEST), tries)


def verdict_of(outcome: Outcome) -> tuple[str, str]:
    """Return (reason, message) of a definition's condition Valid after its dry run."""
    if outcome.status in (400, 422):
        return "InvalidTemplate", outcome.message
    if "exceeded quota" in outcome.message:
        return "Accepted", ""
    return "Refused", outcome.message
