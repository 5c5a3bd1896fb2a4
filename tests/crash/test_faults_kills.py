"""The operator is killed again and again while jobs stream in: none is lost and none runs twice.

BATCHYARD_KILLS sets how often. Half of the deaths are at any of its requests, lists and watches included, which does or
does not arrive; the others at any time.
"""

from __future__ import annotations

import os
import time
from random import Random

from crash.laws import Fuse
from crash.proxy import MUTATING
from crash.trial import Trial

KILLS = int(os.environ.get("BATCHYARD_KILLS", "6"))
JOBS = 25  # a life
REQUESTS = 250  # of a life, at most
SECONDS = 4.0  # of a life, at most
ANY = MUTATING | {"GET"}


def test_killed_at_random_no_job_is_lost_and_none_runs_twice(trial: Trial) -> None:
    random = Random(KILLS)
    trial.pool("many", 40, scaleDownDelaySeconds=2)
    fuse = Fuse(trial.keeper.kill, ANY)
    trial.proxy.law = fuse
    trial.keeper.start()
    names: list[str] = []
    for number in range(KILLS):
        names += trial.submit("many", JOBS, prefix=f"life{number}-")
        if random.random() < 0.5:
            fuse.lay(random.randint(1, REQUESTS), sent=random.random() < 0.5)
        fuse.burnt.wait(random.random() * SECONDS)
        if not fuse.lay(0, sent=False):
            trial.keeper.kill()
        trial.lives(number + 2)
    began = time.monotonic()
    trial.once_each(names)
    trial.pools_are_as_told("many")
    trial.all_retired("many")
    assert trial.keeper.ends == [-9] * KILLS
    print(f"\n{KILLS} kills, {len(names)} jobs, {len(trial.witness.pods)} pods; "
          f"the last job ended {time.monotonic() - began:.0f} s after the last kill")  # fmt: skip
