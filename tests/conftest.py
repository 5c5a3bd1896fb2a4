"""Four workers on two cores, since most tests wait; each has a cluster of its own, in which its operator leads.

The first has that of `make cluster`; the others' are below it (.cluster/gw1, ...), and `make cluster-down` ends all.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_ROOT = Path(__file__).parents[1]
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
# Folders whose modules any worker may take, so that none is left with a long tail. Not those that kill and sweep
# clusters: two of them at once were seen to end with an API server that did not come back.
_BY_MODULE = frozenset({"cluster", "properties"})
# One fixture submits the jobs of all these modules at once.
_STORY = re.compile(r"tests/cluster/test_cluster_[a-gikm]_")
# What takes longest begins first; the third worker begins with what needs no operator in its cluster.
_ORDER = tuple(map(re.compile, (_STORY.pattern, "tests/cluster/test_cluster_p_", "tests/crash/", "tests/(?!cluster/)")))


def pytest_configure() -> None:
    # A run in the background of a script ignores Ctrl-C, and what the tests start and interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if _WORKER != "gw0":
        own = Path(os.environ.get("BATCHYARD_CLUSTER_DIR") or _ROOT / ".cluster") / _WORKER
        os.environ.pop("BATCHYARD_API_PORT", None)
        os.environ.update(BATCHYARD_CLUSTER_DIR=str(own), KUBECONFIG=str(own / "kubeconfig"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        return next((turn for turn, names in enumerate(_ORDER) if names.match(item.nodeid)), len(_ORDER))

    items.sort(key=turn)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Bring the worker's own cluster up where there is the first one and tests ask for it."""
    own = Path(os.environ.get("BATCHYARD_CLUSTER_DIR", ""))
    asked = any(item.get_closest_marker("cluster") or item.get_closest_marker("nodes") for item in session.items)
    if _WORKER == "gw0" or not asked or not (own.parent / "kubeconfig").exists():
        return
    rights = ("tools/operator_kubeconfig.py", str(own / "operator.kubeconfig"))
    with (own.parent / "workers.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two at once may find the same port free
        for words in (("-m", "devcluster", "up"), ("-m", "devcluster", "kwok", "up"), rights):
            done = subprocess.run([sys.executable, *words], cwd=_ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # xdist's groups by mark do not work with pytest 9.2
    """Gives a worker all tests of a folder, of the large ones a module at a time."""

    def _split_scope(self, nodeid: str) -> str:
        if _STORY.match(nodeid):
            return "cluster/story"
        folder, module = nodeid.split("::")[0].split("/")[1:3]
        return f"{folder}/{module}" if folder in _BY_MODULE else folder

    def _assign_work_unit(self, node: WorkerController) -> None:
        """A worker goes on in the folder where it is: it has the operator."""
        here = next(reversed(self.assigned_work[node]), "").split("/")[0]
        near = next((scope for scope in self.workqueue if scope.split("/")[0] == here), None)
        if near:
            self.workqueue.move_to_end(near, last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder:
    return ByFolder(config, log)


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The administrator's configuration of the cluster of `make cluster`; skips where there is none."""
    path = os.environ.get("KUBECONFIG") or str(_ROOT / ".cluster" / "kubeconfig")
    if not Path(path).exists():
        pytest.skip(f"no cluster at {path}; run `make cluster`")
    return path
