"""Sets of children on the command line, as spec and status of arrays write them."""

from __future__ import annotations

from typing import Any

import click

from batchyard.world.indexes import parse


class Indexes(click.ParamType[int]):
    """A set of indexes such as 3,7-9."""

    name = "indexes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the set as an integer, bit i for index i."""
        if isinstance(value, int):
            return value
        try:
            found = parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not found:
            self.fail("no index is named; write for example 3,7-9", param, ctx)
        return found


INDEXES = Indexes()
