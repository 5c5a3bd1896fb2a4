"""`batchyard completion`: the script that makes a shell complete subcommands, flags, jobs, queues and definitions."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from batchyard.cli.errors import Failure

COMPLETE = "_BATCHYARD_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL for `batchyard`.

    \b
    bash:  source <(batchyard completion bash)      in ~/.bashrc
    zsh:   source <(batchyard completion zsh)       in ~/.zshrc
    fish:  batchyard completion fish > ~/.config/fish/completions/batchyard.fish

    `kubectl batchyard` is completed by kubectl's own completion, through kubectl_complete-batchyard on the PATH.
    """
    found = get_completion_class(shell)
    if found is None:
        raise Failure(f"SHELL: this version of click has no completion for {shell}")
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "batchyard", COMPLETE).source())
