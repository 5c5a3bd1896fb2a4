"""The store keeps the newest of everything, and nothing of what is gone."""

from collections.abc import Sized
from typing import Any

import pytest

from batchyard.model import labels as names
from batchyard.model.machine import MachineState
from batchyard.model.resources import Resources
from batchyard.world.store import Store
from batchyard.world.views import Job, Key, Pod, Queue, View
from builders import (
    C8,
    NOW,
    RUNS,
    attempt,
    definition,
    environment,
    failed,
    foreign,
    job,
    machine,
    namespace,
    newer,
    node,
    pod,
    pool_of,
    queue,
    revision,
    running,
    stopped,
    store,
    succeeded,
    valid,
)

DONE = {"phase": "Succeeded", "stoppedAt": "2027-01-15T08:00:00Z"}
VIEWS = [job(), pod(), node(), environment(), queue(), definition(), revision(definition()), namespace()]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: type(view).__name__)
def test_the_newest_version_stays_and_removal_removes(view: View) -> None:
    known = Store()
    later = newer(view)
    known.apply(later)
    known.apply(view)
    assert known.table(type(view)) == [later]
    if not isinstance(view, Pod):
        known.remove(later)
        assert known.table(type(view)) == []


@pytest.mark.parametrize("view", [v for v in VIEWS if not isinstance(v, (Pod, Job))], ids=lambda v: type(v).__name__)
def test_what_was_made_anew_under_its_name_is_not_lost_with_the_old_one(view: View) -> None:
    known = store(view)
    anew = newer(view, uid="another")
    known.replace(known.table(type(view)), [anew], anew.version)
    assert known.table(type(view)) == [anew]
    known.remove(view)
    assert known.table(type(view)) == [anew]
    known.apply(view)
    assert known.table(type(view)) == [anew]


def test_a_full_list_removes_what_it_lacks_but_not_what_is_newer_than_it() -> None:
    old, stale = queue("old"), queue("stale")
    listed = queue("listed")
    at = listed.version
    younger = queue("younger")
    known = store(old, stale, younger)
    known.replace(known.table(Queue), [old, listed], at)
    assert sorted(q.name for q in known.table(Queue)) == ["listed", "old", "younger"]


def test_a_full_list_leaves_a_pod_alone_that_is_only_assumed() -> None:
    known = store(job(), pod(uid="", version=""))
    known.replace(known.table(Pod), [], "999999")
    assert Key("default", "job-1") in known.pods


def test_a_deleted_job_does_not_come_back_with_a_late_event() -> None:
    view = job()
    known = store(view)
    known.remove(view)
    known.apply(newer(view))
    assert not known.jobs
    assert not known.active


def test_a_deleted_pod_does_not_come_back_with_a_late_answer() -> None:
    view = pod()
    known = store(job(), view)
    known.remove(newer(view))
    known.apply(newer(view, phase="Running"))
    assert known.pods[Key("default", "job-1")].gone
    assert not known.live_on


def test_a_pod_that_vanishes_unjudged_stays_as_gone_with_what_was_last_known() -> None:
    view = pod(containers=(running(),), stop=stopped("TimedOut"))
    known = store(job(), view)
    known.remove(newer(view, stop=None, deleting=NOW + 5))
    (gone,) = known.pods_of["uid-job"].values()
    assert gone.gone
    assert gone.final
    assert (gone.deleting, gone.stop) == (NOW + 5, stopped("TimedOut"))
    assert not known.used


def test_a_pod_whose_last_event_says_how_it_ended_keeps_that() -> None:
    known = store(job(), pod())
    known.remove(newer(succeeded()))
    (last,) = known.pods_of["uid-job"].values()
    assert not last.gone
    assert last.phase == "Succeeded"


def test_a_gone_pod_is_buried_once_its_end_is_on_record() -> None:
    known = store(job(), pod())
    known.remove(pod())
    known.bury_pods("uid-job", [2])
    assert known.pods_of
    known.bury_pods("uid-job", [1])
    assert not known.pods_of
    assert not known.pods


def test_pods_of_a_finished_job_are_dropped_when_final_and_strays_when_not() -> None:
    known = store(job(), failed(attempt=1), pod(attempt=2))
    known.apply(newer(job(), status=job(status=DONE).status))
    assert list(known.pods) == list(known.strays) == [Key("default", "job-2")]
    known.apply(newer(failed(attempt=2)))
    assert not known.pods
    assert not known.strays


def test_a_pod_of_a_finished_job_that_appears_late_is_a_stray() -> None:
    known = store(job(status=DONE), pod())
    assert list(known.strays) == [Key("default", "job-1")]
    known.remove(job(status=DONE))
    assert not known.strays


def test_an_assumed_pod_is_taken_back_only_while_it_is_assumed() -> None:
    known = store(job(), pod(uid="", version=""))
    assert known.used["n1"].cpu == 1000
    known.apply(pod())
    known.retract_pod(Key("default", "job-1"))
    assert known.pods
    known = store(job(), pod(uid="", version=""))
    known.retract_pod(Key("default", "job-1"))
    assert not known.pods
    assert not known.used


@pytest.mark.parametrize("happens", ["apply", "remove"])
def test_a_job_is_looked_at_again_when_its_assumed_pod_gives_way_to_an_older_one_of_that_name(happens: str) -> None:
    known = store(job(meta={"uid": "anew"}), pod(job="anew", uid="", version=""))
    known.memo["anew"] = "it starts"
    getattr(known, happens)(pod(deleting=NOW))  # of a job of the same name that was deleted
    assert "anew" not in known.memo
    assert "anew" not in known.pods_of


def test_a_pod_without_node_waits_for_kube_scheduler() -> None:
    known = store(job(), pod(on=""))
    assert list(known.unbound) == [Key("default", "job-1")]
    known.apply(newer(pod(on="n1")))
    assert not known.unbound
    assert list(known.live_on) == ["n1"]


def test_a_node_forgets_its_neighbours_when_the_last_has_left() -> None:
    known = store(node(), pod(), foreign("proxy"))
    assert known.used["n1"] == Resources(cpu=1100, memory=2**30, pods=2)
    known.remove(pod())
    known.remove(foreign("proxy"))
    assert not known.live_on
    assert not known.used


def test_the_last_end_on_a_node_is_kept_of_jobs_only() -> None:
    known = store(node(), job(), succeeded(finished=NOW - 5), failed(attempt=2, finished=NOW - 9))
    assert known.last_end == {"n1": NOW - 5}


def test_finished_jobs_are_counted_once_and_their_time_to_live_runs_from_their_end() -> None:
    known = store(job(), job("other", DONE, ttlSecondsAfterFinished=None))
    done = newer(job(status=DONE, ttlSecondsAfterFinished=100))
    for view in (done, newer(done), newer(done)):
        known.apply(view)
    assert known.finished["default"] == {"Succeeded": 2}
    assert known.expired(NOW + 99) == []
    assert [j.name for j in known.expired(NOW + 100)] == ["job"]
    known.remove(done)
    assert known.finished["default"] == {"Succeeded": 1}
    assert known.expiries.first is None


def test_an_end_that_could_not_be_written_is_taken_back_with_nothing_lost() -> None:
    before, end = job(status={"phase": "Running"}, ttlSecondsAfterFinished=10), job(status=DONE).status
    known = store(before, succeeded())
    known.assume_status("uid-job", end)
    assert not known.active
    assert known.finished["default"] == {"Succeeded": 1}
    known.apply(newer(succeeded()))
    assert known.pods, "the pod is still needed while the write is under way"
    assert known.settle_status("uid-job", end)
    known.apply(newer(succeeded()))
    assert known.pods, "the pod is still needed: whether the write went through is not known yet"
    assert known.expired(NOW + 99) == []
    known.apply(before)
    assert list(known.active) == ["uid-job"]
    assert known.pods_of["uid-job"]["job-1"].phase == "Succeeded"
    assert known.finished["default"] == {"Succeeded": 0}


def test_an_end_that_is_confirmed_drops_what_it_rested_on() -> None:
    before, end = job(status={"phase": "Running"}, ttlSecondsAfterFinished=10), job(status=DONE).status
    known = store(before, succeeded())
    known.assume_status("uid-job", end)
    known.settle_status("uid-job", end)
    known.apply(newer(before, status=end))
    assert not known.pods
    assert known.finished["default"] == {"Succeeded": 1}
    assert known.expired(NOW + 99)


def test_a_status_under_way_stands_over_what_others_write_until_it_settles() -> None:
    known = store(before := job())
    running_, end = job(status={"phase": "Running"}).status, job(status=DONE).status
    known.assume_status("uid-job", running_)
    known.assume_status("uid-job", end)
    assert not known.settle_status("uid-job", running_), "an earlier write has no say any more"
    known.apply(newer(before))
    assert known.jobs["uid-job"].status.phase == "Succeeded"


def test_a_longer_time_to_live_takes_the_place_of_the_shorter() -> None:
    known = store(job(status=DONE, ttlSecondsAfterFinished=10))
    known.apply(job(status=DONE, ttlSecondsAfterFinished=1000))
    assert known.expired(NOW + 500) == []
    assert known.expiries.first == NOW + 1000
    known.apply(job(status=DONE, ttlSecondsAfterFinished=1000, meta={"deletionTimestamp": "2027-01-15T08:00:00Z"}))
    assert known.expiries.first is None


def test_a_job_that_is_being_forgotten_is_due_again_only_after_a_while() -> None:
    known = store(job(status=DONE, ttlSecondsAfterFinished=10))
    known.forgetting("uid-job", NOW + 10)
    assert known.expired(NOW + 39) == []
    assert len(known.expired(NOW + 40)) == 1
    known.remove(job())
    known.forgetting("uid-job", NOW + 10)
    assert known.expiries.first is None


def test_a_change_of_definition_leaves_those_submitted_before_on_their_revision() -> None:
    known = store(definition(), revision(definition()), job(definition={"name": "render"}), job("other"))
    known.apply(definition(generation=2))
    known.apply(definition(generation=3))
    assert known.pinned == {"uid-job": 1}


def test_of_a_job_that_is_newer_than_the_change_we_may_have_heard_first() -> None:
    known = store(definition(), revision(definition()))
    changed = definition(generation=2)
    known.apply(job(definition={"name": "render"}))
    known.apply(changed)
    assert known.pinned == {}, "the watches of jobs and of definitions are not in step"


def test_a_revision_that_was_overtaken_before_it_was_kept_was_given_to_nobody() -> None:
    known = store(definition(), job(definition={"name": "render"}))
    known.apply(definition(generation=2))
    assert known.pinned == {}


def test_a_machine_absent_from_an_observation_is_gone_unless_it_is_younger() -> None:
    known = store(environment(), machine("old"), machine("young", launched_at=NOW + 10))
    known.retire("old", "idle")
    known.observe("docker", [], NOW + 5)
    assert list(known.machines) == ["young"]
    assert not known.retiring
    known.observe("other", [], NOW + 50)
    assert list(known.machines) == ["young"]
    assert known.observed_at == {"docker": NOW + 5, "other": NOW + 50}


def test_machines_of_another_environment_or_provider_stay() -> None:
    known = store(environment(), environment("sim", provider="simulated"), machine("a", environment="sim"))
    known.observe("docker", [], NOW + 50)
    assert list(known.machines) == ["a"]


def test_what_a_kind_of_node_keeps_for_itself_is_learnt_with_its_daemons() -> None:
    small = C8.resources - Resources(cpu=90, memory=2**20)
    known = store(environment(), node(allocatable=small), foreign("proxy", cpu=200))
    assert known.overheads == {("pool", "c8"): Resources(cpu=290, memory=2**20, pods=1)}
    known = store(foreign("proxy", cpu=200), node(allocatable=small), environment())
    assert known.overheads == {("pool", "c8"): Resources(cpu=290, memory=2**20, pods=1)}
    assert store(environment(), node(ready=False)).overheads == {}


class TestMemo:
    """A conclusion is dropped as soon as anything that it was drawn from changes."""

    def known(self) -> Store:
        built = store(
            environment(), queue(), node(), machine(), namespace(), definition(), revision(definition()),
            job(definition={"name": "render"}), pod(),
        )  # fmt: skip
        built.memo["uid-job"] = "conclusion"
        return built

    @pytest.mark.parametrize(
        "change",
        [
            lambda: newer(job(definition={"name": "render"})),
            lambda: newer(pod(), phase="Running"),
            lambda: newer(node(), ready=False),
            lambda: newer(node(), taints=()),
            lambda: newer(queue(), generation=2),
            lambda: newer(queue(), deleting=NOW),
            lambda: newer(environment(), generation=2),
            lambda: newer(namespace(team="a")),
            lambda: definition(generation=2),
            lambda: definition(status=valid(1, "False", "InvalidTemplate")),
            lambda: revision(definition(), 2),
        ],
        ids=[
            "job", "pod", "node not ready", "node taints", "queue", "queue deleting", "environment", "namespace",
            "definition", "definition verdict", "revision",
        ],
    )  # fmt: skip
    def test_a_change_drops_it(self, change: object) -> None:
        known = self.known()
        known.apply(change())  # type: ignore[operator]
        assert not known.memo

    @pytest.mark.parametrize("kind", range(6))
    def test_a_removal_drops_it(self, kind: int) -> None:
        known = self.known()
        views = [pod(), node(), queue(), environment(), definition(), revision(definition())]
        known.remove(views[kind])
        assert not known.memo

    def test_machines_drop_it(self) -> None:
        for change in (
            lambda s: s.observe("docker", [], NOW + 1),
            lambda s: s.observe("docker", [machine(state=MachineState.Interrupted)], NOW + 1),
            lambda s: s.retire("n1", "idle"),
        ):
            known = self.known()
            change(known)
            assert not known.memo

    def test_a_status_that_changes_nothing_keeps_it(self) -> None:
        known = self.known()
        known.apply(newer(queue(), status={"phase": "Valid"}))
        known.apply(newer(node()))
        known.apply(newer(environment(), status={"phase": "Valid"}))
        assert known.memo


def test_a_job_with_recorded_attempts_is_read_into_the_store() -> None:
    known = store(job(status={"phase": "Runnable", "attempts": [attempt()]}))
    assert known.jobs["uid-job"].status.attempts[0].counted
    assert names.JOB_UID == "batchyard.dev/job-uid"


def test_nothing_is_left_of_jobs_that_are_gone() -> None:
    """An operator lives for months: what grows with the jobs that ever were fills its memory."""
    known = store(*pool_of("n1"))
    sizes = []
    for turn in range(3):
        for number in range(5):
            one = job(f"j{turn}-{number}")
            known.apply(one)
            known.apply(pod(one, **RUNS))
            known.apply(succeeded(one))
            entry = attempt(1, "Completed", startedAt="2027-01-15T08:00:00Z", stoppedAt="2027-01-15T08:00:05Z")
            ended = job(f"j{turn}-{number}", {"phase": "Succeeded", "attempts": [entry]})
            known.apply(ended)
            known.remove(succeeded(one))
            known.remove(ended)
        tables = {name: table for name, table in vars(known).items() if isinstance(table, Sized)}
        assert tables.keys() > {"jobs", "pods", "pods_of"}
        learnt = {"learnt": len(known.histories.learnt)}
        sizes.append({name: len(table) for name, table in tables.items() if name != "_buried"} | learnt)
    assert sizes[1] == sizes[2]


@pytest.mark.parametrize(
    ("things", "worked"),
    [
        ([node(ready=False)], False),
        ([node()], True),
        ([node(), job(), pod(node="n1", acknowledged=None)], False),
        ([node(), job(), pod()], True),
        ([node(), job(), succeeded(), job("b"), pod("b", acknowledged=None)], True),
        ([node(), foreign("daemon")], True),
    ],
)
def test_a_node_works_that_takes_up_what_it_is_given(things: list[Any], worked: bool) -> None:
    assert store(environment(), *things).has_worked("n1") is worked
