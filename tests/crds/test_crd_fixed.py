"""A submitted Job stays what it is but for stop, priority and its time to live; an environment keeps its nature."""

from collections.abc import Iterator

import pytest
from crd_server import Server
from specs import GOOD, JOB_OF_DEFINITION, changed

from batchyard.model.kind import COMPUTE_ENVIRONMENT, CONSUMABLE_RESOURCE, JOB, Kind

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def submitted(server: Server) -> Iterator[dict]:
    yield from _kept(server, JOB, GOOD[JOB], "fixed-template")


@pytest.fixture(scope="module")
def defined(server: Server) -> Iterator[dict]:
    yield from _kept(server, JOB, JOB_OF_DEFINITION, "fixed-definition")


@pytest.fixture(scope="module")
def environment(server: Server) -> Iterator[dict]:
    yield from _kept(server, COMPUTE_ENVIRONMENT, {**GOOD[COMPUTE_ENVIRONMENT], "state": "Disabled"}, server.namespace)


@pytest.fixture(scope="module")
def array(server: Server) -> Iterator[dict]:
    features = {
        "array": {"size": 100, "indexes": "3,7-9", "maxConcurrent": 5, "tolerateFailures": "5%"},
        "dependsOn": [{"job": "a"}],
        "consumables": [{"name": "licence"}],
        "containers": [{"name": "main"}],
        "share": "team-a",
    }
    yield from _kept(server, JOB, {**GOOD[JOB], **features}, "fixed-array")


@pytest.fixture(scope="module")
def nodes(server: Server) -> Iterator[dict]:
    groups = [{"nodes": "0", "template": GOOD[JOB]["template"]}, {"nodes": "1:"}]
    yield from _kept(server, JOB, {**GOOD[JOB], "multiNode": {"nodes": 4, "groups": groups}}, "fixed-nodes")


@pytest.fixture(scope="module")
def resource(server: Server) -> Iterator[dict]:
    yield from _kept(server, CONSUMABLE_RESOURCE, {"total": 25}, f"fixed-{server.namespace}")


def _kept(server: Server, kind: Kind, spec: dict, name: str) -> Iterator[dict]:
    yield server.create(kind, spec, name, keep=True)
    server.delete(kind, name)


POD = "template.spec"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{POD}.containers.0.image", "other"),
        (f"{POD}.containers.0.livenessProbe", {"exec": {"command": ["false"]}}),
        (f"{POD}.containers.0.workingDir", "/"),
        (f"{POD}.nodeSelector", {"size": "fast"}),
        (f"{POD}.securityContext", {"runAsGroup": 1}),
        (f"{POD}.volumes", [{"name": "v", "hostPath": {}}]),
        (f"{POD}.tolerations", []),
        (f"{POD}.somethingOfKubernetes2", 1),
        ("template.metadata", {"labels": {"team": "b"}}),
        ("retry", {"attempts": 2}),
        ("timeout", {"attemptDurationSeconds": 60}),
        ("overrides", {"containers": []}),
        ("capacityType", "Spot"),
    ],
)
def test_what_a_job_runs_is_fixed(server: Server, submitted: dict, path: str, value: object) -> None:
    field = path.split(".")[0]
    message = server.refusal(server.replace, JOB, submitted, changed(submitted["spec"], path, value))
    assert f"spec.{field} cannot be changed after submission; submit a new Job" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("parameters.n", 4),
        ("parameters.more", 1),
        ("parameters.scene", None),
        ("parameters", None),
        ("parameters", {"m": 3, "scene": "a.blend", "ratio": 1.5, "fast": True}),
        ("definition.revision", 4),
        ("definition.revision", None),
        ("retry", None),
        ("timeout", None),
        ("overrides.containers.0.args", ["y"]),
    ],
)
def test_what_a_job_takes_from_its_definition_is_fixed(server: Server, defined: dict, path: str, value: object) -> None:
    field = path.split(".")[0]
    message = server.refusal(server.replace, JOB, defined, changed(defined["spec"], path, value))
    assert f"spec.{field} cannot be changed after submission; submit a new Job" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("array.size", 101),
        ("array.indexes", "3"),
        ("array.indexes", None),
        ("array.tolerateFailures", 5),
        ("array", None),
    ],
)
def test_an_array_is_fixed_but_for_its_width(server: Server, array: dict, path: str, value: object) -> None:
    message = server.refusal(server.replace, JOB, array, changed(array["spec"], path, value))
    assert "spec.array cannot be changed after submission, but for array.maxConcurrent; submit a new Job" in message


@pytest.mark.parametrize("value", [1, 100000, None])
def test_the_width_of_an_array_may_change(server: Server, array: dict, value: int | None) -> None:
    spec = changed(array["spec"], "array.maxConcurrent", value)
    assert server.replace(JOB, array, spec)["spec"]["array"].get("maxConcurrent") == value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dependsOn.0.when", "Finished"),
        ("dependsOn", None),
        ("consumables.0.quantity", 2),
        ("containers", None),
        ("share", "team-b"),
        ("share", None),
    ],
)
def test_what_a_job_waits_for_and_takes_is_fixed(server: Server, array: dict, path: str, value: object) -> None:
    field = path.split(".")[0]
    message = server.refusal(server.replace, JOB, array, changed(array["spec"], path, value))
    assert f"spec.{field} cannot be changed after submission; submit a new Job" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("multiNode.nodes", 5),
        ("multiNode.mainNode", 1),
        ("multiNode.groups.1.nodes", "0:"),
        ("multiNode.groups.0.template.spec.containers.0.image", "other"),
        ("multiNode", None),
    ],
)
def test_the_nodes_of_a_job_are_fixed(server: Server, nodes: dict, path: str, value: object) -> None:
    message = server.refusal(server.replace, JOB, nodes, changed(nodes["spec"], path, value))
    assert "spec.multiNode cannot be changed after submission; submit a new Job" in message


def test_more_children_may_be_stopped_and_then_all(server: Server, fresh: str) -> None:
    some = {**GOOD[JOB], "array": {"size": 100}, "stop": {"mode": "Terminate", "indexes": "3"}}
    job = server.create(JOB, some, fresh, keep=True)
    try:
        more = server.replace(JOB, job, changed(some, "stop.indexes", "3,7-9"))
        everything = server.replace(JOB, job, changed(some, "stop.indexes", None))
    finally:
        server.delete(JOB, fresh)
    assert more["spec"]["stop"] == {"mode": "Terminate", "indexes": "3,7-9"}
    assert everything["spec"]["stop"] == {"mode": "Terminate"}


def test_the_stop_of_all_children_does_not_become_one_of_some(server: Server, fresh: str) -> None:
    spec = {**GOOD[JOB], "array": {"size": 100}, "stop": {"mode": "Terminate"}}
    job = server.create(JOB, spec, fresh, keep=True)
    try:
        message = server.refusal(server.replace, JOB, job, changed(spec, "stop.indexes", "3"))
    finally:
        server.delete(JOB, fresh)
    assert "spec.stop of the whole Job cannot go back to some of its indexes; submit a new Job with" in message


def test_a_resource_keeps_its_type_and_changes_its_total(server: Server, resource: dict) -> None:
    message = server.refusal(server.replace, CONSUMABLE_RESOURCE, resource, {"total": 25, "type": "NonReplenishable"})
    assert "spec.type cannot be changed; create a new ConsumableResource" in message
    changed_total = server.replace(CONSUMABLE_RESOURCE, resource, {"total": 0, "type": "Replenishable"})
    assert changed_total["spec"]["total"] == 0


def test_a_job_does_not_change_queues(server: Server, submitted: dict) -> None:
    message = server.refusal(server.replace, JOB, submitted, changed(submitted["spec"], "queue", "other"))
    assert "spec.queue cannot be changed after submission; stop this Job and submit a new one" in message


@pytest.mark.parametrize(
    ("path", "value"), [("priority", 7), ("ttlSecondsAfterFinished", 0), ("stop", {"mode": "Cancel", "reason": "x"})]
)
def test_the_rest_may_change(server: Server, submitted: dict, path: str, value: object) -> None:
    assert server.replace(JOB, submitted, changed(submitted["spec"], path, value))["spec"][path] == value


def test_a_stop_is_raised_but_not_withdrawn(server: Server, fresh: str) -> None:
    job = server.create(JOB, {**GOOD[JOB], "stop": {"mode": "Cancel"}}, fresh, keep=True)
    try:
        withdrawn = server.refusal(server.replace, JOB, job, changed(job["spec"], "stop", None))
        raised = server.replace(JOB, job, changed(job["spec"], "stop.mode", "Terminate"))
    finally:
        server.delete(JOB, fresh)
    assert "spec.stop cannot be withdrawn; submit a new Job" in withdrawn
    assert raised["spec"]["stop"]["mode"] == "Terminate"


def test_terminate_does_not_become_cancel(server: Server, fresh: str) -> None:
    job = server.create(JOB, {**GOOD[JOB], "stop": {"mode": "Terminate"}}, fresh, keep=True)
    try:
        message = server.refusal(server.replace, JOB, job, changed(job["spec"], "stop.mode", "Cancel"))
    finally:
        server.delete(JOB, fresh)
    assert "spec.stop.mode cannot go back from Terminate to Cancel" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"capacityType": "Spot"}, "spec.capacityType cannot be changed; create a new ComputeEnvironment"),
        ({"provider": {"simulated": {}}}, "spec.provider cannot change from one provider to another"),
        ({"type": "Unmanaged"}, "spec.type cannot be changed; create a new ComputeEnvironment"),
    ],
)
def test_an_environment_keeps_its_nature(server: Server, environment: dict, change: dict, words: str) -> None:
    message = server.refusal(server.replace, COMPUTE_ENVIRONMENT, environment, {**environment["spec"], **change})
    assert words in message


def test_an_ec2_environment_keeps_its_region(server: Server) -> None:
    ec2 = {"region": "eu-central-1", "launchTemplate": {"name": "node"}}
    spec = {**GOOD[COMPUTE_ENVIRONMENT], "provider": {"ec2": ec2}, "state": "Disabled"}
    for made in _kept(server, COMPUTE_ENVIRONMENT, spec, f"{server.namespace}-ec2"):
        moved = changed(made["spec"], "provider.ec2.region", "us-east-1")
        message = server.refusal(server.replace, COMPUTE_ENVIRONMENT, made, moved)
        assert "spec.provider.ec2.region cannot change" in message
        assert made["spec"]["provider"]["ec2"]["launchTemplate"]["version"] == "$Default"


def test_a_cluster_api_environment_keeps_its_namespace(server: Server) -> None:
    spec = {**GOOD[COMPUTE_ENVIRONMENT], "provider": {"clusterAPI": {}}, "state": "Disabled"}
    for made in _kept(server, COMPUTE_ENVIRONMENT, spec, f"{server.namespace}-capi"):
        assert made["spec"]["provider"]["clusterAPI"]["namespace"] == "default"
        moved = changed(made["spec"], "provider.clusterAPI.namespace", "clusters")
        message = server.refusal(server.replace, COMPUTE_ENVIRONMENT, made, moved)
        assert "spec.provider.clusterAPI.namespace cannot change" in message


def test_an_environment_may_grow(server: Server, environment: dict) -> None:
    grown = server.replace(COMPUTE_ENVIRONMENT, environment, {**environment["spec"], "maxVCpus": 64})
    assert grown["spec"]["maxVCpus"] == 64
