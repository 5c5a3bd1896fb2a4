"""Prometheus and promtool, where they are built: `make test-dashboards` builds them, `make test` uses what is there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from devcluster.gobuild import Program
from devcluster.layout import Layout
from devcluster.programs import PROMTOOL


def _built(program: Program) -> Path:
    path = Layout.from_environment().cache / program.directory / "bin" / program.name
    if not path.exists():
        pytest.skip(f"{program.name} is not built here: `make prometheus` does that")
    return path


@pytest.fixture(scope="session")
def promtool() -> Path:
    return _built(PROMTOOL)


@pytest.fixture(scope="session")
def prometheus_program() -> Path:
    """Given by `make test-dashboards` only: a run that all panels have data of takes a minute."""
    given = os.environ.get("BATCHYARD_PROMETHEUS")
    if not given:
        pytest.skip("a real run with a real Prometheus is `make test-dashboards`")
    return Path(given)
