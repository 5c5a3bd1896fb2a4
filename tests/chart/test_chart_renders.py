"""The chart is clean, refuses values it does not know, and grants no more than the operator needs."""

import subprocess

import pytest
import yaml
from chart_tree import CHART, ROOT, Render


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
    assert kinds(render()) == {
        "CustomResourceDefinition",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "Deployment",
    }


def test_an_operator_outside_the_cluster_gets_its_rights_only(render: Render) -> None:
    assert "Deployment" not in kinds(render("operator.install=false"))
    assert "ClusterRole" in kinds(render("operator.install=false"))


@pytest.mark.parametrize(
    "value", ["operator.replicas=2", "crds.install=maybe", "operator.image.pullPolicy=Sometimes", "colour=red"]
)
def test_unknown_or_wrong_values_are_refused(helm: str, value: str) -> None:
    command = [helm, "template", str(CHART), "--set", value]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "values don't meet the specifications of the schema" in refused.stderr


def test_definitions_are_those_of_the_tree_and_stay_behind(render: Render) -> None:
    found = {crd["metadata"]["name"]: crd for crd in of_kind(render(), "CustomResourceDefinition")}
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


def test_the_operator_runs_confined(render: Render) -> None:
    (deployment,) = of_kind(render(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert deployment["spec"]["replicas"] == 1
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert [port["containerPort"] for port in container["ports"]] == [8080]


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
    token = [rule for role in of_kind(with_docker, "Role") for rule in role["rules"]][-1]
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
