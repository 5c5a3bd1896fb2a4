"""The models refuse what the API server refuses, so that the operator never meets a spec it does not understand."""

from decimal import Decimal

import pytest
from pydantic import ValidationError
from specs import BAD, GOOD, JOB_OF_DEFINITION, UNMANAGED, case_id, changed

from batchyard.model.jobstatus import Cost
from batchyard.model.kind import COMPUTE_ENVIRONMENT, JOB, KINDS, Kind


@pytest.mark.parametrize(("kind", "path", "value", "words"), BAD, ids=map(case_id, BAD))
def test_a_bad_spec_is_refused(kind: Kind, path: str, value: object, words: str) -> None:
    with pytest.raises(ValidationError):
        kind.spec.model_validate(changed(GOOD[kind], path, value))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_good_spec_survives_the_way_out_and_in(kind: Kind) -> None:
    spec = kind.spec.model_validate(GOOD[kind])
    assert kind.spec.model_validate(spec.to_api()) == spec


@pytest.mark.parametrize(("kind", "given"), [(JOB, JOB_OF_DEFINITION), (COMPUTE_ENVIRONMENT, UNMANAGED)])
def test_other_good_specs(kind: Kind, given: dict) -> None:
    spec = kind.spec.model_validate(given)
    assert kind.spec.model_validate(spec.to_api()) == spec


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_empty_status_is_a_status(kind: Kind) -> None:
    status = kind.status()
    assert kind.status.model_validate(status.to_api()) == status


@pytest.mark.parametrize(
    ("amount", "written"), [("0", "0"), ("12", "12"), ("0.10", "0.1"), ("1E-12", "0"), ("0.0123", "0.0123")]
)
def test_money_is_written_as_the_api_server_takes_it(amount: str, written: str) -> None:
    cost = Cost(amount=Decimal(amount), wasted=Decimal(100) / 3)
    assert cost.to_api() == {"amount": written, "wasted": "33.333333333"}
