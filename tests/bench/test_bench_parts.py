"""Who asked for what, what is submitted, in which order subjects are run, what is counted as done."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from bench.arrivals import launch_waits
from bench.killed import damage
from bench.rounds import order
from bench.soak import Lives, moments
from bench.thresholds import Run, judge, load
from bench.throughput import statuses_a_second
from bench.watch import Timeline, _Object

from bench import audit, bodies, catalogue, chains, report


def asked(user: str, agent: str = "x", verb: str = "create", resource: str = "pods") -> str:
    return json.dumps(
        {
            "verb": verb,
            "user": {"username": user},
            "userAgent": agent,
            "objectRef": {"resource": resource, "name": "p"},
            "responseStatus": {"code": 201},
            "requestReceivedTimestamp": "2026-01-01T00:00:00.000001Z",
            "stageTimestamp": "2026-01-01T00:00:00.250001Z",
        }
    )


def test_requests_are_told_apart_by_client(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    before = asked("before") + "\n"
    lines = [
        asked("system:serviceaccount:batchyard-system:batchyard"),
        asked("system:serviceaccount:kube-system:job-controller"),
        asked("system:kube-scheduler"),
        asked("admin", "kwok/v0.8.0 (linux/amd64)", "patch"),
        asked("admin", audit.AGENT),
        asked("admin", "kubectl/v1", "list"),
    ]
    log.write_text(before + "\n".join(lines) + "\n")
    found = list(audit.read(log, len(before), log.stat().st_size))
    assert [each.client for each in found] == [
        "operator",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok",
        "bench",
        "other",
    ]
    assert found[0].answered - found[0].received == pytest.approx(0.25)
    counts = audit.count(found)
    assert sum(number for sort, number in counts.items() if sort.writes) == 5


def test_status_writes_of_the_busiest_array_are_counted_a_second() -> None:
    def write(name: str, at: float, client: str = "operator") -> audit.Asked:
        return audit.Asked(client, "patch", "batchjobs/status", name, 200, at, at)

    calm = [write("calm", at) for at in (0, 10, 20)]
    busy = [write("busy", at / 2) for at in range(9)]
    assert statuses_a_second([*calm, *busy, write("busy", 1.1, "bench")]) == 2
    assert statuses_a_second([]) == statuses_a_second([write("once", 1)]) == 0


def test_pods_of_the_floor_are_spread_over_all_nodes() -> None:
    made = [json.loads(body) for _, body in bodies.pods(2 * bodies.NODES, bound=True)]
    assert len({pod["metadata"]["name"] for pod in made}) == len(made)
    assert [pod["spec"]["nodeName"] for pod in made] == [f"n{number}" for number in range(bodies.NODES)] * 2
    free = json.loads(next(bodies.pods(1, bound=False))[1])
    assert "nodeName" not in free["spec"]


def test_every_pod_asks_for_the_same() -> None:
    native = json.loads(next(bodies.native_jobs(1))[1])["spec"]["template"]
    ours = json.loads(next(bodies.jobs(1))[1])["spec"]["template"]
    bare = json.loads(next(bodies.pods(1, bound=False))[1])
    assert native["spec"]["containers"] == ours["spec"]["containers"] == bare["spec"]["containers"]
    assert native["metadata"] == ours["metadata"]


def test_a_fan_gathers_everything() -> None:
    made = {name: json.loads(body) for name, body in chains.fan(250)}
    needs = {name: {d["job"] for d in job["spec"].get("dependsOn", ())} for name, job in made.items()}
    assert len(made) == 1 + 250 + 3 + 1
    assert max(map(len, needs.values())) <= chains.MOST_NEEDS
    reached, grown = {"last"}, 0
    while len(reached) > grown:
        grown = len(reached)
        reached |= {need for name in reached for need in needs[name]}
    assert reached == set(made)


def test_subjects_are_interleaved_and_long_ones_run_once() -> None:
    entries = catalogue.chosen(["B0", "W1", "W5"])
    turns = [(number, entry.name) for number, entry in order(entries, 2)]
    assert turns == [(1, "B0"), (1, "W1"), (1, "W5"), (2, "B0"), (2, "W1")]


def test_a_name_stands_for_its_variants() -> None:
    assert [entry.name for entry in catalogue.chosen(["W7"])] == ["W7-chain", "W7-fan", "W7-pairs"]
    assert [entry.name for entry in catalogue.chosen(["W1"])] == ["W1"]
    with pytest.raises(KeyError, match="W99"):
        catalogue.chosen(["W99"])


def seen(uid: str, phase: str, **more: object) -> _Object:
    labels = {"batchyard.dev/job-uid": "job"}
    body = {"metadata": {"name": f"p-{uid}", "uid": uid, "resourceVersion": "1", "labels": labels}, **more}
    return msgspec.convert({**body, "status": {"phase": phase}}, _Object)


def test_what_ran_twice_and_what_never_ran_is_counted() -> None:
    line = Timeline()
    line.take(seen("a", "Pending"), 1)
    assert damage(line, 1) == {"lost": 1, "twice": 0}
    line.take(seen("a", "Running", spec={"nodeName": "n"}), 2)
    line.take(seen("a", "Succeeded"), 3)
    assert damage(line, 1) == {"lost": 0, "twice": 0}
    assert (line.added["p-a"], line.bound["p-a"], line.over["p-a"]) == (1, 2, 3)
    line.take(seen("b", "Running"), 4)
    assert damage(line, 1) == {"lost": 0, "twice": 1}


def test_the_status_that_a_job_is_born_with_says_nothing() -> None:
    line = Timeline()
    line.take(seen("a", "Submitted"), 1)
    assert not line.told
    line.take(seen("a", "Runnable"), 2)
    assert line.told == {"p-a"}


def test_native_jobs_are_over_by_condition() -> None:
    line = Timeline()
    meta = {"name": "j", "uid": "u", "resourceVersion": "1"}
    for kind, status in (("SuccessCriteriaMet", "True"), ("Complete", "False")):
        line.take(
            msgspec.convert({"metadata": meta, "status": {"conditions": [{"type": kind, "status": status}]}}, _Object),
            1,
        )
    assert not line.over
    line.take(
        msgspec.convert({"metadata": meta, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}, _Object),
        2,
    )
    assert line.over == {"j": 2}
    assert line.failed == {"j"}


def test_a_launch_is_due_at_the_arrival_that_calls_for_it() -> None:
    assert launch_waits([4, 3, 2, 1, 10, 11], [1.5, 10.25], 4) == [0.5, 0.25]


def test_the_report_says_what_was_measured_and_what_falls_short(tmp_path: Path) -> None:
    runs = [Run("B0", 100, 1, {"rate": 100.0, "cpu": 12.0}), Run("W1", 100, 1, {"rate": 40.0, "cpu.operator": 3.0})]
    verdicts = judge(load(), runs)
    text = report.summary(runs, verdicts)
    assert "**short by 20 %**" in text
    assert "| B0 | bare pods with spec.nodeName | 100 | 100 |" in text


def test_the_soak_kills_at_the_same_moments_and_leaves_the_end_alone() -> None:
    found = moments(2400)
    assert found == moments(2400)
    assert found == sorted(found)
    assert 10 < len(found) < 50
    assert found[-1] < 2400


def test_memory_is_compared_within_the_last_life_once_it_has_settled() -> None:
    grows = [(float(at), 50 if at < 1120 else 100 + at // 100) for at in range(1000, 2000, 5)]
    assert Lives(3, grows).growth() == pytest.approx(118 / 112, abs=0.02)
    assert Lives(0, [(float(at), 70) for at in range(0, 100, 5)]).growth() == 1


def test_what_is_run_only_by_name_is_no_part_of_the_whole() -> None:
    assert "soak" not in {entry.name for entry in catalogue.whole()}
    assert [entry.name for entry in catalogue.chosen(["soak"])] == ["soak"]
