"""Every provider, every rule."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from conformance import RULES, Trial
from yards import YARDS


@pytest.fixture(params=[pytest.param(name, marks=marks) for name, (_, marks) in YARDS.items()])
async def trial(request: pytest.FixtureRequest) -> AsyncIterator[Trial]:
    opens, _ = YARDS[request.param]
    async with opens(request) as yard:
        opened = Trial(yard)
        yield opened
        await opened.clear()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_every_provider_keeps_to(rule: Callable[[Trial], Awaitable[None]], trial: Trial) -> None:
    await rule(trial)
