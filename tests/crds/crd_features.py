"""Arrays, dependencies, multi-node Jobs, containers, consumables and shares: what is right, and what turns it bad.

A path that is empty merges the value, an object, into the spec.
"""

from typing import Any

POD = {"spec": {"containers": [{"name": "main", "image": "busybox"}]}}
THREE = {"spec": {"containers": [{"name": name, "image": "busybox"} for name in ("main", "fetch", "proxy")]}}
CONTAINERS = [
    {"name": "main", "dependsOn": [{"name": "fetch", "condition": "Success"}, {"name": "proxy"}]},
    {"name": "fetch", "essential": False},
    {"name": "proxy", "essential": False},
]
TWO_GROUPS = [{"nodes": "0"}, {"nodes": "1:"}]
GOOD_FEATURES: list[dict[str, Any]] = [
    {"array": {"size": 2}},
    {"array": {"size": 100000, "indexes": "0,3,7-9,99999", "maxConcurrent": 50, "tolerateFailures": "5%"}},
    {"array": {"size": 100000, "indexes": "bits:" + "A" * 16000, "tolerateFailures": 100}},
    {"array": {"size": 10}, "dependsOn": [{"array": "Sequential"}, {"job": "a", "array": "OneToOne"}, {"job": "b"}]},
    {"dependsOn": [{"job": f"j{n}", "when": "Finished"} for n in range(100)]},
    {"multiNode": {"nodes": 1, "groups": [{"nodes": "0"}]}},
    {"multiNode": {"nodes": 1000, "mainNode": 999, "groups": [{"nodes": "0:"}]}},
    {"multiNode": {"nodes": 8, "groups": [{"nodes": ":3"}, {"nodes": "2:7"}, {"nodes": "5"}]}},
    {"multiNode": {"nodes": 9, "mainNode": 0, "groups": TWO_GROUPS}},
    {"template": None, "multiNode": {"nodes": 2, "groups": [{**group, "template": POD} for group in TWO_GROUPS]}},
    {"template": None, "definition": {"name": "d"}, "multiNode": {"nodes": 3}},
    {"multiNode": {"nodes": 2, "groups": [{"nodes": "0:", "template": THREE}]}, "containers": [{"name": "proxy"}]},
    {"template": THREE, "containers": CONTAINERS},
    {"template": None, "definition": {"name": "d"}, "containers": [{"name": "main", "essential": False}]},
    {"consumables": [{"name": f"c{n}", "quantity": 10**12} for n in range(20)]},
    {"checkpoint": {}},
    {"checkpoint": {"claimName": "results", "mountPath": "/state"}},
    {"checkpoint": {"size": "1Gi", "storageClassName": "fast", "accessMode": "ReadWriteMany"}},
    {"share": "Team-a.b_1" + "x" * 245},
    {"array": {"size": 10}, "stop": {"mode": "Terminate", "indexes": "3,7-9"}},
]


def _array(**fields: Any) -> dict[str, Any]:
    return {"size": 10, **fields}


def _nodes(nodes: int, *groups: str, **fields: Any) -> dict[str, Any]:
    return {"nodes": nodes, "groups": [{"nodes": group} for group in groups], **fields}


def _containers(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"template": THREE, "containers": list(rules)}


_SIZE = "array.size is from 2 to 100000"
_INDEXES = 'a set of indexes has numbers and ranges from 0, with commas and without spaces; write for example "3,7-9"'
_TOLERANCE = "array.tolerateFailures is a number of children from 0, or a percentage from 0% to 100% in quotes"
_HOLE = "multiNode.groups leaves nodes out; together they cover 0 to multiNode.nodes - 1"
_OUTSIDE = "multiNode.groups names a node that there is not; nodes count from 0 to multiNode.nodes - 1"
_GROUP = "a group's nodes is an index or first:last, counted from 0; write for example"
_BETWEEN_CHILDREN = "array: Sequential and OneToOne in spec.dependsOn are between children; give this Job spec.array"
_ENDING = "condition Success and Complete wait for the end of a container, which must have essential: false"
_CIRCLE = "spec.containers wait for one another in a circle; take one of the dependsOn out"
_NO_CONTAINER = "spec.containers names a container that spec.template.spec.containers does not have"
_WAITS = {"name": "main", "dependsOn": [{"name": "fetch"}]}

_BAD_CONTAINERS: list[tuple[str, Any, str]] = [
    ("", _containers({"name": "main"}, {"name": "main"}), "spec.containers names a container twice; merge the two"),
    ("", _containers({"name": "other"}), _NO_CONTAINER),
    ("", _containers({"name": "main", "dependsOn": [{"name": "other"}]}), _NO_CONTAINER),
    ("", _containers({"name": "main", "dependsOn": [{"name": "main"}]}), "a container cannot depend on itself"),
    ("", _containers(_WAITS, {"name": "fetch", "dependsOn": [{"name": "main"}]}), _CIRCLE),
    (
        "",
        _containers({"name": "main", "dependsOn": [{"name": "fetch", "condition": "Success"}]}),
        _ENDING,
    ),
    (
        "",
        _containers(
            {"name": "main", "dependsOn": [{"name": "fetch", "condition": "Complete"}]},
            {"name": "fetch", "essential": True},
        ),
        _ENDING,
    ),
    ("containers", [{"name": "main", "essential": False}], "spec.containers leaves no container essential"),
    ("containers", [{"name": f"c{n}"} for n in range(11)], "spec.containers: Too many: 11: must have at most 10"),
    ("containers", [{"name": "main", "dependsOn": [{"name": "x", "condition": "End"}]}], 'Unsupported value: "End"'),
]
_BAD_GROUPS: list[tuple[str, Any, str]] = [
    ("multiNode", _nodes(0, "0"), "multiNode.nodes in body should be greater than or equal to 1"),
    ("multiNode", _nodes(1001, "0:"), "multiNode.nodes in body should be less than or equal to 1000"),
    ("multiNode", _nodes(4, "0:", mainNode=4), "multiNode.mainNode is out of range"),
    ("multiNode", _nodes(4, "0:", mainNode=-1), "multiNode.mainNode in body should be greater than or equal to 0"),
    ("multiNode", _nodes(8, "0", "2:"), _HOLE),
    ("multiNode", _nodes(8, "1:"), _HOLE),
    ("multiNode", _nodes(8, ":6"), _HOLE),
    ("multiNode", _nodes(9, ":4", "2:5", "7:"), _HOLE),
    ("multiNode", _nodes(8, "0:8"), _OUTSIDE),
    ("multiNode", _nodes(8, "0:", "8"), _OUTSIDE),
    ("multiNode", _nodes(8, "0:", "9:"), _OUTSIDE),
    ("multiNode", _nodes(8, "3:1", "0:"), "a group's nodes runs from the lower index to the higher"),
    ("multiNode", _nodes(8, "0-7"), _GROUP),
    ("multiNode", _nodes(8, ":"), _GROUP),
    ("multiNode", _nodes(8, "0:007"), _GROUP),
    ("multiNode", _nodes(8, *["0:"] * 6), "multiNode.groups: Too many: 6: must have at most 5 items"),
    ("multiNode", {"nodes": 2}, "spec.multiNode.groups is missing; to run spec.template on every node write"),
    ("multiNode", {"nodes": 2, "groups": []}, "spec.multiNode.groups is missing"),
]
BAD_NODES: list[tuple[str, Any, str]] = [
    *_BAD_GROUPS,
    ("", {"template": None, "multiNode": _nodes(2, "0:")}, "spec.template is missing, and a group of spec.multiNode"),
]
BAD_CONSUMABLES: list[tuple[str, Any, str]] = [
    ("consumables", [{"name": "a"}, {"name": "a"}], "spec.consumables names a resource twice; give its quantity once"),
    ("consumables", [{"name": "a", "quantity": 0}], "quantity in body should be greater than or equal to 1"),
    ("consumables", [{"name": "A"}], "a name is a DNS label of at most 50 characters"),
    ("consumables", [{"name": f"c{n}"} for n in range(21)], "spec.consumables: Too many: 21: must have at most 20"),
]
BAD_FEATURES: list[tuple[str, Any, str]] = [
    ("array", {"size": 1}, _SIZE),
    ("array", {"size": 100001}, _SIZE),
    ("array", {}, "spec.array.size: Required value"),
    ("array", _array(indexes="3, 7"), _INDEXES),
    ("array", _array(indexes="1-2-3"), _INDEXES),
    ("array", _array(indexes="3,7-10"), "array.indexes names a child that the array does not have"),
    ("array", _array(maxConcurrent=0), "array.maxConcurrent in body should be greater than or equal to 1"),
    ("array", _array(tolerateFailures="150%"), _TOLERANCE),
    ("array", _array(tolerateFailures="5"), _TOLERANCE),
    ("array", _array(tolerateFailures=-1), _TOLERANCE),
    ("array", _array(tolerateFailures=0.5), 'tolerateFailures in body must be of type integer,string: "number"'),
    ("", {"array": {"size": 2}, "multiNode": _nodes(2, "0:")}, "spec has both array and multiNode; leave one of them"),
    ("dependsOn", [{}], "an entry of dependsOn needs job, the name of a Job in this namespace"),
    ("dependsOn", [{"array": "OneToOne"}], "an entry of dependsOn needs job"),
    ("", {"array": {"size": 2}, "dependsOn": [{"array": "Sequential", "job": "a"}]}, "leave job out, or write array:"),
    ("dependsOn", [{"array": "Sequential"}], _BETWEEN_CHILDREN),
    ("dependsOn", [{"job": "a", "array": "OneToOne"}], _BETWEEN_CHILDREN),
    ("dependsOn", [{"job": "a", "when": "Started"}], 'supported values: "Succeeded", "Failed", "Finished"'),
    ("dependsOn", [{"job": "a"}] * 101, "spec.dependsOn: Too many: 101: must have at most 100 items"),
    ("checkpoint", {"claimName": "a", "size": "1Gi"}, "spec.checkpoint has both claimName and size"),
    ("checkpoint", {"storageClassName": "a"}, "spec.checkpoint.storageClassName is for a claim that is to be made"),
    ("checkpoint", {"mountPath": "state"}, "spec.checkpoint.mountPath is an absolute path other than /"),
    ("share", "team*", "a share's name has letters, digits, ., _ and - only"),
    ("share", "", "spec.share in body should be at least 1 chars long"),
    ("share", "x" * 256, "spec.share: Too long: may not be more than 255"),
    ("stop", {"mode": "Cancel", "indexes": "3"}, "spec.stop.indexes are children of an array; leave them out to stop"),
    *BAD_NODES,
    *BAD_CONSUMABLES,
    *_BAD_CONTAINERS,
]
BAD_FEATURES_OF_DEFINITIONS: list[tuple[str, Any, str]] = [*BAD_NODES, *BAD_CONSUMABLES, *_BAD_CONTAINERS]
BAD_FEATURES_WITH_DEFINITION: list[tuple[str, Any, str]] = [
    ("multiNode", {"nodes": 2, "mainNode": 1}, "spec.multiNode of a Job with a definition has nodes only"),
    ("multiNode", {"nodes": 2, "groups": TWO_GROUPS}, "spec.multiNode of a Job with a definition has nodes only"),
    ("template", POD, "spec needs exactly one of definition and template"),
]
BAD_POLICIES: list[tuple[str, Any, str]] = [
    ("shares.0.weight", 0, "spec.shares[0].weight in body should be greater than 0"),
    ("shares.0.weight", -1, "spec.shares[0].weight in body should be greater than 0"),
    ("shares.0.weight", 1000, "spec.shares[0].weight in body should be less than 1000"),
    ("shares.0.weight", "0", 'spec.shares[0].weight: Invalid value: "0"'),
    ("shares.0.weight", "0.0000", 'spec.shares[0].weight: Invalid value: "0.0000"'),
    ("shares.0.weight", "1000", 'spec.shares[0].weight: Invalid value: "1000"'),
    ("shares.0.weight", "much", 'spec.shares[0].weight: Invalid value: "much"'),
    ("shares.0.share", "a*b", "and may end in * to mean all that begin so"),
    ("shares.0.share", "Team_B.x", 'spec.shares[2]: Duplicate value: {"share":"Team_B.x"}'),
    ("shareDecaySeconds", 604801, "shareDecaySeconds in body should be less than or equal to 604800"),
    ("computeReservation", 100, "computeReservation in body should be less than or equal to 99"),
    ("shares", [{"share": f"s{n}"} for n in range(501)], "spec.shares: Too many: 501: must have at most 500 items"),
]
BAD_RESOURCES: list[tuple[str, Any, str]] = [
    ("total", None, "spec.total: Required value"),
    ("total", -1, "spec.total in body should be greater than or equal to 0"),
    ("total", 10**12 + 1, "spec.total in body should be less than or equal to 1000000000000"),
    ("type", "Rented", 'supported values: "Replenishable", "NonReplenishable"'),
]
BAD_LIMITS: list[tuple[str, Any, str]] = [
    ("computeEnvironments", ["a", "b", "a"], "spec.computeEnvironments names an environment twice; name each once"),
    ("state", "Paused", 'supported values: "Enabled", "Disabled", "Held", "Draining"'),
    ("strategy", "Fifo", 'supported values: "StrictFIFO", "Backfill"'),
    ("schedulingPolicy", "Fair", "a name is a DNS label of at most 50 characters"),
    ("stateTimeLimits", [{"maxSeconds": 60}], "spec.stateTimeLimits[0].reason: Required value"),
    (
        "stateTimeLimits",
        [{"reason": "too large", "maxSeconds": 60}],
        "a reason is a CamelCase word as in status.reason",
    ),
    ("stateTimeLimits", [{"reason": "A", "maxSeconds": 0}], "maxSeconds in body should be greater than or equal to 1"),
    ("stateTimeLimits", [{"reason": "A", "maxSeconds": 2592001}], "should be less than or equal to 2592000"),
    ("stateTimeLimits", [{"reason": "A", "maxSeconds": 1, "action": "Stop"}], 'supported values: "Cancel"'),
    ("stateTimeLimits", [{"reason": "A", "maxSeconds": 1}] * 11, "Too many: 11: must have at most 10 items"),
]
