"""Between operator and API server each of 409, 429, 500, lost answers and silence befalls one request in twenty.

Watches break off in the middle of an event, tarry, say everything twice, and lose their place in history (410).
BATCHYARD_FAULTS=long waits as long as the operator does for answers that never come, and has ten times the jobs.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from aiohttp import web

from batchyard.engine.engine import DEFECT
from cluster.rest import until
from crash import scenario
from crash.laws import Weather
from crash.proxy import Road
from crash.trial import Trial

LONG = os.environ.get("BATCHYARD_FAULTS") == "long"
JOBS, PATIENCE = (1000, 40.0) if LONG else (60, 1.0)


async def _garbled(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield b"}" + line


def test_a_watch_that_kopf_cannot_read_ends_the_operator_and_leaves_no_shell_of_it(trial: Trial) -> None:
    """What kopf takes for a defect of its own must not leave a process that leads, watches nothing, and never ends."""
    trial.pool("main", 4)
    trial.keeper.start()

    async def law(road: Road) -> web.StreamResponse:
        broken = road.is_watch and road.path.endswith("/batchjobs") and len(trial.keeper.ends) < 2
        return await road.go_on(_garbled if broken else None)

    # Which of the two is first is chance: kopf gives up, or it hangs and is ended.
    trial.expected = (DEFECT,)
    trial.proxy.law = law
    trial.keeper.kill()
    trial.lives(2)
    names = trial.submit("main", 4)
    until(lambda: len(trial.keeper.ends) > 1, 60, trial.story)
    trial.once_each(names)
    trial.all_retired("main")


def test_one_request_in_twenty_fails_in_each_way(trial: Trial) -> None:
    weather = Weather(0.05, patience=PATIENCE)
    trial.proxy.law = weather
    trial.keeper.start()
    ends = scenario.submit(trial.lab)
    trial.pool("many", 16)
    names = trial.submit("many", JOBS, prefix="many-")
    ends |= {name: ("Succeeded", ["Completed"]) for name in names}
    until(lambda: scenario.reclaim(trial.lab), 60 + 8 * PATIENCE, trial.story)  # a life may begin with lists unanswered
    trial.all_end(JOBS * 3)
    assert scenario.state(trial.lab, ends) == ends
    scenario.check(trial.lab, ends)
    trial.nothing_twice()
    trial.pools_are_as_told(*scenario.NAMES, "many")
    trial.all_retired(*scenario.NAMES, "many")
    print(f"\n{dict(sorted(weather.befell.items()))}; the operator ended {len(trial.keeper.ends)} times")
    assert len(weather.befell) == len(weather.faults) + len(weather.watches), "each fault has befallen"
