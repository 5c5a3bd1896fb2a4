"""`batchyard graph`: who waits for whom, as a tree from the first jobs to the last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import click
from rich.text import Text
from rich.tree import Tree

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Failure
from batchyard.cli.flags import JOB, connected, output
from batchyard.cli.progress import counts
from batchyard.cli.words import name, phase

_ABSENT = "not there"
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class Graph:
    """Jobs by name, and what each name is waited for by and waits for: name -> {name: how}."""

    jobs: dict[str, Body]
    after: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    before: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def of(cls, jobs: Iterable[Body]) -> Graph:
        """Read the dependencies of jobs of one namespace."""
        graph = cls({name(job): job for job in jobs})
        for key, job in graph.jobs.items():
            for entry in job["spec"].get("dependsOn") or ():
                if entry.get("job"):
                    how = entry.get("array") or entry.get("when", "Succeeded")
                    graph.after[entry["job"]][key] = graph.before[key][entry["job"]] = how
        return graph

    def around(self, job: str) -> set[str]:
        """Return a job, all that it waits for and all that wait for it."""
        return self._reach(job, self.before) | self._reach(job, self.after)

    @staticmethod
    def _reach(job: str, edges: dict[str, dict[str, str]]) -> set[str]:
        seen, todo = {job}, [job]
        while todo:
            for other in edges.get(todo.pop(), {}):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    def phase(self, job: str) -> str:
        """Return a job's phase; that of one which does not exist says so."""
        return phase(self.jobs[job]) if job in self.jobs else _ABSENT

    def roots(self, shown: set[str]) -> list[str]:
        """Return where to begin: jobs that wait for none; of a circle any."""
        first = sorted(job for job in shown if not self.before.get(job, {}).keys() & shown)
        reached: set[str] = set()
        for job in first:
            reached |= self._reach(job, self.after)
        for job in sorted(shown):
            if job not in reached:
                first.append(job)
                reached |= self._reach(job, self.after)
        return first


@click.command("graph")
@click.argument("job", required=False, type=JOB)
@output("json", "yaml")
@connected
def command(cluster: Cluster, job: str | None, form: str | None) -> None:
    """Draw the dependencies of JOB, or of all jobs of the namespace that have any."""
    graph = Graph.of(cluster.all(cluster.path("Job")))
    if job is not None and job not in graph.jobs:
        cluster.get("Job", job)  # says that it is not there
    shown = graph.around(job) if job else set(graph.after) | {key for key, needs in graph.before.items() if needs}
    if not shown and not form:
        raise Failure(f"no job in namespace {cluster.namespace!r} depends on another (spec.dependsOn)")
    if form:
        show.dump(_plain(graph, shown), form)
        return
    screen = show.console()
    done: set[str] = set()
    for root in graph.roots(shown):
        tree = Tree(_label(graph, root, "", job), guide_style="dim")
        _grow(tree, graph, root, (shown, done, job))
        screen.print(tree)


def _grow(tree: Tree, graph: Graph, job: str, shown: tuple[set[str], set[str], str | None], depth: int = 0) -> None:
    """Add those that wait for a job; one with several parents is drawn out under the first of them only."""
    wanted, done, marked = shown
    done.add(job)
    for other, how in sorted(graph.after.get(job, {}).items()):
        if other not in wanted:
            continue
        label = _label(graph, other, how, marked)
        if other in done or depth >= _DEEPEST:
            if graph.after.get(other):
                label.append(" (see above)", "dim")
            tree.add(label)
            continue
        _grow(tree.add(label), graph, other, shown, depth + 1)


def _label(graph: Graph, job: str, how: str, marked: str | None) -> Text:
    label = Text(job, style="bold" if job == marked else "")
    word = graph.phase(job)
    label.append(" ").append(word, show.COLOURS.get(word, "red"))
    body = graph.jobs.get(job)
    if body is not None and (counted := counts(body)):
        label.append(f" {counted}")
    if how not in ("", "Succeeded"):
        label.append(f" [{how if how == 'OneToOne' else f'when {how}'}]", "dim")
    if body is not None and any(entry.get("array") == "Sequential" for entry in body["spec"].get("dependsOn") or ()):
        label.append(" [Sequential]", "dim")
    return label


def _plain(graph: Graph, shown: set[str]) -> Body:
    edges = [
        {"job": key, "dependsOn": other, "how": how}
        for key in sorted(shown)
        for other, how in sorted(graph.before.get(key, {}).items())
        if other in shown
    ]
    return {"jobs": [{"name": job, "phase": graph.phase(job)} for job in sorted(shown)], "dependencies": edges}
