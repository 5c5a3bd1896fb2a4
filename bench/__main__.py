"""`python -m bench`: run subjects beside their floors, say what they reached, fail if that is less than it must be."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the operator as a process is shared with the tests

from devcluster.console import say  # noqa: E402
from devcluster.errors import SetupError  # noqa: E402
from devcluster.layout import Layout  # noqa: E402
from devcluster.locking import exclusively  # noqa: E402

from bench import catalogue, report, rounds  # noqa: E402
from bench.arena import Arena  # noqa: E402
from bench.thresholds import Run, Verdict, judge, load  # noqa: E402


def main(arguments: Sequence[str]) -> int:
    """Return 0 if everything that was run reaches its thresholds, 1 if not, 2 if the arguments are wrong."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        entries = _entries(options)
    except KeyError as name:
        parser.error(f"there is no subject {name}; there are {', '.join(entry.name for entry in catalogue.CATALOGUE)}")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job would ignore it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        runs, failures = _run(entries, options.repeat)
    except SetupError as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; nothing is left behind.\n")
        return 130
    verdicts = judge(load(), runs)
    if options.out:
        report.write(options.out, runs, verdicts, failures)
    sys.stdout.write(report.summary(runs, verdicts))
    return _outcome(verdicts, failures)


def _run(entries: Sequence[catalogue.Entry], repeat: int) -> tuple[list[Run], list[str]]:
    """Run everything in turn on a cluster that is gone afterwards; one benchmark at a time."""
    layout = Layout.from_environment()
    with exclusively(layout.cache / "locks" / "bench", lambda: say("Another benchmark runs; waiting for it.")):
        arena = Arena.at(layout)
        try:
            arena.prepare()
            return rounds.run_all(arena, rounds.order(entries, repeat))
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing may be left behind
            arena.close()


def _outcome(verdicts: Sequence[Verdict], failures: Sequence[str]) -> int:
    for failure in failures:
        sys.stderr.write(f"failed: {failure}\n")
    for verdict in verdicts:
        if verdict.is_short:
            sys.stderr.write(f"falls short: {report.sentence(verdict)}\n")
    return 1 if failures or any(verdict.is_short for verdict in verdicts) else 0


def _entries(options: argparse.Namespace) -> list[catalogue.Entry]:
    entries = catalogue.quick() if options.quick else catalogue.whole()
    if options.subjects:
        wanted = {entry.name for entry in catalogue.chosen(options.subjects)}
        entries = [entry for entry in (entries if options.quick else catalogue.CATALOGUE) if entry.name in wanted]
    return [replace(entry, size=options.jobs or max(round(entry.size * options.scale), 1)) for entry in entries]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help="W1, B0, W7, ...; all if none is named")
    parser.add_argument("--quick", action="store_true", help="W1, W3, W6 and their floors, small")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="rounds (default 1)")
    parser.add_argument("--jobs", type=int, metavar="N", help="size of each subject (default: its own)")
    parser.add_argument("--scale", type=float, default=1, metavar="X", help="multiply all sizes, 0.1 for a rehearsal")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write results.json, results.md and plots there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
