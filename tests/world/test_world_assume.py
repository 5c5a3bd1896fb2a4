"""What is counted as written before the API server has answered is what it will answer."""

from __future__ import annotations

import pytest

from batchyard.decide.outcome import judge
from batchyard.model.plan import Remove, Report
from batchyard.world.assume import assume_remove, assume_report, merged, restore
from batchyard.world.store import Store
from batchyard.world.views import Key
from builders import NOW, exited, job, newer, pod, queue, store


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


def removed() -> Store:
    """Return a store in which a pod was told to go before any kubelet had seen it."""
    known = store(job(), pod(acknowledged=None))
    verb = Remove("default", "job-1", "uid-job-1", reason="Interrupted", message="node n1 is being reclaimed")
    assert assume_remove(known, verb, NOW) is not None
    return known


def test_why_a_pod_was_removed_is_known_whatever_is_heard_of_it_before_it_goes() -> None:
    known, last = removed(), pod()
    for each in (last, newer(last, deleting=NOW), newer(last, deleting=NOW, phase="Failed", containers=(exited(137),))):
        known.apply(each)
    end = judge(known.pods[Key("default", "job-1")])
    assert (end.reason, end.message, end.counted) == ("Interrupted", "node n1 is being reclaimed", False)
    known.remove(known.pods[Key("default", "job-1")])
    assert judge(known.pods[Key("default", "job-1")]).reason == "Interrupted"
    assert not known.removals


def test_a_removal_that_failed_explains_no_later_one() -> None:
    known = removed()
    restore(known, pod())
    known.apply(pod(deleting=NOW, phase="Failed", containers=(exited(143),)))
    assert judge(known.pods[Key("default", "job-1")]).reason == "PodDeleted"
