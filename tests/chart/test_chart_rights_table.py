"""docs/rights.md has every rule that the chart can make, with its reason, and no other."""

from chart_tree import Render
from rights import NAMESPACES, explained, rendered

WHOLE = (
    "providers.docker.enabled=true",
    "providers.simulated.enabled=true",
    "providers.karpenter.enabled=true",
    "providers.clusterAPI.enabled=true",
    "defaults.enabled=true",
)
SOME = (f"namespaces={{{','.join(NAMESPACES)}}}",)


def test_every_rule_has_a_reason_and_every_reason_a_rule(render: Render) -> None:
    rules = rendered(render(*WHOLE)) | rendered(render(*SOME))
    rows, wrong = explained()
    assert wrong == []
    assert rules - rows == set(), "rules without a row in docs/rights.md"
    assert rows - rules == set(), "rows of docs/rights.md that no rule stands behind"


def test_by_default_no_node_is_written_and_no_token_minted(render: Render) -> None:
    rules = rendered(render())
    written = {rule for rule in rules if "nodes" in rule.resources and not rule.verbs <= {"get", "list", "watch"}}
    assert written == set()
    assert not any("serviceaccounts/token" in rule.resources for rule in rules)


def test_namespaced_mode_reads_the_clusters_things_only(render: Render) -> None:
    objects = render(*SOME)
    cluster = {r for r in rendered(objects) if r.role == "ClusterRole/batchyard"}
    assert {word for rule in cluster for word in rule.resources} == {
        *("computeenvironments", "jobqueues", "schedulingpolicies", "consumableresources"),
        *("computeenvironments/status", "jobqueues/status", "schedulingpolicies/status", "consumableresources/status"),
        *("nodes", "namespaces"),
    }
    assert {verb for rule in cluster for verb in rule.verbs} == {"get", "list", "watch", "patch"}
    roles = [thing["metadata"] for thing in objects if thing["kind"] == "Role"]
    assert {m["namespace"] for m in roles if m["name"] == "batchyard-jobs"} == set(NAMESPACES)


def test_machine_sets_are_written_in_the_namespaces_that_are_named_and_nowhere_else(render: Render) -> None:
    objects = render("providers.clusterAPI.enabled=true", "providers.clusterAPI.namespaces={one,two}")
    theirs = [
        (thing["kind"], thing["metadata"].get("namespace"))
        for thing in objects
        if thing["kind"] in ("ClusterRole", "Role")
        if any("cluster.x-k8s.io" in rule["apiGroups"] for rule in thing["rules"])
    ]
    assert theirs == [("Role", "one"), ("Role", "two")]
