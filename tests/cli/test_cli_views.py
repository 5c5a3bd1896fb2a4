"""top, cost, graph and completion: what is added up, drawn and suggested."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from cli_world import DOCKER, POD, World

from batchyard.cli.graph import Graph
from batchyard.cli.show import table


def _cost(amount: str, wasted: str = "0", phase: str = "Succeeded") -> dict:
    return {"phase": phase, "cost": {"amount": amount, "wasted": wasted}}


@pytest.fixture
def spent(world: World) -> World:
    world.job("cheap", _cost("0.000125"), queue="a", labels={"team": "red"})
    world.job("dear", _cost("12.5", "2.25", "Failed"), queue="b", share="blue")
    world.job("runs", _cost("0.1", phase="Running"), queue="a", share="blue")
    world.job("new", queue="a")
    return world


def _rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()[1:]]


def test_cost_of_jobs_is_exact_and_the_dearest_first(spent: World) -> None:
    assert _rows(spent.run("cost").stdout) == [
        ["dear", "1", "0", "12.50", "2.25"],
        ["runs", "1", "1", "0.100000", "0.00"],
        ["cheap", "1", "0", "0.000125", "0.00"],
        ["new", "1", "1", "0.00", "0.00"],
        ["total", "4", "2", "12.60", "2.25"],
    ]
    assert yaml.safe_load(spent.run("cost", "-o", "yaml").stdout)["total"]["amount"] == "12.600125"


@pytest.mark.parametrize(
    ("flags", "first"),
    [
        (["--by", "queue"], ["b", "1", "0", "12.50", "2.25"]),
        (["--by", "share"], ["blue", "2", "1", "12.60", "2.25"]),
        (["--by", "queue", "-q", "a"], ["a", "3", "2", "0.100125", "0.00"]),
        (["-l", "team=red"], ["cheap", "1", "0", "0.000125", "0.00"]),
        (["cheap", "bj/new"], ["cheap", "1", "0", "0.000125", "0.00"]),
    ],
)
def test_cost_by_other_things(spent: World, flags: list[str], first: list[str]) -> None:
    assert _rows(spent.run("cost", *flags).stdout)[0] == first


def test_cost_of_all_namespaces_names_them(spent: World) -> None:
    assert f"\n{spent.namespace}/dear " in spent.run("cost", "-A").stdout
    assert f"\n{spent.namespace} " in "\n" + spent.run("cost", "-A", "--by", "namespace").stdout


def test_graph_draws_the_flow_with_phases(world: World) -> None:
    world.job("fetch", {"phase": "Succeeded"})
    world.job("convert", {"phase": "Running", "array": {"counts": {"succeeded": 2, "failed": 1}}}, array={"size": 5},
              dependsOn=[{"job": "fetch"}, {"array": "Sequential"}])  # fmt: skip
    world.job("check", array={"size": 5}, dependsOn=[{"job": "convert", "array": "OneToOne"}])
    world.job("report", dependsOn=[{"job": "check"}, {"job": "fetch"}, {"job": "gone"}])
    world.job("alone", {"phase": "Running"})
    world.job("clean", dependsOn=[{"job": "report", "when": "Finished"}])
    drawing = world.run("graph").stdout
    assert drawing == (
        "fetch Succeeded\n"
        "├── convert Running 3/5, 1 failed [Sequential]\n"
        "│   └── check Submitted 0/5 [OneToOne]\n"
        "│       └── report Submitted\n"
        "│           └── clean Submitted [when Finished]\n"
        "└── report Submitted (see above)\n"
        "gone not there\n"
        "└── report Submitted (see above)\n"
    )
    assert world.run("graph", "clean").stdout == drawing
    assert world.run("graph", "alone").stdout == "alone Running\n"
    found = yaml.safe_load(world.run("graph", "check", "-o", "yaml").stdout)
    assert {"job": "check", "dependsOn": "convert", "how": "OneToOne"} in found["dependencies"]


def test_graph_of_a_circle_ends() -> None:
    def job(name: str, *needs: str) -> dict:
        return {"metadata": {"name": name}, "spec": {"dependsOn": [{"job": need} for need in needs]}}

    graph = Graph.of([job("a", "c"), job("b", "a"), job("c", "b")])
    assert graph.roots(graph.around("b")) == ["a"]
    assert graph.around("b") == {"a", "b", "c"}


def test_graph_without_dependencies(world: World) -> None:
    world.job("alone")
    assert "depends on another (spec.dependsOn)" in world.refused("graph")


def test_top_shows_queues_by_priority_and_environments(world: World) -> None:
    low, high, pool = (f"{world.namespace}-{name}" for name in ("low", "high", "pool"))
    counts = {"runnable": 4, "running": 2, "failed": 1}
    try:
        world.make("JobQueue", low, {"computeEnvironments": [pool], "priority": 1},
                   {"phase": "Valid", "jobs": counts, "oldestRunnableSeconds": 90})  # fmt: skip
        world.make(
            "JobQueue", high, {"computeEnvironments": [pool], "priority": 9}, {"phase": "Invalid", "message": "no pool"}
        )
        world.make("ComputeEnvironment", pool, DOCKER, {"phase": "Valid", "nodes": {"ready": 2, "launching": 1},
                   "vCpus": {"used": 3, "provisioned": 4, "desired": 6}})  # fmt: skip
        text = world.run("top").stdout
        assert text == world.run("top", "--once").stdout
        listed = yaml.safe_load(world.run("top", "-o", "yaml").stdout)
    finally:
        for kind, name in (("JobQueue", low), ("JobQueue", high), ("ComputeEnvironment", pool)):
            world.delete(name, kind)
    rows = {words[0]: words[1:] for words in map(str.split, text.splitlines()) if words}
    assert rows[low] == ["Valid", "1", "0", "4", "0", "2", "0", "1", "1m30s"]
    assert rows[pool] == ["Valid", "OnDemand", "2", "1", "0", "3", "4", "6", "8"]
    assert text.index(high) < text.index(low)
    assert f"{high}: no pool" in text
    assert pool in {item["metadata"]["name"] for item in listed["items"]}


def _kubectl_completes(world: World, *words: str) -> list[str]:
    program = Path(sys.executable).parent / "kubectl_complete-batchyard"
    environment = {**os.environ, "KUBECONFIG": str(world.kubeconfig)}
    done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=True)
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


def test_kubectl_completes_commands_flags_and_names(world: World) -> None:
    world.job("first")
    world.job("second")
    assert _kubectl_completes(world, "sto") == ["stop", ":4"]
    assert _kubectl_completes(world, "stop", "") == ["first", "second", ":4"]
    assert _kubectl_completes(world, "stop", "first", "se") == ["second", ":4"]
    assert _kubectl_completes(world, "logs", "-n", "kube-public", "") == [":4"]
    assert _kubectl_completes(world, "list", "-o", "") == ["json", "yaml", "wide", "name", ":4"]
    assert _kubectl_completes(world, "list", "--ph") == ["--phase", ":4"]


def test_shells_get_a_script(world: World) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_BATCHYARD_COMPLETE" in world.run("completion", shell).stdout
    assert "'tcsh'" in world.refused("completion", "tcsh")


def test_kubectl_completes_parameters_namespaces_and_contexts(world: World) -> None:
    declared = {"scene": {"required": True}, "frames": {"type": "Integer", "default": "10"}}
    world.make("JobDefinition", "render", {"parameters": declared, "template": POD})
    assert _kubectl_completes(world, "submit", "render", "-p", "") == ["frames=", "scene=", ":4"]
    assert _kubectl_completes(world, "submit", "render", "-p", "sc") == ["scene=", ":4"]
    assert world.namespace in _kubectl_completes(world, "list", "-n", "cli-")
    assert "elsewhere" in _kubectl_completes(world, "list", "--context", "else")


def test_a_table_fits_a_terminal_if_it_can() -> None:
    header, row = ("NAME", "REASON", "AGE"), ("job", "WaitingForDependencies", "5m")
    assert len(table(header, [row])[0].plain) == len("NAME   REASON                   AGE")
    assert table(header, [row], 33)[1].plain == "job   WaitingForDependencies  5m"
    assert table(header, [row], 31)[1].plain == "job  WaitingForDependencies 5m"
    assert table(header, [row], 22)[1].plain == "job  WaitingForDe… 5m"
    assert table(header, [row], 22, cut=False)[1].plain == "job  WaitingForDependencies 5m"
    assert table(header, [row], 5)[1].plain == "job  WaitingFo… 5m", "not beyond what still tells something"


def test_wide_has_more_columns(world: World) -> None:
    world.job("paid", {"phase": "Failed", "cost": {"amount": "0.5", "wasted": "0.25"}})
    rows = world.run("cost", "-o", "wide").stdout.splitlines()
    assert rows[0].split("   ")[-1].strip() == "WASTED OF IT"
    assert rows[1].split()[-2:] == ["50", "%"]
    assert "STRATEGY   ENVIRONMENTS   FIRST   MESSAGE" in world.run("top", "-o", "wide").stdout
    assert "Name:" in world.run("describe", "paid", "-o", "wide").stdout


def test_advice_on_a_definition_that_is_not_there_says_so(world: World) -> None:
    assert "JobDefinition 'no-such'" in world.refused("advise", "no-such")


def test_what_the_operator_saw_of_earlier_pods_is_advice_without_a_pod(world: World) -> None:
    suggested = {"cpu": "150m", "memory": "64Mi"}
    amounts = {
        "asked": {"cpu": "1", "memory": "1Gi"},
        "used": {"cpu": "100m", "memory": "50Mi"},
        "suggested": suggested,
    }
    record = {"revision": 1, "pods": 3, **amounts, "savesPerHour": "0.85"}
    images = {"type": "ImagesReady", "status": "False", "observedGeneration": 1, "message": "image x names no version"}
    world.make("JobDefinition", "sized", {"template": POD}, {"advice": record, "conditions": [images]})
    (told,) = yaml.safe_load(world.run("advise", "sized", "-o", "yaml").stdout)["items"]
    assert (told["pods"], told["seenBefore"], told["savesPerHour"]) == (0, 3, "0.85")
    assert told["suggested"] == suggested
    assert told["advice"][-1] == "image x names no version"
    assert "0 and 3 before" in world.run("advise").stdout


def test_cost_of_environments_adds_up(world: World) -> None:
    dear, cheap = (f"{world.namespace}-{name}" for name in ("dear", "cheap"))
    parts = {"useful": "1.5", "wasted": "0.25", "running": "0", "idle": "0.75", "since": "2027-01-15T08:00:00Z"}
    try:
        world.make("ComputeEnvironment", dear, DOCKER, {"cost": {"nodes": "2.5", **parts}})
        world.make("ComputeEnvironment", cheap, DOCKER)
        found = yaml.safe_load(world.run("cost", "--by", "environment", "-o", "yaml").stdout)
        each = {item["name"]: item for item in found["items"]}
        assert Decimal(each[dear]["nodes"]) == sum(
            Decimal(each[dear][p]) for p in ("useful", "wasted", "running", "idle")
        )
        assert Decimal(each[cheap]["nodes"]) == 0
        row = next(
            line.split() for line in world.run("cost", "--by", "environment").stdout.splitlines() if dear in line
        )
        assert row[1:6] == ["2.50", "1.50", "0.250000", "0.00", "0.750000"]
        assert "All nodes so far: " in world.run("cost", "-A").stdout
        assert "leave out jobs, --queue and --selector" in world.refused("cost", "--by", "environment", "-q", "a")
    finally:
        for name in (dear, cheap):
            world.delete(name, "ComputeEnvironment")
