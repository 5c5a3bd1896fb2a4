"""What is counted as written before the API server has answered is what it will answer."""

from __future__ import annotations

import pytest

from batchyard.model.plan import Report
from batchyard.world.assume import assume_report, merged
from batchyard.world.store import Store
from builders import NOW, queue


@pytest.mark.parametrize(
    ("old", "patch", "new"),
    [
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": None, "z": 3}}, {"a": {"y": 2, "z": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({}, {"a": {"x": None, "y": 1}}, {"a": {"y": 1}}),
        ({"a": 1}, {"a": {"x": 1}}, {"a": {"x": 1}}),
    ],
)
def test_a_patch_merges_as_the_api_server_merges_it(old: object, patch: object, new: object) -> None:
    assert merged(old, patch) == new


def test_what_a_report_takes_away_is_gone_at_once() -> None:
    """Else it would be written again for ever: a patch that changes nothing brings no event."""
    store = Store()
    view = queue(status={"phase": "Valid", "holders": ["a"]})
    store.apply(view)
    assume_report(store, Report("jobqueues", "", view.name, view.uid, {"holders": None, "total": 3}), NOW)
    assert store.queues[view.name].status == {"phase": "Valid", "total": 3}
