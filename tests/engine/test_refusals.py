"""What the API server's no means: wait, or fail with its own sentence."""

from __future__ import annotations

import pytest

from batchyard.engine.refusals import FOREVER, refusal_of, verdict_of
from batchyard.kube.outcome import Kind, Outcome

QUOTA = 'pods "a-1" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=0, limited: cpu=500m'
SECURITY = 'pods "a-1" is forbidden: violates PodSecurity "restricted:latest": privileged'
LIMITS = 'pods "a-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi'
RBAC = 'pods is forbidden: User "x" cannot create resource "pods" in API group "" in the namespace "a"'
ACCOUNT = 'pods "a-1" is forbidden: error looking up service account a/nobody: serviceaccount "nobody" not found'
INVALID = 'Pod "a-1" is invalid: spec.containers[0].image: Required value'


def refused(status: int, message: str) -> Outcome:
    return Outcome(Kind.REFUSED, status, b"", message)


@pytest.mark.parametrize(
    ("status", "message", "reason", "final"),
    [
        (403, QUOTA, "QuotaExceeded", False),
        (403, SECURITY, "PodForbidden", True),
        (403, LIMITS, "PodForbidden", True),
        (403, RBAC, "OperatorForbidden", False),
        (403, ACCOUNT, "PodRefused", False),
        (422, INVALID, "InvalidTemplate", True),
        (400, "strict decoding error", "InvalidTemplate", True),
        (404, 'namespaces "a" not found', "PodRefused", False),
    ],
)
def test_refusals(status: int, message: str, reason: str, final: bool) -> None:
    refusal = refusal_of(refused(status, message), None, now=1000.0)
    assert refusal.reason == reason
    assert (refusal.until == FOREVER) is final
    assert message in refusal.message, "the API server's own sentence reaches the job"


def test_pauses_between_tries_double_up_to_a_minute() -> None:
    refusal, pauses, now = None, [], 0.0
    for _ in range(6):
        refusal = refusal_of(refused(403, QUOTA), refusal, now)
        pauses.append(refusal.until - now)
        now = refusal.until
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_many_pods_of_an_array_that_are_refused_at_once_are_one_try() -> None:
    refusal = refusal_of(refused(403, QUOTA), None, 0.0)
    for _ in range(5000):
        refusal = refusal_of(refused(403, QUOTA), refusal, 1.0)
    assert (refusal.tries, refusal.until) == (1, 6.0)


def test_a_quota_does_not_make_a_definition_invalid() -> None:
    assert verdict_of(refused(403, QUOTA)) == ("Accepted", "")
    assert verdict_of(refused(422, INVALID)) == ("InvalidTemplate", INVALID)
    assert verdict_of(refused(403, SECURITY)) == ("Refused", SECURITY)
