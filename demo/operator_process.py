"""Have an operator run in the background with its ServiceAccount's rights."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

from devcluster.layout import ROOT, Layout
from tools.operator_kubeconfig import CHART, write

from demo import background

READY_SECONDS = 60.0
POLL_SECONDS = 0.1
MOST_STARTS = 5


class OperatorError(Exception):
    """The operator does not run; the text says where its log is."""


class Operator:
    """The operator as the demo needs it: up, and up again when somebody has killed it."""

    def __init__(self, layout: Layout, tell: Callable[[str], None]) -> None:
        self._layout = layout
        self._tell = tell
        self._starts = 0

    def ensure_current(self) -> None:
        """Leave an operator with today's code and rights, ready; OperatorError if it cannot be had."""
        if background.operator(self._layout) is not None and not self._is_stale():
            self._tell("The operator runs already.")
            return
        background.end(self._layout)
        self._tell("Applying the CRDs and the operator's rights; starting the operator with them.")
        write(background.kubeconfig(self._layout), self._layout)
        self._start()
        self._wait_ready()

    def ensure_alive(self) -> None:
        """Start the operator again if it has ended."""
        if background.operator(self._layout) is not None:
            return
        if self._starts >= MOST_STARTS:
            raise OperatorError(f"the operator ends again and again; its log: {background.log(self._layout)}")
        self._tell("The operator has ended; starting it again.")
        self._start()

    def _start(self) -> None:
        self._starts += 1
        background.begin(self._layout)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _is_ready(background.address(self._layout)):
            if background.operator(self._layout) is None or time.monotonic() > deadline:
                raise OperatorError(f"the operator is not ready; its log: {background.log(self._layout)}")
            time.sleep(POLL_SECONDS)

    def _is_stale(self) -> bool:
        """Whether the code or the chart is younger than the process; its kubeconfig is as old as the process."""
        started = background.kubeconfig(self._layout)
        if not started.exists():
            return True
        sources = (
            path for place in (ROOT / "operator", CHART) for path in place.rglob("*.*") if path.suffix in _SOURCES
        )
        return any(path.stat().st_mtime > started.stat().st_mtime for path in sources)


_SOURCES = frozenset({".py", ".yaml", ".tpl"})


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:  # noqa: S310 the address is ours
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
