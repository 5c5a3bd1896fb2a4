"""Play the simulated nodes and their pods with KWOK; real nodes are none of its business."""

import hashlib
import time
from pathlib import Path

from .api import Api
from .cluster import waiting
from .console import say
from .errors import SetupError
from .gobuild import built
from .kubeconfig import write_whole
from .layout import Layout
from .locking import exclusively
from .processes import Command, Process, is_alive, running, stop
from .programs import KWOK
from .settings import recall
from .startup import ensure, last_words

STAGES = Path(__file__).parent / "kwok" / "simulated.yaml"
SETTLE_SECONDS = 1.0


def up(layout: Layout) -> None:
    """Leave one KWOK running against this cluster, with the present stages."""
    if not layout.kubeconfig.exists():
        raise SetupError("There is no cluster to simulate nodes in: run `make cluster` first.")
    programs = built(KWOK, layout)
    with exclusively(layout.lock, waiting):
        before = running(layout).get("kwok")
        command = _command(layout, programs)
        if before is None or before.line != command.line:
            _replace(before, command, layout)
    say("KWOK plays the nodes labelled batchyard.dev/provider=simulated.")


def down(layout: Layout) -> None:
    """Stop playing; the nodes stay and turn NotReady."""
    with exclusively(layout.lock, waiting):
        stop([process for name, process in running(layout).items() if name == "kwok"], layout)


def _command(layout: Layout, programs: Path) -> Command:
    """Name the stages by their content, so that a change of them is a change of the command line."""
    stages = STAGES.read_text()
    configuration = layout.cluster / f"kwok-{hashlib.sha256(stages.encode()).hexdigest()[:12]}.yaml"
    write_whole(configuration, stages)
    flags = (f"--kubeconfig={layout.kubeconfig}", f"--config={configuration}", "--v=ERROR")
    return Command("kwok", (str(programs / "kwok"), *flags))


def _replace(before: Process | None, command: Command, layout: Layout) -> None:
    if before is not None:
        stop([before], layout)
    if layout.pki.exists():
        Api(layout.pki, int(recall(layout)["port"])).release_simulated_nodes()
    process = ensure(command, layout, None)
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        if not is_alive(process, layout):
            raise SetupError(f"kwok ended: {last_words('kwok', layout)}")
        time.sleep(0.05)
