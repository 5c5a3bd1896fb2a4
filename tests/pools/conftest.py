"""Fixtures of the tests of providers."""

import pytest

pytest.register_assert_rewrite("conformance")

from docker_nodes import lab  # noqa: E402

__all__ = ["lab"]
