"""Schedules on the real API server: every form, names that leave room for the minute, templates that may change."""

import subprocess
from collections.abc import Iterator

import pytest
from crd_server import Server
from specs import GOOD, changed

from batchyard.model.kind import JOB_SCHEDULE

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def nightly(server: Server) -> Iterator[dict]:
    made = server.create(JOB_SCHEDULE, changed(GOOD[JOB_SCHEDULE], "schedule", "*/15 * * * *"), "n" * 16, keep=True)
    yield made
    server.delete(JOB_SCHEDULE, "n" * 16)


@pytest.mark.parametrize(
    "schedule",
    ["0 2 * * *", "*/5 9-17 1,15 * MON-FRI", "@daily", "rate(1 minute)", "rate(1 minutes)", "rate(12 hours)",
     "rate(7 days)", "at(2027-01-01T00:00:00)", "cron(0/15 * L * ? *)", "cron(0 10 15W * ? 2026-2030)",
     "cron(0 10 ? * 6L *)", "cron(0 10 ? JAN,JUL MON#2 *)"],
)  # fmt: skip
def test_every_form_is_accepted(server: Server, schedule: str) -> None:
    accepted = server.create(JOB_SCHEDULE, changed(GOOD[JOB_SCHEDULE], "schedule", schedule))
    assert accepted["spec"]["schedule"] == schedule


def test_a_schedule_gets_its_defaults(server: Server) -> None:
    small = {"schedule": "@daily", "jobTemplate": {"spec": GOOD[JOB_SCHEDULE]["jobTemplate"]["spec"]}}
    spec = server.create(JOB_SCHEDULE, small)["spec"]
    assert {name: value for name, value in spec.items() if name not in ("schedule", "jobTemplate")} == {
        "timeZone": "UTC",
        "flexibleWindowMinutes": 0,
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }


def test_a_name_leaves_room_for_the_minute(server: Server) -> None:
    assert server.create(JOB_SCHEDULE, GOOD[JOB_SCHEDULE], "n" * 39)
    message = server.refusal(server.create, JOB_SCHEDULE, GOOD[JOB_SCHEDULE], "n" * 40)
    assert "metadata.name of a JobSchedule has at most 39 characters" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [("queue", "other"), ("template.spec.containers.0.image", "other"), ("retry", {"attempts": 3})],
)
def test_the_template_of_its_jobs_may_change(server: Server, nightly: dict, path: str, value: object) -> None:
    newest = server.read(JOB_SCHEDULE, nightly["metadata"]["name"])
    spec = changed(newest["spec"], f"jobTemplate.spec.{path}", value)
    replaced = server.replace(JOB_SCHEDULE, newest, spec)["spec"]
    assert JOB_SCHEDULE.spec.model_validate(replaced) == JOB_SCHEDULE.spec.model_validate(spec)


def test_a_list_fits_100_columns(server: Server, kubectl: str, kubeconfig: str, nightly: dict) -> None:
    status = {
        "phase": "Active", "lastFire": nightly["metadata"]["creationTimestamp"],
        "next": "15 Jan 12:00", "activeJobs": 1,
    }  # fmt: skip
    server.set_status(JOB_SCHEDULE, "n" * 16, status)
    command = [kubectl, "--kubeconfig", kubeconfig, "--namespace", server.namespace, "get", "jsched"]
    header, row = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert header.split() == ["NAME", "SCHEDULE", "ZONE", "SUSPENDED", "LAST", "NEXT", "ACTIVE", "AGE"]
    assert max(len(header.rstrip()), len(row.rstrip())) + len("2d23h") - len("0s") <= 100
