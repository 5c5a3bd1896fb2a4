"""Machines by environment, whatever comes and goes."""

from copy import copy

from batchyard.world.machines import Machines
from builders import machine


def names(machines: Machines, environment: str = "pool") -> list[str]:
    return [each.name for each in machines.of(environment)]


def test_an_environment_has_its_own_in_order() -> None:
    table = Machines()
    assert names(table) == []
    for name, environment in (("b", "pool"), ("a", "pool"), ("c", "other")):
        table[name] = machine(name, environment=environment)
    assert (names(table), names(table, "other"), names(table, "none")) == (["a", "b"], ["c"], [])


def test_what_has_gone_or_changed_is_seen_at_once() -> None:
    table = Machines()
    for name in "abc":
        table[name] = machine(name)
    assert names(table) == ["a", "b", "c"]
    del table["a"]
    table.pop("b")
    table.pop("nobody", None)
    assert names(table) == ["c"]
    table["c"] = machine("c", environment="other")
    assert (names(table), names(table, "other")) == ([], ["c"])


def test_a_copy_goes_its_own_way() -> None:
    table = Machines()
    assert names(table) == []
    twin = copy(table)
    twin["a"] = machine("a")
    assert (names(table), names(twin)) == ([], ["a"])
    later = copy(twin)
    del later["a"]
    assert (names(twin), names(later)) == (["a"], [])


def test_those_whose_environment_is_gone() -> None:
    table = Machines()
    for name, environment in (("b", "gone"), ("a", "lost"), ("c", "pool")):
        table[name] = machine(name, environment=environment)
    assert [each.name for each in table.without({"pool": 1})] == ["a", "b"]
