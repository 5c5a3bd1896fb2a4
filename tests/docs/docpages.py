"""The pages of the documentation as the tests read them: fenced blocks, their commands, their manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEREDOC_WHOLE = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?[^\n]*\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")


@dataclass(frozen=True)
class Block:
    """One fenced block, where it stands, and under which heading."""

    page: Path
    line: int
    language: str
    text: str
    heading: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass
class Step:
    """One command as a reader types it, and the lines that the page shows below it; none: it may say anything."""

    command: str
    shows: list[str] = field(default_factory=list)


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        before = text[: match.start()]
        headings = re.findall(r"^## (.*)$", before, re.MULTILINE)
        found.append(Block(page, before.count("\n") + 1, match[1], match[2], headings[-1] if headings else ""))
    return found


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language in languages]


def steps(block: Block) -> list[Step]:
    """Return what a block has a reader do: a `bash` block is one script, a `console` block has prompts and outputs."""
    return [Step(block.text)] if block.language == "bash" else list(_dialogue(block.text.splitlines()))


def _dialogue(lines: list[str]) -> Iterator[Step]:
    step: Step | None = None
    end = ""  # of a here-document
    for line in lines:
        if end or (step and not step.shows and step.command.endswith("\\")):
            assert step
            step.command += f"\n{line}"
            end = "" if line == end else end
        elif line.startswith("$ "):
            if step:
                yield step
            step = Step(line[2:])
            heredoc = _HEREDOC.search(line)
            end = heredoc[1] if heredoc else ""
        else:
            assert step, f"output before the first command: {line!r}"
            step.shows.append(line)
    if step:
        yield step


def manifests(block: Block) -> list[dict[str, Any]]:
    """Return the Batchyard objects of a block: of YAML as it stands, of commands those in here-documents."""
    texts = [block.text] if block.language in ("yaml", "yml") else _heredocs(block.text)
    loaded = (item for text in texts if "batchyard.dev/v1alpha1" in text for item in yaml.safe_load_all(text))
    return [item for item in loaded if item and item.get("apiVersion") == "batchyard.dev/v1alpha1"]


def _heredocs(text: str) -> list[str]:
    return [match[2] for match in _HEREDOC_WHOLE.finditer(text)]
