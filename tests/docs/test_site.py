"""The site builds without a warning, and asks nothing of anybody else when it is read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from docpages import ROOT

_ASKED = re.compile(r"<(?:link|script|img|iframe)\b[^>]*?(?:href|src)=\"?(https?:[^\s\">]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", f"--site-dir={out}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_it_builds_with_all_its_pages(site: Path) -> None:
    for page in ("tutorial", "how-to/spot", "reference/job", "reference/phases", "explanation/comparison"):
        assert (site / page / "index.html").stat().st_size > 5000


def test_it_asks_nothing_of_others(site: Path) -> None:
    asked = {(page.name, url) for page in site.rglob("*.html") for url in _ASKED.findall(page.read_text())}
    assert not asked


def test_links_out_of_the_docs_are_names_where_no_home_is_known(site: Path) -> None:
    page = (site / "benchmark" / "index.html").read_text()
    assert "bench/results.md" in page
    assert 'href="../bench' not in page
