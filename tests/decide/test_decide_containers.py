"""Several containers in a pod: which run first, beside and together, and who decides how an attempt ended."""

import subprocess
from typing import Any

import pytest
from msgspec import convert

from batchyard.decide.containers import ContainersError, arrange
from batchyard.decide.needs import needs_of
from batchyard.model.labels import ESSENTIAL
from batchyard.model.plan import Check, Keep, Report, Start
from batchyard.world.specs import ContainerRule
from builders import decided, definition, job, of, only, pool_of, revision, status

Body = dict[str, Any]


def containers(*names: str, **fields: Any) -> Body:
    """Return a template of containers that have a command, 100m and 10Mi each; `fields` go to all."""
    claims = {"requests": {"cpu": "100m", "memory": "10Mi"}}
    given = {"image": "busybox", "command": ["run"], "resources": claims, **fields}
    return {"spec": {"containers": [{"name": name, **given} for name in names]}}


def rules(text: str) -> list[Body]:
    """Read `main <- fetch:Success db:Start; fetch*; db*`: who waits for what; a star marks those not essential."""
    return [_rule(*entry.partition("<-")[::2]) for entry in text.split(";")]


def _rule(name: str, waits: str) -> Body:
    depends = [dict(zip(("name", "condition"), wait.split(":"), strict=True)) for wait in waits.split()]
    rule = {"name": name.strip().rstrip("*"), "dependsOn": depends}
    return rule if "*" not in name else {**rule, "essential": False}


def arranged(template: Body, text: str) -> Any:
    return arrange(template, convert(rules(text), list[ContainerRule]))


def shape(template: Any) -> str:
    """Write the order: those before, `+` after a sidecar, `~` after one that may fail, then `|` and those together."""
    before = [
        c["name"] + ("+" if c.get("restartPolicy") == "Always" else "~" if c["command"][0] == "/bin/sh" else "")
        for c in template["spec"].get("initContainers") or ()
    ]
    return " ".join([*before, "|", *(c["name"] for c in template["spec"]["containers"])])


@pytest.mark.parametrize(
    ("names", "given", "order"),
    [
        ("main", "main", "| main"),
        ("main log", "log*", "| main log"),
        ("main log", "main <- log:Start; log*", "log+ | main"),
        ("main fetch", "main <- fetch:Success; fetch*", "fetch | main"),
        ("main fetch", "main <- fetch:Complete; fetch*", "fetch~ | main"),
        ("main fetch db", "main <- fetch:Success; fetch* <- db:Start; db*", "db+ fetch | main"),
        ("main b a", "main <- a:Success b:Success; a*; b*", "b a | main"),
        ("main b a", "main <- b:Success; b* <- a:Success; a*", "a b | main"),
        ("main b a", "main <- b:Complete; b* <- a:Success; a*", "a b~ | main"),
        ("app db", "app <- db:Start", "| db app"),
        ("app db log", "app <- db:Start; log* <- app:Start", "| db app log"),
        ("app proxy db", "app <- proxy:Start; proxy* <- db:Start; db", "| db proxy app"),
        ("one two fetch", "one <- fetch:Success; two <- fetch:Complete; fetch*", "fetch | one two"),
        ("main log late", "late* <- log:Start; log*", "| main log late"),
        ("main fetch late", "main <- fetch:Success; fetch*; late* <- fetch:Complete", "fetch | main late"),
    ],
)  # fmt: skip
def test_the_order_that_the_rules_ask_for(names: str, given: str, order: str) -> None:
    assert shape(arranged(containers(*names.split()), given)) == order


def test_init_containers_of_the_template_stay_before_all() -> None:
    template = containers("main", "fetch")
    template["spec"]["initContainers"] = [{"name": "mount", "image": "busybox", "command": ["mount"]}]
    assert shape(arranged(template, "main <- fetch:Success; fetch*")) == "mount fetch | main"


def test_without_rules_a_pod_is_as_it_is_written() -> None:
    template = containers("a", "b")
    assert arrange(template, ()) is template
    marked = {**template, "metadata": {"labels": {"a": "b"}, "annotations": {ESSENTIAL: "x", "c": "d"}}}
    assert arrange(marked, ())["metadata"] == {"labels": {"a": "b"}, "annotations": {"c": "d"}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("x", "names 'x', and the template has no such container; it has: a, b, c"),
        ("a <- x:Start", "names 'x', and the template has no such container"),
        ("a; a", "names 'a' twice"),
        ("a*; b*; c*", "leaves no container essential"),
        ("a <- a:Start", "in a circle: a -> a"),
        ("a <- b:Start; b <- c:Start; c <- a:Start", "in a circle: a -> b -> c -> a; take one dependsOn out"),
        ("a <- b:Success; b", "waits for Success of 'b', which is essential"),
        ("a <- b:Complete", "give 'b' essential: false, or wait for Start"),
        ("a <- b:Start; b*; c <- b:Success", "Start of 'b' and another for its end"),
        ("a <- b:Success; b* <- c:Start", "'b' runs to its end before the others start, and waits for 'c', which"),
        ("b*; c* <- b:Success", "only containers that are not essential wait for the end of 'b'"),
        ("a <- b:Complete; b*; c* <- b:Success", "'c' waits for Success of 'b', and others go on though it fails"),
    ],
)
def test_what_cannot_be_expressed_is_refused_with_the_fix(given: str, words: str) -> None:
    with pytest.raises(ContainersError) as refused:
        arranged(containers("a", "b", "c"), given)
    assert words in str(refused.value)


@pytest.mark.parametrize("field", ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle"])
def test_one_that_runs_to_its_end_first_has_no_probes(field: str) -> None:
    template = containers("main", "fetch", **{field: {"exec": {"command": ["true"]}}})
    with pytest.raises(ContainersError, match=f"'fetch' runs to its end .* has no {field}"):
        arranged(template, "main <- fetch:Success; fetch*")
    assert arranged(template, "main <- fetch:Start; fetch*")


class TestComplete:
    """A container that may fail: its program runs under a shell that passes signals on and ends well."""

    def wrapped(self, **fields: Any) -> Body:
        template = arranged(containers("main", "check", **fields), "main <- check:Complete; check*")
        first: Body = template["spec"]["initContainers"][0]
        return first

    def test_it_needs_a_command(self) -> None:
        with pytest.raises(ContainersError, match="Complete of 'check', which has no command; write into the template"):
            self.wrapped(command=[])

    def test_command_and_arguments_are_those_of_the_program(self) -> None:
        assert self.wrapped(command=["a", "b c"], args=["$(X)"])["args"] == ["a", "b c", "$(X)"]

    @pytest.mark.parametrize(
        ("command", "output", "words"),
        [
            (["echo", "two words", "$HOME"], "two words $HOME\n", ""),
            (["sh", "-c", "echo x; exit 3"], "x\n", "exited with code 3\n"),
            (["no-such-program"], "", "exited with code 127\n"),
        ],
    )
    def test_it_ends_well_and_notes_how_the_program_did(
        self, tmp_path: Any, command: list[str], output: str, words: str
    ) -> None:
        log = tmp_path / "log"
        first = self.wrapped(command=command, terminationMessagePath=str(log))
        done = subprocess.run([*first["command"], *first["args"]], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, output)
        assert (log.read_text() if log.exists() else "") == words

    def test_a_signal_reaches_the_program(self, tmp_path: Any) -> None:
        program = "trap 'echo told; exit 4' TERM; echo ready; while :; do sleep 0.05; done"
        first = self.wrapped(command=["sh", "-c", program], terminationMessagePath=str(tmp_path / "log"))
        shell = subprocess.Popen([*first["command"], *first["args"]], stdout=subprocess.PIPE, text=True)
        assert shell.stdout is not None
        assert shell.stdout.readline() == "ready\n"
        shell.terminate()
        assert shell.communicate(timeout=10)[0] == "told\n"
        assert shell.returncode == 0
        assert (tmp_path / "log").read_text() == "exited with code 4\n"


def test_sidecars_count_beside_the_main_containers_and_first_ones_before() -> None:
    both = containers("main", "log", "fetch")
    asked = needs_of(arranged(both, "main <- log:Start fetch:Success; log*; fetch*"), "Any").requests
    assert (asked.cpu, asked.memory) == (200, 20 * 2**20)
    assert needs_of(arranged(both, "main <- log:Start; log*; fetch*"), "Any").requests.cpu == 300


FETCH = rules("main <- fetch:Success; fetch*")
COMPLETE = "main <- fetch:Complete; fetch*"


class TestJobs:
    """Where the rules come from, and what becomes of a job or a definition whose rules cannot be kept."""

    def started(self, *things: Any) -> str:
        return shape(only(decided(*pool_of("n1"), *things), Start).manifest)

    def test_the_pod_of_an_inline_job(self) -> None:
        plan = decided(*pool_of("n1"), job(template=containers("main", "fetch"), containers=FETCH))
        start = only(plan, Start)
        assert shape(start.manifest) == "fetch | main"
        assert start.manifest["metadata"]["annotations"] == {ESSENTIAL: "main"}
        for container in (*start.manifest["spec"]["initContainers"], *start.manifest["spec"]["containers"]):
            assert container["env"][0]["name"] == "AWS_BATCH_JOB_ID"

    def test_a_jobs_rule_replaces_its_definitions_of_the_same_name(self) -> None:
        kept = definition(template=containers("main", "fetch", "log"), containers=FETCH)
        known = (kept, revision(kept))
        assert self.started(*known, job(definition={"name": "render"})) == "fetch | main log"
        own = rules("main <- fetch:Complete log:Start; fetch*; log*")
        assert self.started(*known, job(definition={"name": "render"}, containers=own)) == "fetch~ log+ | main"

    def test_overrides_and_parameters_reach_containers_wherever_they_run(self) -> None:
        kept = definition(
            template=containers("main", "fetch", args=["Ref::n"]), containers=FETCH,
            parameters={"n": {"default": "7"}},
        )  # fmt: skip
        mine = {"containers": [{"name": "fetch", "command": ["get"]}]}
        plan = decided(*pool_of("n1"), kept, revision(kept), job(definition={"name": "render"}, overrides=mine))
        (fetch,) = only(plan, Start).manifest["spec"]["initContainers"]
        assert (fetch["command"], fetch["args"]) == (["get"], ["7"])

    def test_a_job_whose_rules_cannot_be_kept_fails_at_once(self) -> None:
        plan = decided(*pool_of("n1"), job(template=containers("main"), containers=rules("main <- x:Start")))
        assert (status(plan)["phase"], status(plan)["reason"]) == ("Failed", "InvalidContainers")
        assert "spec.containers names 'x'" in status(plan)["message"]

    def test_a_definition_whose_rules_cannot_be_kept_is_invalid(self) -> None:
        bad = definition(template=containers("main", "fetch", command=[]), containers=rules(COMPLETE))
        plan = decided(bad)
        assert not of(plan, Check)
        assert only(plan, Keep)
        (condition,) = only(plan, Report).status["conditions"]
        assert (condition["status"], condition["reason"]) == ("False", "InvalidContainers")
        assert "'fetch', which has no command" in condition["message"]

    def test_the_api_server_is_asked_about_the_pod_as_it_will_be(self) -> None:
        check = only(decided(definition(template=containers("main", "fetch"), containers=FETCH)), Check)
        assert shape(check.manifest) == "fetch | main"

    def test_an_array_whose_rules_cannot_be_kept_fails_at_once(self) -> None:
        plan = decided(
            *pool_of("n1"), job(template=containers("main"), containers=rules("x"), array={"size": 2, "indexes": "0"})
        )
        assert (status(plan)["phase"], status(plan)["array"]["failed"]) == ("Failed", "0")
        assert not of(plan, Start)
