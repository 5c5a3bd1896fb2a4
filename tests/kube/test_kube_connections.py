"""Our own HTTP/1.1: answers in any pieces, connections that are kept, bounded, broken off, and secure."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batchyard.kube import answer as answers
from batchyard.kube.answer import Answer, ProtocolError, answer
from batchyard.kube.connection import UnheardError
from batchyard.kube.connections import KEEP_SECONDS, Connections, Origin
from batchyard.kube.message import request, target
from batchyard.kube.session import Session, UnreachableError
from kube.things import anonymous, until

HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nDATE: now\r\n"
PLAIN = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
ENDLESS = HEAD + b"\r\nhello"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + PLAIN


def read(data: bytes, size: int, *, ends: bool = False) -> Answer:
    """Feed pieces of so many bytes; nothing may come after the answer."""
    reading = answer()
    next(reading)
    pieces = [data[at : at + size] for at in range(0, len(data), size)] + ([b""] if ends else [])
    for number, piece in enumerate(pieces):
        try:
            reading.send(piece)
        except StopIteration as end:
            assert number == len(pieces) - 1
            found: Answer = end.value
            return found
    raise AssertionError("not whole")


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("data", [PLAIN, CHUNKED, EARLY])
def test_an_answer_is_whole_whatever_its_pieces(data: bytes, size: int) -> None:
    found = read(data, size)
    assert (found.status, found.body, found.last) == (201, b"hello", False)
    assert found.headers["date"] == "now"


def test_bodies_without_a_length() -> None:
    assert read(EMPTY, 5).body == b""
    assert read(ENDLESS, 4, ends=True).body == b"hello"


@pytest.mark.parametrize("line", [b"Connection: close\r\n", b"connection: Keep-Alive, Close\r\n"])
def test_who_says_close_is_believed(line: bytes) -> None:
    assert read(PLAIN.replace(b"DATE: now\r\n", line), 9).last
    assert read(PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), 9).last
    assert read(PLAIN + b"more", 1000).last, "what nobody asked for"


@pytest.mark.parametrize(
    "data",
    [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", CHUNKED.replace(b"3;x=y", b"zz"), HEAD[:-2] + b"x" * 70_000],
)
def test_nonsense_is_no_answer(data: bytes) -> None:
    with pytest.raises((ProtocolError, ValueError)):
        read(data, 1 << 16)


def test_nothing_can_be_smuggled_into_a_request() -> None:
    assert request("POST", target("/a", {"x": "y z"}), {"A": "b"}, None) == (
        b"POST /a?x=y+z HTTP/1.1\r\nA: b\r\nContent-Length: 0\r\n\r\n"
    )
    assert request("GET", "/a", {"A": "b"}, None) == b"GET /a HTTP/1.1\r\nA: b\r\n\r\n"
    for path, value in (("/a\r\nX: y", "b"), ("/a b", "b"), ("/ä", "b"), ("/a", "b\r\nX: y")):
        with pytest.raises(ValueError, match="not to be sent"):
            request("GET", path, {"A": value}, None)


class Server:
    """Answers each request of a connection with the next of its script; None closes the connection."""

    def __init__(self, *script: bytes | None) -> None:
        self.script = list(script)
        self.opened = self.asked = 0
        self.port = 0
        self.closed = asyncio.Event()
        self.hang_up: Callable[[], None] = lambda: None  # end the latest connection

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.hang_up = writer.close
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                if (said := self.script.pop(0)) is None:
                    break
                writer.write(said)
        except asyncio.IncompleteReadError:
            pass
        finally:
            self.closed.set()
            writer.close()


@asynccontextmanager
async def serving(*script: bytes | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(*script)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


def connections(server: Server, limit: int = 2, clock: Callable[[], float] = lambda: 0.0) -> Connections:
    return Connections(Origin.of(f"http://127.0.0.1:{server.port}", None, None), limit, clock)


async def ask(pool: Connections, *, again: bool = True) -> bytes:
    return (await pool.send(b"GET / HTTP/1.1\r\n\r\n", again=again)).body


async def test_a_connection_serves_again_and_not_for_ever() -> None:
    now = 0.0
    async with serving(PLAIN, CHUNKED, PLAIN) as server:
        pool = connections(server, clock=lambda: now)
        assert [await ask(pool), await ask(pool)] == [b"hello", b"hello"]
        assert server.opened == 1
        now = KEEP_SECONDS + 1
        assert await ask(pool) == b"hello"
        assert server.opened == 2
        pool.close()


async def test_no_more_connections_than_allowed() -> None:
    async with serving(*[PLAIN] * 9) as server:
        pool = connections(server, 2)
        assert await asyncio.gather(*[ask(pool) for _ in range(9)]) == [b"hello"] * 9
        assert server.opened <= 2
        pool.close()


async def test_what_was_closed_meanwhile_is_asked_again_if_it_may_be() -> None:
    async with serving(PLAIN, None, PLAIN, None) as server:
        pool = connections(server)
        await ask(pool)
        assert await ask(pool) == b"hello", "over a new connection"
        with pytest.raises(UnheardError):
            await ask(pool, again=False)
        assert (server.opened, server.asked) == (2, 4)


async def test_an_answer_cut_short_is_none() -> None:
    async with serving(PLAIN, PLAIN[:-2] + b"", None) as server:
        pool = connections(server)
        await ask(pool)
        cut = asyncio.create_task(ask(pool))
        await until(lambda: server.asked == 2)
        pool.close()
        with pytest.raises(ProtocolError):
            await cut
        with pytest.raises(ProtocolError, match="closed"):
            await ask(pool)


async def test_nobody_waits_for_ever_and_the_late_answer_serves_nobody_else() -> None:
    async with serving(b"", PLAIN) as server:
        async with Session(anonymous(f"http://127.0.0.1:{server.port}"), request_seconds=0.05) as session:
            with pytest.raises(UnreachableError, match="GET /a: TimeoutError"):
                await session.request("GET", "/a")
            await server.closed.wait()
            assert (await session.request("GET", "/b")).body == b"hello"
        assert server.opened == 2


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    async with serving(ENDLESS, PLAIN) as server:
        pool = connections(server)
        first = asyncio.create_task(ask(pool))
        await until(lambda: server.asked == 1)
        await asyncio.sleep(0.01)
        assert not first.done()
        server.hang_up()
        assert await first == b"hello"
        assert await ask(pool, again=False) == b"hello", "over a new connection"
        assert server.opened == 2


async def test_an_answer_without_a_length_that_we_break_off_is_none() -> None:
    async with serving(ENDLESS) as server:
        pool = connections(server)
        first = asyncio.create_task(ask(pool))
        await until(lambda: server.asked == 1)
        await asyncio.sleep(0.01)
        pool.close()
        with pytest.raises(ProtocolError, match="broken off"):
            await first


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", str(key), "-out", str(made), "-days", "2", "-subj", "/CN=kubernetes"),
            *("-addext", "subjectAltName=DNS:kubernetes"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


async def test_servers_are_who_their_certificate_says(certificate: tuple[Path, Path]) -> None:
    made, key = certificate
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(made, key)
    ours = ssl.create_default_context(cafile=str(made))
    async with serving(PLAIN, tls=theirs) as server:
        url = f"https://127.0.0.1:{server.port}"
        with pytest.raises(ssl.CertificateError):
            await ask(Connections(Origin.of(url, ours, None), 1))
        assert await ask(Connections(Origin.of(url, ours, "kubernetes"), 1)) == b"hello"


def test_addresses() -> None:
    origin = Origin.of("https://me@[::1]:6443/clusters/a/", None, None)
    assert (origin.host, origin.port, origin.authority, origin.prefix) == ("::1", 6443, "[::1]:6443", "/clusters/a")
    assert origin.tls is not None
    assert Origin.of("http://localhost", None, "x") == Origin("localhost", 80, "localhost")
    assert answers.MOST_HEAD >= 1 << 14
