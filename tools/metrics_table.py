"""Write the tables of docs/metrics.md from the catalogue: `python tools/metrics_table.py` (make metrics-table).

What stands between the two marks is made here, the rest of the page by hand.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from batchyard.engine.count import ENDS
from batchyard.engine.headcount import REASONS
from batchyard.model.queue import MOST_BUDGETS
from batchyard.telemetry.catalogue import ALL, BUDGET, BUDGET_SPENT, LABELS, SHARES, Metric

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
BEGIN, END = "<!-- made by tools/metrics_table.py -->", "<!-- until here -->"
_ENDED = "outcome, reason"
# How many values a label has in a metric; the labels of the key together where they go together.
_SIZES = {
    ("batchyard_nodes", "state"): 4,
    ("batchyard_instance_types", "state"): 2,
    ("batchyard_waiting_jobs", "reason"): len(REASONS),
    ("batchyard_attempts_total", _ENDED): len(ENDS),
    ("", "outcome"): len({outcome for outcome, _ in ENDS}),
    ("", "phase"): 7,
    ("", "kind"): 5,
    ("", "within_p90"): 2,
    ("", "step"): 9,
    ("batchyard_plan_verbs_total", "verb"): 17,
    ("", "lane"): 4,
    ("", "part"): 3,
    ("", "version"): 1,
}
_OPEN = ("queue", "environment", "consumable", "share", "job_namespace")


def main() -> None:
    """Put the tables into the page."""
    PAGE.write_text(page(PAGE.read_text()))


def page(text: str) -> str:
    """Return the page with its tables renewed."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{tables()}{END}{rest.partition(END)[2]}"


def tables() -> str:
    """Return the tables of metrics, labels and reasons."""
    lines = ["| metric | type | labels | series | meaning |", "|---|---|---|---|---|"]
    lines += [_row(metric) for metric in ALL]
    lines += ["", "| label | values |", "|---|---|", *(f"| `{name}` | {values} |" for name, values in LABELS.items())]
    lines += ["", "| outcome | reasons of attempts |", "|---|---|", *_outcomes()]
    waits = ", ".join(f"`{reason}`" for reason in sorted(REASONS))
    return "\n".join([*lines, "", f"Reasons to wait ({len(REASONS)}): {waits}.", ""])


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.type} | {labels} | {_series(metric)} | {metric.meaning} |"


def _series(metric: Metric) -> str:
    """Return how many series there are, for each of what exists."""
    count = len(metric.buckets) + 1 + (1 if metric.buckets and metric.buckets[0] < 0 else 2) if metric.buckets else 1
    closed = [label for label in metric.labels if label not in _OPEN]
    for label in [_ENDED] if ", ".join(closed) == _ENDED else closed:
        size = _SIZES.get((metric.name, label)) or _SIZES.get(("", label))
        if size is None:
            return "by what is asked for"
        count *= size
    each = " and ".join(label for label in _OPEN if label in metric.labels)
    each = each.replace("queue and share", f"share, {SHARES + 1} per queue at most")
    if metric in (BUDGET, BUDGET_SPENT):
        each = f"budget, {MOST_BUDGETS + 1} per queue at most"
    return f"{count} per {each}" if each else str(count)


def _outcomes() -> list[str]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for outcome, reason in ENDS:
        found[outcome].append(f"`{reason}`")
    return [f"| `{outcome}` | {', '.join(sorted(reasons))} |" for outcome, reasons in found.items()]


if __name__ == "__main__":
    main()
