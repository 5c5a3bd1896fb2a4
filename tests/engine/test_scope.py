"""An operator of some namespaces lists and watches these only, sweeps no others, and takes no environment to scale."""

from __future__ import annotations

from typing import Any

import msgspec

from batchyard.engine.bell import Bell
from batchyard.engine.ingest import Ingest
from batchyard.engine.resync import list_all, list_kind
from batchyard.engine.scope import Scope
from batchyard.engine.watches import watchers
from batchyard.kube.session import Session
from batchyard.settings import Settings
from batchyard.world.pods import pod
from batchyard.world.raw import RawPod
from batchyard.world.store import Store
from batchyard.world.views import Environment
from builders import job_body
from kube.stub import answer, listing, stub_server
from kube.things import anonymous

SOME = Scope(("team-a", "team-b"))
OURS = "/apis/batchyard.dev/v1alpha1"


def body(name: str, namespace: str, version: int) -> dict[str, Any]:
    return job_body(name, None, {"resourceVersion": str(version), "namespace": namespace})


def environment(**spec: Any) -> dict[str, Any]:
    meta = {"name": "e", "uid": "u-e", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": {**meta, "finalizers": ["batchyard.dev/nodes"]}, "spec": spec}


async def test_each_namespace_is_listed_and_what_belongs_to_the_cluster_once() -> None:
    async with stub_server() as stub, Session(anonymous(stub.url)) as session:
        stub.default = answer({"metadata": {"resourceVersion": "1"}, "items": []})
        await list_all(session, Ingest(Store(), Bell(), SOME))
        paths = [path.removeprefix(OURS) for _, path, _, _ in stub.seen]
    inside = ("batchjobs", "jobdefinitions", "jobschedules")
    cluster = ("schedulingpolicies", "jobqueues", "computeenvironments", "consumableresources")
    expected = [f"/namespaces/{place}/{kind}" for kind in inside for place in SOME.namespaces]
    assert sorted(paths) == sorted([*expected, *(f"/{kind}" for kind in cluster)])


async def test_a_list_of_two_namespaces_sweeps_what_neither_has_but_nothing_younger() -> None:
    ingest = Ingest(Store(), Bell(), SOME)
    for name, version in (("gone", 5), ("young", 15)):  # the first list was at 10, the second at 20
        ingest.take("batchjobs", "ADDED", body(name, "team-a", version))
    async with stub_server() as stub, Session(anonymous(stub.url)) as session:
        stub.then(listing(10, body("a", "team-a", 7)), listing(20, body("b", "team-b", 18)))
        await list_kind(session, ingest, "batchjobs")
    assert sorted(job.name for job in ingest.store.jobs.values()) == ["a", "b", "young"]


def test_each_watch_removes_the_pods_of_its_own_namespace_only() -> None:
    ingest = Ingest(Store(), Bell(), SOME)
    for place in SOME.namespaces:
        meta = {"name": "p", "namespace": place, "uid": f"u-{place}", "resourceVersion": "1"}
        raw = {
            "metadata": {**meta, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": "n", "containers": []},
        }
        ingest.store.apply(pod(msgspec.convert(raw, RawPod)))
    found = watchers(Session.__new__(Session), ingest, 600, "own")
    paths = [watcher._target.path for watcher in found]
    assert not {"/api/v1/pods", "/apis/apps/v1/controllerrevisions"} & set(paths)
    (foreign,) = [w for w in found if w._target.path.endswith("team-b/pods") and w._target.label_selector[0] == "!"]
    foreign._sink.replace([], "9")
    assert [view.namespace for view in ingest.store.pods.values()] == ["team-a"]
    selectors = [w._target.field_selector for w in found if w._target.path == "/api/v1/namespaces"]
    assert selectors == ["metadata.name=team-a", "metadata.name=team-b"]


def test_environments_that_would_be_scaled_say_that_they_are_not() -> None:
    ingest = Ingest(Store(), Bell(), SOME)
    shapes = [{"name": "c1", "cpu": "1", "memory": "1Gi"}]
    ingest.take(
        "computeenvironments", "ADDED", environment(maxVCpus=4, instanceTypes=shapes, provider={"simulated": {}})
    )
    view = ingest.store.environments["e"]
    assert "scales no nodes; use type: Unmanaged" in view.invalid
    assert (view.managed, view.provider, view.shapes, view.finalizers) == (False, "", (), ())


def test_unmanaged_ones_are_as_they_are_and_so_is_everything_for_the_whole_cluster() -> None:
    theirs = Environment(name="e", uid="u", version="1", created=0.0, managed=False)
    assert SOME.seen(theirs) is theirs
    managed = Environment(name="e", uid="u", version="1", created=0.0)
    assert Scope().seen(managed) is managed
    assert Scope().places_of("batchjobs") == ("",)


def test_namespaces_are_set_with_commas() -> None:
    assert Settings(namespaces=" team-a, team-b,").namespaces == ("team-a", "team-b")
    assert Settings().namespaces == ()
