"""The status page: four files out of the package, and what a browser is told about them; nothing is ever changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files

from aiohttp import web

_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.svg": ("page.svg", "image/svg+xml"),
}
# Names of jobs and messages are strangers' strings: should one ever be taken for markup, it can load and send nothing.
_POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"),
    )
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def routes() -> list[web.RouteDef]:
    """Return the routes of the page; all links in it are relative, so that it works behind any prefix."""
    return [web.get(path, _file(name, kind)) for path, (name, kind) in _FILES.items()]


def _file(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = (files("batchyard") / "page" / name).read_bytes()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8")

    return answer


async def guard(_: web.Request, response: web.StreamResponse) -> None:
    """Add the headers to whatever is answered."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
