"""Pages never pile up: when keeping is slower than fetching, fetching waits. Lower phases come first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import pytest

from connectors import registry
from connectors.base import ARCHIVED, LIVE, Credential, Slice
from connectors.errors import AuthFailed, ConnectorError
from hub.sync.reader import Arrival, Arrived, Reader
from hub.sync.store import Position
from tests.sync.pretend import Vendor, project, task

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Keeper:
    """Keeps pages as slowly as it is told; knows how far fetching ran ahead of it."""

    def __init__(self, vendor: Vendor, pauses: int) -> None:
        self.vendor, self.pauses = vendor, pauses
        self.kept: list[tuple[str, Any]] = []
        self.ahead = 0

    async def keep(self, arrival: Arrival) -> Sequence[Position]:
        for _ in range(self.pauses):
            await anyio.lowlevel.checkpoint()  # everyone else gets a turn
        self.ahead = max(self.ahead, len(self.vendor.reads) - len(self.kept))
        assert isinstance(arrival, Arrived)
        self.kept.append((arrival.piece.key, arrival.page.cursor))
        return [Position(piece, None, 0) for piece in arrival.page.opens]


async def read(vendor: Vendor, keeper: Keeper, slices: Sequence[Slice]) -> ConnectorError | None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _request: httpx.Response(500))) as client:
        connector = registry.build("pretend", Credential("t0ken"), base_url=None, options={}, client=client, now=lambda: NOW)
        return await Reader(connector, keeper.keep).run([Position(piece, None, 0) for piece in slices])


def furnished(vendor: Vendor, concurrency: int) -> list[Slice]:
    vendor.page_size, vendor.concurrency = 1, concurrency
    vendor.put(*(project(str(n)) for n in range(8)), *(task(f"{n}.{m}", str(n)) for n in range(8) for m in range(20)))
    return [Slice(f"project:{n}", f"project {n}", LIVE, {"project": f"project:{n}"}, (f"project:{n}",)) for n in range(8)]


@pytest.mark.anyio
@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_a_slow_keeper_holds_fetching_back(vendor: Vendor, concurrency: int) -> None:
    keeper = Keeper(vendor, pauses=50)
    assert await read(vendor, keeper, furnished(vendor, concurrency)) is None
    assert len(keeper.kept) == 8 * 20
    assert concurrency < keeper.ahead <= concurrency + 3


@pytest.mark.anyio
async def test_pages_of_one_slice_are_kept_in_their_order(vendor: Vendor) -> None:
    keeper = Keeper(vendor, pauses=3)
    await read(vendor, keeper, furnished(vendor, 4))
    for n in range(8):
        cursors = [cursor for key, cursor in keeper.kept if key == f"project:{n}"]
        assert cursors == [*({"place": place} for place in range(1, 20)), None]


@pytest.mark.anyio
async def test_live_things_are_read_to_their_end_before_archived_ones(vendor: Vendor) -> None:
    keeper = Keeper(vendor, pauses=1)
    slices = furnished(vendor, 3)
    old = [Slice(piece.key, piece.label, ARCHIVED, piece.args, piece.covers) for piece in slices[:3]]
    await read(vendor, keeper, [*old, *slices[3:]])
    phases = ["archived" if key in {piece.key for piece in old} else "live" for key, _ in keeper.kept]
    assert phases == ["live"] * 100 + ["archived"] * 60


@pytest.mark.anyio
async def test_a_refused_credential_stops_everyone(vendor: Vendor) -> None:
    keeper = Keeper(vendor, pauses=1)
    slices = furnished(vendor, 3)
    vendor.fail("project:1", AuthFailed("token revoked"), place=2)
    fatal = await read(vendor, keeper, slices)
    assert isinstance(fatal, AuthFailed)
    assert len(vendor.reads) < 20


@pytest.mark.anyio
async def test_what_breaks_the_keeper_is_raised_as_it_is(vendor: Vendor) -> None:
    class Broken(Keeper):
        async def keep(self, arrival: Arrival) -> Sequence[Position]:
            raise ArithmeticError("the keeper broke")

    with pytest.raises(ArithmeticError, match="the keeper broke"):
        await read(vendor, Broken(vendor, 0), furnished(vendor, 3))
