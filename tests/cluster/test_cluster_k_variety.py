"""What users do beside the main path: names made anew, states switched, several environments, several containers."""

from __future__ import annotations

from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import managed, shape, shell, simulated, template

SOON = 10


def test_a_job_made_anew_under_its_name_waits_for_the_old_pod_to_end(story: Lab) -> None:
    story.job("anew", "main", template=shell("trap '' TERM; sleep 60", terminationGracePeriodSeconds=4))
    story.phase("anew", "Running", seconds=90)
    old = story.pods("anew")
    story.api.delete("Job", "anew", story.namespace)
    until(lambda: story.api.find("Job", "anew", story.namespace) is None)
    story.job("anew", "main", template=template("true"))
    assert [attempt["number"] for attempt in story.succeeded("anew")["attempts"]] == [1]
    assert old[0].over


def test_a_disabled_queue_takes_no_new_jobs_and_finishes_the_old(story: Lab) -> None:
    story.environment("switched", managed("simulated", [shape(1)], 1))
    story.queue("switched", "switched")
    story.job("before-1", "switched", template=simulated(5_000))
    story.phase("before-1", "Starting", "Running")
    story.job("before-2", "switched", template=simulated())
    story.phase("before-2", "Runnable")
    story.api.patch("JobQueue", story.named("switched"), {"spec": {"state": "Disabled"}})
    until(lambda: story.status("JobQueue", "switched").get("phase") == "Disabled", SOON)
    story.job("after", "switched", template=simulated())
    status = story.reason("after", "QueueDisabled", SOON)["status"]
    assert "set its spec.state to Enabled" in status["message"]
    story.succeeded("before-1")
    story.succeeded("before-2")
    assert story.pods("after") == []
    story.api.patch("JobQueue", story.named("switched"), {"spec": {"state": "Enabled"}})
    story.succeeded("after")


def test_a_disabled_environment_starts_nothing_and_its_idle_nodes_leave(story: Lab) -> None:
    story.environment("off", managed("simulated", [shape(1)], 2, scaleDownDelaySeconds=1))
    story.queue("off", "off")
    story.job("on-off", "off", template=simulated(4_000))
    story.phase("on-off", "Starting", "Running")
    story.api.patch("ComputeEnvironment", story.named("off"), {"spec": {"state": "Disabled"}})
    story.job("waits-for-on", "off", template=simulated())
    status = story.reason("waits-for-on", "EnvironmentDisabled", SOON)["status"]
    assert f"'{story.named('off')}' is disabled (spec.state)" in status["message"]
    story.succeeded("on-off")
    until(lambda: not story.nodes("off"), 20)
    story.api.patch("ComputeEnvironment", story.named("off"), {"spec": {"state": "Enabled"}})
    story.succeeded("waits-for-on")


def test_environments_are_tried_in_the_order_of_the_queue(story: Lab) -> None:
    story.environment("first", managed("simulated", [shape(1)], 1, capacityType="Spot"))
    story.environment("second", managed("simulated", [shape(1)], 1))
    story.queue("both", "first", "second")
    names = [story.job(f"either-{number}", "both", template=simulated(4_000)) for number in range(2)]
    story.job("neither", "both", template=simulated())
    status = story.reason("neither", "AtMaxVCpus", SOON)["status"]
    verdicts = [(entry["name"], entry["verdict"]) for entry in status["waiting"]["environments"]]
    assert verdicts == [(story.named(name), "AtMaxVCpus") for name in ("first", "second")]
    used = [story.succeeded(name)["attempts"][0]["computeEnvironment"] for name in names]
    assert used == [story.named("first"), story.named("second")]
    story.succeeded("neither")


def test_max_running_jobs_of_a_queue(story: Lab) -> None:
    story.queue("few", "plain", maxRunningJobs=1)
    for number in range(2):
        story.job(f"one-of-few-{number}", "few", template=simulated(4_000))
    status = story.reason("one-of-few-1", "MaxRunningJobs", SOON)["status"]
    assert f"1 jobs of queue '{story.named('few')}' run; its maxRunningJobs is 1" in status["message"]
    story.succeeded("one-of-few-0")
    story.succeeded("one-of-few-1")


def test_the_longest_name(story: Lab) -> None:
    name = "n" * 50
    story.job(name, "plain", template=simulated())
    assert story.succeeded(name)["attempts"][0]["pod"] == f"{name}-1"


def test_init_containers_and_sidecars(story: Lab) -> None:
    made = shell("test -e /work/ready", volumes=[{"name": "work", "emptyDir": {}}])
    (main,) = made["spec"]["containers"]
    mounts = {"volumeMounts": [{"name": "work", "mountPath": "/work"}]}
    small = {"image": main["image"], "resources": {"requests": {"cpu": "50m", "memory": "16Mi"}}, **mounts}
    main.update(mounts)
    made["spec"]["initContainers"] = [
        {"name": "side", "command": ["sleep", "3600"], "restartPolicy": "Always", **small},
        {"name": "prepare", "command": ["touch", "/work/ready"], **small},
    ]
    story.job("several", "main", template=made)
    (attempt,) = story.succeeded("several", 90)["attempts"]
    assert attempt["exitCode"] == 0


def test_an_init_container_that_fails_is_named(story: Lab) -> None:
    made = template("true")
    image = made["spec"]["containers"][0]["image"]
    made["spec"]["initContainers"] = [
        {"name": "prepare", "image": image, "command": ["sh", "-c", "echo no disk; exit 5"]}
    ]
    story.job("unprepared", "main", template=made)
    (attempt,) = story.failed("unprepared", 90)["attempts"]
    assert (attempt["container"], attempt["exitCode"]) == ("prepare", 5)
    assert "no disk" in attempt["message"]


def test_terminate_ends_a_job_that_waits(story: Lab) -> None:
    story.job("never-mind", "plain", template=simulated(cpu="64"))
    story.reason("never-mind", "JobTooLarge", SOON)
    story.api.patch("Job", "never-mind", {"spec": {"stop": {"mode": "Terminate"}}}, story.namespace)
    status = story.failed("never-mind", SOON)
    assert status["reason"] == "Cancelled"
    assert story.pods("never-mind") == []


def test_a_cordoned_node_gets_no_new_jobs(story: Lab) -> None:
    story.environment("cordon", managed("simulated", [shape(2)], 4, scaleDownDelaySeconds=30))
    story.queue("cordon", "cordon")
    story.job("before-cordon", "cordon", template=simulated())
    node = story.succeeded("before-cordon")["attempts"][0]["node"]
    story.api.patch("Node", node, {"spec": {"unschedulable": True}})
    until(lambda: story.status("ComputeEnvironment", "cordon")["nodes"]["ready"] == 0, SOON)
    story.job("after-cordon", "cordon", template=simulated())
    assert story.succeeded("after-cordon")["attempts"][0]["node"] != node


def test_a_definition_deleted_while_its_job_waits(story: Lab) -> None:
    story.definition("brief-definition", template=simulated())
    story.job("of-brief", "later-still", definition={"name": "brief-definition"})
    story.reason("of-brief", "QueueNotFound", SOON)
    story.api.delete("JobDefinition", "brief-definition", story.namespace)
    status = story.reason("of-brief", "DefinitionNotFound", SOON)["status"]
    assert "does not exist" in status["message"]
    story.api.delete("Job", "of-brief", story.namespace)


def test_no_node_is_launched_for_a_namespace_that_is_being_deleted(story: Lab) -> None:
    story.environment("unasked", managed("simulated", [shape(1)], 1))
    namespace = story.new_namespace("doomed")
    story.definition("doomed", namespace, template=simulated())
    story.job("doomed", "unasked", namespace, definition={"name": "doomed"})
    story.reason("doomed", "QueueNotFound", SOON, namespace)
    hold = {"metadata": {"finalizers": ["example.org/hold"]}}
    story.api.patch("Job", "doomed", hold, namespace)
    story.api.delete("Namespace", namespace)
    story.queue("unasked", "unasked")
    status = story.reason("doomed", "NamespaceTerminating", SOON, namespace)["status"]
    assert f"namespace '{namespace}' is being deleted" in status["message"]
    assert story.nodes("unasked") == []
    story.api.patch("Job", "doomed", {"metadata": {"finalizers": None}}, namespace)
    until(lambda: story.api.find("Namespace", namespace) is None, 60)
