"""Infrastructure updates: what nodes of an older configuration still do, and when what runs there must end."""

from typing import Any

import msgspec
import pytest

from batchyard.decide import decide
from batchyard.model import labels as names
from batchyard.model.plan import Launch, Retire, Start, Stop
from batchyard.model.resources import Resources
from batchyard.world import parse
from batchyard.world.store import Store
from batchyard.world.views import Environment
from builders import (
    NOW,
    RUNS,
    attempt,
    job,
    machine,
    metadata,
    newer,
    node,
    of,
    only,
    pod,
    queue,
    said,
    started,
    status,
    stopped,
    store,
    template,
    told,
)  # fmt: skip

C8_BODY = {"name": "c8", "cpu": "8", "memory": "16Gi", "pricePerHour": "0.34"}
C2_BODY = {"name": "c2", "cpu": "2", "memory": "4Gi"}
HALF_AN_HOUR = 1800


def pool(status: dict[str, Any] | None = None, **spec: Any) -> Environment:
    """Return the environment as it is read from the API server: 64 vCPUs of c8."""
    given = {"maxVCpus": 64, "instanceTypes": [C8_BODY], "provider": {"docker": {}}, **spec}
    meta = metadata("pool", finalizers=[names.FINALIZER])
    return parse.environment({"metadata": meta, "spec": given, "status": status or {}})


def before(**spec: Any) -> dict[str, str]:
    """Return the labels of a node that was made when the environment said this."""
    view, shape = pool(**spec), (spec.get("instanceTypes") or [C8_BODY])[0]["name"]
    return {**node().labels, names.INSTANCE_TYPE: shape, names.CONFIGURATION: view.configurations[shape]}


def scene(view: Environment, *things: Any, old: dict[str, str] | None = None) -> Store:
    return store(view, queue(), machine("n1"), node("n1", labels=old or before()), *things)


CHANGED = {"nodeTemplate": {"labels": {"disk": "fast"}}}


class TestConfiguration:
    @pytest.mark.parametrize(
        ("change", "new"),
        [
            ({"nodeTemplate": {"labels": {"disk": "fast"}}}, True),
            ({"nodeTemplate": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}, True),
            ({"provider": {"docker": {"image": "node:2"}}}, True),
            ({"instanceTypes": [{**C8_BODY, "memory": "32Gi"}]}, True),
            ({"instanceTypes": [C2_BODY]}, True),
            ({"instanceTypes": [{**C8_BODY, "pricePerHour": "1"}]}, False),
            ({"instanceTypes": [C2_BODY, C8_BODY]}, False),
            ({"maxVCpus": 8}, False),
            ({"scaleDownDelaySeconds": 7}, False),
            ({"state": "Disabled"}, False),
        ],
    )
    def test_what_a_node_is_made_from_and_nothing_else(self, change: dict[str, Any], new: bool) -> None:
        assert (pool(**change).configurations.get("c8") != pool().configurations["c8"]) is new

    def test_new_nodes_carry_it(self) -> None:
        view = pool()
        order = only(decide(store(view, queue(), job()), NOW), Launch).order
        assert order.labels[names.CONFIGURATION] == view.configurations["c8"]

    def test_nodes_from_before_this_was_known_stay(self) -> None:
        plan = decide(scene(pool(**CHANGED), job(), old=node().labels), NOW)
        assert started(plan) == [("job-1", "n1")]

    def test_what_an_old_node_offers_teaches_nothing_of_new_ones(self) -> None:
        larger = [{**C8_BODY, "cpu": "16"}]
        assert scene(pool(instanceTypes=larger)).overheads == {}
        assert ("pool", "c8") in scene(pool()).overheads


class TestReplacement:
    def test_new_jobs_go_to_new_nodes(self) -> None:
        plan = decide(scene(pool(**CHANGED), job(), pod("other", **RUNS), job("other")), NOW)
        assert not of(plan, Start)
        assert only(plan, Launch).order.labels["disk"] == "fast"

    def test_an_empty_old_node_goes_at_once_even_below_the_minimum(self) -> None:
        plan = decide(scene(pool(minVCpus=8, scaleDownDelaySeconds=3600, **CHANGED)), NOW)
        assert "older configuration" in only(plan, Retire).reason
        assert only(plan, Launch).order.labels["disk"] == "fast"

    def test_one_that_is_not_there_yet_goes_too(self) -> None:
        old = machine("n1", configuration=pool().configurations["c8"])
        assert only(decide(store(pool(**CHANGED), queue(), old), NOW), Retire).machine == "n1"

    def test_one_whose_end_is_not_on_record_stays_until_it_is(self) -> None:
        ended = pod("job", phase="Failed")
        assert not of(decide(scene(pool(**CHANGED), job(), ended), NOW), Retire)

    @pytest.mark.parametrize(("limit", "launched"), [(8, 0), (15, 0), (16, 1)])
    def test_max_vcpus_holds_over_both_kinds(self, limit: int, launched: int) -> None:
        plan = decide(scene(pool(maxVCpus=limit, **CHANGED), job(), job("old"), pod("old", **RUNS)), NOW)
        assert len(of(plan, Launch)) == launched

    @pytest.mark.parametrize(
        ("limit", "busy", "spec", "words"),
        [
            (8, 1, {}, "has 0 of 8 vCPUs left to add; 1 node of an older configuration is being replaced"),
            (16, 2, {}, "has 0 of 16 vCPUs left to add; 2 nodes of an older configuration are being replaced"),
            (
                16, 2, {"template": template("8")},
                "has 6000m of 16 vCPUs free; 2 nodes of an older configuration are being replaced",
            ),
            (
                16, 2, {"multiNode": {"nodes": 2, "groups": [{"nodes": "0:"}]}, "template": template("7.5")},
                "there is 6000m of 16 vCPUs free; 2 nodes of an older configuration are being replaced",
            ),
        ],
    )  # fmt: skip
    def test_a_job_that_waits_for_old_nodes_to_go_says_so(
        self, limit: int, busy: int, spec: dict[str, Any], words: str
    ) -> None:
        view, takes = pool(maxVCpus=limit, **CHANGED), Resources(cpu=5000, memory=2**30, pods=1)
        known = store(view, queue(), job(**spec))
        for number in range(1, busy + 1):
            name, owner = f"n{number}", job(f"old{number}")
            known.apply(node(name, labels=before()))
            known.apply(owner)
            known.apply(pod(owner, on=name, requests=takes, **RUNS))
        known.observe("docker", [machine(f"n{number}") for number in range(1, busy + 1)], NOW)
        said = told(known)
        assert said["reason"] == "AtMaxVCpus"
        assert words in said["message"]

    def test_where_nothing_is_old_nothing_is_said_of_it(self) -> None:
        view = pool(maxVCpus=8)
        known = scene(view, job(template=template("8")), job("other"), pod("other", **RUNS))
        assert "older" not in told(known)["message"]

    @pytest.mark.parametrize("types", [[{**C8_BODY, "cpu": "2"}], [C2_BODY]])
    def test_an_old_node_counts_as_large_as_it_is(self, types: list[dict[str, Any]]) -> None:
        plan = decide(scene(pool(maxVCpus=9, instanceTypes=types), job(), job("old"), pod("old", **RUNS)), NOW)
        assert not of(plan, Launch)
        plan = decide(scene(pool(maxVCpus=10, instanceTypes=types), job(), job("old"), pod("old", **RUNS)), NOW)
        assert len(of(plan, Launch)) == 1


class TestGrace:
    def old_job(self, view: Environment) -> Store:
        return scene(view, job(), pod(**RUNS))

    def test_a_job_runs_on_until_the_grace_has_passed(self) -> None:
        known = self.old_job(pool(**CHANGED))
        plan = decide(known, NOW)
        assert not of(plan, Stop)
        assert plan.wake is not None
        assert plan.wake <= NOW + HALF_AN_HOUR
        view = known.environments["pool"]
        known.apply(newer(view, status=dict(said(plan, "pool"))))
        assert not of(decide(known, NOW + HALF_AN_HOUR - 1), Stop)
        stop = only(decide(known, NOW + HALF_AN_HOUR), Stop)
        assert (stop.pod, stop.reason) == ("job-1", "NodeReplaced")
        assert "spec.updatePolicy" in stop.message

    def test_a_restart_gives_no_more_time(self) -> None:
        told = said(decide(self.old_job(pool(**CHANGED)), NOW), "pool")
        again = self.old_job(pool(dict(told), **CHANGED))
        assert only(decide(again, NOW + HALF_AN_HOUR), Stop).reason == "NodeReplaced"

    def test_a_later_change_begins_anew(self) -> None:
        told = said(decide(self.old_job(pool(**CHANGED)), NOW), "pool")
        later = pool(dict(told), nodeTemplate={"labels": {"disk": "slow"}})
        assert not of(decide(self.old_job(later), NOW + HALF_AN_HOUR), Stop)

    def test_terminate_jobs_on_update_ends_them_at_once(self) -> None:
        policy = {"updatePolicy": {"terminateJobsOnUpdate": True}}
        assert only(decide(self.old_job(pool(**policy, **CHANGED)), NOW), Stop).reason == "NodeReplaced"

    def test_the_attempt_does_not_count(self) -> None:
        stop = stopped("NodeReplaced", message="node n1 is of an older configuration")
        ended = pod(phase="Failed", stop=stop, containers=())
        plan = decide(scene(pool(**CHANGED), job(), ended), NOW)
        (recorded,) = status(plan)["attempts"]
        assert (recorded["reason"], recorded["counted"]) == ("NodeReplaced", False)
        assert status(plan)["phase"] == "Runnable"

    def test_it_is_no_sign_of_a_spot_market_that_reclaims(self) -> None:
        known = self.old_job(pool(**CHANGED))
        decide(known, NOW)
        assert not known.reclaims


class TestStatus:
    def test_updating_while_old_nodes_are_left_and_how_many(self) -> None:
        view = pool(updatePolicy={"jobExecutionTimeoutSeconds": 600}, **CHANGED)
        told = said(decide(scene(view, job(), pod(**RUNS)), NOW), "pool")
        assert told["phase"] == "Updating"
        assert (told["update"]["nodes"], told["update"]["pods"]) == (1, 1)
        assert told["update"]["interruptsAt"] == parse.rfc3339(NOW + 600)
        assert told["nodes"]["draining"] == 1
        conditions = {entry["type"]: entry for entry in told["conditions"]}
        assert (conditions["Valid"]["status"], conditions["Updating"]["status"]) == ("True", "True")
        assert "1 node is of an older configuration" in conditions["Updating"]["message"]

    def test_it_ends_with_the_last_of_them(self) -> None:
        told = said(decide(scene(pool(**CHANGED), job(), pod(**RUNS)), NOW), "pool")
        done = store(pool(dict(told), **CHANGED), queue(), machine("n2"), node("n2", labels=before(**CHANGED)))
        after = said(decide(done, NOW + 5), "pool")
        assert (after["phase"], after["update"]) == ("Valid", None)
        assert {entry["type"]: entry["status"] for entry in after["conditions"]} == {
            "Valid": "True", "Updating": "False",
        }  # fmt: skip

    def test_an_environment_that_never_changed_says_nothing_of_it(self) -> None:
        told = said(decide(scene(pool()), NOW), "pool")
        assert [entry["type"] for entry in told["conditions"]] == ["Valid"]


class TestBlueGreen:
    """Another environment in the queue's place for the old one: what waits moves, what runs stays."""

    def colours(self, *things: Any) -> Store:
        views = [msgspec.structs.replace(pool(), name=name, uid=f"uid-{name}") for name in ("blue", "green")]
        nodes = [node(name, env=name) for name in ("blue", "green")]
        machines = [machine(name, environment=name) for name in ("blue", "green")]
        return store(*views, *nodes, *machines, *things)

    def test_waiting_jobs_move_and_running_ones_stay(self) -> None:
        old = queue(environments=("blue",))
        runs = pod("runs", on="blue", environment="blue", **RUNS)
        known = self.colours(old, job("runs"), runs, job("waits", template=template("8")))
        assert not of(decide(known, NOW), Start)
        known.apply(newer(old, generation=2, environments=("green",)))
        plan = decide(known, NOW)
        assert started(plan) == [("waits-1", "green")]
        assert not of(plan, Stop)

    def test_a_job_that_was_interrupted_starts_again_in_the_new_one(self) -> None:
        lost = {"phase": "Runnable", "attempts": [attempt(reason="Interrupted", node="blue", counted=False)]}
        known = self.colours(queue(environments=("green",)), job(status=lost))
        assert started(decide(known, NOW)) == [("job-2", "green")]
