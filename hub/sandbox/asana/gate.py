"""Who may call and how often: the bearer token, the limits per minute, the concurrent reads and the cost quota (fact sheet, section 6)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from hmac import compare_digest

from hub.sandbox.asana.errors import Refusal
from hub.sandbox.consent import Office
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import World

MINUTE = 60.0
PER_MINUTE = {"free": 150, "paid": 1500}
SEARCHES = 60
CONCURRENT_READS = 50
COST_PER_CALL = 4000
"""The cost quota of a minute is this times its calls. The vendor's figure is secret; a hundred rows with thirty linked resources cost 3,100 here."""


class Window:
    """Calls of the last minute. Rejected ones count too, as the vendor's do: who retries early waits longer."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def add(self, now: float, calls: int, limit: int) -> float | None:
        """None if ``calls`` more fit into ``limit``, else the seconds to wait."""
        times = self._times
        while times and times[0] <= now - MINUTE:
            times.popleft()
        times.extend([now] * calls)
        if len(times) <= limit:
            return None
        return times[len(times) - limit] + MINUTE - now if limit else MINUTE


class Gate:
    """Admits a call or refuses it with 401 or 429; ``clock`` counts seconds and never goes back."""

    def __init__(self, world: World, knobs: Knobs, clock: Callable[[], float], office: Office | None = None) -> None:
        self._world, self._knobs, self._clock, self._office = world, knobs, clock, office
        self._calls, self._searches = Window(), Window()
        self._under_way: deque[float] = deque()
        self._spent, self._counted = 0.0, clock()

    def authenticate(self, headers: Mapping[str, str]) -> None:
        """Only ``Authorization: Bearer <token>``; raises 401."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        known = compare_digest(token.strip().encode(), self._world.tokens["asana"].encode())
        known = known or (self._office is not None and self._office.accepts(token.strip()))
        if scheme.lower() != "bearer" or not known or "asana" in self._knobs.revoked:
            raise Refusal(401)

    def rate(self) -> int:
        """Calls a minute that the plan (or the knob) allows."""
        plan = "free" if self._world.plans["asana"] == "free" else "paid"
        return self._knobs.rates.get("asana", PER_MINUTE[plan])

    def admit(self, calls: int = 1, searches: int = 0) -> None:
        """Counts ``calls`` (of which ``searches``); raises 429 with Retry-After when a limit is broken. A batch is admitted as a whole or not."""
        if not self._knobs.limits:
            return
        now = self._clock()
        waits = [self._calls.add(now, calls, self.rate()), self._concurrent(now, calls), self._debt(now)]
        if searches:
            waits.append(self._searches.add(now, searches, SEARCHES))
        wait = max((wait for wait in waits if wait is not None), default=None)
        if wait is not None:
            raise Refusal(429, headers={"retry-after": str(max(1, math.ceil(wait)))})

    def _concurrent(self, now: float, calls: int) -> float | None:
        """The harness adds its latency outside this app, so a call counts as under way for that long."""
        while self._under_way and self._under_way[0] <= now:
            self._under_way.popleft()
        if len(self._under_way) + calls > CONCURRENT_READS:
            return self._knobs.latency
        if self._knobs.latency:
            self._under_way.extend([now + self._knobs.latency] * calls)
        return None

    def charge(self, cost: float) -> None:
        """Adds the cost of an answer that was built; it succeeds even if the quota goes negative."""
        if self._knobs.limits:
            self._debt(self._clock())
            self._spent += cost

    def _debt(self, now: float) -> float | None:
        """Seconds until the cost quota is positive again; None if it is."""
        quota = max(1, COST_PER_CALL * self.rate())
        self._spent = max(0.0, self._spent - (now - self._counted) * quota / MINUTE)
        self._counted = now
        return (self._spent - quota) * MINUTE / quota if self._spent > quota else None
