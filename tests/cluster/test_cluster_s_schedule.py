"""Schedules on the real API server: fires become jobs once, also when the operator dies; mistakes are named."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from cluster.lab import Lab
from cluster.rest import PATHS, Body, Refused, until
from cluster.specs_of_jobs import managed, shape, simulated

PATHS.setdefault("JobSchedule", ("/apis/batchyard.dev/v1alpha1", "jobschedules"))
SOON = 15  # seconds until a schedule says what is wrong
MINUTE = 75  # seconds until the next fire of a minute has surely been seen


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make(lab: Lab, name: str, namespace: str = "", template: Body | None = None, **spec: Any) -> None:
    job = {"queue": lab.named("sched"), "template": template or simulated()}
    body = {"kind": "JobSchedule", "metadata": {"name": name}, "spec": {"jobTemplate": {"spec": job}, **spec}}
    lab.api.create(body, namespace or lab.namespace)


def status(lab: Lab, name: str, namespace: str = "") -> Body:
    return lab.api.get("JobSchedule", name, namespace or lab.namespace).get("status") or {}


def jobs(lab: Lab, name: str, namespace: str = "") -> list[Body]:
    """The jobs of a schedule, the oldest fire first."""
    found = lab.api.list("Job", namespace or lab.namespace, labelSelector=f"batchyard.dev/schedule={name}")
    return sorted(found, key=lambda job: job["metadata"]["name"])


def phases(lab: Lab, name: str) -> list[str]:
    return [(job.get("status") or {}).get("phase", "") for job in jobs(lab, name)]


@pytest.fixture(scope="module")
def scheduled(lab: Lab) -> Lab:
    """Schedules that fire in a moment and once more a minute later, so that their waits pass side by side."""
    lab.environment("sched", managed("simulated", [shape(4)], 16, scaleDownDelaySeconds=5))
    lab.queue("sched", "sched")
    start = _at(4)
    make(lab, "every", schedule="rate(1 minute)", start=start, successfulJobsHistoryLimit=1)
    long = simulated(600_000)
    make(lab, "replace", schedule="rate(1 minute)", start=start, concurrencyPolicy="Replace", template=long)
    make(lab, "forbid", schedule="rate(1 minute)", start=start, concurrencyPolicy="Forbid", template=long)
    make(lab, "paused", schedule="rate(1 minute)", start=start, suspend=True)
    return lab


def test_a_fire_is_a_job_that_runs(scheduled: Lab) -> None:
    until(lambda: phases(scheduled, "every") == ["Succeeded"], 40, lambda: str(status(scheduled, "every")))
    (job,) = jobs(scheduled, "every")
    schedule = scheduled.api.get("JobSchedule", "every", scheduled.namespace)
    fired = datetime.fromisoformat(schedule["spec"]["start"]).timestamp()
    assert job["metadata"]["name"] == f"every-{int(fired // 60)}"
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("JobSchedule", schedule["metadata"]["uid"])
    told = until(lambda: (s := status(scheduled, "every")).get("lastFire") and not s["activeJobs"] and s, SOON)
    assert told["phase"] == "Active"
    assert told["lastFire"] == schedule["spec"]["start"]
    following = [datetime.fromisoformat(fire).timestamp() - fired for fire in told["nextFires"]]
    assert following[0] in (60, 120)
    assert [later - following[0] for later in following] == [0, 60, 120, 180, 240]


def test_a_power_cut_fires_nothing_twice(scheduled: Lab) -> None:
    until(lambda: jobs(scheduled, "every"), 40)
    (first,) = jobs(scheduled, "every")[:1]
    scheduled.operator.kill()
    scheduled.operator.start()
    (still,) = jobs(scheduled, "every")[:1]
    assert still["metadata"]["uid"] == first["metadata"]["uid"]


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("no-such-zone", {"schedule": "0 2 * * *", "timeZone": "Europe/Berln"}, "write for example Europe/Berlin"),
        ("no-such-day", {"schedule": "0 0 30 2 *"}, "never fires: no such day"),
        ("long-ago", {"schedule": "cron(0 0 1 1 ? 2020)"}, "never fires after"),
        ("too-late", {"schedule": "at(2020-01-01T00:00:00)"}, "choose a moment that is still to come"),
        ("no-such-minute", {"schedule": "60 * * * *"}, "minute: 60 is out of range; use 0 to 59"),
    ],
)
def test_what_can_never_fire_says_so(scheduled: Lab, name: str, spec: Body, words: str) -> None:
    make(scheduled, name, **spec)
    told = until(lambda: (s := status(scheduled, name)).get("conditions") and s, SOON)
    assert told["phase"] == "Invalid"
    assert words in told["message"]
    assert [(c["type"], c["status"]) for c in told["conditions"]] == [("Valid", "False")]


def test_the_worst_is_refused_at_once(scheduled: Lab) -> None:
    for schedule in ("rate(0 minutes)", "cron(0 0 * * * *)", "often"):
        with pytest.raises(Refused, match=r"spec\.schedule"):
            make(scheduled, "refused", schedule=schedule)
    with pytest.raises(Refused, match="at most 39 characters"):
        make(scheduled, "n" * 40, schedule="@daily")


def test_a_refused_job_is_told_and_submitted_again(scheduled: Lab) -> None:
    namespace = scheduled.new_namespace("no-jobs")
    hard = {"count/batchjobs.batchyard.dev": "0"}
    quota = {"kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": hard}}
    scheduled.api.create(quota, namespace)
    until(lambda: (scheduled.api.get("ResourceQuota", "none", namespace).get("status") or {}).get("hard"))
    make(scheduled, "poor", namespace, schedule="rate(1 day)", start=_at(1))
    told = until(lambda: (s := status(scheduled, "poor", namespace)).get("message") and s, SOON)
    assert "exceeded quota: none" in told["message"]
    assert [(c["type"], c["status"]) for c in told["conditions"]] == [("Valid", "True"), ("Submitted", "False")]
    until(lambda: "SubmissionRefused" in [e["reason"] for e in scheduled.events("poor", namespace)], SOON)
    scheduled.api.patch("ResourceQuota", "none", {"spec": {"hard": {"count/batchjobs.batchyard.dev": "5"}}}, namespace)
    until(lambda: jobs(scheduled, "poor", namespace), 60)


def _runs(lab: Lab, name: str) -> list[str]:
    """The pods that the jobs of a schedule ever had, by their minute."""
    runs = list(lab.recorder.pods.values())
    return sorted(run.name for run in runs if run.namespace == lab.namespace and run.name.startswith(f"{name}-"))


def test_the_minute_after_a_power_cut_is_not_lost(scheduled: Lab) -> None:
    """It has passed beside the tests before this one."""
    start = scheduled.api.get("JobSchedule", "every", scheduled.namespace)["spec"]["start"]
    minute = int(datetime.fromisoformat(start).timestamp() // 60)
    until(lambda: len(_runs(scheduled, "every")) >= 2, MINUTE)
    assert _runs(scheduled, "every")[:2] == [f"every-{minute}-1", f"every-{minute + 1}-1"]
    until(lambda: phases(scheduled, "every") == ["Succeeded"], 30, lambda: str(jobs(scheduled, "every")))
    (kept,) = jobs(scheduled, "every")
    assert f"{kept['metadata']['name']}-1" == _runs(scheduled, "every")[-1], "one is kept, the latest"


def test_replace_ends_the_job_before_and_says_why(scheduled: Lab) -> None:
    until(lambda: phases(scheduled, "replace")[:1] == ["Failed"], MINUTE, lambda: str(status(scheduled, "replace")))
    old, new = jobs(scheduled, "replace")[:2]
    assert old["spec"]["stop"]["mode"] == "Terminate"
    assert f"replaced by {new['metadata']['name']}" in old["spec"]["stop"]["reason"]
    assert (new.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def test_forbid_holds_the_next_fire_and_names_the_job(scheduled: Lab) -> None:
    until(lambda: "spec.concurrencyPolicy: Forbid" in status(scheduled, "forbid").get("message", ""), MINUTE)
    (job,) = jobs(scheduled, "forbid")
    assert f"waits until {job['metadata']['name']} has ended" in status(scheduled, "forbid")["message"]
    stop = {"spec": {"stop": {"mode": "Terminate", "reason": "test"}}}
    scheduled.api.patch("Job", job["metadata"]["name"], stop, scheduled.namespace)
    until(lambda: len(jobs(scheduled, "forbid")) == 2, 30)


def test_suspended_is_suspended(scheduled: Lab) -> None:
    assert status(scheduled, "paused")["phase"] == "Suspended"
    assert jobs(scheduled, "paused") == []


def test_its_jobs_go_with_it(scheduled: Lab) -> None:
    for name in ("every", "replace", "forbid", "paused"):
        scheduled.api.delete("JobSchedule", name, scheduled.namespace)
    until(lambda: not any(jobs(scheduled, name) for name in ("every", "replace", "forbid")), 60)
