"""AWS behind a wall: every call in a thread, with a deadline, and again with growing pauses when AWS says "slower"."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from batchyard.pools.base import ProviderError

UNAVAILABLE = "ProviderUnavailable"
ABSENT = "provider ec2 needs boto3 and stamina; install them with: pip install 'batchyard[ec2]'"
SLOWER = frozenset(
    {
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "RequestThrottled",
        "EC2ThrottledException",
        "TooManyRequestsException",
        "SlowDown",
        "ServiceUnavailable",
        "Unavailable",
        "InternalError",
        "InternalFailure",
    }
)
CAPACITY = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientCapacity",
        "InsufficientFreeAddressesInSubnet",
        "UnfulfillableCapacity",
        "SpotMaxPriceTooLow",
        "MaxSpotInstanceCountExceeded",
        "VcpuLimitExceeded",
        "InstanceLimitExceeded",
    }
)
TRIES = 6
CONNECT_SECONDS, READ_SECONDS = 5, 20


class AwsError(ProviderError):
    """AWS refused; `code` is its own token, for example InvalidInstanceID.NotFound."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"AWS refused: {message} ({code})", reason=_reason(code))
        self.code = code


class Cloud:
    """One account, with boto3's own search for credentials and endpoints; clients are made at their first use."""

    def __init__(self, *, timeout: float = 25.0) -> None:
        self._timeout = timeout
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="aws")

    async def call(self, service: str, region: str, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return AWS's answer to `operation`, named as in boto3; ProviderError when it refuses, is away, or is late."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._patiently(functools.partial(self._call, service, region, operation, arguments))
        except TimeoutError:
            raise ProviderError(f"AWS did not answer within {self._timeout:g} s", reason=UNAVAILABLE) from None

    async def _patiently(self, work: functools.partial[dict[str, Any]]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, _load)
        import stamina

        tries = stamina.retry_context(
            on=_is_slower, attempts=TRIES, timeout=None, wait_initial=0.2, wait_max=8.0, wait_jitter=1.0
        )
        async for attempt in tries:
            with attempt:
                return await loop.run_in_executor(self._threads, work)
        raise AssertionError("stamina ends with an answer or an exception")

    def _call(self, service: str, region: str, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        import botocore.exceptions as errors
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = getattr(self._client(service, region), operation)(**arguments)
        except errors.ClientError as error:
            told = error.response.get("Error", {})
            raise AwsError(str(told.get("Code", "")), str(told.get("Message", error)).rstrip(".")) from error
        except errors.NoCredentialsError as error:
            sentence = "the operator has no AWS credentials; give its ServiceAccount a role (docs/how-to/ec2.md)"
            raise ProviderError(sentence, reason=UNAVAILABLE) from error
        except errors.ParamValidationError as error:
            raise ProviderError(f"AWS cannot be asked like this: {error}") from error
        except (errors.BotoCoreError, ResponseParserError) as error:
            raise ProviderError(f"AWS cannot be reached: {error}", reason=UNAVAILABLE) from error
        return answer

    def _client(self, service: str, region: str) -> Any:
        import boto3
        from botocore.config import Config

        with self._making:  # making two clients at once is not safe; using one in many threads is
            if (service, region) not in self._clients:
                times = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
                config = Config(retries={"total_max_attempts": 1}, **times)
                session = boto3.session.Session()
                self._clients[service, region] = session.client(service, region_name=region, config=config)
            return self._clients[service, region]


def _load() -> None:
    """Import what is slow to import, in a thread; the extra may not be installed."""
    try:
        import boto3  # noqa: F401
        import stamina  # noqa: F401
    except ImportError:
        raise ProviderError(ABSENT, reason=UNAVAILABLE) from None


def _is_slower(error: Exception) -> bool:
    return isinstance(error, AwsError) and error.code in SLOWER


def _reason(code: str) -> str:
    if code in SLOWER:
        return UNAVAILABLE
    return "InsufficientCapacity" if code in CAPACITY else "LaunchFailed"
