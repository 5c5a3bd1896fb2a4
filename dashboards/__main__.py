"""Write the dashboards' JSON: `python -m dashboards DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

from dashboards import operators, users
from dashboards.grafana import render

FILES = {"operators.json": operators.BOARD, "users.json": users.BOARD}

if __name__ == "__main__":
    for name, board in FILES.items():
        Path(sys.argv[1], name).write_text(render(board))
