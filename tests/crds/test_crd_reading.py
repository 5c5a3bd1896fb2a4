"""What only the models check, because it is beyond what CEL may spend, and how they read what users write."""

import re
from decimal import Decimal

import pytest
from pydantic import ValidationError

from batchyard.model.array import Array
from batchyard.model.kind import KINDS
from batchyard.model.multinode import MultiNode
from batchyard.model.policy import SchedulingPolicySpec, Share
from batchyard.model.submission import Submission


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        (["team*", "other", "team-a"], "team* covers team-a"),
        (["team*", "tea*"], "tea* covers team*"),
        (["team", "team*"], "team* covers team"),
        (["a", "*"], "* covers a"),
        (["a", "b", "a"], "a covers a"),
    ],
)
def test_shares_that_overlap_are_for_the_operator_to_refuse(shares: list[str], words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        SchedulingPolicySpec.model_validate({"shares": [{"share": share} for share in shares]})


@pytest.mark.parametrize(
    ("given", "weight"), [(1, "1"), (0.5, "0.5"), ("0.5", "0.5"), (0.0001, "0.0001"), ("999.9999", "999.9999")]
)
def test_a_weight_is_exact_with_and_without_quotes(given: object, weight: str) -> None:
    assert Share.model_validate({"share": "a", "weight": given}).weight == Decimal(weight)


@pytest.mark.parametrize("given", [0, 0.00001, 999.99999, "1e3", "NaN", "-1", True, None])
def test_a_weight_out_of_range_is_refused(given: object) -> None:
    with pytest.raises(ValidationError, match=r"weight is from 0\.0001 to 999\.9999; lower"):
        Share.model_validate({"share": "a", "weight": given})


@pytest.mark.parametrize("shares", [["team-*", "team"], ["a", "b*", "ab", "abc"], ["A*", "a*"]])
def test_shares_that_do_not_overlap(shares: list[str]) -> None:
    assert len(SchedulingPolicySpec.model_validate({"shares": [{"share": share} for share in shares]}).shares)


def test_an_index_range_that_runs_backwards_is_for_the_operator_to_refuse() -> None:
    with pytest.raises(ValidationError, match='the range 9-7 runs backwards; write "7-9"'):
        Array.model_validate({"size": 10, "indexes": "0,9-7"})


@pytest.mark.parametrize(
    ("text", "ends"), [("3", (3, 3)), ("1:3", (1, 3)), (":3", (0, 3)), ("1:", (1, 7)), ("0:0", (0, 0))]
)
def test_the_ends_of_a_group(text: str, ends: tuple[int, int]) -> None:
    job = MultiNode.model_validate({"nodes": 8, "groups": [{"nodes": text}, {"nodes": "0:"}]})
    assert job.groups[0].ends(8) == ends


def test_what_a_schedule_submits_may_be_changed_and_has_no_stop() -> None:
    assert "stop" not in Submission.model_fields
    assert not any("oldSelf" in rule.cel for rule in Submission.rules)


def test_every_kind_of_the_contract_is_there() -> None:
    assert {kind.short for kind in KINDS} >= {"ce", "jq", "schedpol", "cons", "jd", "bj"}
