"""Which containers decide: an attempt ends with its first essential container and is judged by it."""

from typing import Any

import pytest

from batchyard.decide import decide
from batchyard.decide.outcome import judge
from batchyard.model.labels import ESSENTIAL, JOB_UID
from batchyard.model.plan import Start, Stop
from batchyard.world.views import Container, Pod
from builders import (
    NOW,
    decided,
    exited,
    failed,
    job,
    newer,
    of,
    only,
    owned_by,
    pod,
    pool_of,
    raw_pod,
    running,
    status,
    stopped,
    store,
    succeeded,
    waiting,
)

Body = dict[str, Any]


def of_essential(*names: str, **fields: Any) -> Pod:
    return pod(**{"phase": "Running", "essential": names, **fields})


DONE = stopped("EssentialEnded", message="essential container 'main' has ended with code 0")
HELPER = running(name="helper")


class TestStop:
    """When an essential container ends, what still runs is told to stop; sidecars the kubelet ends by itself."""

    def stops(self, view: Pod, **spec: Any) -> list[tuple[str, str]]:
        return [(s.reason, s.message) for s in of(decided(*pool_of("n1"), job(**spec), view, now=NOW + 9999), Stop)]

    @pytest.mark.parametrize("code", [0, 3])
    def test_the_others_are_stopped_when_one_that_matters_has_ended(self, code: int) -> None:
        order = ("EssentialEnded", f"essential container 'main' has ended with code {code}")
        assert self.stops(of_essential("main", containers=(exited(code), HELPER))) == [order]
        assert self.stops(of_essential("main", "helper", containers=(exited(code), HELPER))) == [order]

    @pytest.mark.parametrize(
        "view",
        [
            of_essential("main", containers=(running(), exited(1, name="helper"))),
            of_essential("main", containers=(exited(0), exited(0, name="helper"))),
            of_essential("main", containers=(running(init=True, sidecar=True, name="log"), exited(0))),
            pod(phase="Running", containers=(exited(0), HELPER)),
            of_essential("main", containers=(exited(0), HELPER), stop=DONE, deleting=NOW),
            of_essential("main", containers=(exited(143), HELPER), disrupted="EvictionByEvictionAPI"),
        ],
        ids=["another", "all", "sidecar", "no-rules", "deleted", "evicted"],
    )
    def test_otherwise_nothing_is_stopped(self, view: Pod) -> None:
        assert self.stops(view) == []

    def test_the_end_comes_before_other_reasons(self) -> None:
        late = of_essential("main", containers=(exited(0), HELPER), timeout=60)
        assert self.stops(late, stop={"mode": "Terminate"})[0][0] == "EssentialEnded"

    def test_a_helper_whose_image_never_comes_is_of_no_concern_until_the_end(self) -> None:
        never = waiting("ErrImagePull", name="helper")
        assert self.stops(of_essential("main", containers=(running(), never))) == []
        assert self.stops(of_essential("main", containers=(exited(0), never)))[0][0] == "EssentialEnded"

    @pytest.mark.parametrize(
        ("first", "reason"),
        [
            (waiting("ErrImagePull", name="fetch", init=True), "CannotPullContainer"),
            (waiting("CrashLoopBackOff", name="log", init=True, sidecar=True), "CannotStartContainer"),
        ],
    )
    def test_one_that_others_wait_for_fails_the_attempt_when_it_never_starts(
        self, first: Container, reason: str
    ) -> None:
        stuck = of_essential("main", phase="Pending", containers=(first, waiting("PodInitializing")))
        assert self.stops(stuck)[0][0] == reason

    def test_a_sidecar_that_is_started_again_while_the_main_one_runs_is_not_stuck(self) -> None:
        again = waiting("CrashLoopBackOff", name="log", init=True, sidecar=True)
        assert self.stops(of_essential("main", containers=(again, running()))) == []

    def test_patience_begins_when_the_containers_before_have_ended(self) -> None:
        before = exited(0, NOW + 500, name="fetch", init=True)
        known = store(*pool_of("n1"), job(), of_essential("main", containers=(before, waiting("ErrImagePull"))))
        assert decide(known, NOW + 559).wake == NOW + 560
        assert only(decide(known, NOW + 560), Stop).reason == "CannotPullContainer"


KILLED = exited(137, NOW + 30, name="helper")


class TestJudgement:
    """How an attempt ended is what its essential containers say, not the pod's phase."""

    @pytest.mark.parametrize(
        ("view", "reason", "code", "words"),
        [
            # Stopped by a deadline, the pod is Failed with DeadlineExceeded whatever the programs did.
            (failed(containers=(exited(0), KILLED), stop=DONE, reason="DeadlineExceeded"), "Completed", 0, ""),
            (failed(containers=(exited(3), KILLED), stop=DONE, reason="DeadlineExceeded"), "Error", 3, "'main' exited with code 3"),  # noqa: E501
            (failed(containers=(exited(137, reason="OOMKilled"), KILLED), stop=DONE), "OutOfMemory", 137, "out of memory"),  # noqa: E501
            (failed(containers=(exited(0), KILLED), stop=DONE, deleting=NOW), "Completed", 0, ""),
            (pod(phase="Running", gone=True, containers=(exited(0), HELPER), stop=DONE), "Completed", 0, ""),
            # Ended by themselves.
            (failed(containers=(exited(0), exited(5, name="helper"))), "Completed", 0, "not essential: container 'helper' exited with code 5"),  # noqa: E501
            (failed(containers=(exited(2), exited(5, NOW - 9, name="helper"))), "Error", 2, "'main' exited with code 2"),  # noqa: E501
            (succeeded(), "Completed", 0, ""),
            # Others' reasons come first when it was not the end of an essential one that stopped the pod.
            (failed(containers=(exited(143), KILLED), stop=stopped("TimedOut")), "TimedOut", 143, "because"),
            (failed(containers=(exited(0), KILLED), stop=stopped("Interrupted")), "Interrupted", None, "because"),
            (failed(containers=(exited(0), KILLED), disrupted="DeletionByTaintManager"), "Interrupted", None, "put off"),  # noqa: E501
            (failed(containers=(exited(0), KILLED), deleting=NOW), "PodDeleted", None, "deleted from outside"),
            (pod(phase="Running", gone=True, containers=(running(), HELPER)), "NodeLost", None, "vanished"),
            # The first ones.
            (failed(containers=(exited(4, name="fetch", init=True), waiting("PodInitializing"))), "Error", 4, "'fetch' exited with code 4"),  # noqa: E501
            (failed(containers=(exited(137, name="log", init=True, sidecar=True), exited(6))), "Error", 6, "'main' exited with code 6"),  # noqa: E501
        ],
    )  # fmt: skip
    def test_the_essential_container_decides(self, view: Pod, reason: str, code: int | None, words: str) -> None:
        end = judge(newer(view, essential=("main",)))
        assert (end.reason, end.exit_code) == (reason, code)
        assert words in end.message

    @pytest.mark.parametrize(
        ("first", "second", "reason", "container"),
        [
            (exited(0, NOW), exited(143, NOW + 5, name="two"), "Completed", "main"),
            (exited(143, NOW + 5), exited(0, NOW, name="two"), "Completed", "two"),
            (exited(1, NOW), exited(0, NOW + 5, name="two"), "Error", "main"),
            (exited(0, NOW), exited(1, NOW, name="two"), "Error", "two"),
        ],
    )
    def test_of_several_the_first_that_ended_before_the_rest_was_stopped(
        self, first: Container, second: Container, reason: str, container: str
    ) -> None:
        end = judge(failed(containers=(first, second), stop=DONE, essential=("main", "two")))
        assert (end.reason, end.container) == (reason, container)

    def test_if_nobody_stopped_them_all_essential_ones_must_have_done_well(self) -> None:
        both = (exited(0, NOW), exited(1, NOW + 5, name="two"))
        assert judge(failed(containers=both, essential=("main", "two"))).container == "two"
        assert judge(failed(containers=both, essential=("main",))).success

    def test_the_job_succeeds_with_its_helper_stopped_and_keeps_the_exit_code(self) -> None:
        plan = decided(*pool_of("n1"), job(), failed(containers=(exited(0), KILLED), stop=DONE, essential=("main",)))
        assert status(plan)["phase"] == "Succeeded"
        (attempt,) = status(plan)["attempts"]
        assert (attempt["reason"], attempt["exitCode"], attempt.get("container")) == ("Completed", 0, None)

    def test_a_failed_essential_container_is_tried_again(self) -> None:
        view = failed(containers=(exited(3), KILLED), stop=DONE, essential=("main",))
        plan = decided(*pool_of("n1"), job(retry={"attempts": 2}), view, now=NOW + 60)
        assert only(plan, Start).attempt == 2


ONE_CHILD: Body = {"array": {"size": 2, "indexes": "0"}}


class TestChildren:
    """Children of an array are pods like any other."""

    def test_a_child_is_stopped_when_its_essential_container_has_ended_and_succeeds(self) -> None:
        view = of_essential("main", name="job-0-1", index=0, containers=(exited(0), HELPER))
        stop = only(decided(*pool_of("n1"), job(**ONE_CHILD), view), Stop)
        assert (stop.pod, stop.reason) == ("job-0-1", "EssentialEnded")
        ended = newer(view, phase="Failed", reason="DeadlineExceeded", containers=(exited(0), KILLED), stop=DONE)
        assert status(decided(*pool_of("n1"), job(**ONE_CHILD), ended))["phase"] == "Succeeded"


class TestTimes:
    def test_an_attempt_runs_when_its_essential_containers_have_started(self) -> None:
        late = waiting("ContainerCreating", name="helper")
        assert of_essential("main", containers=(running(NOW + 3), late)).running_since == NOW + 3
        assert pod(containers=(running(NOW + 3), late)).running_since is None
        both = (running(NOW + 3), running(NOW + 7, name="helper"))
        assert of_essential("main", "helper", containers=both).running_since == NOW + 7

    def test_an_attempt_lasts_until_all_that_holds_its_place_has_ended(self) -> None:
        before = exited(0, NOW - 90, name="fetch", init=True)
        log = exited(143, NOW + 20, name="log", init=True, sidecar=True)
        end = judge(succeeded(containers=(before, log, exited(0, NOW)), essential=("main",)))
        assert (end.started, end.stopped) == (NOW - 10, NOW + 20)

    def test_the_timeout_counts_from_there(self) -> None:
        before = exited(0, NOW + 500, name="fetch", init=True)
        view = of_essential("main", containers=(before, running(NOW + 500)), timeout=60)
        known = store(*pool_of("n1"), job(), view)
        assert decide(known, NOW + 559).wake == NOW + 560
        assert only(decide(known, NOW + 560), Stop).reason == "TimedOut"


def test_sidecars_and_essential_containers_are_read_from_the_pod() -> None:
    body = {
        "metadata": {"name": "p", "annotations": {ESSENTIAL: "main,db"}, "labels": {JOB_UID: "u"},
                     "ownerReferences": owned_by("u")},
        "spec": {"containers": [{"name": "main"}], "initContainers": [
            {"name": "log", "restartPolicy": "Always"}, {"name": "fetch"}]},
        "status": {"initContainerStatuses": [{"name": "log"}, {"name": "fetch"}],
                   "containerStatuses": [{"name": "main"}]},
    }  # fmt: skip
    view = raw_pod(body)
    assert view.essential == ("main", "db")
    assert [(c.name, c.init, c.sidecar) for c in view.containers] == [
        ("log", True, True), ("fetch", True, False), ("main", False, False),
    ]  # fmt: skip
