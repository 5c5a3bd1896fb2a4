"""What a Deployment does: whenever the operator ends, another one is started."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from cluster.operator_process import Operator


@dataclass
class Keeper:
    """Starts its operator again whenever it has ended; `ends` are the exit codes."""

    operator: Operator
    ends: list[int] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Return when the operator decides."""
        self.operator.start()
        self.watch()

    def watch(self) -> None:
        """From now on there is always one."""
        self._over.clear()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while not self._over.wait(0.05):
            process = self.operator.process
            if process is not None and process.poll() is not None:
                self.ends.append(process.returncode)
                self.operator.launch()

    def kill(self) -> None:
        """End the operator as a power cut does; it comes again."""
        assert self.operator.process is not None
        self.operator.process.kill()

    def stop(self) -> None:
        """Leave the operator as it is."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
