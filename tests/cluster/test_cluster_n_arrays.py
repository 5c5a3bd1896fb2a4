"""Arrays: fifty children on real nodes, and thousands on simulated ones (BATCHYARD_ARRAY=10000; by default 1,000)."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from batchyard.world.indexes import full, parse
from cluster.lab import Lab, Refused
from cluster.rest import Body, until
from cluster.scale import writes
from cluster.specs_of_jobs import managed, shape, shell, short, simulated

CHILDREN = int(os.environ.get("BATCHYARD_ARRAY", "1000"))
NODES = int(os.environ.get("BATCHYARD_ARRAY_NODES", "50"))
CPUS = 8  # of a simulated node, and so many children run on it at once
# Child 7 succeeds at its second attempt, 11 and 12 fail, 20 runs until it is stopped; the others tell their index.
PROGRAM = """
case $AWS_BATCH_JOB_ARRAY_INDEX in
  7) [ "$AWS_BATCH_JOB_ATTEMPT" = 2 ] ;;
  11) echo "I am $AWS_BATCH_JOB_ID of $AWS_BATCH_JOB_ARRAY_SIZE, $JOB_COMPLETION_INDEX"; exit 11 ;;
  12) exit 12 ;;
  20) echo waiting; while true; do sleep 0.2; done ;;
esac
"""


@pytest.fixture(scope="module")
def real(lab: Lab) -> Iterator[Lab]:
    lab = replace(lab, namespace=lab.new_namespace("real"))
    lab.environment("array", managed("docker", [shape(2)], 4, scaleDownDelaySeconds=5))
    lab.queue("array", "array")
    rules = [{"action": "Exit", "onExitCode": "11"}]
    template = shell(PROGRAM, cpu="200m")
    retry = {"attempts": 2, "evaluateOnExit": rules}
    lab.job("fifty", "array", array={"size": 50, "tolerateFailures": 3}, template=template, retry=retry)
    yield lab
    lab.api.delete("Job", "fifty", lab.namespace)


def ended(job: Body) -> int:
    array = job["status"].get("array") or {}
    return parse(array.get("succeeded", "")) | parse(array.get("failed", ""))


def test_fifty_children_on_real_nodes(real: Lab) -> None:
    """All but the one that is stopped end; each is an attempt of its own, and knows which one it is."""
    job = real.wait("fifty", lambda s: (s.get("array") or {}).get("progress") == "49/50", 240)
    array = job["status"]["array"]
    assert (job["status"]["phase"], array["running"]) == ("Running", "20")
    assert array["succeeded"] == "0-10,13-19,21-49"
    assert array["failed"] == "11-12"
    assert array["counts"] == {
        "pending": 0, "runnable": 0, "starting": 0, "running": 1, "succeeded": 47, "failed": 2,
    }  # fmt: skip
    attempts = {(each["index"], each["number"]): each for each in array["attempts"]}
    assert {(7, 1), (11, 1), (12, 1), (12, 2)} <= attempts.keys()
    assert (11, 2) not in attempts, "evaluateOnExit says Exit"
    uid = job["metadata"]["uid"]
    assert attempts[11, 1]["exitCode"] == 11
    assert f"I am {uid}:11 of 50, 11" in attempts[11, 1]["message"]
    pods = Counter(run.name.rsplit("-", 1)[0] for run in real.recorder.of(uid))
    assert pods.pop("fifty-7") == pods.pop("fifty-12") == 2
    assert set(pods.values()) == {1}


def test_a_single_child_is_stopped_and_the_rest_is_good_enough(real: Lab) -> None:
    real.wait("fifty", lambda s: (s.get("array") or {}).get("progress") == "49/50", 240)
    stop = {"mode": "Terminate", "indexes": "20", "reason": "long enough"}
    real.api.patch("Job", "fifty", {"spec": {"stop": stop}}, real.namespace)
    status = real.succeeded("fifty", 60)
    assert status["array"]["failed"] == "11-12,20"
    assert "3 of 50 children failed (11-12,20); 3 may" in status["message"]
    last = status["array"]["attempts"][-1]
    assert (last["index"], last["reason"]) == (20, "Terminated")
    assert last["message"].startswith("long enough")
    assert float(status["cost"]["amount"]) > 0
    jobs = {"succeeded": 47, "failed": 3}  # a queue counts children
    until(lambda: jobs.items() <= real.status("JobQueue", "array").get("jobs", {}).items())


def test_only_the_failed_children_run_again(real: Lab) -> None:
    failed = real.succeeded("fifty", 60)["array"]["failed"]
    template = shell('[ "$AWS_BATCH_JOB_ARRAY_INDEX" != 12 ]', cpu="200m")
    real.job("again", "array", array={"size": 50, "indexes": failed}, template=template)
    status = real.failed("again", 120)
    assert (status["array"]["succeeded"], status["array"]["failed"]) == ("11,20", "12")
    assert status["array"]["progress"] == "3/3"
    assert status["reason"] == "ChildrenFailed"
    real.api.delete("Job", "again", real.namespace)


@pytest.mark.parametrize(
    ("array", "words"),
    [({"size": 1}, "from 2 to 100000"), ({"size": 100_001}, "from 2 to 100000"),
     ({"size": 5, "indexes": "3-7"}, "indexes run from 0")],
)  # fmt: skip
def test_what_is_no_array_is_refused(real: Lab, array: Body, words: str) -> None:
    with pytest.raises(Refused) as refused:
        real.job("none", "array", array=array, template=simulated())
    assert words in str(refused.value)


@dataclass(frozen=True)
class Result:
    """What a large array took."""

    children: int
    seconds: float
    cpu_milliseconds: float
    written: Counter[str]
    statuses: int
    largest: int

    def __str__(self) -> str:
        by_resource = ", ".join(f"{resource} {count}" for resource, count in sorted(self.written.items()))
        return (
            f"array of {self.children} in {self.seconds:.1f} s: {self.children / self.seconds:.0f} children/s, "
            f"{self.cpu_milliseconds:.2f} operator CPU-ms a child, {self.statuses} status writes, "
            f"largest object {self.largest} bytes; operator writes: {by_resource}"
        )


@pytest.mark.timeout(400 + CHILDREN / 5)
def test_a_large_array_costs_its_pods_and_a_status_a_second(lab: Lab) -> None:
    lab.environment("herd", managed("simulated", [shape(CPUS)], NODES * CPUS, minVCpus=0, scaleDownDelaySeconds=60))
    lab.queue("herd", "herd")
    namespace = lab.new_namespace("herd")
    cpu, written, began = lab.operator.cpu_seconds(), writes(lab), time.monotonic()
    lab.job("herd", "herd", namespace, array={"size": CHILDREN}, template=simulated(cpu="1", memory="1Gi"))
    uid = lab.read("herd", namespace)["metadata"]["uid"]
    sizes: dict[int, int] = {}  # by number of status writes

    def over() -> bool:
        number = len(lab.recorder.statuses[uid])
        if number not in sizes:
            sizes[number] = len(json.dumps(lab.read("herd", namespace)))
        return lab.recorder.phases[uid][-1:] in (["Succeeded"], ["Failed"])

    until(over, 120 + CHILDREN / 5, lambda: short(lab.read("herd", namespace)))
    took = time.monotonic() - began
    until(lambda: len(lab.api.list("Pod", namespace)) <= 199, 60, "finished pods go")
    result = Result(
        CHILDREN, took, (lab.operator.cpu_seconds() - cpu) * 1000 / CHILDREN, writes(lab) - written,
        len(lab.recorder.statuses[uid]) - 1, max(sizes.values()),
    )  # fmt: skip
    print(f"\n{result}")
    status = lab.succeeded("herd", 10, namespace)
    assert parse(status["array"]["succeeded"]) == full(CHILDREN)
    runs = Counter(run.name for run in lab.recorder.of(uid))
    assert len(runs) == CHILDREN
    assert set(runs.values()) == {1}, "each child has had exactly one pod"
    assert result.statuses <= took + 2, "one status write a second at most"
    assert len(lab.api.list("Pod", namespace)) >= 100, "a hundred finished pods stay"
