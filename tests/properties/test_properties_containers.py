"""Any rules on containers: refused, or a pod in an order that keeps every one of them."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from batchyard.decide.containers import ContainersError, arrange
from batchyard.world.specs import ContainerRule

TEMPLATE = {"spec": {"containers": [{"name": name, "image": "x", "command": ["run"]} for name in "abcde"]}}


@st.composite
def any_rules(draw: st.DrawFn) -> list[ContainerRule]:
    found = []
    for name in draw(st.lists(st.sampled_from("abcde"), unique=True, min_size=1)):
        targets = draw(st.lists(st.sampled_from([n for n in "abcde" if n != name]), unique=True, max_size=2))
        waits = [{"name": t, "condition": draw(st.sampled_from(("Start", "Success", "Complete")))} for t in targets]
        found.append({"name": name, "essential": draw(st.booleans()), "dependsOn": waits})
    return convert(found, list[ContainerRule])


@given(given_=any_rules())
def test_whatever_is_not_refused_is_in_an_order_that_keeps_every_rule(given_: list[ContainerRule]) -> None:
    try:
        spec = arrange(TEMPLATE, given_)["spec"]
    except ContainersError:
        return
    before = [c["name"] for c in spec.get("initContainers") or ()]
    order = [*before, *(c["name"] for c in spec["containers"])]
    assert sorted(order) == list("abcde")
    ends = {c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") != "Always"}
    for rule in given_:
        assert rule.essential <= (rule.name not in before)
        for wait in rule.depends_on:
            assert order.index(wait.name) < order.index(rule.name)
            assert (wait.name in ends) == (wait.condition != "Start")
