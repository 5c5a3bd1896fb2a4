"""What was measured, as JSON for machines and as tables for people."""

from __future__ import annotations

import json
import math
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from devcluster.programs import KUBERNETES, KWOK

from bench import plots
from bench.catalogue import CATALOGUE
from bench.figures import Spread, written
from bench.meter import CLIENTS, PROGRAMS
from bench.processes import memory_of_machine, processors
from bench.thresholds import Run, Verdict

ROOT = Path(__file__).resolve().parents[1]
_WHAT = {entry.name: entry.what for entry in CATALOGUE}
_SPECIAL = {
    "pace": "jobs a second from the first submission to the last end",
    "statuses": "status writes to an array a second",
    "memory": "operator memory, MiB",
    "memory.job": "operator memory a waiting job, KiB",
    "idle": "operator while all wait, % of a core",
    "cycle": "mean cycle while all wait, ms",
    "cycle.cpu": "operator CPU a cycle while all wait and a few more come, ms",
    "restart": "start to first decision, s",
    "hop.p50": "a pod's end to the next pod, median, ms",
    "hop.p99": "a pod's end to the next pod, 99th percentile, ms",
    "launch.first": "first arrival to first launch, s",
    "launch.last": "last arrival to last launch, s",
    "launch.p50": "arrival to launch, median, s",
    "launch.p99": "arrival to launch, 99th percentile, s",
    "kills": "kills",
    "lost": "jobs lost",
    "twice": "jobs run twice",
    "failed": "jobs failed",
    "growth": "operator memory at the end beside that at the beginning of its last life",
}
_SPECIAL |= {
    f"bound.{rate}.p{share}": f"submission to bound at {rate} jobs/s, p{share}, s"
    for rate in (5, 10, 20, 40)
    for share in (50, 99)
}


def write(out: Path, runs: Sequence[Run], verdicts: Sequence[Verdict], failures: Sequence[str]) -> None:
    """Write results.json, results.md and the plots into a directory."""
    out.mkdir(parents=True, exist_ok=True)
    facts = machine(runs)
    whole = {
        "machine": facts,
        "runs": [asdict(run) for run in runs],
        "medians": {name: {key: asdict(value) for key, value in spreads.items()} for name, spreads in _all(runs)},
        "checks": [_checked(verdict) for verdict in verdicts],
        "failures": list(failures),
    }
    (out / "results.json").write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")
    pictures = plots.draw(out, runs)
    head = [f"# What the benchmark measured\n\n{_sentence_of(facts)}\n"]
    tail = [f"![{path.stem}]({path.name})\n" for path in pictures]
    tail += [f"Failed: {failure}\n" for failure in failures]
    (out / "results.md").write_text("\n".join([*head, summary(runs, verdicts), *tail]))


def summary(runs: Sequence[Run], verdicts: Sequence[Verdict]) -> str:
    """Return the tables."""
    parts = (
        ("Targets", _targets(verdicts)),
        ("Rates", _rates(runs)),
        ("CPU-ms a job", _by(runs, "cpu", PROGRAMS)),
        ("Writes a job, by client", _by(runs, "writes", CLIENTS)),
        ("More", _more(runs)),
    )
    return "\n".join(f"## {title}\n{text}" for title, text in parts)


def sentence(verdict: Verdict) -> str:
    """Say one verdict in a line."""
    check = verdict.check
    over = f" / {check.over}" if check.over else ""
    return f"{check.of}{over}: {check.what}: {_spread(verdict.value)}, target {check.target}: {verdict.words}"


def machine(runs: Sequence[Run]) -> dict[str, str | float]:
    """Return where and when it was; `others` is how many cores strangers took, the median over the runs."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    others = [run.figures["others"] for run in runs if "others" in run.figures]
    return {
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": commit.stdout.strip(),
        "kubernetes": KUBERNETES,
        "kwok": KWOK.version,
        "python": platform.python_version(),
        "cores": float(processors()),
        "memory": memory_of_machine() / 2**30,
        "others": Spread.of(others).median if others else 0.0,
    }


def _sentence_of(facts: dict[str, str | float]) -> str:
    return (
        f"`{facts['command']}`; {facts['when']}, commit {facts['commit']}; "
        f"{facts['cores']:.0f} cores, {facts['memory']:.0f} GiB; "
        f"Kubernetes {facts['kubernetes']}, KWOK {facts['kwok']}, Python {facts['python']}. Other programs of the "
        f"machine took {facts['others']:.2f} cores meanwhile (median over the runs)."
    )


def _targets(verdicts: Iterable[Verdict]) -> str:
    rows = [
        (
            v.check.of + (f" / {v.check.over}" if v.check.over else ""),
            v.check.what,
            _spread(v.value),
            v.check.target,
            v.words,
        )
        for v in verdicts
    ]
    return table(("subject", "what", "measured", "target", ""), rows)


def _rates(runs: Sequence[Run]) -> str:
    sizes = {run.subject: run.size for run in runs}
    rows = [
        (
            name,
            _WHAT[name],
            f"{sizes[name]:,}",
            _spread(s.get("rate")),
            _spread(s.get("memory")),
            _spread(s.get("others")),
        )
        for name, s in _all(runs)
    ]
    return table(("subject", "what", "size", "jobs/s", "operator, MiB", "others, cores"), rows)


def _by(runs: Sequence[Run], group: str, parts: Sequence[str]) -> str:
    rows = [
        (
            name,
            _spread(s[group]),
            *(written(s[f"{group}.{part}"].median) if f"{group}.{part}" in s else "" for part in parts),
        )
        for name, s in _all(runs)
        if group in s
    ]
    return table(("subject", "all", *parts), rows)


def _more(runs: Sequence[Run]) -> str:
    rows = [
        (name, _SPECIAL[key], _spread(s[key]))
        for name, s in _all(runs)
        for key in _SPECIAL
        if key in s and key != "memory"
    ]
    return table(("subject", "what", "measured"), rows)


def _all(runs: Sequence[Run]) -> list[tuple[str, dict[str, Spread]]]:
    """Return the spreads of all figures by subject, in the order of the catalogue."""
    present = {run.subject for run in runs}
    return [(name, spreads([run for run in runs if run.subject == name])) for name in _WHAT if name in present]


def spreads(runs: Sequence[Run]) -> dict[str, Spread]:
    """Return the spread of each figure over the runs of one subject; what a run has not is 0 there."""
    keys = sorted({key for run in runs for key in run.figures})
    return {key: Spread.of([run.figures.get(key, 0.0) for run in runs]) for key in keys}


def _checked(verdict: Verdict) -> dict[str, object]:
    check, value = verdict.check, verdict.value
    limits = {"at_least": check.at_least, "at_most": check.at_most}
    return {
        "of": check.of, "over": check.over, "figure": check.figure, "what": check.what,
        **{name: limit for name, limit in limits.items() if limit is not None},
        "value": asdict(value) if value else None, "met": verdict.is_met if value else None,
        "forbidden": verdict.is_forbidden,
    }  # fmt: skip


def _spread(spread: Spread | None) -> str:
    if spread is None or math.isnan(spread.median):
        return ""
    if spread.count == 1:
        return written(spread.median)
    return f"{written(spread.median)} ({written(spread.low)}-{written(spread.high)})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
