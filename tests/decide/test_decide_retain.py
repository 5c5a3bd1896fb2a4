"""Which finished pods of an array go, and when."""

from __future__ import annotations

import pytest

from batchyard.decide import decide
from batchyard.model.plan import Purge
from batchyard.world.views import Job
from builders import NOW, failed, job, of, pool_of, store, succeeded


def array(phase: str, on_record: dict[str, str]) -> Job:
    return job("a", {"phase": phase, "array": {"size": 400, **on_record}}, array={"size": 400, "maxConcurrent": 1})


def purged(phase: str, on_record: dict[str, str], well: range, badly: range = range(0)) -> list[tuple[int, bool]]:
    """Return the chunks that go of an array with these finished pods."""
    pods = [
        make("a", name=f"a-{index}-1", uid=f"uid-a-{index}", index=index)
        for make, indexes in ((succeeded, well), (failed, badly))
        for index in indexes
    ]
    known = store(array(phase, on_record), *pods, *pool_of("n1"))
    return [(verb.chunk, verb.succeeded) for verb in of(decide(known, NOW), Purge)]


@pytest.mark.parametrize(
    ("phase", "on_record", "well", "badly", "gone"),
    [
        ("Running", {"succeeded": "0-99"}, range(100), range(0), []),  # a hundred stay
        ("Running", {"succeeded": "0-199"}, range(200), range(0), [(0, True)]),
        ("Running", {"succeeded": "1-199"}, range(1, 200), range(0), [(1, True)]),  # child 0 has not ended
        ("Running", {"succeeded": "0-98,100-198"}, range(198), range(0), []),
        (
            "Running",
            {"succeeded": "0-9,20-199", "failed": "10-19"},
            range(20, 200),
            range(10, 20),
            [(0, True), (1, True)],
        ),
        ("Running", {"failed": "0-199"}, range(0), range(200), []),  # of failed ones more stay while it runs
        ("Failed", {"failed": "0-399"}, range(0), range(400), [(3, False), (2, False), (1, False)]),
        ("Failed", {"succeeded": "0-99", "failed": "100-399"}, range(100), range(100, 150), [(0, True)]),
        (
            "Running",
            {"succeeded": "0-199", "failed": ""},
            range(90, 200),
            range(0),
            [(1, True)],
        ),  # ten of chunk 0 are not worth it
        ("Succeeded", {"succeeded": "0-399"}, range(90, 200), range(0), [(0, True)]),
    ],
)
def test_which_go(
    phase: str, on_record: dict[str, str], well: range, badly: range, gone: list[tuple[int, bool]]
) -> None:
    assert purged(phase, on_record, well, badly) == gone
