"""What commands print: tables as kubectl's, JSON and YAML, and colours on a terminal only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
import yaml
from rich.console import Console
from rich.text import Text

from batchyard.model.phase import Phase

Body = dict[str, Any]
COLOURS = {
    # of jobs
    Phase.Submitted: "dim",
    Phase.Pending: "yellow",
    Phase.Runnable: "yellow",
    Phase.Starting: "cyan",
    Phase.Running: "cyan",
    Phase.Succeeded: "green",
    Phase.Failed: "red",
    # of environments, queues and schedules
    "Valid": "green",
    "Invalid": "red",
    "Disabled": "dim",
    "Held": "yellow",
    "Draining": "yellow",
}
_GAP = "   "


def console(stderr: bool = False) -> Console:
    """Return where to print; lines are never wrapped or cut, and colours are for terminals only."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def interactive(stderr: bool = False) -> bool:
    """Say whether a person looks at it."""
    return console(stderr).is_terminal


def cell(text: Any) -> Text:
    """Return a cell; a phase in its colour."""
    plain = "" if text is None else str(text)
    return Text(plain, style=COLOURS.get(plain, ""))


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Text]:
    """Return the lines of a table with aligned columns."""
    cells = [[Text(word) for word in header], *([cell(text) for text in row] for row in rows)]
    widths = [max(len(row[number]) for row in cells) for number in range(len(header))]
    return [_line(row, widths) for row in cells]


def _line(row: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for word, width in zip(row, widths, strict=True):
        line.append_text(word)
        line.append(" " * (width - len(word)) + _GAP)
    line.rstrip()
    return line


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table to stdout."""
    screen = console()
    for line in table(header, rows):
        screen.print(line)


def say(text: str) -> None:
    """Print a sentence for people to stderr, so that stdout holds nothing but the answer."""
    click.echo(text, err=True)


def dump(body: Any, form: str) -> None:
    """Print an object or several as JSON or YAML, without the book-keeping of fields that nobody reads."""
    lean = _lean(body)
    text = json.dumps(lean, indent=2) if form == "json" else yaml.safe_dump(lean, sort_keys=False).rstrip()
    click.echo(text)


def several(items: list[Body]) -> Body:
    """Return objects as kubectl lists them."""
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _lean(body: Any) -> Any:
    if isinstance(body, list):
        return [_lean(item) for item in body]
    if not isinstance(body, dict):
        return body
    if body.get("kind") == "List":
        return {**body, "items": _lean(body["items"])}
    if isinstance(body.get("metadata"), dict):
        metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
        return {**body, "metadata": metadata}
    return body
