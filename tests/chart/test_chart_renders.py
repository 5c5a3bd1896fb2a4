"""The chart is clean, refuses values it does not know, and grants no more than the operator needs."""

import subprocess

import pytest
import yaml
from chart_tree import CHART, ROOT, Render

from batchyard.cli.answer import SERVICE
from batchyard.model.labels import LEADER
from batchyard.settings import Settings


def kinds(objects: list[dict]) -> set[str]:
    return {thing["kind"] for thing in objects}


def of_kind(objects: list[dict], kind: str) -> list[dict]:
    return [thing for thing in objects if thing["kind"] == kind]


@pytest.mark.parametrize("value", ["providers.docker.enabled=false", "providers.docker.enabled=true"])
def test_lint_is_clean(helm: str, value: str) -> None:
    command = [helm, "lint", "--strict", "--quiet", str(CHART), "--set", value]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "[WARNING]" not in linted.stdout


def test_all_that_is_needed_is_there(render: Render) -> None:
    assert kinds(render("crds.install=true")) == {
        "CustomResourceDefinition",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "PriorityLevelConfiguration",
        "FlowSchema",
    }


def test_an_operator_outside_the_cluster_gets_its_rights_only(render: Render) -> None:
    assert "Deployment" not in kinds(render("operator.install=false"))
    assert "ClusterRole" in kinds(render("operator.install=false"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("operator.replicas=0", "replicas"),
        ("crds.install=maybe", "boolean"),
        ("operator.image.pullPolicy=Sometimes", "pullPolicy"),
        ("colour=red", "colour"),
        ("namespaces={Team_A}", "namespaces"),
        ("namespaces={a},providers.docker.enabled=true", "providers.docker.enabled: node scaling needs the whole"),
        ("defaults.enabled=true,operator.install=false", "defaults.enabled: they are made with the operator's image"),
    ],
)
def test_unknown_or_wrong_values_are_refused_in_words(helm: str, value: str, said: str) -> None:
    command = [helm, "template", str(CHART), "--set", value]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert said in refused.stderr


def test_definitions_are_those_of_the_tree_and_stay_behind(render: Render) -> None:
    found = {crd["metadata"]["name"]: crd for crd in of_kind(render("crds.install=true"), "CustomResourceDefinition")}
    for path in (ROOT / "crds").glob("*.yaml"):
        expected = yaml.safe_load(path.read_text())
        crd = found.pop(expected["metadata"]["name"])
        assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert crd == expected
    assert found == {}


def test_definitions_are_left_out_or_removed_on_request(render: Render) -> None:
    assert "CustomResourceDefinition" not in kinds(render("crds.install=false"))
    gone = of_kind(render("crds.keep=false"), "CustomResourceDefinition")
    assert len(gone) == len(list((ROOT / "crds").glob("*.yaml")))
    assert all("annotations" not in crd["metadata"] for crd in gone)


def test_two_stand_ready_and_never_both_go(render: Render) -> None:
    (deployment,) = of_kind(render(), "Deployment")
    spec = deployment["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    pod = spec["template"]["spec"]
    (apart,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert apart["podAffinityTerm"]["labelSelector"] == spec["selector"]
    (spread,) = pod["topologySpreadConstraints"]
    assert (spread["labelSelector"], spread["whenUnsatisfiable"]) == (spec["selector"], "ScheduleAnyway")
    (budget,) = of_kind(render(), "PodDisruptionBudget")
    assert (budget["spec"]["maxUnavailable"], budget["spec"]["selector"]) == (1, spec["selector"])


def test_one_alone_has_no_budget_that_would_stop_drains(render: Render) -> None:
    assert "PodDisruptionBudget" not in kinds(render("operator.replicas=1"))


def test_people_ask_the_leader_and_prometheus_asks_all(render: Render) -> None:
    services = {thing["metadata"]["name"]: thing["spec"] for thing in of_kind(render(), "Service")}
    (deployment,) = of_kind(render(), "Deployment")
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert services["batchyard"]["selector"] == {**selector, LEADER: "true"}
    assert services["batchyard-metrics"]["selector"] == selector
    assert services["batchyard-metrics"]["clusterIP"] == "None"
    assert SERVICE == "batchyard-system/batchyard", "where the plug-in asks unless it is told otherwise"


def test_the_operator_runs_confined(render: Render) -> None:
    (deployment,) = of_kind(render(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert [port["containerPort"] for port in container["ports"]] == [8080]


def test_the_operator_is_told_what_it_may(render: Render) -> None:
    assert environment(render())["BATCHYARD_DOCKER"] == "false"
    assert environment(render("providers.docker.enabled=true"))["BATCHYARD_DOCKER"] == "true"
    assert environment(render())["BATCHYARD_EC2"] == "false"
    assert environment(render("providers.ec2.enabled=true"))["BATCHYARD_EC2"] == "true"
    told = environment(render("namespaces={team-a,team-b}"))["BATCHYARD_NAMESPACES"]
    assert Settings(namespaces=told).namespaces == ("team-a", "team-b")


def environment(objects: list[dict]) -> dict[str, str]:
    (deployment,) = of_kind(objects, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def test_an_image_by_digest_has_no_tag(render: Render) -> None:
    digest = f"sha256:{'0' * 64}"
    (deployment,) = of_kind(render(f"operator.image.digest={digest}"), "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == f"batchyard@{digest}"


def test_no_right_is_a_wildcard_and_no_secret_is_readable(render: Render) -> None:
    objects = render("providers.docker.enabled=true")
    rules = [rule for role in (*of_kind(objects, "ClusterRole"), *of_kind(objects, "Role")) for rule in role["rules"]]
    assert not any("*" in (*rule["verbs"], *rule["resources"], *rule["apiGroups"]) for rule in rules)
    resources = {resource for rule in rules for resource in rule["resources"]}
    assert resources.isdisjoint({"secrets", "pods/exec", "pods/log", "clusterroles", "clusterrolebindings", "roles"})


def test_outcomes_are_kept_in_its_own_namespace_only(render: Render) -> None:
    for value in ("providers.docker.enabled=false", "providers.docker.enabled=true"):
        objects = render(value)
        rules = [(role["metadata"].get("namespace"), rule) for kind in ("ClusterRole", "Role")
                 for role in of_kind(objects, kind) for rule in role["rules"]]  # fmt: skip
        about = [(where, rule["verbs"]) for where, rule in rules if "configmaps" in rule["resources"]]
        assert about == [("batchyard-system", ["list", "watch", "create", "patch"])]


def test_bootstrap_tokens_are_only_for_the_docker_provider(render: Render) -> None:
    without, with_docker = render(), render("providers.docker.enabled=true")
    assert "batchyard-node-bootstrapper" not in yaml.safe_dump(without)
    rules = [rule for role in of_kind(with_docker, "Role") for rule in role["rules"]]
    (token,) = [rule for rule in rules if "serviceaccounts/token" in rule["resources"]]
    assert (token["resources"], token["resourceNames"], token["verbs"]) == (
        ["serviceaccounts/token"],
        ["batchyard-node-bootstrapper"],
        ["create"],
    )
    bound = {
        binding["roleRef"]["name"]
        for binding in of_kind(with_docker, "ClusterRoleBinding")
        if binding["subjects"][0]["name"] == "batchyard-node-bootstrapper"
    }
    assert bound == {
        "system:node-bootstrapper",
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    }


def test_a_network_policy_is_about_all_pods_of_the_release(render: Render) -> None:
    assert "NetworkPolicy" not in kinds(render())
    objects = render("networkPolicy.enabled=true,defaults.enabled=true")
    (policy,) = of_kind(objects, "NetworkPolicy")
    selector = policy["spec"]["podSelector"]
    (named,) = selector["matchExpressions"]
    for thing in (*of_kind(objects, "Deployment"), *of_kind(objects, "Job")):
        labels = thing["spec"]["template"]["metadata"]["labels"]
        assert selector["matchLabels"].items() <= labels.items(), thing["kind"]
        assert labels[named["key"]] in named["values"], thing["kind"]
    assert [port["port"] for port in policy["spec"]["ingress"][0]["ports"]] == [8080]
