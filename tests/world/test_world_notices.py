"""Which taints and machines count as taken back by the market."""

from batchyard.model.machine import MachineState, Taint
from batchyard.world.store import Store
from builders import environment, machine, node

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
