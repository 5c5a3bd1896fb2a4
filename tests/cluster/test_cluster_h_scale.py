"""Many jobs at once: BATCHYARD_SCALE=2000,100 runs 2,000 jobs on 100 simulated nodes; by default 500 on 25."""

from __future__ import annotations

import os

from cluster import scale
from cluster.lab import Lab

JOBS, NODES = (int(word) for word in os.environ.get("BATCHYARD_SCALE", "500,25").split(","))


def test_many_jobs_run_once_each_with_three_writes(lab: Lab) -> None:
    result = scale.run(lab, JOBS, NODES, 240)
    print(f"\n{result}")
    assert len(result.attempts) == JOBS
    assert set(result.attempts) == {1}, "each job has had exactly one pod"
    assert result.median_writes <= scale.WRITES
    # The bench asks the same of the mean; on a busy machine some jobs are seen running that else would not be.
    assert result.writes <= scale.WRITES + 0.5
