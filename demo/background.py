"""The operator as a background process of the cluster, so that `make cluster-down` ends it with everything else.

`python3 -m demo.background stop` ends it; needs nothing but Python.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from devcluster.layout import ROOT, Layout
from devcluster.processes import Command, Process, log_of, running, start, stop
from devcluster.settings import recall, remember

NAME = "batchyard-operator"
PORT = 8080


def kubeconfig(layout: Layout) -> Path:
    """Return the file with the operator's own credentials."""
    return layout.cluster / "operator.kubeconfig"


def operator(layout: Layout) -> Process | None:
    """Return the operator that runs in the background, if one does."""
    return running(layout).get(NAME)


def begin(layout: Layout) -> Process:
    """Start the operator with its ServiceAccount's rights; return at once, before it is ready."""
    port = str(_free_port())
    remember(layout, operator_port=port)
    # A process of the cluster gets our own environment.
    os.environ.update(
        KUBECONFIG=str(kubeconfig(layout)),
        BATCHYARD_HOST="127.0.0.1",
        BATCHYARD_PORT=port,
        BATCHYARD_IDENTITY="demo",  # one that was killed need not be waited for: it is surely dead
        BATCHYARD_LOG_FORMAT="console",
    )
    process = start(Command(NAME, (str(_interpreter()), "-m", "batchyard", "run")), layout)
    (layout.cluster / "operator.pid").write_text(f"{process.pid}\n")
    return process


def end(layout: Layout) -> bool:
    """Stop the operator; return whether there was one."""
    process = operator(layout)
    if process is not None:
        stop([process], layout)
    (layout.cluster / "operator.pid").unlink(missing_ok=True)
    return process is not None


def address(layout: Layout) -> str:
    """Return the URL at which the operator answers for its metrics and its health."""
    return f"http://127.0.0.1:{recall(layout).get('operator_port', PORT)}"


def log(layout: Layout) -> Path:
    """Return the operator's log file."""
    return log_of(NAME, layout)


def _free_port() -> int:
    """Return 8080, or any free port where somebody else has that."""
    for port in (PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as listener:
                return int(listener.getsockname()[1])
        except OSError:
            continue
    raise OSError("no port is free on 127.0.0.1")


def _interpreter() -> Path:
    """Return the environment's Python under the operator's name: the processes of a cluster are found by theirs."""
    named = ROOT / ".venv" / "bin" / NAME
    if not named.is_symlink():
        named.symlink_to("python")
    return named


if __name__ == "__main__" and sys.argv[1:] == ["stop"] and end(Layout.from_environment()):
    sys.stderr.write("The operator has ended.\n")
