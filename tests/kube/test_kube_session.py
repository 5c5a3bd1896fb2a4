"""Session, credentials and paths."""

from __future__ import annotations

import base64
import os
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest
import yaml
from aiohttp import web
from kubernetes.config import incluster_config
from kubernetes.config.config_exception import ConfigException
from prometheus_client import REGISTRY

from batchyard.kube import credentials, paths
from batchyard.kube.credentials import Credentials, Token
from batchyard.kube.session import ApiError, Session, UnreachableError
from kube.stub import Stub, answer, hang, listing, status, thing
from kube.things import Thing, anonymous


async def test_get_json_and_the_servers_own_words(stub: Stub, session: Session) -> None:
    stub.then(answer({"kind": "APIVersions"}), status(403, "Forbidden", "you may not"))
    assert await session.get_json("/api") == {"kind": "APIVersions"}
    with pytest.raises(ApiError, match="403 Forbidden: you may not") as caught:
        await session.get_json("/api")
    assert caught.value.status.reason == "Forbidden"


async def test_a_page_of_html_is_a_failure_with_that_text(stub: Stub, session: Session) -> None:
    async def html(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<h1>Bad gateway</h1>", status=502)

    stub.then(html)
    with pytest.raises(ApiError, match="502 : <h1>Bad gateway</h1>"):
        await session.get_json("/api")


async def test_no_answer_is_unreachable(stub: Stub, session: Session) -> None:
    stub.then(hang())
    with pytest.raises(UnreachableError, match="GET /api: TimeoutError"):
        await session.get_json("/api")
    async with Session(anonymous("http://127.0.0.1:1")) as nobody:
        with pytest.raises(UnreachableError):
            await nobody.get_json("/api")


@pytest.mark.parametrize(("off", "told"), [(300, 300), (-300, -300), (1, 0), (-2, 0)])
async def test_how_wrong_our_clock_is_the_server_tells(stub: Stub, session: Session, off: int, told: int) -> None:
    async def dated(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, headers={"Date": formatdate(time() + off, usegmt=True)})

    stub.then(dated, dated, answer({}))
    await session.get_json("/api")
    assert abs(session.clock_error - told) < 2
    await session.get_json("/api")
    assert abs(session.clock_error - told) < 2
    await session.get_json("/api")
    assert session.clock_error == 0, "clocks are set right"


async def test_lists_all_pages(stub: Stub, session: Session) -> None:
    stub.then(listing(5, thing("a", 1), continue_="x"), listing(5, thing("b", 2)))
    listed = await session.list("/api/v1/configmaps", Thing, {"labelSelector": "a=b"})
    assert [item.metadata.name for item in listed.items] == ["a", "b"]
    assert listed.version == "5"
    assert stub.seen[1][2] == {"limit": "500", "continue": "x", "labelSelector": "a=b"}


async def test_says_who_it_is_and_types_its_bodies(stub: Stub, session: Session) -> None:
    seen: list[dict[str, str]] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(dict(request.headers))
        return web.json_response({})

    stub.default = note
    await session.request("POST", "/api/v1/pods", body=b"{}")
    await session.request("PATCH", "/api/v1/pods", body=b"{}")
    await session.request("PATCH", "/api/v1/pods", body=b"{}", content_type="application/apply-patch+yaml")
    await session.request("GET", "/api/v1/pods")
    types = ["application/json", "application/merge-patch+json", "application/apply-patch+yaml", None]
    assert [headers.get("Content-Type") for headers in seen] == types
    assert all(headers["User-Agent"].startswith("batchyard/") for headers in seen)
    assert not any("Authorization" in headers for headers in seen)


async def test_every_answer_is_counted(stub: Stub, session: Session) -> None:
    def count(verb: str, resource: str, code: str) -> float:
        labels = {"verb": verb, "resource": resource, "code": code}
        return REGISTRY.get_sample_value("batchyard_api_requests_total", labels) or 0

    before = count("patch", "batchjobs/status", "409"), count("create", "pods", "error")
    stub.then(status(409, "Conflict"), hang())
    await session.request("PATCH", paths.batchyard("batchjobs", "n", "j", "status"), body=b"{}")
    with pytest.raises(UnreachableError):
        await session.request("POST", paths.core("pods", "n"), body=b"{}")
    after = count("patch", "batchjobs/status", "409"), count("create", "pods", "error")
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


async def test_tokens_are_read_again_and_old_ones_serve_until_then() -> None:
    now = 0.0
    value: str | None = "Bearer one"

    def read() -> str:
        if value == "":
            raise OSError("rotated away for a moment")
        return value or ""

    token = Token(read, lambda: now)
    value = "Bearer two"
    assert await token.header() == "Bearer one"
    now = 61
    assert await token.header() == "Bearer two"
    value, now = "", 122
    assert await token.header() == "Bearer two"
    value, now = "Bearer three", 124
    assert await token.header() == "Bearer two", "tries again after a few seconds, not at each request"
    now = 128
    assert await token.header() == "Bearer three"
    value, now = None, 200  # a plug-in that fails reads as nothing
    assert await token.header() == "Bearer three"
    assert "three" not in repr(token)


async def test_without_a_token_nothing_is_read_again() -> None:
    reads = 0

    def read() -> str:
        nonlocal reads
        reads += 1
        return ""

    now = 0.0
    token = Token(read, lambda: now)
    now = 1e9
    assert await token.header() == ""
    assert reads == 1


async def test_a_401_has_the_token_read_again(stub: Stub) -> None:
    now, value = 0.0, "Bearer one"
    token = Token(lambda: value, lambda: now)
    stub.then(status(401, "Unauthorized"), answer())
    async with Session(Credentials(stub.url, None, token)) as session:
        await session.request("GET", "/api")
        value, now = "Bearer two", 6
        await session.request("GET", "/api")
    assert await token.header() == "Bearer two"


def kubeconfig(folder: Path, server: str = "https://10.0.0.1:6443/") -> Path:
    (folder / "token").write_text("secret-token\n")
    ca = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    first = ca.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(first.encode()).decode()}
    config = {
        "current-context": "one",
        "clusters": [
            {"name": "c", "cluster": cluster},
            {"name": "plain", "cluster": {"server": "http://127.0.0.1:8001"}},
        ],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "plain", "user": "u"}},
        ],
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(config))
    return file


async def test_kubeconfig_by_environment_and_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path)))
    loaded = Credentials.load()
    assert loaded.server == "https://10.0.0.1:6443"
    assert loaded.ssl is not None
    assert loaded.ca_pem.startswith(b"-----BEGIN CERTIFICATE-----") or b"BEGIN CERTIFICATE" in loaded.ca_pem
    assert await loaded.token.header() == "Bearer secret-token"
    assert "secret-token" not in repr(loaded)
    assert Credentials.load(context="two").ssl is None


async def test_in_cluster_tokens_rotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = kubeconfig(tmp_path)
    ca = yaml.safe_load(source.read_text())["clusters"][0]["cluster"]["certificate-authority-data"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(ca))
    (tmp_path / "namespace").write_text("batchyard-system")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setattr(credentials, "TOKEN_SECONDS", 0.0)
    loaded = Credentials.load()
    assert (loaded.server, loaded.namespace) == ("https://10.96.0.1:443", "batchyard-system")
    assert (await loaded.token.header()).lower() == "bearer secret-token"
    (tmp_path / "token").write_text("rotated")
    loaded.token.expire()
    assert (await loaded.token.header()).lower() == "bearer rotated"


def test_without_any_credentials_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigException):
        Credentials.load(str(tmp_path / "absent"))


def test_paths() -> None:
    assert paths.core("pods", "n", "p", "status") == "/api/v1/namespaces/n/pods/p/status"
    assert paths.core("nodes", name="n1") == "/api/v1/nodes/n1"
    assert paths.apps("controllerrevisions", "n", "r") == "/apis/apps/v1/namespaces/n/controllerrevisions/r"
    assert paths.batchyard("batchjobs") == "/apis/batchyard.dev/v1alpha1/batchjobs"
    assert paths.batchyard("jobqueues", name="q", subresource="status") == (
        "/apis/batchyard.dev/v1alpha1/jobqueues/q/status"
    )
    assert paths.lease("n", "l") == "/apis/coordination.k8s.io/v1/namespaces/n/leases/l"


@pytest.mark.parametrize(
    ("path", "resource", "named"),
    [
        ("/api/v1/pods", "pods", False),
        ("/api/v1/namespaces/n/pods", "pods", False),
        ("/api/v1/namespaces/n/pods/p", "pods", True),
        ("/api/v1/namespaces/n/pods/p/status", "pods/status", True),
        ("/api/v1/namespaces/n", "namespaces", True),
        ("/api/v1/namespaces", "namespaces", False),
        ("/api/v1/namespaces/n/status", "namespaces/status", True),
        ("/apis/batchyard.dev/v1alpha1/jobqueues/q", "jobqueues", True),
        ("/apis/batchyard.dev/v1alpha1/namespaces/n/batchjobs/j/status", "batchjobs/status", True),
        ("/apis", "discovery", False),
        ("/version", "discovery", False),
    ],
)
def test_subjects_have_no_names_in_them(path: str, resource: str, named: bool) -> None:
    assert paths.subject(path) == (resource, named)


@pytest.mark.parametrize(
    ("method", "named", "watch", "expected"),
    [
        ("GET", True, False, "get"),
        ("GET", False, False, "list"),
        ("GET", False, True, "watch"),
        ("POST", False, False, "create"),
        ("PUT", True, False, "update"),
        ("PATCH", True, False, "patch"),
        ("DELETE", True, False, "delete"),
        ("DELETE", False, False, "deletecollection"),
    ],
)
def test_verbs_are_those_of_rbac(method: str, named: bool, watch: bool, expected: str) -> None:
    assert paths.verb(method, named=named, watch=watch) == expected
