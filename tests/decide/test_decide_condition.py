"""Conditions keep the moment when they last turned."""

from batchyard.decide.condition import Condition
from batchyard.decide.revise import verdict
from batchyard.world.parse import rfc3339
from builders import NOW, definition, newer

HOLDS = Condition("Valid", True, "Valid")


def test_the_moment_stays_until_it_turns() -> None:
    first = HOLDS.written(1, NOW)
    assert first["lastTransitionTime"] == rfc3339(NOW)
    assert HOLDS.written(2, NOW + 60, [first]) == {**first, "observedGeneration": 2}
    turned = Condition("Valid", False, "NotValid", "why").written(2, NOW + 60, [first])
    assert (turned["status"], turned["lastTransitionTime"]) == ("False", rfc3339(NOW + 60))


def test_that_of_another_statement_counts_for_nothing() -> None:
    other = Condition("Submitted", True, "Submitted").written(1, NOW)
    assert HOLDS.written(1, NOW + 60, [other])["lastTransitionTime"] == rfc3339(NOW + 60)


def test_a_definition_that_stays_valid_says_since_when() -> None:
    view = definition()
    view = newer(view, generation=2, status=dict(verdict(view, "Accepted", "", NOW).status))
    (condition,) = verdict(view, "Accepted", "", NOW + 60).status["conditions"]
    assert (condition["observedGeneration"], condition["lastTransitionTime"]) == (2, rfc3339(NOW))
