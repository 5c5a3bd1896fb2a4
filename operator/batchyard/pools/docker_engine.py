"""The docker engine behind a wall: every call in a thread, with a deadline, so that a hung engine hangs nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import docker
import docker.errors
import requests.exceptions

from batchyard.pools.base import ProviderError

T = TypeVar("T")
UNAVAILABLE = "ProviderUnavailable"


class Engine:
    """One engine, connected at first use; `call` runs a function of its client; failures become ProviderError."""

    def __init__(self, connect: Callable[[], docker.DockerClient] | None = None, *, timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._connect = connect or (lambda: docker.from_env(timeout=int(timeout)))
        self._client: docker.DockerClient | None = None
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="docker")

    async def call(self, work: Callable[[docker.DockerClient], T]) -> T:
        """The result of `work(client)`; ProviderError with a sentence when the engine refuses, is away, or is late."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                return await loop.run_in_executor(self._threads, self._run, work)
        except TimeoutError:
            sentence = f"the docker engine did not answer within {self._timeout:g} s"
            raise ProviderError(sentence, reason=UNAVAILABLE) from None

    def _run(self, work: Callable[[docker.DockerClient], T]) -> T:
        try:
            if self._client is None:
                self._client = self._connect()
            return work(self._client)
        except docker.errors.ImageNotFound as error:
            raise ProviderError(
                f"{error.explanation}: make it with `make node-image`", reason="ImageMissing"
            ) from error
        except docker.errors.APIError as error:
            raise ProviderError(f"the docker engine refused: {error.explanation or error}") from error
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise ProviderError(f"no docker engine answers: {error}", reason=UNAVAILABLE) from error
