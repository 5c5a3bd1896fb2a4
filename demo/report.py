"""The end of the demo: the result, what ran where and for how much, whether all is right, what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.scene import Attempt, Scene
from demo.screen import money
from demo.story import Story
from demo.texts import Statistics


@dataclass(frozen=True, slots=True)
class Truth:
    """What this machine's Python has counted in the same texts."""

    statistics: Statistics
    licences: dict[str, int]


def checks(scene: Scene, story: Story, truth: Truth) -> list[tuple[str, bool]]:
    """Return every claim of the demo, and whether it holds."""
    return [
        ("the words are those that Python counts in the same files", story.statistics == truth.statistics),
        ("the licences are those that Python finds", story.licences == truth.licences),
        ("busy-at-first failed once, then succeeded", _ends(scene, "busy-at-first", ["Error", "Completed"])),
        ("hungry was killed, then succeeded with more memory", _ends(scene, "hungry", ["OutOfMemory", "Completed"])),
        ("too-slow was stopped after a minute and not tried again", _ends(scene, "too-slow", ["TimedOut"])),
        ("licences lost its spot node and succeeded on another", _survived(scene)),
    ]  # fmt: skip


def show(console: Console, scene: Scene, story: Story) -> None:
    """Print the result and the table of attempts."""
    if story.statistics is not None:
        words, different = story.statistics.words, story.statistics.different
        console.print(f"Result: {words:,} words, {different:,} different; the most frequent long ones:")
        console.print(_words(story.statistics))
    if story.licences:
        console.print("\nLicences, and how many packages refer to them:")
        console.print(_licences(story.licences))
    console.print(
        "\nWhat ran where, how it ended, and for how much (a free attempt does not count against retry.attempts):"
    )
    console.print(_attempts(scene))
    console.print(
        f"\nAll together: {money(scene.cost)}, of which {money(scene.wasted)} for attempts that did not succeed."
    )


def verdict(console: Console, claims: Sequence[tuple[str, bool]]) -> bool:
    """Print each claim with its proof; return whether all hold."""
    for sentence, holds in claims:
        console.print(Text(f"  {'yes' if holds else 'NO '}  {sentence}", style="green" if holds else "bold red"))
    return all(holds for _, holds in claims)


def _ends(scene: Scene, name: str, reasons: list[str]) -> bool:
    return [attempt.reason for attempt in scene.jobs[name].attempts] == reasons


def _survived(scene: Scene) -> bool:
    *lost, last = scene.jobs["licences"].attempts
    moved = bool(lost) and all(not attempt.counted and attempt.node != last.node for attempt in lost)
    return moved and last.reason == "Completed"


def _words(statistics: Statistics) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("long word")
    table.add_column("times", justify="right")
    for word, count in statistics.top[:10]:
        table.add_row(word, f"{count:,}")
    return table


def _licences(found: dict[str, int]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("licence")
    table.add_column("packages", justify="right")
    for name, count in sorted(found.items(), key=lambda pair: -pair[1])[:5]:
        table.add_row(name, f"{count:,}")
    return table


def _attempts(scene: Scene) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("job", "#", "node", "s", "ended as", "cost"):
        table.add_column(name, justify="right" if name in ("#", "s", "cost") else "left", no_wrap=True)
    for job in scene.jobs.values():
        for attempt in job.attempts:
            table.add_row(job.name, *_row(attempt))
    return table


def _row(attempt: Attempt) -> tuple[str, ...]:
    seconds = f"{attempt.seconds:.0f}" if attempt.seconds is not None else ""
    free = "" if attempt.counted else ", free"
    return str(attempt.number), attempt.node, seconds, f"{attempt.reason}{free}", money(attempt.cost)


def next_commands(namespace: str, cluster: Path) -> str:
    """Return what to try next, for the cluster in that directory."""
    place = f"$PWD/{cluster.name}" if cluster.parent == Path.cwd() else str(cluster)
    return f"""\
Try next (the cluster and the operator go on running):
  export KUBECONFIG={place}/kubeconfig PATH={place}/bin:$PATH
  kubectl -n {namespace} get bj -o wide           # all jobs, their nodes and costs
  kubectl -n {namespace} describe bj licences     # where each attempt ran, and why there were two
  kubectl get ce,jq,nodes                   # environments, queues, and the nodes leaving again
  kubectl apply -f examples/environments.yaml -f examples/queues.yaml -f examples/hello.yaml
  kubectl apply -f examples/too-large.yaml && kubectl describe bj too-large
  kubectl explain batchjob.spec.retry
Stop everything with: make cluster-down"""
