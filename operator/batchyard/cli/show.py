"""What commands print: tables as kubectl's, JSON and YAML, and colours on a terminal only."""

from __future__ import annotations

import json
import textwrap
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
    "Updating": "cyan",
    "Invalid": "red",
    "Disabled": "dim",
    "Held": "yellow",
    "Draining": "yellow",
}
_GAPS = (3, 2, 1)  # blanks between columns: fewer where the terminal is too narrow
_SHORTEST = 10  # characters to which cells are cut at most


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


def width() -> int | None:
    """Return how many columns the terminal has, None where the output is no terminal and may be of any width."""
    return console().width if interactive() else None


def table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], room: int | None = None, cut: bool = True
) -> list[Text]:
    """Return the lines of a table with aligned columns, if it can be within `room` columns.

    The first column and the headers are never cut, other cells only if they may be.
    """
    cells = [[Text(word) for word in header], *([cell(text) for text in row] for row in rows)]
    widths = [max(len(row[number]) for row in cells) for number in range(len(header))]
    gap = next((gap for gap in _GAPS if room is None or _whole(widths, gap) <= room), _GAPS[-1])
    if room is not None and cut:
        _narrow(widths, [max(len(word), _SHORTEST) for word in header], room - _whole(widths, gap))
    return [_line(row, widths, gap) for row in cells]


def _whole(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def _narrow(widths: list[int], least: Sequence[int], spare: int) -> None:
    """Take what there is too much from the widest columns, as far as that goes."""
    while spare < 0:
        widest = max(range(1, len(widths)), key=lambda number: widths[number] - least[number], default=0)
        if widest == 0 or widths[widest] <= least[widest]:
            return
        widths[widest] -= 1
        spare += 1


def _line(row: Sequence[Text], widths: Sequence[int], gap: int) -> Text:
    line = Text()
    for word, width in zip(row, widths, strict=True):
        if len(word) > width:
            word.truncate(width, overflow="ellipsis")
        line.append_text(word)
        line.append(" " * (width - len(word) + gap))
    line.rstrip()
    return line


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]], whole: bool = False) -> None:
    """Print a table to stdout; on a terminal that is too narrow its long cells are cut, unless it is to be `whole`."""
    screen = console()
    for line in table(header, rows, width(), cut=not whole):
        screen.print(line)


def prose(text: str, indent: int = 0, hang: int | None = None) -> str:
    """Return a sentence, on a terminal with whole words on each line; `hang` blanks before all lines but the first."""
    room = width()
    if room is None:
        return " " * indent + text
    after = " " * (indent if hang is None else hang)
    return textwrap.fill(
        text, room, initial_indent=" " * indent, subsequent_indent=after, break_long_words=False, break_on_hyphens=False
    )


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
