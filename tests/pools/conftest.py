"""Fixtures of the tests of providers."""

from docker_nodes import lab

__all__ = ["lab"]
