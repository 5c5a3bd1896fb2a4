"""Writes one HTTP/1.1 request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

_TARGET = re.compile("[!-~]+")
_VALUE = re.compile("[ -~]*")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def target(path: str, params: Mapping[str, str] | None) -> str:
    """Return a path with its query."""
    return f"{path}?{urlencode(params)}" if params else path


def request(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return a request's bytes; ValueError if something in it would end a line and begin another request."""
    sized = {**headers, "Content-Length": str(len(body or b""))} if body or method in _WITH_BODY else headers
    if not _TARGET.fullmatch(target) or not all(map(_VALUE.fullmatch, sized.values())):
        raise ValueError(f"not to be sent: {method} {target!r}")
    lines = "".join([f"{name}: {value}\r\n" for name, value in sized.items()])
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + (body or b"")
