"""Every test of the contract runs once for each vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hub.sandbox import seed
from hub.sandbox.world import World
from tests.contract.stage import Stage, Staging
from tests.contract.vendor import Vendor
from tests.contract.vendors import VENDORS

TASKS = 60


@pytest.fixture(params=VENDORS, ids=str, scope="session")
def vendor(request: pytest.FixtureRequest) -> Vendor:
    chosen: Vendor = request.param
    return chosen


@pytest.fixture
def world() -> World:
    """A small world that the test may change."""
    return seed.build(seed=5, tasks=TASKS)


@pytest.fixture
async def stage(vendor: Vendor, world: World) -> AsyncIterator[Stage]:
    async with Staging(vendor.tool, world) as stage:
        yield stage
