"""What mkdocs asks of us while it builds the site: pages made of the code, the list of decisions, links out of docs/.

A page of the navigation that is not written yet is left out, and links to it are plain text.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from tools.pages import kinds, reasons, settings  # noqa: E402 mkdocs loads this file by its path

_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")
_absent: set[str] = set()


def made() -> Iterator[tuple[str, str]]:
    """Yield path and text of each page that is made of the code."""
    for name, text in kinds.pages():
        yield f"reference/{name}", text
    yield "reference/settings.md", settings.page()
    yield "reference/phases.md", reasons.page()
    yield "changelog.md", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    yield "contributing.md", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the navigation: take out what is not there, add the decisions."""
    docs = Path(config.docs_dir)
    there = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")} | {path for path, _ in made()}
    _absent.update(set(_named(config.nav)) - there)
    config.nav = [entry for entry in (_kept(item, there, docs) for item in config.nav or []) if entry]
    return config


def _named(item: Any) -> Iterator[str]:
    """Yield the pages that a part of the navigation names."""
    if isinstance(item, str):
        yield item
    for part in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
        yield from _named(part)


def _kept(item: Any, there: set[str], docs: Path) -> Any:
    """Return an entry of the navigation without the pages that are not there; None if nothing is left."""
    if isinstance(item, str):
        return item if item in there else None
    ((title, value),) = item.items()
    if value == "adr/":
        return {title: [{_title(path): f"adr/{path.name}"} for path in sorted((docs / "adr").glob("*.md"))]}
    if isinstance(value, list):
        inside = [entry for entry in (_kept(one, there, docs) for one in value) if entry]
        return {title: inside} if inside else None
    return item if value in there else None


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of the code."""
    for path, text in made():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links to its public home, or into names where none is known."""
    here = Path(page.file.src_uri).parent
    home = str(config.extra.get("repository") or "").rstrip("/")

    def replaced(match: re.Match[str]) -> str:
        path = os.path.normpath(Path("docs", here, match[2]))
        if path.startswith("docs/"):
            return match[1] if path.removeprefix("docs/") in _absent else match[0]
        return f"[{match[1]}]({home}/blob/main/{path})" if home else f"{match[1]} (`{path}`)"

    return _LINK.sub(replaced, markdown)
