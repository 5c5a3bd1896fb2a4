"""Who we are to the API server: address, TLS and a token that is read anew before it expires."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import structlog
from kubernetes.client import Configuration
from kubernetes.config import load_incluster_config, load_kube_config
from kubernetes.config.config_exception import ConfigException
from yaml import YAMLError

log = structlog.get_logger(__name__)

KUBECONFIG = "~/.kube/config"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_SECONDS = 60.0
RETRY_SECONDS = 5.0


class Token:
    """The value of the Authorization header, read again every minute: projected tokens rotate hourly.

    While one reader fetches the new value, and if that fails, everybody goes on with the old one. `read` may block
    (exec plug-ins do), so it runs in a thread.
    """

    def __init__(self, read: Callable[[], str], clock: Callable[[], float] = monotonic) -> None:
        self._read = read
        self._clock = clock
        self._value = read()
        # Who identifies himself by a certificate has no token, now or later.
        self._fresh_until = clock() + TOKEN_SECONDS if self._value else float("inf")

    async def header(self) -> str:
        """Return the header's value; empty if we go without (client certificates)."""
        if self._clock() >= self._fresh_until:
            self._fresh_until = self._clock() + RETRY_SECONDS
            await self._refresh()
        return self._value

    def expire(self) -> None:
        """Read again at the next request, because the API server said 401; at most every few seconds."""
        self._fresh_until = min(self._fresh_until, self._clock() + RETRY_SECONDS)

    async def _refresh(self) -> None:
        try:
            # A failing plug-in reads as no token at all.
            self._value = await asyncio.to_thread(self._read) or self._value
        except (OSError, ValueError, YAMLError, ConfigException) as error:
            log.warning("credentials cannot be read again, the old ones stay", error=str(error))
        else:
            self._fresh_until = self._clock() + TOKEN_SECONDS


@dataclass(frozen=True, slots=True)
class Credentials:
    """Everything needed to reach one API server, as loaded by the official client's config loader."""

    server: str
    ssl: ssl.SSLContext | None
    token: Token = field(repr=False)
    namespace: str = "default"
    ca_pem: bytes = b""
    server_name: str | None = None

    @classmethod
    def load(cls, kubeconfig: str | None = None, context: str | None = None) -> Credentials:
        """Load from the file named, else from $KUBECONFIG, else from the pod we run in, else from ~/.kube/config.

        Raises ConfigException if there is none, or if it is unusable.
        """
        file = kubeconfig or os.environ.get("KUBECONFIG")
        if not file and "KUBERNETES_SERVICE_HOST" in os.environ:
            return cls._from(_in_cluster, _own_namespace())
        file = file or KUBECONFIG
        return cls._from(lambda: _from_file(file, context), "default")

    @classmethod
    def _from(cls, load: Callable[[], Configuration], namespace: str) -> Credentials:
        loaded = load()
        return cls(
            server=loaded.host.rstrip("/"),
            ssl=_tls(loaded) if loaded.host.startswith("https") else None,
            token=Token(lambda: _authorization(load())),
            namespace=namespace,
            ca_pem=Path(loaded.ssl_ca_cert).read_bytes() if loaded.ssl_ca_cert else b"",
            server_name=loaded.tls_server_name or None,
        )


def _in_cluster() -> Configuration:
    loaded = Configuration()
    load_incluster_config(client_configuration=loaded, try_refresh_token=False)  # type: ignore[no-untyped-call]
    return loaded


def _from_file(file: str, context: str | None) -> Configuration:
    loaded = Configuration()
    load_kube_config(  # type: ignore[no-untyped-call]
        config_file=file, context=context, client_configuration=loaded, persist_config=False
    )
    return loaded


def _own_namespace() -> str:
    file = SERVICE_ACCOUNT / "namespace"
    return file.read_text().strip() if file.exists() else "default"


def _authorization(loaded: Configuration) -> str:
    # The loaders write "bearer <file>", newline and all; a header must not contain one.
    return (loaded.api_key.get("BearerToken") or "").strip()


def _tls(loaded: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=loaded.ssl_ca_cert or None)
    # Python 3.13 refuses CAs without a key identifier, which clusters of all ages have; Go accepts them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if loaded.cert_file:
        context.load_cert_chain(loaded.cert_file, loaded.key_file or None)
    if not loaded.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
