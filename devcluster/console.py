"""What people read while they wait: on stderr, since stdout carries answers for scripts."""

import sys


def say(sentence: str) -> None:
    """Print one line now, whatever buffers stand between."""
    print(sentence, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Write seconds as people say them: `42 s`, `5 min 50 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
