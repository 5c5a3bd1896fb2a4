"""Where the chart is, and what rendering it gives."""

from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "batchyard"

Render = Callable[..., list[dict]]
