"""What a submission becomes, and what is refused before anything is created."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from cli_world import POD, World

PRIMES = {
    "parameters": {
        "to": {"type": "Integer", "required": True},
        "format": {"enum": ["count", "list"], "default": "count"},
    },
    "template": POD,
}


@pytest.fixture
def primes(world: World) -> World:
    world.make("JobDefinition", "primes", PRIMES)
    return world


def test_flags_become_the_spec(primes: World) -> None:
    words = (
        "submit primes --name all -q big -p to=9 -p format=list --array 7 --max-concurrent 3 --share red --priority 5"
    )
    after = ["--after", "a", "--after", "b:finished", "--after", "bj/c:OneToOne"]
    assert primes.run(*words.split(), *after).stdout == "batchjob.batchyard.dev/all created\n"
    spec = primes.read("all")["spec"]
    assert spec["definition"] == {"name": "primes"}
    assert spec["queue"] == "big"
    assert spec["parameters"] == {"to": "9", "format": "list"}
    assert spec["array"] == {"size": 7, "maxConcurrent": 3, "tolerateFailures": 0}
    assert (spec["share"], spec["priority"]) == ("red", 5)
    assert spec["dependsOn"] == [
        {"job": "a", "when": "Succeeded"},
        {"job": "b", "when": "Finished"},
        {"job": "c", "array": "OneToOne", "when": "Succeeded"},
    ]


def test_queue_is_the_flag_then_the_variable_then_default(primes: World) -> None:
    for number, (words, variables, queue) in enumerate(
        [
            (["-q", "one"], {"BATCHYARD_QUEUE": "two"}, "one"),
            ([], {"BATCHYARD_QUEUE": "two"}, "two"),
            ([], {}, "default"),
        ]
    ):
        primes.run("submit", "primes", "-p", "to=1", "--name", f"n{number}", *words, **variables)
        assert primes.read(f"n{number}")["spec"]["queue"] == queue


def test_name_is_made_from_the_definition_and_short_enough_for_pods(world: World) -> None:
    world.make("JobDefinition", "x" * 50, {"template": POD})
    names = {world.run("submit", "x" * 50 + ":1", "-o", "name").stdout.strip().partition("/")[2] for _ in range(2)}
    assert sorted(names) == sorted(world.jobs())
    assert {len(name) for name in names} == {50}
    assert len(names) == 2
    assert world.read(names.pop())["spec"]["definition"]["revision"] == 1


def test_dry_run_has_the_server_check_and_creates_nothing(primes: World) -> None:
    done = primes.run("submit", "primes", "-p", "to=1", "--name", "dry", "--dry-run=server", "--wait", "-o", "yaml")
    assert yaml.safe_load(done.stdout)["spec"]["capacityType"] == "Any"  # the server's default
    assert "size" in primes.refused("submit", "primes", "-p", "to=1", "--array", "1", "--dry-run=server")
    assert primes.jobs() == []


def test_dry_run_on_the_client_prints_what_kubectl_takes(primes: World) -> None:
    done = primes.run("submit", "primes", "-p", "to=1", "--array", "3", "--dry-run=client", "-o", "yaml", "--wait")
    body = yaml.safe_load(done.stdout)
    assert (body["kind"], body["spec"]["array"], body["spec"]["parameters"]) == ("Job", {"size": 3}, {"to": "1"})
    assert primes.jobs() == []
    primes.run("submit", "-f", "-", stdin=done.stdout)
    assert primes.jobs() == [body["metadata"]["name"]]
    said = primes.run("submit", "nothing", "--name", "dry", "--dry-run=client").stdout
    assert said == "batchjob.batchyard.dev/dry created (client dry run)\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("primes", "-p: spec.parameters.to is required (Integer); give it a value"),
        ("primes -p to=x", "-p: spec.parameters.to: 'x' is not of type Integer; write for example 3"),
        ("primes -p to=1 -p tu=1", "-p: spec.parameters.tu is not declared by the definition; it declares: format, to"),
        ("primes -p to=1 -p format=x", "-p: spec.parameters.format: 'x' is not one of: count, list"),
        ("primes -p to", "-p: 'to' is not name=value; write for example -p scene=a.blend"),
        ("primes:x -p to=1", "DEFINITION: 'x' is not a revision; write for example primes:3"),
        ("other", "DEFINITION: there is no JobDefinition 'other' in namespace"),
        ("primes -p to=1 --after a:b", "--after: 'b' in 'a:b' is not Succeeded, Failed, Finished or OneToOne"),
        ("primes -p to=1 --array 1", "array.size is from 2 to 100000"),
        ("primes -p to=1 --priority 10000", "spec.priority"),
        ("primes -p to=1 --name Big", "metadata.name"),
        ("primes -p to=1 --dry-run=maybe", "'--dry-run'"),
        ("primes -p to=1 --after a:OneToOne", "array: Sequential and OneToOne in spec.dependsOn are between children"),
        ("", "submit needs either DEFINITION or -f FILE"),
        ("primes -f x", "submit needs either DEFINITION or -f FILE"),
        ("jobdefinition/primes", "write 'primes'"),
        ("-f /not/there", "-f: cannot read /not/there: No such file or directory"),
    ],
)
def test_refusals_are_one_sentence_that_names_the_flag_or_the_field(primes: World, words: str, sentence: str) -> None:
    assert sentence in primes.refused("submit", *words.split())
    assert primes.jobs() == []


def test_name_that_is_taken_is_said_with_the_flag(primes: World) -> None:
    primes.run("submit", "primes", "-p", "to=1", "--name", "one")
    assert 'batchjobs.batchyard.dev "one" already exists; choose another --name' in primes.refused(
        "submit", "primes", "-p", "to=1", "--name", "one"
    )


def test_queue_that_is_not_there_is_a_warning_only(primes: World) -> None:
    done = primes.run("submit", "primes", "-p", "to=1", "-q", "nowhere-at-all")
    assert done.stderr == "Warning: there is no JobQueue 'nowhere-at-all' yet, so the job will wait for it (--queue)\n"


def _job(name: str, **more: object) -> dict:
    metadata = {"name": name, **({"namespace": more.pop("namespace")} if "namespace" in more else {})}
    spec = {"queue": "default", "template": POD, **more}
    return {"apiVersion": "batchyard.dev/v1alpha1", "kind": "Job", "metadata": metadata, "spec": spec}


def test_file_of_several_jobs_is_changed_by_the_flags(world: World, tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text(yaml.safe_dump_all([_job("a", array={"size": 5, "maxConcurrent": 2}), None, _job("b")]))
    done = world.run("submit", "-f", str(file), "-q", "other", "--priority", "3", "-o", "name")
    assert done.stdout.splitlines() == ["batchjob.batchyard.dev/a", "batchjob.batchyard.dev/b"]
    assert {(world.read(n)["spec"]["queue"], world.read(n)["spec"]["priority"]) for n in "ab"} == {("other", 3)}
    assert world.read("a")["spec"]["array"]["maxConcurrent"] == 2


def test_file_may_be_stdin_and_json_and_a_list(world: World) -> None:
    listed = {"kind": "List", "apiVersion": "v1", "items": [_job("a")]}
    world.run("submit", "-f", "-", "--name", "renamed", stdin=json.dumps(listed))
    assert world.jobs() == ["renamed"]


@pytest.mark.parametrize(
    ("content", "words", "sentence"),
    [
        ("a: [", [], "is not YAML"),
        ("", [], "there is no Job in -"),
        ("[1]", [], "object 1 of - is not a Kubernetes object"),
        ("kind: Pod\napiVersion: v1\nmetadata: {name: x}", [], "object 1 of - is a Pod of v1, and submit takes Jobs"),
        (yaml.safe_dump_all([_job("a"), _job("b")]), ["--name", "x"], "--name: - has 2 Jobs"),
        (yaml.safe_dump_all([_job("a"), _job("b")]), ["--follow"], "--follow: - has 2 Jobs"),
        (
            yaml.safe_dump(_job("a", namespace="x")),
            ["-n", "y"],
            "--namespace: 'y' is not the job's metadata.namespace 'x'",
        ),
        (yaml.safe_dump(_job("a", sizes=3)), [], 'unknown field "spec.sizes"'),
    ],
)
def test_files_that_are_refused(world: World, content: str, words: list[str], sentence: str) -> None:
    assert sentence in world.refused("submit", "-f", "-", *words, stdin=content)
    assert world.jobs() == []
