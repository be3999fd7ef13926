"""What a test of the wrapper round httpx stands on: a vendor that answers as told, a clock that only sleeping moves, and a wrapper between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from connectors.errors import ConnectorError
from connectors.http import Http, Lane, Limiter

BASE = "https://vendor.example.org/api"
CANARY = "canary-4711-sings"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def says_nothing(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError | None:
    return None


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def vendor() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        yield router


Make = Callable[..., Http]


@pytest.fixture
def make(time: Time) -> Make:
    def made(**changes: Any) -> Http:
        limiter = Limiter({"default": Lane(1000, 10)}, clock=time.clock, sleep=time.sleep)
        given: dict[str, Any] = {
            "base_url": BASE,
            "headers": {"Authorization": f"Bearer {CANARY}"},
            "classify": says_nothing,
            "limiter": limiter,
            "now": lambda: NOW,
        }
        return Http(httpx.AsyncClient(trust_env=False), **(given | changes))

    return made
