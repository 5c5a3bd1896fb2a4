"""What people and Prometheus see: describe, get, events, metrics, probes."""

from __future__ import annotations

import json

from batchyard.world import parse
from batchyard.world.parse import rfc3339
from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import simulated

COLUMNS = 100


def test_describe_answers_why_a_job_waits_in_numbers(story: Lab) -> None:
    story.job("why", "plain", template=simulated(cpu="64", memory="100Gi"))
    story.reason("why", "JobTooLarge", 10)
    text = story.kubectl("describe", "batchjob", "why", "-n", story.namespace)
    for words in (
        f"needs cpu 64, memory 102400Mi; the largest node of '{story.named('plain')}' offers cpu 4, memory 4096Mi",
        "JobTooLarge",
        "Runnable",
    ):
        assert words in text, text
    story.api.delete("Job", "why", story.namespace)


def test_explain_over_http_says_the_same_at_once(story: Lab) -> None:
    story.job("why-now", "plain", template=simulated(cpu="64"))
    page = f"/v1/explain/{story.namespace}/why-now"
    until(lambda: story.operator.page(page)[0] == 200 and json.loads(story.operator.page(page)[1]).get("message"), 5)
    answer = json.loads(story.operator.page(page)[1])
    assert answer["reason"] == "JobTooLarge"
    assert answer["environments"][0]["need"] == "cpu 64"
    assert story.operator.page(f"/v1/explain/{story.namespace}/nobody")[0] == 404
    story.api.delete("Job", "why-now", story.namespace)


def test_a_waiting_job_tells_its_place_and_when_it_will_start(story: Lab) -> None:
    told = story.wait("foreseen", lambda status: (status.get("waiting") or {}).get("estimatedStart"), 90)["status"]
    first = story.phase("foreseen-first", "Running")["status"]
    assert (told["reason"], told["waiting"]["position"], told["waiting"]["vCpusAhead"]) == ("AtMaxVCpus", 1, 0)
    assert told["waiting"]["estimatedStart"]["p50"] <= told["waiting"]["estimatedStart"]["p90"]
    assert told["waiting"]["estimatedStart"]["p90"] <= later(first["startedAt"], 605), "at the first one's timeout"
    page = json.loads(story.operator.page(f"/v1/explain/{story.namespace}/foreseen")[1])
    assert page["position"] == 1
    assert page["estimatedStart"]["p90"] <= later(first["startedAt"], 605)
    stop = {"spec": {"stop": {"mode": "Terminate"}}}
    story.api.patch("Job", "foreseen-first", stop, story.namespace)
    story.succeeded("foreseen")
    queue = story.named("single")
    assert story.operator.metric("batchyard_start_estimates_total", queue=queue, within_p90="true") == 1
    assert story.operator.metric("batchyard_start_estimate_error_seconds_count", queue=queue) == 1


def later(stamp: str, seconds: int) -> str:
    return rfc3339(parse.seconds(stamp) + seconds)


def test_get_fits_into_100_columns(story: Lab) -> None:
    story.succeeded("hello", 90)
    for kind, name, word in (
        ("bj", "hello", "Succeeded"),
        ("jq", story.named("main"), "Valid"),
        ("ce", story.named("main"), "Valid"),
    ):
        lines = story.kubectl("get", kind, "-n", story.namespace).splitlines()
        assert [line for line in lines if len(line.rstrip()) > COLUMNS] == []
        (row,) = [line for line in lines if line.split()[0] == name]
        assert word in row


def test_events_tell_of_failures(story: Lab) -> None:
    story.failed("used-up", 90)
    (event,) = [event for event in story.events("used-up") if event["reason"] == "Error"]
    assert event["type"] == "Warning"
    assert "attempt 2 of 2" in event["message"]
    assert event["involvedObject"]["kind"] == "Job"


def test_metrics_say_what_happened(story: Lab) -> None:
    story.succeeded("hello", 90)
    operator, main = story.operator, story.named("main")
    samples = {name for name, _, _ in operator.metrics()}
    assert {
        "batchyard_jobs", "batchyard_oldest_runnable_seconds", "batchyard_attempts_total", "batchyard_nodes",
        "batchyard_vcpus", "batchyard_cycle_step_seconds_count", "batchyard_api_requests_total",
        "batchyard_watch_age_seconds", "batchyard_plan_verbs_total", "batchyard_nodes_started_total",
    } <= samples  # fmt: skip
    succeeded = [j for j in story.api.list("Job") if j["spec"]["queue"] == main and _phase(j) == "Succeeded"]
    until(lambda: operator.metric("batchyard_jobs", queue=main, phase="Succeeded") >= len(succeeded) > 0, 10)
    assert operator.metric("batchyard_attempts_total", queue=main, reason="Completed") >= 1
    assert operator.metric("batchyard_vcpus", environment=main, kind="max") == 4
    assert operator.metric("batchyard_cycle_step_seconds_count", step="place") > 10
    assert operator.metric("batchyard_api_requests_total", verb="create", resource="pods", code="201") >= 1
    assert 0 <= operator.metric("batchyard_watch_age_seconds", resource="nodes") < 90


def _phase(job: dict) -> str:
    return str((job.get("status") or {}).get("phase"))


def test_probes_are_well_while_everything_turns(story: Lab) -> None:
    assert story.operator.page("/healthz") == (200, "ok")
    assert story.operator.page("/readyz") == (200, "ok")


def test_a_queue_counts_its_jobs_and_names_its_front(story: Lab) -> None:
    for number in range(3):
        story.job(f"front-{number}", "narrow", template=simulated(2_000))
    until(lambda: story.status("JobQueue", "narrow").get("front"), 15)
    until(lambda: story.status("JobQueue", "narrow")["jobs"]["runnable"] >= 1, 15)
    front = story.status("JobQueue", "narrow")["front"]
    assert front[0]["position"] == 1
    assert front[0]["job"].startswith(f"{story.namespace}/front-")
    for number in range(3):
        story.succeeded(f"front-{number}")
