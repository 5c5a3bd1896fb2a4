"""Arrays, multi-node Jobs, dependencies, shares: what is right is accepted, also at its largest."""

import pytest
from crd_features import BAD_FEATURES_WITH_DEFINITION, GOOD_FEATURES, POD
from crd_server import Server
from pydantic import ValidationError
from specs import GOOD, JOB_OF_DEFINITION, changed

from batchyard.model.array import MOST_CHILDREN
from batchyard.model.kind import CONSUMABLE_RESOURCE, JOB, JOB_DEFINITION, JOB_QUEUE, SCHEDULING_POLICY, Kind

pytestmark = pytest.mark.cluster
SMALL = {"queue": "default", "template": POD}
QUEUE = {
    "computeEnvironments": ["spot", "on-demand"],
    "state": "Draining",
    "strategy": "StrictFIFO",
    "schedulingPolicy": "fair",
    "stateTimeLimits": [{"reason": "InsufficientCapacity", "maxSeconds": 3600, "action": "Cancel"}],
}
LONG = "c" * 61
CHAIN = {
    "template": {"spec": {"containers": [{"name": f"{LONG}{n}", "image": "busybox"} for n in range(10)]}},
    "containers": [
        {
            "name": f"{LONG}{n}",
            "essential": n == 0,
            "dependsOn": [{"name": f"{LONG}{other}", "condition": "Success"} for other in range(n + 1, 10)],
        }
        for n in range(10)
    ],
}
ENV = [{"name": f"VARIABLE_{n}", "value": "x" * 20} for n in range(500)]
WIDE_POD = {"spec": {"containers": [{"name": f"c{n}", "image": "busybox", "env": ENV[:200]} for n in range(5)]}}
LARGEST: list[dict] = [
    {"array": {"size": MOST_CHILDREN, "indexes": ",".join(str(n) for n in range(0, 7600, 2))}},
    {"array": {"size": MOST_CHILDREN, "indexes": ",".join(f"{n}-{n + 1}" for n in range(10000, 14900, 3))}},
    {"dependsOn": [{"job": f"{'j' * 47}{n:03}"} for n in range(100)]},
    {"multiNode": {"nodes": 1000, "groups": [{"nodes": f"{n}:", "template": WIDE_POD} for n in range(5)]}},
    {"consumables": [{"name": f"{'c' * 48}{n:02}"} for n in range(20)]},
    CHAIN,
]


def names_its_fields(spec: dict) -> str:
    return "-".join(sorted(spec))


@pytest.mark.parametrize("features", GOOD_FEATURES, ids=names_its_fields)
def test_a_good_job_is_accepted_as_the_model_reads_it(server: Server, features: dict) -> None:
    spec = changed(SMALL, "", features)
    assert JOB.spec.model_validate(server.create(JOB, spec)["spec"]) == JOB.spec.model_validate(spec)


@pytest.mark.parametrize("features", LARGEST, ids=names_its_fields)
def test_the_largest_stays_within_what_the_api_server_spends_on_rules(server: Server, features: dict) -> None:
    spec = changed(SMALL, "", features)
    assert JOB.spec.model_validate(server.create(JOB, spec)["spec"]) == JOB.spec.model_validate(spec)


@pytest.mark.parametrize(("path", "value", "words"), BAD_FEATURES_WITH_DEFINITION)
def test_a_definition_leaves_only_the_number_of_nodes_to_the_job(
    server: Server, path: str, value: object, words: str
) -> None:
    spec = changed(JOB_OF_DEFINITION, path, value)
    assert words in server.refusal(server.create, JOB, spec)
    with pytest.raises(ValidationError):
        JOB.spec.model_validate(spec)


@pytest.mark.parametrize("entry", [{"job": "itself"}, {"job": "itself", "array": "OneToOne"}])
def test_a_job_cannot_depend_on_itself(server: Server, entry: dict) -> None:
    spec = {**SMALL, "array": {"size": 2}, "dependsOn": [{"job": "other"}, entry]}
    message = server.refusal(server.create, JOB, spec, "itself")
    assert "spec.dependsOn names this Job itself, so it would wait for ever; name another Job" in message


@pytest.mark.parametrize(
    "features",
    [
        {"multiNode": {"nodes": 4, "mainNode": 1, "groups": [{"nodes": "0:"}]}},
        {"template": None, "multiNode": {"nodes": 4, "groups": [{"nodes": "0:", "template": POD}]}},
        {"consumables": [{"name": "licence", "quantity": 2}], "containers": [{"name": "main"}]},
    ],
    ids=names_its_fields,
)
def test_a_definition_has_nodes_consumables_and_containers(server: Server, features: dict) -> None:
    spec = changed({"template": POD}, "", features)
    accepted = server.create(JOB_DEFINITION, spec)["spec"]
    assert JOB_DEFINITION.spec.model_validate(accepted) == JOB_DEFINITION.spec.model_validate(spec)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (JOB_QUEUE, QUEUE),
        (JOB_QUEUE, {"computeEnvironments": [f"{'e' * 48}{n:02}" for n in range(10)], "state": "Held"}),
        (CONSUMABLE_RESOURCE, {"total": 10**12, "type": "NonReplenishable"}),
        (SCHEDULING_POLICY, {}),
        (SCHEDULING_POLICY, {"shares": [{"share": f"{'s' * 251}{n:04}", "weight": "999.9999"} for n in range(500)]}),
        (SCHEDULING_POLICY, {"shares": [{"share": "a", "weight": "0.0001"}, {"share": "b"}, {"share": "c*"}]}),
        (SCHEDULING_POLICY, {"shares": [{"share": "a", "weight": 0.0001}, {"share": "b", "weight": 999.9999}]}),
    ],
)
def test_other_kinds_are_accepted_as_the_model_reads_them(server: Server, kind: Kind, spec: dict) -> None:
    assert kind.spec.model_validate(server.create(kind, spec)["spec"]) == kind.spec.model_validate(spec)


def test_defaults(server: Server) -> None:
    spec = {**SMALL, "array": {"size": 2}, "dependsOn": [{"job": "a"}], "consumables": [{"name": "b"}]}
    job = server.create(JOB, {**spec, "containers": [{"name": "main"}]})["spec"]
    assert job["array"] == {"size": 2, "tolerateFailures": 0}
    assert job["dependsOn"] == [{"job": "a", "when": "Succeeded"}]
    assert job["consumables"] == [{"name": "b", "quantity": 1}]
    assert job["containers"] == [{"name": "main", "essential": True}]
    queue = server.create(JOB_QUEUE, GOOD[JOB_QUEUE])["spec"]
    assert (queue["state"], queue["strategy"]) == ("Enabled", "Backfill")
    assert server.create(CONSUMABLE_RESOURCE, {"total": 0})["spec"]["type"] == "Replenishable"
    policy = server.create(SCHEDULING_POLICY, {"shares": [{"share": "a"}]})["spec"]
    assert policy == {"shareDecaySeconds": 0, "computeReservation": 0, "shares": [{"share": "a", "weight": "1"}]}


STATUSES: dict[Kind, dict] = {
    JOB: {
        "phase": "Running",
        "array": {
            "size": 1000,
            "progress": "43/1000",
            "counts": {"pending": 1, "runnable": 905, "starting": 1, "running": 50, "succeeded": 42, "failed": 1},
            "succeeded": "0-41,43",
            "failed": "bits:" + "A" * 16684,
            "running": "44-93",
            "retried": [{"attempts": 2, "counted": 1, "indexes": "3,5"}],
            "attempts": [{"index": 42, "number": 3, "pod": "p-42-3", "exitCode": 1, "reason": "Error"}],
        },
        "multiNode": {"nodes": 4, "running": 3, "mainPod": "p-0-1"},
        "waiting": {
            "position": 3,
            "vCpusAhead": 12,
            "estimatedStart": {"p50": "2026-05-01T12:00:00Z", "p90": "2026-05-01T12:30:00.5Z"},
        },
    },
    JOB_QUEUE: {
        "phase": "Held",
        "shares": [
            {"share": "a", "usage": "5400.25", "vCpus": 4, "updatedAt": "2026-05-01T12:00:00Z"},
            {"share": "b", "usage": "0", "vCpus": "3.5"},
        ],
    },
    SCHEDULING_POLICY: {"phase": "Invalid", "message": "overlap", "queues": ["default"]},
    CONSUMABLE_RESOURCE: {
        "phase": "Overcommitted",
        "total": 25,
        "inUse": 30,
        "consumed": 0,
        "available": 0,
        "waiting": 2,
        "holders": [{"job": "default/render", "quantity": 30}],
        "taking": {"default/render-1": 30},
        "conditions": [{"type": "Overcommitted", "status": "True", "lastTransitionTime": "2026-05-01T12:00:00Z"}],
    },
}


@pytest.mark.parametrize("kind", STATUSES, ids=lambda kind: kind.name)
def test_status_takes_what_the_model_writes(server: Server, kind: Kind, fresh: str) -> None:
    status = kind.status.model_validate(STATUSES[kind])
    server.create(kind, GOOD[kind], fresh, keep=True)
    try:
        written = server.set_status(kind, fresh, status.to_api())["status"]
    finally:
        server.delete(kind, fresh)
    assert kind.status.model_validate(written) == status
    assert written.items() >= status.to_api().items()
