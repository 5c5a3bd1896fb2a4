"""`python -m demo` plays the demo on a cluster that is up (make demo); `up` starts the operator, `down` removes all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import click
from devcluster.errors import SetupError
from devcluster.layout import Layout
from devcluster.programs import path_of
from rich.console import Console

from demo import background, manifests, report
from demo.costs import settled
from demo.kubectl import Kubectl, KubectlError
from demo.operator_process import Operator, OperatorError
from demo.report import Truth
from demo.scene import Scene, look
from demo.screen import Screen
from demo.story import DemoError, Story, unfinished
from demo.texts import Folder, counted, licences

IMAGES = Path.home() / ".cache/batchyard/images"
POLL_SECONDS = 0.7
DEADLINE_SECONDS = 300.0
FAILURES = (SetupError, OperatorError, DemoError, KubectlError)


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Show Batchyard at work: a real batch over the texts of this machine."""
    if context.invoked_subcommand is None:
        sys.exit(play())


@main.command()
def up() -> None:
    """Leave an operator running in the background, with today's code and the rights that the chart gives it."""
    screen, layout = Screen(console()), Layout.from_environment()
    try:
        Operator(layout, screen.tell).ensure_current()
    except FAILURES as reason:
        sys.exit(f"The operator does not run: {reason}")
    screen.tell(f"It answers at {background.address(layout)}; its log: {background.log(layout)}")


@main.command()
def down() -> None:
    """Remove the demo's jobs, queue and environments; when its nodes are gone, end the operator."""
    screen, layout = Screen(console()), Layout.from_environment()
    try:
        Operator(layout, screen.tell).ensure_current()  # nobody else retires nodes
        kubectl = _kubectl(layout)
        _forget_earlier_runs(kubectl)
        delete = ["delete", "--ignore-not-found", f"--timeout={DEADLINE_SECONDS:.0f}s", "--filename=-"]
        kubectl.run(*delete, stdin=manifests.text("environments", ""))
        background.end(layout)
    except FAILURES as reason:
        sys.exit(f"The demo could not be removed: {reason}")
    screen.tell("The demo is gone; the cluster stays.")


def play() -> int:
    """Return 0 if every claim of the demo held, 1 if not, 130 if interrupted."""
    screen = Screen(console())
    try:
        return _play(screen, Layout.from_environment())
    except FAILURES as reason:
        screen.tell(f"The demo has failed: {reason}")
        return 1
    except KeyboardInterrupt:
        screen.tell("Interrupted. `make demo` starts afresh; `make cluster-down` removes everything.")
        return 130


def console() -> Console:
    """Return the terminal; where there is none, wide enough for every table."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=120)


def _play(screen: Screen, layout: Layout) -> int:
    operator = Operator(layout, screen.tell)
    operator.ensure_current()
    kubectl = _kubectl(layout)
    data = IMAGES / f"demo-{layout.key}"
    story = Story(_next_run(kubectl), Folder(data), screen.tell)
    number, size = story.folder.prepare()
    screen.tell(f"Input: {number} texts of this machine, {size / 2**20:.0f} MiB (most are compressed).")
    with multiprocessing.Pool(2, initializer=_stand_back) as pool:
        statistics, mentions = pool.apply_async(counted, [data]), pool.apply_async(licences, [data])
        scene = _run(screen, operator, story)
        truth = Truth(statistics.get(), mentions.get())
    return _report(screen, scene, story, truth)


def _stand_back() -> None:
    """Leave the processor to the batch, and end without a word when interrupted."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _run(screen: Screen, operator: Operator, story: Story) -> Scene:
    """Play until every job has ended; DemoError after five minutes."""
    story.begin()
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        with screen.showing():
            while True:
                scene = look(story.kubectl, manifests.ENVIRONMENTS)
                screen.show(scene)
                story.step(scene)
                if story.over(scene):
                    return scene
                if time.monotonic() > deadline:
                    raise DemoError(f"{DEADLINE_SECONDS:.0f} s were not enough:\n{unfinished(scene)}")
                operator.ensure_alive()
                time.sleep(POLL_SECONDS)
    finally:
        story.close()


def _report(screen: Screen, scene: Scene, story: Story, truth: Truth) -> int:
    screen.tell("Every job has ended.\n")
    report.show(screen.console, scene, story)
    costs = settled(story.kubectl, manifests.ENVIRONMENTS, scene.over_at)
    screen.console.print(f"{costs.sentence()}\n")
    holds = report.verdict(screen.console, [*report.checks(scene, story, truth), costs.claim])
    if holds:
        story.folder.remove()
    screen.console.print(
        f"\n{report.next_commands(story.kubectl.namespace, story.kubectl.kubeconfig.parent)}", soft_wrap=True
    )
    return 0 if holds else 1


def _kubectl(layout: Layout) -> Kubectl:
    return Kubectl(path_of("kubectl", layout), layout.kubeconfig)


def _next_run(kubectl: Kubectl) -> Kubectl:
    """Return kubectl in a namespace that no earlier run has used; those of earlier runs are on their way out."""
    number = 1 + max((int(name.rpartition("-")[2]) for name in _forget_earlier_runs(kubectl)), default=0)
    return Kubectl(kubectl.program, kubectl.kubeconfig, f"demo-{number}")


def _forget_earlier_runs(kubectl: Kubectl) -> list[str]:
    names = [item["metadata"]["name"] for item in kubectl.items("namespaces", f"--selector={manifests.LABEL}")]
    if names:
        kubectl.run("delete", "namespace", "--wait=false", *names)
    return names


if __name__ == "__main__":
    main()
