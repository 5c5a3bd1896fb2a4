"""docs/kubectl-plugin.md has a section for every command, and no flag that no command has."""

from __future__ import annotations

import re
from pathlib import Path

import click

from batchyard.cli.main import COMMANDS, cli

PAGE = Path(__file__).parents[2] / "docs" / "kubectl-plugin.md"
_OTHERS = {"--help", "--type"}  # of every command; of kubectl patch


def _commands() -> list[click.Command]:
    context = click.Context(cli)
    found = [cli.get_command(context, name) for name in COMMANDS]
    return [cli, *(command for command in found if command is not None)]


def test_every_command_has_a_section() -> None:
    headings = {line[3:].lower() for line in PAGE.read_text().splitlines() if line.startswith("## ")}
    assert set(COMMANDS) <= headings


def test_every_flag_in_the_page_exists_and_every_flag_is_in_the_page() -> None:
    has = {flag for command in _commands() for option in command.params for flag in option.opts if flag[:2] == "--"}
    named = set(re.findall(r"--[a-z][a-z-]*", PAGE.read_text()))
    assert named - has <= _OTHERS
    short = {"--output", "--filename", "--parameter", "--queue", "--selector", "--all-namespaces", "--container"}
    assert has - named <= short | {"--version"}
