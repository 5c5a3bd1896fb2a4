"""What was probably meant by a name that is not there: the nearest of those that are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_ALIKE = 0.65  # of difflib's ratio: one letter wrong, missing, or two changed places, in a name of five
_MOST = 3


def meant(wrong: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x' or 'y'?", nothing where no name is alike."""
    found = get_close_matches(wrong, list(dict.fromkeys(known)), n=_MOST, cutoff=_ALIKE)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else ""
