"""Flags that several commands have, and how their values are completed by the shell."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from batchyard.cli.offers import contexts, namespaces
from batchyard.cli.place import Place
from batchyard.model.labels import GROUP

if TYPE_CHECKING:
    from batchyard.cli.cluster import Cluster

Command = Callable[..., Any]
_ALIASES = frozenset({"job", "bj", "batchjob", "batchjobs"})  # before .batchyard.dev, if that is written
_SUGGESTED = 200


def placed(command: Command) -> Command:
    """Add --namespace, --context and --kubeconfig."""
    for option in (
        click.option("--kubeconfig", metavar="FILE", help="Kubeconfig file; default: $KUBECONFIG, ~/.kube/config."),
        click.option("--context", shell_complete=contexts, help="Context of the kubeconfig; default: its current one."),
        click.option("-n", "--namespace", shell_complete=namespaces, help="Namespace; default: that of the context."),
    ):
        command = option(command)
    return command


def connected(command: Command) -> Command:
    """Add the flags of `placed`, and hand the command the connection as its first argument."""

    @placed
    @wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        return command(cluster(click.get_current_context(), options), *arguments, **options)

    return run


def cluster(context: click.Context, options: dict[str, Any]) -> Cluster:
    """Return the connection that these options and those before the subcommand mean."""
    from batchyard.cli.connect import connect  # the client takes a third of a second to load; --help need not wait

    return connect(place_of(context, options))


def place_of(context: click.Context, options: dict[str, Any]) -> Place:
    """Return where these options and those before the subcommand point to, taking them out."""
    place = Place(*(options.pop(flag, None) for flag in ("kubeconfig", "context", "namespace")))
    return place.over(context.find_object(Place) or Place())


def output(*formats: str) -> Callable[[Command], Command]:
    """Add -o with these formats."""
    return click.option("-o", "--output", "form", type=click.Choice(formats), help="Format of what is printed.")


class Named(click.ParamType[str]):
    """The name of an object, completed by those that there are; a Job may be written as kubectl names it, bj/NAME."""

    name = "name"

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = kind.lower()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the bare name."""
        alias, slash, name = str(value).rpartition("/")
        if slash and (self.kind != "Job" or alias.removesuffix(f".{GROUP}") not in _ALIASES):
            self.fail(f"{value!r} is not the name of a {self.kind}; write {name!r} (and --namespace)", param, ctx)
        if not name:
            self.fail(f"the name of a {self.kind} is missing", param, ctx)
        return name

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names that begin so; none if nobody can be asked."""
        try:
            here = cluster(ctx, dict(ctx.params))
            found = here.json("GET", here.path(self.kind), {"limit": _SUGGESTED})["items"]
        except (click.ClickException, OSError):
            return []
        names = [body["metadata"]["name"] for body in found]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


JOB, QUEUE, DEFINITION = Named("Job"), Named("JobQueue"), Named("JobDefinition")
