"""Which taints and machines count as taken back by the market."""

from batchyard.model.machine import MachineState, Taint
from batchyard.world.store import Store
from batchyard.world.views import Pod
from builders import environment, job, machine, node, pod, store

NOTICE = (Taint("karpenter.sh/disrupted"),)


def test_a_notice_counts_once_however_it_is_told() -> None:
    store = Store()
    store.apply(environment())
    store.apply(node(taints=NOTICE))
    store.observe("docker", [machine("n1", state=MachineState.Interrupted)], 1.0)
    assert store.interruptions == {"pool": 1}


def test_the_end_of_a_node_that_we_retire_is_no_reclaim() -> None:
    store = Store()
    store.apply(environment())
    store.apply(node())
    store.retire("n1", "was idle for 60 s")
    store.apply(node(taints=NOTICE))
    store.observe("docker", [machine("n1", state=MachineState.Interrupted)], 1.0)
    assert not store.interruptions
    assert not store.lost


def test_a_pod_that_vanishes_with_a_node_that_had_its_notice_was_taken_by_the_market() -> None:
    known = store(environment(), node(taints=NOTICE), job(), view := pod(node="n1"))
    known.remove(known.nodes["n1"])
    known.remove(view)
    assert last_of(known).disrupted == "NodeReclaimed"


def test_one_that_vanishes_with_another_node_by_that_name_is_lost() -> None:
    known = store(environment(), first := node(taints=NOTICE), job(), view := pod(node="n1"))
    known.remove(first)
    known.apply(node())
    known.remove(view)
    assert not last_of(known).disrupted


def last_of(known: Store) -> Pod:
    (last,) = known.pods_of["uid-job"].values()
    assert last.gone
    return last
