"""Multi-node jobs on real nodes: the workers find the main one over the network, and its end is the end of all."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import Spec, managed, shape, shell

NODES = 3
# The main node gathers one number from each other node by HTTP; each other node sends the sum of its thousand numbers.
_GATHER = r"""
mkdir -p /tmp/www/cgi-bin /tmp/sums
cat > /tmp/www/cgi-bin/sum <<'END'
#!/bin/sh
echo "${QUERY_STRING#*=}" > "/tmp/sums/.${QUERY_STRING%%=*}"
mv "/tmp/sums/.${QUERY_STRING%%=*}" "/tmp/sums/${QUERY_STRING%%=*}"
printf 'Content-Type: text/plain\r\n\r\nthanks\n'
END
chmod +x /tmp/www/cgi-bin/sum
httpd -p 8765 -h /tmp/www
until [ "$(ls /tmp/sums | wc -l)" -eq $((AWS_BATCH_JOB_NUM_NODES - 1)) ]; do sleep 0.2; done
total=$(cat /tmp/sums/* | awk '{ sum += $1 } END { print sum }')
echo "sum $total from $(ls /tmp/sums | wc -l) nodes"
"""
_SEND = r"""
n=$AWS_BATCH_JOB_NODE_INDEX
sum=$(seq $(((n - 1) * 1000 + 1)) $((n * 1000)) | awk '{ sum += $1 } END { print sum }')
main=http://$AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS:8765
until wget -q -O - "$main/cgi-bin/sum?$n=$sum"; do sleep 0.2; done
"""
_STAY = "trap 'exit 0' TERM; while true; do sleep 0.2; done"


@pytest.fixture(scope="module")
def crew(lab: Lab) -> Lab:
    """The lab with an environment of three small nodes and one for a gang alone."""
    lab = replace(lab, namespace=lab.new_namespace("crew"))
    lab.environment("crew", managed("docker", [shape(1)], NODES, scaleDownDelaySeconds=20))
    lab.queue("crew", "crew")
    return lab


def gang(main: str, worker: str, **more: Any) -> Spec:
    """Return a job for which each of its nodes has room once."""
    templates = [shell(script, cpu="600m") for script in (main, worker)]
    groups = [{"nodes": "0", "template": templates[0]}, {"nodes": "1:", "template": templates[1]}]
    return {"multiNode": {"nodes": NODES, "groups": groups}, **more}


def pods(lab: Lab, name: str) -> dict[str, Any]:
    """Return the pods of a job by name."""
    return {
        b["metadata"]["name"]: b
        for b in lab.api.list("Pod", lab.namespace, labelSelector=f"batchyard.dev/job-name={name}")
    }


def test_workers_reduce_a_sum_over_the_network(crew: Lab) -> None:
    check = '[ "$total" = 2001000 ] || exit 9'
    crew.job("sum", "crew", **gang(_GATHER + check, _SEND))
    status = crew.succeeded("sum", 150)
    (attempt,) = status["attempts"]
    assert (attempt["pod"], attempt["exitCode"]) == ("sum-0-1", 0)
    assert status["multiNode"] == {"nodes": 3, "started": 3, "running": 0, "mainPod": "sum-0-1"}
    found = pods(crew, "sum")
    assert sorted(found) == ["sum-0-1", "sum-1-1", "sum-2-1"]
    nodes = {name: body["spec"]["nodeName"] for name, body in found.items()}
    assert len(set(nodes.values())) == NODES
    kept = json.loads(found["sum-0-1"]["metadata"]["annotations"]["batchyard.dev/gang"])
    assert kept == {name.split("-")[1]: node for name, node in nodes.items()}
    begun = {name: body["metadata"]["creationTimestamp"] for name, body in found.items()}
    assert begun["sum-0-1"] == min(begun.values())
    assert float(status["cost"]["amount"]) > 0


def test_a_headless_service_names_the_nodes_and_goes_with_the_job(crew: Lab) -> None:
    crew.job("names", "crew", **gang("hostname; exit 3", _STAY))
    status = crew.failed("names", 120)
    assert "names-0" in status["message"]
    spec = crew.api.get("Service", "names", crew.namespace)["spec"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)
    crew.api.delete("Job", "names", crew.namespace)
    until(lambda: crew.api.find("Service", "names", crew.namespace) is None, 30)


def test_a_workers_death_alone_does_nothing(crew: Lab) -> None:
    one_dies = 'if [ "$AWS_BATCH_JOB_NODE_INDEX" = 2 ]; then exit 5; fi; ' + _SEND
    one_is_enough = _GATHER.replace("$((AWS_BATCH_JOB_NUM_NODES - 1))", "1")
    crew.job("widow", "crew", **gang(one_is_enough + 'sleep 3; [ "$total" = 500500 ]', one_dies))
    status = crew.succeeded("widow", 120)
    assert len(status["attempts"]) == 1
    ended = pods(crew, "widow")["widow-2-1"]["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["exitCode"] == 5


def test_a_failed_main_node_is_tried_again_with_all_and_stops_all(crew: Lab) -> None:
    crew.job(
        "again", "crew", **gang('sleep 2; [ "$AWS_BATCH_JOB_ATTEMPT" = 2 ] || exit 7', _STAY, retry={"attempts": 2})
    )
    status = crew.succeeded("again", 150)
    assert [(a["number"], a["exitCode"], a["counted"]) for a in status["attempts"]] == [(1, 7, True), (2, 0, True)]
    found = pods(crew, "again")
    assert len(found) == 2 * NODES
    workers = [body for name, body in found.items() if not name.startswith("again-0-")]
    assert all("MainEnded" in body["metadata"]["annotations"]["batchyard.dev/stop"] for body in workers)
    assert all(body["status"]["phase"] in ("Succeeded", "Failed") for body in found.values())


def test_two_gangs_that_do_not_fit_together_run_one_after_the_other(crew: Lab) -> None:
    for name in ("left", "right"):
        crew.job(name, "crew", **gang(_GATHER, _SEND))
    spans = []
    for name in ("left", "right"):
        (attempt,) = crew.succeeded(name, 150)["attempts"]
        spans.append((attempt["startedAt"], attempt["stoppedAt"]))
    spans.sort()
    assert spans[0][1] <= spans[1][0]


def test_one_too_large_is_told_so_at_once(crew: Lab) -> None:
    crew.job("crowd", "crew", template=shell("true"), multiNode={"nodes": NODES + 1, "groups": [{"nodes": "0:"}]})
    why = crew.reason("crowd", "JobTooLarge", 15)["status"]["message"]
    assert f"that is {NODES + 1} vCPUs" in why
    assert f"has maxVCpus {NODES}" in why
    crew.api.delete("Job", "crowd", crew.namespace)


def test_an_operator_killed_between_the_main_pod_and_the_workers_goes_on(crew: Lab) -> None:
    slow_image = {"initContainers": [{"name": "wait", "image": "batchyard.dev/busybox:1", "command": ["sleep", "6"]}]}
    spec = gang(_GATHER + '[ "$total" = 2001000 ]', _SEND)
    spec["multiNode"]["groups"][0]["template"]["spec"] |= slow_image
    crew.job("survivor-gang", "crew", **spec)
    until(lambda: crew.api.find("Pod", "survivor-gang-0-1", crew.namespace), 90)
    crew.operator.kill()
    crew.job("thief", "crew", template=shell("sleep 1", cpu="600m"))
    crew.operator.start()
    status = crew.succeeded("survivor-gang", 120)
    assert len(status["attempts"]) == 1
    assert crew.succeeded("thief", 60)["startedAt"] >= status["stoppedAt"]


def test_a_service_of_somebody_else_stands_in_the_way(crew: Lab) -> None:
    body = {"kind": "Service", "metadata": {"name": "taken"}, "spec": {"ports": [{"port": 80}]}}
    crew.api.create(body, crew.namespace)
    crew.job("taken", "crew", **gang("true", "true"))
    why = crew.reason("taken", "ServiceNameTaken", 90)["status"]["message"]
    assert "a Service named 'taken' that is not this job's stands in the way" in why
    crew.api.delete("Service", "taken", crew.namespace)
    crew.succeeded("taken", 90)
