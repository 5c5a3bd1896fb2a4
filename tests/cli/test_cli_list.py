"""Lists: which jobs, in which form, from which namespace."""

from __future__ import annotations

import json

import pytest
import yaml
from cli_world import World
from kubernetes import client

from batchyard.cli import words
from batchyard.model.kind import KINDS


@pytest.fixture
def jobs(world: World) -> World:
    attempt = {"number": 2, "node": "n1", "computeEnvironment": "spot"}
    world.job("runs", {"phase": "Running", "reason": "", "attempts": [attempt]}, queue="a", labels={"team": "red"})
    world.job("waits", {"phase": "Runnable", "reason": "NodesBusy", "message": "m" * 200}, queue="b")
    world.job("new", queue="b", labels={"team": "blue"})
    world.job("array", {"phase": "Running", "array": {"progress": "3/9"}}, queue="a", array={"size": 9})
    return world


def _names(world: World, *flags: str) -> list[str]:
    return [line.partition("/")[2] for line in world.run("list", "-o", "name", *flags).stdout.splitlines()]


def test_table_has_a_row_a_job_the_oldest_first(jobs: World) -> None:
    lines = [line.split() for line in jobs.run("list").stdout.splitlines()]
    assert lines[0] == ["NAME", "PHASE", "REASON", "ATTEMPT", "ARRAY", "QUEUE", "AGE"]
    rows = {line[0]: line[1:-1] for line in lines[1:]}
    assert rows == {
        "runs": ["Running", "2", "a"],
        "waits": ["Runnable", "NodesBusy", "b"],
        "new": ["Submitted", "b"],
        "array": ["Running", "3/9", "a"],
    }


def test_wide_is_never_cut(jobs: World) -> None:
    text = jobs.run("list", "-o", "wide", COLUMNS="40").stdout
    assert "m" * 200 in text
    assert "n1" in text


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["-q", "a"], {"runs", "array"}),
        (["--phase", "running"], {"runs", "array"}),
        (["--phase", "Submitted"], {"new"}),
        (["--phase", "Submitted,Runnable"], {"new", "waits"}),
        (["-l", "team in (red, blue)"], {"runs", "new"}),
        (["-q", "b", "--phase", "Runnable"], {"waits"}),
        (["--phase", "Failed"], set()),
    ],
)
def test_filters(jobs: World, flags: list[str], names: set[str]) -> None:
    assert set(_names(jobs, *flags)) == names


def test_json_and_yaml_are_lists_as_of_kubectl(jobs: World) -> None:
    found = json.loads(jobs.run("list", "-o", "json").stdout)
    assert found == yaml.safe_load(jobs.run("list", "-o", "yaml").stdout)
    assert found["kind"] == "List"
    assert {item["kind"] for item in found["items"]} == {"Job"}
    assert "managedFields" not in found["items"][0]["metadata"]


def test_namespace_is_the_flag_before_or_after_or_the_context(jobs: World) -> None:
    assert len(_names(jobs)) == 4
    assert _names(jobs, "-n", "kube-public") == []
    assert _names(jobs, "--context", "elsewhere") == []
    assert jobs.run("-n", "kube-public", "list").stderr == "no jobs in namespace 'kube-public'\n"
    assert len(_names(jobs, "--context", "elsewhere", "-n", jobs.namespace)) == 4
    assert jobs.namespace in jobs.run("list", "-A").stdout


def test_long_lists_come_by_the_page(jobs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchyard.cli.cluster.PAGE", 3)
    assert len(_names(jobs)) == 4


def test_wrong_selector_is_refused_in_the_servers_words(jobs: World) -> None:
    assert "--selector: found '=='" in jobs.refused("list", "-l", "==")


def test_wrong_phase_names_those_that_there_are(jobs: World) -> None:
    assert "'done' is no phase; there are: Submitted, Pending" in jobs.refused("list", "--phase", "done")


def test_kinds_are_those_of_the_model() -> None:
    from batchyard.cli.cluster import NAMESPACED, PLURALS

    known = {kind.name: kind for kind in KINDS}
    assert {name: known[name].plural for name in PLURALS} == PLURALS
    assert {name for name in PLURALS if known[name].scope == "Namespaced"} == set(NAMESPACED)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (90, "1m30s"), (600, "10m"), (3599, "59m"), (5400, "90m"), (7200, "2h"), (90_000, "25h"),
     (180_000, "2d2h"), (900_000, "10d"), (-5, "0s")],
)  # fmt: skip
def test_spans_are_as_kubectl_writes_ages(seconds: int, text: str) -> None:
    assert words.span(seconds) == text


def test_name_that_is_printed_is_one_that_kubectl_takes(jobs: World) -> None:
    resources = client.CustomObjectsApi(jobs.api).get_api_resources("batchyard.dev", "v1alpha1").resources
    kind, _, group = _printed(jobs).partition("/")[0].partition(".")
    assert (kind, group) in {(resource.singular_name, "batchyard.dev") for resource in resources}


def _printed(world: World) -> str:
    return world.run("list", "-o", "name").stdout.splitlines()[0]
