"""The reference is made of the code: every reason has its sentence, every kind, field and setting its row."""

from __future__ import annotations

import sys

import pytest
from docpages import ROOT

sys.path.insert(0, str(ROOT))

from tools.pages import kinds, reasons, scan, settings

from batchyard.cli import advice
from batchyard.model.kind import JOB, KINDS
from batchyard.settings import Settings

TOLD = [reason for group in reasons.sentences().values() for reason in group]


def test_every_reason_of_the_code_is_told_once() -> None:
    assert len(TOLD) == len(set(TOLD))
    untold = scan.reasons() - set(TOLD)
    assert not untold, f"write what these mean into tools/pages/reasons.yaml: {sorted(untold)}"


def test_no_reason_is_told_that_the_code_cannot_give() -> None:
    made_up = set(TOLD) - scan.words() - {"QueueDisabled", "QueueDraining"}  # put together from the queue's state
    assert not made_up, f"take these out of tools/pages/reasons.yaml: {sorted(made_up)}"


def test_whatever_the_plug_in_advises_on_is_told() -> None:
    assert {*advice._QUEUE, *advice._JOB, *advice._ENVIRONMENT} <= set(TOLD)
    assert "kubectl get jobqueues" in reasons.help_of("QueueNotFound")


def test_every_setting_has_a_row() -> None:
    page = settings.page()
    assert all(f"`BATCHYARD_{name.upper()}`" in page for name in Settings.model_fields)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_of_a_kind_has_a_row(kind: object) -> None:
    page = dict(kinds.pages())[f"{kind.name.lower()}.md"]  # type: ignore[attr-defined]
    for model in (kind.spec, kind.status):  # type: ignore[attr-defined]
        fields = model.model_json_schema(by_alias=True)["properties"]
        assert all(f"| `{name}` |" in page for name in fields)


def test_a_page_goes_down_to_the_last_field_and_names_what_a_template_may_not_have() -> None:
    page = kinds.page(JOB)
    assert "#### spec.retry.onOutOfMemory" in page
    assert "`nodeName`" in page
    assert "spec.queue cannot be changed after submission" in page
