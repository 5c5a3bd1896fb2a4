"""`kubectl_complete-batchyard`: what kubectl asks to complete `kubectl batchyard ...`, in the words of its protocol."""

from __future__ import annotations

import sys

import click
from click.shell_completion import ShellComplete

from batchyard.cli.main import cli

_FILES, _NO_FILES = 0, 4  # cobra's directives: the shell may complete files, or may not


def main() -> None:
    """Print what may stand in the place of the last argument, a line each, and a directive."""
    *before, incomplete = sys.argv[1:] or [""]
    found = ShellComplete(cli, {}, "kubectl batchyard", "").get_completions(before, incomplete)
    for item in found:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    files = any(item.type in ("file", "dir") for item in found)
    click.echo(f":{_FILES if files else _NO_FILES}")
