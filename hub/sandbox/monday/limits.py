"""The vendor's limits, all at once: calls a minute, calls a day, calls at the same time, and points of complexity a minute (fact sheet, section 4).

Windows begin with their first call and end 60 seconds later. Calls that fail count; a limit's refusal and a query for nothing but ``complexity``
count a tenth of a call towards the day. The day's figure of the larger plans is a soft one and is not enforced.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hub.sandbox.knobs import Knobs
from hub.sandbox.monday.errors import Rejection

MINUTE, DAY = 60.0, 86_400.0
QUERY_CAP = 5_000_000
SLIGHT = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """``a_day`` None: not enforced. ``points``: complexity a minute of a personal token."""

    a_minute: int
    a_day: int | None
    at_once: int
    points: int


PLANS = {
    "free": Plan(1000, 200, 40, 1_000_000),
    "basic": Plan(1000, 1000, 40, 10_000_000),
    "standard": Plan(1000, 1000, 40, 10_000_000),
    "pro": Plan(2500, None, 100, 10_000_000),
    "enterprise": Plan(5000, None, 250, 10_000_000),
}


@dataclass(slots=True)
class Window:
    """What was used since the window began. ``span`` in seconds."""

    span: float
    began: float = -math.inf
    used: float = 0.0

    def at(self, now: float) -> Window:
        if now - self.began >= self.span:
            self.began, self.used = now, 0.0
        return self

    def left(self, now: float) -> int:
        """Seconds until it begins anew, at least one."""
        return max(1, math.ceil(self.began + self.span - now))


class Meter:
    """Counts what one account uses. ``clock`` tells Unix time in seconds."""

    def __init__(self, plan: str, knobs: Knobs, clock: Callable[[], float]) -> None:
        self.plan, self.knobs, self.clock = PLANS[plan], knobs, clock
        self.minute, self.points = Window(MINUTE), Window(MINUTE)
        self.day, self.used_today = -1, 0.0
        self.running = 0

    def a_minute(self) -> int:
        return self.knobs.rates.get("monday", self.plan.a_minute)

    def admit(self) -> None:
        """Counts a call in. Raises Rejection where a limit is reached."""
        now = self.clock()
        if int(now // DAY) != self.day:
            self.day, self.used_today = int(now // DAY), 0.0
        window = self.minute.at(now)
        window.used += 1
        if not self.knobs.limits:
            return
        if self.running > self.plan.at_once:
            self._slight()
            raise Rejection(429, "maxConcurrencyExceeded", "Concurrency limit exceeded", retry=1)
        if window.used > self.a_minute():
            self._slight()
            raise Rejection(429, "RATE_LIMIT_EXCEEDED", "Minute limit rate exceeded", retry=window.left(now))
        if self.plan.a_day is not None and self.used_today + 1 > self.plan.a_day:
            self._slight()
            raise Rejection(429, "DAILY_LIMIT_EXCEEDED", "Daily limit exceeded", retry=max(1, math.ceil(DAY - now % DAY)))
        self.used_today += 1

    def charge(self, points: int) -> tuple[int, int]:
        """Takes the query's points from the minute's budget and tells (budget before, seconds to reset). Raises Rejection when it is too much."""
        now = self.clock()
        window = self.points.at(now)
        before = self.plan.points - int(window.used)
        if points > QUERY_CAP:
            text = f"Query has complexity of {points}, which exceeds max complexity of {QUERY_CAP}"
            raise Rejection(200, "ComplexityException", text, extensions={"complexity": points, "maxComplexity": QUERY_CAP})
        if self.knobs.limits and points > before:
            self.used_today -= 1 - SLIGHT
            used = {"complexity": points, "complexity_budget_left": before, "complexity_budget_limit": self.plan.points}
            raise Rejection(429, "COMPLEXITY_BUDGET_EXHAUSTED", "Complexity budget exhausted", retry=window.left(now), extensions=used)
        if points == 0:
            self.used_today -= 1 - SLIGHT
        window.used += points
        return before, window.left(now)

    def _slight(self) -> None:
        self.used_today += SLIGHT

    def headers(self) -> dict[str, str]:
        """The state of the limits in the form of the IETF draft."""
        now = self.clock()
        calls, points = self.minute.at(now), self.points.at(now)
        rate, budget = self.a_minute(), self.plan.points
        calls_left, points_left = max(0, int(rate - calls.used)), max(0, int(budget - points.used))
        return {
            "RateLimit-Policy": f'"minute";q={rate};w=60, "complexity";q={budget};w=60',
            "RateLimit": f'"minute";r={calls_left};t={calls.left(now)}, "complexity";r={points_left};t={points.left(now)}',
        }
