"""One credential's budget of calls, shared by everything in this process that uses the credential.

A lane is one of the vendor's limits. The window is a sliding one: a log of the moments at which calls started, never more than ``per_minute`` of them
in any 60 seconds. That is right for a vendor whose window is fixed (ClickUp), too, since what holds in every sliding window holds in every fixed one.
A burst up to the full minute is allowed. What the vendor itself says ("wait 7 s") comes in through ``pause`` and holds for all lanes.

Sync jobs run in event loops of their own, on threads of their own, and may share a credential. So the counters are under a plain lock, held for
microseconds and never across an await, and whoever waits for a place is woken through its own loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from connectors.errors import RateLimited

WINDOW_SECONDS = 60.0
MARGIN_SECONDS = 0.5
"""Calls leave in step and arrive out of step: the vendor's minute is ours plus the difference of two latencies."""

LONGEST_WAIT = 120.0
"""Seconds. A longer pause is raised instead of slept, so that the run is put off and no worker hangs on it."""

LOOK_AGAIN = 5.0
"""Seconds after which a sleeper looks again, because the rate may have been raised meanwhile."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One of the vendor's limits: so many calls a minute, so many at once.

    ``per_second``: bursts are held to it too, for a vendor that looks more often than once a minute. ``within``:
    another lane in which these calls count as well.
    """

    per_minute: float
    at_once: int
    per_second: int | None = None
    within: str | None = None


class _Turn:
    """One caller waiting for a place; woken in the loop it waits in."""

    __slots__ = ("given", "loop", "woken")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.woken: asyncio.Future[None] = self.loop.create_future()
        self.given = False

    def wake(self) -> bool:
        """False where the waiter's loop has ended: the place must go to another."""
        try:
            self.loop.call_soon_threadsafe(self._resolve)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _resolve(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


class _State:
    """The counters of one lane; every touch is under the limiter's lock."""

    __slots__ = ("at_once", "capacity", "in_flight", "per_second", "queue", "starts", "window")

    def __init__(self, lane: Lane) -> None:
        if lane.at_once < 1 or (lane.per_second is not None and lane.per_second < 1):
            raise ValueError("a lane must let at least one call through")
        self.at_once = lane.at_once
        self.per_second = lane.per_second
        self.in_flight = 0
        self.queue: deque[_Turn] = deque()
        self.starts: deque[float] = deque()
        self.set_rate(lane.per_minute)

    def set_rate(self, per_minute: float) -> None:
        if not 0 < per_minute < float("inf"):
            raise ValueError(f"calls a minute must be a number above 0, not {per_minute}")
        self.capacity = max(1, int(per_minute))
        self.window = WINDOW_SECONDS * max(1.0, 1.0 / per_minute) + MARGIN_SECONDS

    def free_at(self, now: float) -> float:
        """The moment from which this lane lets the next call start."""
        starts = self.starts
        while starts and starts[0] + self.window <= now:
            starts.popleft()
        moment = 0.0
        if len(starts) >= self.capacity:
            moment = starts[len(starts) - self.capacity] + self.window
        if self.per_second is not None and len(starts) >= self.per_second:
            moment = max(moment, starts[len(starts) - self.per_second] + 1.0)
        return moment


class Limiter:
    """Lets calls through as the lanes allow: ``await enter(lane)`` before a call, ``leave(lane)`` after it, whatever came of it."""

    def __init__(
        self, lanes: Mapping[str, Lane], *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        self._lock = threading.Lock()
        self._paused_until = 0.0
        states = {name: _State(lane) for name, lane in lanes.items()}
        self._chains: dict[str, tuple[_State, ...]] = {}
        for name, lane in lanes.items():
            if lane.within is not None and (lane.within not in lanes or lanes[lane.within].within is not None):
                raise ValueError(f"lane {name} lies within {lane.within}, which must be a lane that lies within no other")
            self._chains[name] = (states[name],) if lane.within is None else (states[name], states[lane.within])

    def set_rate(self, lane: str, per_minute: float) -> None:
        """Takes over what the vendor says its limit is, from the next call on."""
        with self._lock:
            self._chain(lane)[0].set_rate(per_minute)

    def pause(self, seconds: float) -> None:
        """No call of any lane starts for so many seconds; a shorter pause never ends a longer one early."""
        with self._lock:
            self._paused_until = max(self._paused_until, self.clock() + seconds)

    async def enter(self, lane: str) -> float:
        """Waits for a turn and takes it; returns the seconds waited. Raises RateLimited, taking nothing, in a pause longer than LONGEST_WAIT."""
        chain = self._chain(lane)
        came = self.clock()
        held = 0
        try:
            for state in chain:
                await self._take_place(state)
                held += 1
            await self._take_start(chain)
        except BaseException:  # also when cancelled: a place that nobody gives back would be lost for good
            for state in chain[:held]:
                self._give_place(state)
            raise
        return self.clock() - came

    def leave(self, lane: str) -> None:
        """Gives the place back."""
        for state in self._chain(lane):
            self._give_place(state)

    def _chain(self, lane: str) -> tuple[_State, ...]:
        try:
            return self._chains[lane]
        except KeyError:
            raise ValueError(f"no lane {lane!r}; there are: {', '.join(sorted(self._chains))}") from None

    async def _take_place(self, state: _State) -> None:
        with self._lock:
            if state.in_flight < state.at_once:
                state.in_flight += 1
                return
            turn = _Turn()
            state.queue.append(turn)
        try:
            await turn.woken
        except BaseException:
            with self._lock:
                given = turn.given
                if not given:
                    state.queue.remove(turn)
            if given:  # cancelled in the moment between being given the place and waking up
                self._give_place(state)
            raise

    def _give_place(self, state: _State) -> None:
        """Hands the place to the one who has waited longest, or frees it."""
        with self._lock:
            while state.queue:
                turn = state.queue.popleft()
                turn.given = True
                if turn.wake():
                    return
            state.in_flight -= 1

    async def _take_start(self, chain: tuple[_State, ...]) -> None:
        while True:
            with self._lock:
                now = self.clock()
                pause = self._paused_until - now
                moment = max(self._paused_until, *(state.free_at(now) for state in chain))
                if moment <= now:
                    for state in chain:
                        state.starts.append(now)
                    return
            if pause > LONGEST_WAIT:
                raise RateLimited(f"the vendor asked to wait; {pause:.0f} s of that are left", retry_after=pause)
            await self.sleep(min(moment - now, LOOK_AGAIN))


_shared: dict[str, Limiter] = {}
_shared_lock = threading.Lock()


def credential_key(tool: str, base_url: str, token: str) -> str:
    """The name of one credential's budget; does not hold the token."""
    return hashlib.sha256("\n".join((tool, base_url, token)).encode()).hexdigest()


def limiter_for(key: str, lanes: Mapping[str, Lane]) -> Limiter:
    """The one limiter of a credential in this process. It outlives a run because the vendor's minute does: the next run begins with what is left."""
    with _shared_lock:
        if key not in _shared:
            _shared[key] = Limiter(lanes)
        return _shared[key]
