"""The command `batchyard`, and the plug-in `kubectl batchyard`: subcommands are loaded when they are called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from batchyard.cli.flags import placed
from batchyard.cli.near import meant
from batchyard.cli.place import Place

INTERRUPTED = 130  # 128 and SIGINT, as shells have it
COMMANDS = {
    "submit": "Submit a job from a definition or from a file.",
    "list": "List jobs: phase, reason, how far they are.",
    "describe": "Tell everything about a job.",
    "explain": "Say why a job waits, and what can be done.",
    "logs": "Print what a job wrote, all children of an array or some.",
    "top": "Show queues and environments, live.",
    "stop": "Stop jobs, or children of an array.",
    "retry": "Run a failed job, or the failed children of an array, once more.",
    "cost": "Add up what jobs and nodes have cost.",
    "advise": "Compare what pods ask for with what they use, and suggest better requests.",
    "graph": "Draw who waits for whom.",
    "interrupt": "Give NODE a reclaim notice and end it when the notice is over.",
    "completion": "Print the completion script of a shell.",
}


class Commands(click.Group):
    """Loads a subcommand when it is asked for, and ends every failure in one sentence on stderr."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, those of COMMANDS first."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand by its name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        found: click.Command = import_module(f"batchyard.cli.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; of one that is not there say which was probably meant."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and (guess := meant(args[0], known)):
            raise click.UsageError(f"No such command {args[0]!r}; {guess}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without loading them."""
        others = [(name, command.get_short_help_str()) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items(), *others])

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run; exit with 2 for what could not be done and 130 for Ctrl-C."""
        try:
            code = super().main(args, prog_name, **{**extra, "standalone_mode": False})
        except click.ClickException as error:
            click.echo(f"Error: {_sentence(error)}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)


def _sentence(error: click.ClickException) -> str:
    """Return the message; of a wrong usage with where its flags are explained."""
    said = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{said.rstrip('.')} (see {context.command_path} --help)" if context else said


@click.group(cls=Commands)
@placed
@click.version_option(package_name="batchyard")
def cli(**place: str | None) -> None:
    """AWS Batch semantics for any Kubernetes cluster.

    Exit codes: 0 done, 1 or the failed attempt's own (submit --wait), 2 refused, 130 on Ctrl-C.
    """
    click.get_current_context().obj = Place(**place)


def main() -> None:
    """Entry point of `batchyard`."""
    cli(prog_name="batchyard")


def plugin() -> None:
    """Entry point of `kubectl batchyard`."""
    cli(prog_name="kubectl batchyard")
