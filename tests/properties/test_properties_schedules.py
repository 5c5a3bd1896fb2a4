"""Each fire of a schedule becomes a job exactly once, whenever the operator looks, hears, fails or starts anew."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.decide import decide
from batchyard.model.plan import Bury, Forget, Report, Submit
from batchyard.world import parse
from batchyard.world.assume import assume_report
from batchyard.world.notes import Refusal
from batchyard.world.outcomes import outcomes
from batchyard.world.schedules import job_minute, schedule
from batchyard.world.store import Store
from batchyard.world.timetable import delay
from builders import NOW, metadata, namespace, template

Body = dict[str, Any]
UID = "uid-s"


@dataclass
class Server:
    """The API server with one schedule; `made` counts how often a job of each name was created."""

    spec: Body
    version: int = 5000
    status: Body = field(default_factory=dict)
    jobs: dict[str, Body] = field(default_factory=dict)
    stones: Body = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)

    def stamp(self) -> Body:
        self.version += 1
        return {"resourceVersion": str(self.version)}

    def schedule(self) -> Body:
        meta = {**metadata("s", namespace="default"), **self.stamp()}
        return {"metadata": meta, "spec": self.spec, "status": dict(self.status)}

    def create(self, manifest: Body) -> Body:
        name = manifest["metadata"]["name"]
        if name not in self.jobs:
            self.made[name] = self.made.get(name, 0) + 1
            meta = {**metadata(name), **manifest["metadata"], "uid": f"uid-{name}-{self.made[name]}", **self.stamp()}
            self.jobs[name] = {**manifest, "metadata": meta}
        return self.jobs[name]

    def finish(self, name: str, now: float) -> None:
        job = self.jobs[name]
        status = {"phase": "Succeeded", "stoppedAt": parse.rfc3339(math.floor(now))}
        self.jobs[name] = {**job, "metadata": {**job["metadata"], **self.stamp()}, "status": status}

    def delete(self, name: str) -> None:
        if self.jobs.pop(name, None) is not None:
            self.gone.append(name)


class Operator:
    """One life: it begins with a full list; its writes are performed at once, or lost with or without effect."""

    def __init__(self, server: Server, fates: list[str]) -> None:
        self.server, self.fates, self.store = server, fates, Store()
        self.store.apply(namespace())
        self.hear()

    def hear(self) -> None:
        for job in self.server.jobs.values():
            self.store.apply(parse.job(job))
        for uid, job in list(self.store.jobs.items()):
            if job.name not in self.server.jobs:
                self.store.remove_job(uid)
        self.store.apply(schedule(self.server.schedule()))
        if self.server.stones:
            self.store.apply(outcomes({"metadata": {**self.server.stones, **self.server.stamp()}, "data": self.data}))

    @property
    def data(self) -> Body:
        return dict(self.server.stones["texts"])

    def cycle(self, now: float) -> bool:
        """Decide and write; say whether the operator lives on."""
        for verb in decide(self.store, now).verbs:
            fate = self.fates.pop() if self.fates else "ok"
            if fate == "crash before":
                return False
            if fate != "fail":
                self._send(verb)
            if fate == "crash":
                return False
            self._heard(verb, fate, now)
        return True

    def _send(self, verb: Any) -> None:
        match verb:
            case Submit():
                self.server.create(dict(verb.manifest))
            case Report() if verb.plural == "jobschedules":
                self.server.status.update(verb.status)
            case Forget():
                self.server.delete(verb.name)

    def _heard(self, verb: Any, fate: str, now: float) -> None:
        match verb:
            case Submit() if fate in ("ok", "lost"):  # whose end is not known, is looked for before anything else
                self.store.refusals.pop(UID, None)
                self.store.apply(parse.job(self.server.jobs[verb.manifest["metadata"]["name"]]))
            case Submit() if fate == "fail":
                self.store.refusals[UID] = Refusal("Refused", "no", now + 5)
            case Report() if verb.plural == "jobschedules":
                assume_report(self.store, verb, now)
            case Bury():  # the tombstones are somebody else's tests
                self.store.burials[verb.namespace] = now + 1
                for name in verb.texts:
                    self.server.delete(name)
            case Forget():
                self.store.forgetting(verb.uid, now)


FATES = st.lists(st.sampled_from(["ok", "ok", "ok", "fail", "lost", "crash", "crash before"]), max_size=25)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.3, 1, 7, 30, 59, 60, 61, 90, 240]),
        st.sampled_from(["hear", "hear", "deaf", "restart", "finish", "finish"]),
    ),
    min_size=5,
    max_size=40,
)
FORMS = ["* * * * *", "*/2 * * * *", "rate(1 minute)", "rate(3 minutes)", "cron(0/2 * * * ? *)"]


def live(server: Server, steps: list[tuple[float, str]], fates: list[str]) -> float:
    """Let everything happen, then let the operator come to rest; return the time."""
    operator, now = Operator(server, fates), NOW
    for seconds, happens in [*steps, *[(1.0, "hear")] * 12]:
        now += seconds
        if happens == "finish" and server.jobs:
            server.finish(min(server.jobs), now)
        if happens == "restart" or not operator.cycle(now):
            operator = Operator(server, fates)
        elif happens != "deaf":
            operator.hear()
    for _ in range(200):
        waits = UID in operator.store.refusals or any(isinstance(v, Submit) for v in decide(operator.store, now).verbs)
        if not fates and not waits:
            break
        now += 6.0
        operator = operator if operator.cycle(now) else Operator(server, fates)
        operator.hear()
    return now


def due_fires(server: Server, now: float) -> list[int]:
    table, found = schedule(server.schedule()).timetable, []
    assert table is not None
    window = server.spec.get("flexibleWindowMinutes", 0) * 60
    fire = table.after(NOW)
    while fire is not None and fire <= now:
        after = table.after(fire)
        assert after is not None
        if fire + delay(UID, fire, min(window, int(after - fire))) <= now:
            found.append(int(fire // 60))
        fire = after
    return found


@given(st.sampled_from(FORMS), st.sampled_from([0, 1, 30]), st.sampled_from([0, 1, 100]), STEPS, FATES)
def test_every_fire_within_the_deadline_is_made_once_and_no_other(
    form: str, window: int, kept: int, steps: list[tuple[float, str]], fates: list[str]
) -> None:
    server = Server({
        "schedule": form, "startingDeadlineSeconds": 86400, "flexibleWindowMinutes": window,
        "successfulJobsHistoryLimit": kept,
        "jobTemplate": {"spec": {"queue": "q", "template": template(), "ttlSecondsAfterFinished": 0}},
    })  # fmt: skip
    now = live(server, steps, list(fates))
    assert set(server.made.values()) <= {1}, "a fire was made twice"
    assert sorted(int(name.rpartition("-")[2]) for name in server.made) == due_fires(server, now)


@given(st.sampled_from(FORMS), st.sampled_from(["Allow", "Forbid"]), STEPS, FATES)
def test_without_a_deadline_none_is_made_twice_and_the_latest_is_never_left_out(
    form: str, policy: str, steps: list[tuple[float, str]], fates: list[str]
) -> None:
    server = Server({
        "schedule": form, "concurrencyPolicy": policy,
        "jobTemplate": {"spec": {"queue": "q", "template": template()}},
    })  # fmt: skip
    now = live(server, steps, list(fates))
    made = sorted(int(name.rpartition("-")[2]) for name in server.made)
    expected = due_fires(server, now)
    assert set(server.made.values()) <= {1}
    assert set(made) <= set(expected)
    if policy == "Allow":
        assert made[-1:] == expected[-1:]
    else:
        live_ones = [job for job in map(parse.job, server.jobs.values()) if not job.status.phase.final]
        assert len(live_ones) <= 1
        assert live_ones or made[-1:] == expected[-1:]
    assert max((job_minute(parse.job(job)) for job in server.jobs.values()), default=-1) <= int(now // 60)


@pytest.mark.parametrize("fate", ["crash", "crash before", "lost", "fail"])
def test_one_fault_at_any_write_changes_nothing(fate: str) -> None:
    steps = [(61.0, "hear"), (1.0, "finish")] * 6
    for ahead in range(40):
        server = Server({
            "schedule": "* * * * *", "startingDeadlineSeconds": 3600, "successfulJobsHistoryLimit": 1,
            "jobTemplate": {"spec": {"queue": "q", "template": template()}},
        })  # fmt: skip
        now = live(server, steps, [fate, *["ok"] * ahead])
        assert set(server.made.values()) == {1}
        assert sorted(int(name.rpartition("-")[2]) for name in server.made) == due_fires(server, now)


class Unheard(Operator):
    """One whose statuses never reach the API server."""

    def _send(self, verb: Any) -> None:
        if not isinstance(verb, Report):
            super()._send(verb)


@pytest.mark.parametrize("ttl", [0, 604_800])
def test_no_job_goes_before_its_fire_is_on_record(ttl: int) -> None:
    server, now = Server({
        "schedule": "* * * * *", "successfulJobsHistoryLimit": 0,
        "jobTemplate": {"spec": {"queue": "q", "template": template(), "ttlSecondsAfterFinished": ttl}},
    }), NOW + 60.0  # fmt: skip
    for _ in range(5):
        operator = Unheard(server, [])
        operator.cycle(now)
        for name in list(server.jobs):
            server.finish(name, now)
        operator.hear()
        operator.cycle(now + 5)
    assert list(server.made.values()) == [1]
    assert server.gone == []
    heard = Operator(server, [])
    for seconds in (6, 8, 10, 12):
        heard.cycle(now + seconds)
        heard.hear()
    assert server.gone == list(server.made), "it goes once its fire is on record"
    assert list(server.made.values()) == [1]
