"""The limiter: never more than the vendor allows, by any window, any loop, any thread; and nobody waits for good."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import RateLimited
from connectors.limiter import MARGIN_SECONDS, WINDOW_SECONDS, Lane, Limiter, credential_key, limiter_for


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time leaps to the next timer as soon as nobody has anything to do: a minute's traffic takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self._leapt = 0.0

    def time(self) -> float:
        return self._leapt

    def _run_once(self) -> None:
        timers = [timer.when() for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        if timers and not self._ready:  # type: ignore[attr-defined]
            self._leapt = max(self._leapt, min(timers))
        super()._run_once()  # type: ignore[misc]


def in_virtual_time(story: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(story(loop))


def limiter_in(loop: VirtualLoop, **lanes: Lane) -> Limiter:
    return Limiter(lanes, clock=loop.time)


async def call(limiter: Limiter, loop: VirtualLoop, starts: list[float], seconds: float = 0.2, lane: str = "default") -> None:
    await limiter.enter(lane)
    starts.append(loop.time())
    await asyncio.sleep(seconds)
    limiter.leave(lane)


def busiest(starts: list[float], seconds: float) -> int:
    return max(sum(1 for other in starts if moment <= other < moment + seconds) for moment in starts)


@settings(max_examples=60, deadline=None)
@given(
    per_minute=st.integers(1, 40),
    at_once=st.integers(1, 6),
    calls=st.lists(st.tuples(st.floats(0, 150), st.floats(0, 20)), min_size=1, max_size=90),
    pauses=st.lists(st.tuples(st.floats(0, 150), st.floats(0, 90)), max_size=3),
)
def test_no_window_of_a_minute_ever_holds_more_starts_than_allowed_nor_more_calls_are_in_flight(
    per_minute: int, at_once: int, calls: list[tuple[float, float]], pauses: list[tuple[float, float]]
) -> None:
    starts: list[float] = []
    flight = [0, 0]

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(per_minute, at_once))
        quiet: list[tuple[float, float]] = []

        async def caller(comes: float, lasts: float) -> None:
            await asyncio.sleep(comes)
            await limiter.enter("default")
            starts.append(loop.time())
            flight[0] += 1
            flight[1] = max(flight)
            await asyncio.sleep(lasts)
            flight[0] -= 1
            limiter.leave("default")

        async def pauser(comes: float, lasts: float) -> None:
            await asyncio.sleep(comes)
            limiter.pause(lasts)
            quiet.append((loop.time(), loop.time() + lasts))

        await asyncio.gather(*(caller(*each) for each in calls), *(pauser(*each) for each in pauses))
        assert not [start for start in starts for begin, end in quiet if begin < start < end]

    in_virtual_time(story)
    assert len(starts) == len(calls)
    assert flight[0] == 0
    assert flight[1] <= at_once
    assert busiest(starts, WINDOW_SECONDS) <= per_minute


def test_a_burst_up_to_the_whole_minute_starts_at_once() -> None:
    starts: list[float] = []

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(100, 1000))
        await asyncio.gather(*(call(limiter, loop, starts) for _ in range(101)))

    in_virtual_time(story)
    assert starts[:100] == [0.0] * 100
    assert starts[100] == WINDOW_SECONDS + MARGIN_SECONDS


def test_a_lane_that_counts_seconds_holds_its_bursts_to_them() -> None:
    starts: list[float] = []

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(1500, 50, per_second=20))
        await asyncio.gather(*(call(limiter, loop, starts, 0.01) for _ in range(100)))

    in_virtual_time(story)
    assert busiest(starts, 0.999) == 20
    assert max(starts) == pytest.approx(4.0)


def test_calls_of_a_lane_within_another_count_in_both() -> None:
    starts: dict[str, list[float]] = {"default": [], "search": []}

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(30, 8), search=Lane(10, 8, within="default"))
        await asyncio.gather(*(call(limiter, loop, starts[lane], lane=lane) for lane in ["search"] * 25 + ["default"] * 30))

    in_virtual_time(story)
    assert busiest(starts["search"], WINDOW_SECONDS) == 10
    assert busiest(starts["search"] + starts["default"], WINDOW_SECONDS) == 30


def test_a_lane_within_an_unknown_lane_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="search lies within default"):
        Limiter({"search": Lane(10, 1, within="default")})


@pytest.mark.parametrize("lane", [Lane(0, 1), Lane(float("nan"), 1), Lane(float("inf"), 1), Lane(10, 0), Lane(10, 1, per_second=0)])
def test_a_lane_that_would_let_nothing_through_is_refused_at_once(lane: Lane) -> None:
    with pytest.raises(ValueError):
        Limiter({"default": lane})


def test_a_rate_below_one_a_minute_stretches_the_window() -> None:
    starts: list[float] = []

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(0.5, 5))
        await asyncio.gather(*(call(limiter, loop, starts) for _ in range(3)))

    in_virtual_time(story)
    assert all(later - earlier >= 120.0 for earlier, later in pairwise(starts))


def test_a_lowered_rate_holds_for_the_calls_already_waiting() -> None:
    starts: list[float] = []

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(20, 50))
        waiting = [asyncio.create_task(call(limiter, loop, starts)) for _ in range(40)]
        await asyncio.sleep(1)
        limiter.set_rate("default", 5)
        await asyncio.gather(*waiting)

    in_virtual_time(story)
    assert busiest(starts[20:], WINDOW_SECONDS) == 5


def test_a_raised_rate_is_noticed_by_those_who_sleep() -> None:
    starts: list[float] = []

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(5, 50))
        waiting = [asyncio.create_task(call(limiter, loop, starts)) for _ in range(10)]
        await asyncio.sleep(1)
        limiter.set_rate("default", 1000)
        await asyncio.gather(*waiting)

    in_virtual_time(story)
    assert max(starts) <= 6.0


def test_a_pause_holds_for_all_lanes_and_a_shorter_one_does_not_end_it() -> None:
    starts: list[float] = []

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(100, 5), search=Lane(60, 5))
        limiter.pause(33.5)
        limiter.pause(2)
        await asyncio.gather(*(call(limiter, loop, starts, lane=lane) for lane in ("default", "search")))

    in_virtual_time(story)
    assert starts == [33.5, 33.5]


def test_the_time_waited_is_told() -> None:
    waited: list[float] = []

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(100, 5))
        waited.append(await limiter.enter("default"))
        limiter.pause(7.25)
        waited.append(await limiter.enter("default"))

    in_virtual_time(story)
    assert waited == [0.0, 7.25]


def test_nobody_sleeps_on_a_pause_of_more_than_two_minutes_and_no_place_is_lost_by_it() -> None:
    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(100, 1))
        limiter.pause(121)
        for _ in range(3):
            with pytest.raises(RateLimited) as caught:
                await limiter.enter("default")
            assert caught.value.retry_after == 121
        assert loop.time() == 0.0
        await asyncio.sleep(121)
        assert await limiter.enter("default") == 0.0

    in_virtual_time(story)


def test_those_who_wait_for_a_place_come_in_their_order() -> None:
    order: list[int] = []

    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(1000, 1))

        async def caller(number: int) -> None:
            await limiter.enter("default")
            order.append(number)
            await asyncio.sleep(0.1)
            limiter.leave("default")

        await asyncio.gather(*(caller(number) for number in range(20)))

    in_virtual_time(story)
    assert order == list(range(20))


def test_a_cancelled_waiter_takes_no_place_with_it() -> None:
    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(1000, 1))
        await limiter.enter("default")
        in_queue, given = (asyncio.create_task(limiter.enter("default")) for _ in range(2))
        await asyncio.sleep(0)
        in_queue.cancel()
        await asyncio.sleep(0)
        limiter.leave("default")  # the place is given to the second waiter, which is cancelled before it wakes up
        given.cancel()
        assert [type(result) for result in await asyncio.gather(in_queue, given, return_exceptions=True)] == [asyncio.CancelledError] * 2
        assert await asyncio.wait_for(limiter.enter("default"), 1) == 0.0

    in_virtual_time(story)


def test_a_caller_cancelled_in_a_pause_gives_its_place_back() -> None:
    async def story(loop: VirtualLoop) -> None:
        limiter = limiter_in(loop, default=Lane(1000, 1))
        limiter.pause(60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(limiter.enter("default"), 10)
        assert await limiter.enter("default") == 50.0

    in_virtual_time(story)


def test_an_unknown_lane_is_named_with_those_that_exist() -> None:
    limiter = Limiter({"default": Lane(1, 1)})
    with pytest.raises(ValueError, match="no lane 'serach'; there are: default"):
        limiter.leave("serach")
    with pytest.raises(ValueError, match="serach"):
        limiter.set_rate("serach", 5)


def test_loops_on_several_threads_share_the_places_of_one_limiter() -> None:
    limiter = Limiter({"default": Lane(100_000, 3)})
    guard = threading.Lock()
    flight, most, done = 0, 0, 0

    async def caller() -> None:
        nonlocal flight, most, done
        await limiter.enter("default")
        with guard:
            flight += 1
            most = max(most, flight)
        await asyncio.sleep(0)
        with guard:
            flight -= 1
            done += 1
        limiter.leave("default")

    async def crowd() -> None:
        await asyncio.gather(*(caller() for _ in range(200)))

    threads = [threading.Thread(target=lambda: asyncio.run(crowd())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert done == 800
    assert 1 <= most <= 3


def test_a_place_is_not_given_to_a_loop_that_has_ended() -> None:
    limiter = Limiter({"default": Lane(1000, 1)})
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    first.run_until_complete(limiter.enter("default"))
    orphan = second.create_task(limiter.enter("default"))
    second.run_until_complete(asyncio.sleep(0))
    second.close()
    limiter.leave("default")
    assert first.run_until_complete(limiter.enter("default")) < 1.0
    first.close()
    assert not orphan.done()
    orphan._log_destroy_pending = False  # type: ignore[attr-defined]  # the end of its loop is the point here


def test_one_credential_has_one_limiter_and_its_name_does_not_hold_the_token() -> None:
    key = credential_key("asana", "https://one.example.org", "token-of-ada")
    lanes = {"default": Lane(10, 1)}
    assert limiter_for(key, lanes) is limiter_for(credential_key("asana", "https://one.example.org", "token-of-ada"), lanes)
    assert limiter_for(key, lanes) is not limiter_for(credential_key("asana", "https://one.example.org", "token-of-bob"), lanes)
    assert limiter_for(key, lanes) is not limiter_for(credential_key("monday", "https://one.example.org", "token-of-ada"), lanes)
    assert "token-of-ada" not in key


def test_the_clock_and_the_sleep_are_passed_in() -> None:
    now = [1000.0]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    def waits(limiter: Limiter) -> Awaitable[float]:
        return limiter.enter("default")

    async def story() -> float:
        limiter = Limiter({"default": Lane(10, 1)}, clock=lambda: now[0], sleep=sleep)
        limiter.pause(3)
        return await waits(limiter)

    assert asyncio.run(story()) == 3.0
    assert slept == [3.0]
