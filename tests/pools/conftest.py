"""Fixtures of the tests of providers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

pytest.register_assert_rewrite("conformance")

from aws import Front, furnish, serve  # noqa: E402
from conformance import ENVIRONMENT  # noqa: E402
from docker_nodes import Lab, lab, opened  # noqa: E402

__all__ = ["account", "conforming", "lab"]


@pytest.fixture(scope="module")
def conforming() -> Iterator[Lab]:
    """The lab of docker nodes that the conformance suite has for itself."""
    with opened(ENVIRONMENT) as lab:
        yield lab


@dataclass(frozen=True)
class Account:
    """An AWS account with a launch template; boto3 finds it by the environment variables."""

    front: Front
    subnets: list[str]


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    with serve() as (front, url), pytest.MonkeyPatch.context() as environment:
        for name, value in (
            ("AWS_ENDPOINT_URL", url),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ):
            environment.setenv(name, value)
        yield Account(front, furnish())
