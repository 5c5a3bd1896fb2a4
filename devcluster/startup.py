"""Start what does not run, restart what runs otherwise than wanted, wait until it is of use."""

import time
from collections.abc import Callable

from .api import Api
from .components import Settings, commands
from .console import say
from .errors import SetupError
from .layout import Layout
from .processes import Command, Process, is_alive, log_of, running, start, stop

READY_SECONDS = 120.0
POLL_SECONDS = 0.05


def start_all(layout: Layout, settings: Settings) -> bool:
    """Leave all programs running as `settings` wants them; return whether any had to be started."""
    before = running(layout)
    now: list[Process] = []
    api = Api(layout.pki, settings.port)
    for command in commands(settings):
        now.append(ensure(command, layout, before.get(command.name)))
        if command.name == "kube-apiserver":
            wait_until(api.is_ready, now, layout)
    wait_until(api.has_default_service_account, now, layout)
    return any(process.name not in before or before[process.name] != process for process in now)


def ensure(command: Command, layout: Layout, process: Process | None) -> Process:
    """Return a process that runs `command`: the given one if it does, else a new one in its place."""
    if process is not None and process.line == command.line:
        return process
    if process is not None:
        stop([process], layout)
    say(f"Starting {command.name}.")
    return start(command, layout)


def wait_until(condition: Callable[[], bool], needed: list[Process], layout: Layout) -> None:
    """Return when the condition holds; a process that ends meanwhile, or two minutes, are SetupError."""
    deadline = time.monotonic() + READY_SECONDS
    while not condition():
        dead = [process for process in needed if not is_alive(process, layout)]
        if dead:
            raise SetupError(f"{dead[0].name} ended: {last_words(dead[0].name, layout)}")
        if time.monotonic() > deadline:
            name = needed[-1].name
            raise SetupError(f"{name} is not ready after {READY_SECONDS:.0f} s: {last_words(name, layout)}")
        time.sleep(POLL_SECONDS)


def last_words(name: str, layout: Layout) -> str:
    """Return the last line of a program's log and what to do next."""
    log = log_of(name, layout)
    lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return f"{lines[-1][:300]} (whole log: {log}; `make cluster-down` starts afresh)"
