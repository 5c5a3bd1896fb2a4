"""Jobs of every sort on pools that grow and shrink, and how each must end whatever befalls the operator."""

from __future__ import annotations

from typing import Any

from cluster.lab import Lab
from cluster.rest import Body
from cluster.specs_of_jobs import Spec, managed, played, shape, simulated

Ends = dict[str, tuple[str, list[str]]]  # job -> its phase, and how its attempts end
PLAIN = 4
WHOLE, HALF = 4, 3  # children of an array
NODES = 3  # of a gang
POOLS = (("steady", 2, 4, "OnDemand"), ("wide", 1, NODES, "OnDemand"), ("spot", 1, 2, "Spot"))  # vCPUs: a node, all
NAMES = tuple(name for name, *_ in POOLS)


def submit(lab: Lab) -> Ends:
    """Make pools and queues, submit everything, and return how it must end."""
    for name, cpus, most, capacity in POOLS:
        spec = managed("simulated", [shape(cpus)], most, capacityType=capacity, scaleDownDelaySeconds=1)
        lab.environment(name, spec)
        lab.queue(name, name)
    ends: Ends = {}
    for number in range(PLAIN):
        ends[lab.job(f"plain-{number}", "steady", template=simulated())] = ("Succeeded", ["Completed"])
    fails = lab.job("fails", "steady", template=simulated(exit_code=3), retry={"attempts": 3})
    ends[fails] = ("Failed", ["Error"] * 3)
    lab.definition("defined", parameters={"word": {"type": "String", "required": True}}, template=played("Ref::word"))
    lab.job("defined", "steady", definition={"name": "defined"}, parameters={"word": "x"})
    ends["defined"] = ("Succeeded", ["Completed"])
    lab.job("wrong", "steady", definition={"name": "defined"}, parameters={"number": 1})
    ends["wrong"] = ("Failed", [])
    lab.job("cancelled", "steady", template=simulated(), stop={"mode": "Cancel", "reason": "never mind"})
    ends["cancelled"] = ("Failed", [])
    lab.job("reclaimed", "spot", template=simulated(20_000))  # time for its notice to be acted on
    ends["reclaimed"] = ("Succeeded", ["Interrupted", "Completed"])
    return ends | _arrays(lab) | _gangs(lab)


def _arrays(lab: Lab) -> Ends:
    lab.job("array", "steady", template=simulated(), array={"size": WHOLE})
    lab.job("array-fails", "steady", template=simulated(exit_code=4), array={"size": HALF}, retry={"attempts": 2})
    lab.job("after", "steady", template=simulated(), dependsOn=[{"job": "array", "when": "Succeeded"}])
    return {
        "array": ("Succeeded", []),
        "array-fails": ("Failed", []),
        "after": ("Succeeded", ["Completed"]),
    }


def _gangs(lab: Lab) -> Ends:
    lab.job("gang", "wide", **gang(simulated(300)))
    lab.job("gang-fails", "wide", **gang(simulated(300, exit_code=5)), retry={"attempts": 2})
    return {"gang": ("Succeeded", ["Completed"]), "gang-fails": ("Failed", ["Error"] * 2)}


def gang(main: Spec) -> dict[str, Any]:
    """A main node and workers that go on until it ends, each on a node of its own."""
    groups = [{"nodes": "0", "template": main}, {"nodes": "1:", "template": simulated(60_000)}]
    return {"multiNode": {"nodes": NODES, "groups": groups}}


def state(lab: Lab, names: Any) -> Ends:
    """How the jobs stand now."""
    jobs = {job["metadata"]["name"]: job.get("status") or {} for job in lab.api.list("Job", lab.namespace)}
    return {
        name: (jobs[name].get("phase", ""), [a.get("reason", "") for a in jobs[name].get("attempts", ())])
        for name in names
    }


def reclaim(lab: Lab) -> bool:
    """Give the node of the job's first attempt its notice once it is there; say whether that is done."""
    runs = lab.pods("reclaimed")
    if not runs:
        return False
    assert not runs[0].over, "it ended before it could be interrupted"
    node: Body = lab.api.get("Node", runs[0].node)
    notice = {"key": "batchyard.dev/interrupted", "effect": "NoSchedule"}
    lab.api.patch("Node", runs[0].node, {"spec": {"taints": [*node["spec"].get("taints", ()), notice]}})
    return True


def nodes(lab: Lab) -> list[Body]:
    return [node for name in NAMES for node in lab.nodes(name)]


def check(lab: Lab, ends: Ends) -> None:
    """Each attempt was one pod, of an array one for each child, of a gang one at most for each node."""
    for name, (_, reasons) in ends.items():
        runs = lab.pods(name)
        expected = [(number, "") for number in range(1, len(reasons) + 1)]
        if name.startswith("gang"):  # its main node may end while no operator is there to start the others
            runs = [run for run in runs if run.main]
            expected = [(number, "0") for number, _ in expected]
        if name == "array":
            expected = [(1, str(index)) for index in range(WHOLE)]
        if name == "array-fails":
            expected = [(number, str(index)) for number in (1, 2) for index in range(HALF)]
        assert sorted((run.attempt, run.rank or run.index) for run in runs) == sorted(expected), name
    assert lab.recorder.wrongs == []
    for environment, cpus, most, _ in POOLS:
        assert lab.recorder.peaks[lab.named(environment)] <= most // cpus, environment
