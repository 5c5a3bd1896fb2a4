"""The simulated day of mixed work with prices: all of it has run in both ways, and the parts add up."""

from __future__ import annotations

import pytest
from bench.day import main, worlds


def test_a_small_day_ends_and_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "Operator", worlds.Operator)  # the day has one of its own
    assert main(["--jobs", "4", "--dry-run"]) == 0
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    told = {name: cells for name, *cells in rows}
    assert told["jobs that succeeded"] == ["4", "4"]
    parts = ("&nbsp; useful", "&nbsp; wasted by reclaims", "&nbsp; idle")
    for way in (0, 1):
        whole, *pieces = (float(told[name][way].removeprefix("$")) for name in ("nodes cost", *parts))
        assert whole == pytest.approx(sum(pieces), abs=0.02)
        assert whole > 0
