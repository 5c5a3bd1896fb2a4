"""What environments, queues and definitions say of themselves, and the finalizer."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.decide.revise import sample_pod
from batchyard.model import labels as names
from batchyard.model.machine import MachineState
from batchyard.model.plan import Check, Hold, Keep, Report, Retire
from batchyard.world.notes import Refusal
from builders import (
    NOW,
    decided,
    definition,
    environment,
    job,
    machine,
    newer,
    node,
    of,
    only,
    pod,
    pool_of,
    queue,
    revision,
    said,
    store,
    template,
    valid,
)


class TestEnvironment:
    def test_it_counts_nodes_and_vcpus(self) -> None:
        coming = machine("n2", state=MachineState.Launching, launched_at=NOW)
        going = machine("n3", state=MachineState.Interrupted)
        status = said(decided(*pool_of("n1", min_vcpus=8), coming, going, node("n3"), pod(), job()), "pool")
        assert status["nodes"] == {"launching": 1, "ready": 1, "draining": 1, "failed": 0}
        assert status["vCpus"] == {"min": 8, "desired": 16, "provisioned": 8, "used": 1}
        assert (status["phase"], status["message"]) == ("Valid", None)

    @pytest.mark.parametrize(
        ("fields", "phase", "words"),
        [
            ({"state": "Disabled"}, "Disabled", "takes no jobs"), ({"invalid": "spec.provider is missing"}, "Invalid", "missing"),  # noqa: E501
            ({"deleting": NOW}, "Deleting", "still named by queues: default"),
        ],
    )  # fmt: skip
    def test_its_phase_says_why(self, fields: dict[str, Any], phase: str, words: str) -> None:
        status = said(decided(environment(**fields), queue()), "pool")
        assert status["phase"] == phase
        assert words in status["message"]

    def test_nodes_that_failed_are_blamed_and_shapes_that_lack_are_named(self) -> None:
        known = store(environment())
        known.blamed["pool"].append("node x was not Ready within 60 s")
        known.unavailable["pool", "c8"] = Refusal("InsufficientCapacity", "none", NOW + 100)
        status = said(decide(known, NOW), "pool")
        assert (status["nodes"]["failed"], status["message"]) == (1, "node x was not Ready within 60 s")
        expected = {"instanceType": "c8", "until": "2027-01-15T08:01:40Z", "reason": "InsufficientCapacity"}
        assert status["unavailable"] == [expected]

    def test_a_provider_that_cannot_be_used_makes_it_invalid(self) -> None:
        known = store(environment())
        known.provider_problems["docker"] = "no docker socket"
        assert said(decide(known, NOW), "pool")["message"] == "no docker socket"

    def test_it_is_written_when_it_changed_and_once_a_second_at_most(self) -> None:
        known = store(view := environment())
        status = said(decide(known, NOW), "pool")
        known.apply(newer(view, status={k: v for k, v in status.items() if v is not None}))
        known.reported["uid-pool"] = NOW
        assert not of(decide(known, NOW + 0.5), Report)
        known.observe("docker", [machine(state=MachineState.Launching, launched_at=NOW)], NOW)
        plan = decide(known, NOW + 0.5)
        assert not of(plan, Report)
        assert plan.wake == NOW + 1
        assert of(decide(known, NOW + 1), Report)

    def test_a_condition_that_has_not_turned_keeps_its_time(self) -> None:
        known = store(view := environment())
        status = said(decide(known, NOW), "pool")
        known.apply(newer(view, generation=2, status=status))
        later = said(decide(known, NOW + 50), "pool")
        assert later["conditions"][0]["lastTransitionTime"] == "2027-01-15T08:00:00Z"
        known.apply(newer(view, generation=3, state="Disabled", status=status))
        turned = said(decide(known, NOW + 50), "pool")["conditions"][0]
        assert (turned["status"], turned["lastTransitionTime"]) == ("False", "2027-01-15T08:00:50Z")


class TestFinalizer:
    def test_a_managed_environment_is_held_before_it_can_have_nodes(self) -> None:
        hold = only(decided(view := environment(finalizers=("theirs",))), Hold)
        assert hold.finalizers == ("theirs", names.FINALIZER)
        assert hold.version == view.version

    @pytest.mark.parametrize("fields", [{"managed": False, "provider": ""}, {"invalid": "x"}, {}])
    def test_others_are_not(self, fields: dict[str, Any]) -> None:
        held = () if fields else (names.FINALIZER,)
        assert not of(decided(environment(**{"finalizers": held, **fields})), Hold)

    def test_it_is_let_go_when_nothing_is_left(self) -> None:
        going = environment(deleting=NOW - 5, finalizers=(names.FINALIZER, "theirs"))
        assert only(decided(going), Hold).finalizers == ("theirs",)

    @pytest.mark.parametrize("left", [machine(), node()], ids=["machine", "node"])
    def test_not_while_nodes_are_left(self, left: Any) -> None:
        assert not of(decided(environment(deleting=NOW - 5), left), Hold)

    def test_not_before_the_provider_was_looked_at_since(self) -> None:
        assert not of(decide(store(environment(deleting=NOW + 1)), NOW + 2), Hold)

    def test_running_jobs_end_first(self) -> None:
        going = environment(deleting=NOW - 5)
        assert not of(decided(going, queue(), machine(), node(), job(), pod()), Retire)
        assert of(decided(going, queue(), machine(), node(), job(), now=NOW), Retire)


class TestQueue:
    def test_it_counts_its_jobs_and_shows_its_front(self) -> None:
        done = {"phase": "Succeeded", "stoppedAt": "2027-01-15T08:00:00Z"}
        big = {"template": template("99")}
        things = [
            job("a", done),
            job("b", {"phase": "Failed"}),
            job("runs"),
            pod("runs"),
            job("x", **big),
            job("y", **big),
        ]
        status = said(decided(*pool_of("n1"), *things, now=NOW + 30), "default")
        assert status["jobs"] == {
            "submitted": 0, "pending": 0, "runnable": 2, "starting": 1, "running": 0, "succeeded": 1, "failed": 1,
        }  # fmt: skip
        assert status["front"] == [{"job": "default/x", "position": 1}, {"job": "default/y", "position": 2}]
        assert (status["oldestRunnableSeconds"], status["phase"]) == (30, "Valid")

    @pytest.mark.parametrize(
        ("things", "phase", "words"),
        [
            ([queue()], "Invalid", "do not exist: pool"), ([queue(invalid="spec.x"), environment()], "Invalid", "spec.x"),  # noqa: E501
            ([queue(), environment(invalid="y")], "Invalid", "none of its compute environments is valid"),
            ([queue(state="Disabled"), environment()], "Disabled", "takes no new jobs"),
            ([queue(), environment(deleting=NOW)], "Valid", "being deleted: pool"),
            ([queue(environments=("pool", "gone")), environment()], "Valid", "do not exist: gone"),
        ],
    )  # fmt: skip
    def test_its_phase_says_why(self, things: list[Any], phase: str, words: str) -> None:
        status = said(decided(*things), "default")
        assert status["phase"] == phase
        assert words in status["message"]


class TestDefinition:
    def test_a_new_revision_is_kept_and_checked_once(self) -> None:
        plan = decided(view := definition(generation=3))
        keep, check = only(plan, Keep), only(plan, Check)
        assert (keep.definition, keep.number, keep.spec["template"]) == ("render", 3, template())
        assert (check.number, check.manifest["metadata"]["name"]) == (3, "render-0")
        assert "ownerReferences" not in check.manifest["metadata"]
        settled = decided(newer(view, status=valid(3)), revision(view))
        assert not of(settled, Keep)
        assert not of(settled, Check)

    def test_a_change_is_kept_and_checked_again(self) -> None:
        plan = decided(definition(generation=4, status=valid(3)), revision(definition(generation=3)))
        assert (only(plan, Keep).number, only(plan, Check).number) == (4, 4)

    def test_one_that_is_being_deleted_is_left_alone(self) -> None:
        assert not decided(newer(definition(), deleting=NOW)).verbs

    @pytest.mark.parametrize(
        ("spec", "words"),
        [
            ({"parameters": {"n": {"type": "Integer", "default": "x"}}}, "default of spec.parameters.n"),
            ({"template": {"spec": {"containers": [{"name": "main", "command": ["Ref::m"]}]}}}, "uses Ref::m"),
        ],
    )  # fmt: skip
    def test_what_the_api_server_cannot_see_we_see(self, spec: dict[str, Any], words: str) -> None:
        plan = decided(definition(**spec))
        assert not of(plan, Check)
        condition = said(plan, "render")["conditions"][0] if "parameters" not in spec or of(plan, Report) else {}
        assert (condition["status"], condition["reason"]) in (("False", "InvalidTemplate"), ("False", "InvalidSpec"))
        assert words in condition["message"] or "spec." in condition["message"]

    def test_a_spec_that_cannot_be_read_is_told_and_not_kept(self) -> None:
        plan = decided(definition(retry={"attempts": 99}))
        assert not of(plan, Keep)
        assert said(plan, "render")["phase"] == "Invalid"

    def test_the_sample_pod_has_defaults_and_samples(self) -> None:
        spec = {
            "parameters": {
                "a": {"type": "Boolean", "default": True}, "b": {"type": "Integer"}, "c": {"enum": ["x", "y"]},
                "d": {"type": "Number", "default": 0.5},
            },
            "template": {"spec": {"containers": [
                {"name": "main", "image": "i", "command": ["Ref::a", "Ref::b", "Ref::c", "Ref::d"]}]}},
        }  # fmt: skip
        view = definition(**spec)
        assert view.blueprint is not None, view.invalid
        assert sample_pod(view, view.blueprint)["spec"]["containers"][0]["command"] == ["true", "1", "x", "0.5"]
