"""The vendor's limits: waited out to the second when it speaks of them, and kept from the start on the smallest plan. Time is virtual."""

from __future__ import annotations

from itertools import pairwise

import pytest

from connectors.errors import RateLimited
from connectors.limiter import Lane
from connectors.registry import connector_class
from hub.sandbox import seed, truth
from hub.sandbox.knobs import Fault, Knobs
from tests.contract.reading import Caller, read_all
from tests.contract.stage import Sent, Stage, Staging
from tests.contract.vendor import Vendor

pytestmark = pytest.mark.anyio

HURRIED = 6
"""Calls a minute that the vendor allows where the test wants it to say no."""
MINUTE = 60.0


def first_refusal(sent: list[Sent]) -> int:
    return next(place for place, one in enumerate(sent) if one.status == 429)


async def test_the_wait_that_a_429_asks_for_is_kept_to_the_second(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.faults.append(Fault(vendor.tool, vendor.task_page, "status", code=429))
    await read_all(stage.connector())
    place = first_refusal(stage.wire.sent)
    refused, again = stage.wire.sent[place : place + 2]
    assert again.url == refused.url
    assert again.at - refused.at == pytest.approx(vendor.said_wait(refused.headers))
    assert stage.statuses().count(429) == 1


async def test_a_limit_that_was_not_known_is_waited_out_and_never_knocked_at_early(vendor: Vendor, stage: Stage) -> None:
    """The vendor allows far fewer calls than its plans say; the connector's own lanes know nothing of it."""
    stage.knobs.rates[vendor.tool] = HURRIED
    stage.knobs.page_size = 30
    notes = await read_all(stage.connector(lanes=unbounded(vendor)))
    assert notes.tasks() == set(truth.expected_tasks(stage.world, vendor.tool))
    refusals = [(one, after) for one, after in pairwise(sorted(stage.wire.sent, key=moment)) if one.status == 429]
    assert [after for one, after in refusals if one.at < after.at < one.at + vendor.said_wait(one.headers) - 0.001] == []
    assert stage.time.now - stage.wire.sent[0].at >= MINUTE * ((len(stage.wire.sent) - len(refusals)) // HURRIED - 1)


def moment(sent: Sent) -> float:
    return sent.at


def unbounded(vendor: Vendor) -> dict[str, Lane]:
    return {name: Lane(per_minute=1_000_000, at_once=100) for name in connector_class(vendor.tool).lanes}


async def test_a_refused_call_holds_up_all_others_of_the_credential(vendor: Vendor, stage: Stage) -> None:
    stage.knobs.faults.append(Fault(vendor.tool, vendor.task_page, "status", code=429))
    connector = stage.connector()
    await Caller(connector).everything(at_once=connector.capabilities.concurrency)
    sent = sorted(stage.wire.sent, key=lambda one: one.at)
    refused = sent[first_refusal(sent)]
    until = refused.at + vendor.said_wait(refused.headers)
    assert [one for one in sent if refused.at < one.at < until - 0.001] == []


async def test_a_very_long_wait_ends_the_read_and_sleeps_on_nothing(vendor: Vendor, stage: Stage) -> None:
    connector = stage.connector()
    connector.http.limiter.pause(3600.0)
    with pytest.raises(RateLimited) as caught:
        await read_all(connector)
    assert caught.value.retry_after == pytest.approx(3600.0)
    assert stage.wire.sent == []
    assert stage.time.slept == []


@pytest.mark.parametrize("side_by_side", [False, True])
async def test_the_limits_of_the_smallest_plan_are_kept_without_being_told(vendor: Vendor, side_by_side: bool) -> None:
    world = seed.build(seed=5, tasks=140, plans={vendor.tool: vendor.small_plan})
    async with Staging(vendor.tool, world, Knobs(page_size=1)) as stage:
        connector = stage.connector()
        await connector.check()
        notes = await Caller(connector).everything(at_once=connector.capabilities.concurrency if side_by_side else 1)
        assert notes.tasks() == set(truth.expected_tasks(world, vendor.tool))
        assert 429 not in stage.statuses()
        minutes = (len(stage.wire.sent) - 1) // vendor.small_rate
        assert stage.time.now - stage.wire.sent[0].at >= MINUTE * minutes
