"""The door: which token is accepted, and how many calls a minute it may make."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from hub.sandbox.clickup import errors
from hub.sandbox.consent import Office
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import World

PLAN_RATES = {"free": 100, "unlimited": 100, "business": 100, "business_plus": 1_000, "enterprise": 10_000}
"""Calls a minute and token, by the plan of the workspace (developer.clickup.com, rate limits)."""
UNLIMITED = 1_000_000
"""What the headers state when limits are switched off: a client that paces itself by them is then not held back."""
WINDOW = 60


class Gate:
    """One token, one fixed window of a minute that begins with the first call in it. ``clock`` gives seconds; Reset is told in Unix seconds of the
    world's clock, as every answer's ``Date`` is."""

    def __init__(self, world: World, knobs: Knobs, clock: Callable[[], float], office: Office | None = None) -> None:
        self._world, self._knobs, self._clock, self._office = world, knobs, clock, office
        self._reset = 0
        self._used = 0

    def admit(self, authorization: str | None) -> None:
        """Raise what a bad token gets. A personal token goes bare: with ``Bearer`` before it, it is an OAuth token that does not exist."""
        if not authorization:
            raise errors.no_header()
        token = self._world.tokens["clickup"]
        accepted = {token} if token.startswith("pk_") else {token, f"Bearer {token}"}
        if "clickup" in self._knobs.revoked and authorization in accepted:
            raise errors.token_invalid()
        scheme, _, granted = authorization.partition(" ")
        if scheme == "Bearer" and self._office is not None and self._office.accepts(granted):
            return
        if authorization not in accepted:
            raise errors.token_invalid() if authorization.startswith("pk_") else errors.token_unknown()

    def count(self) -> tuple[dict[str, str], bool]:
        """The rate headers for this call and whether it is within the limit. Calls refused for the limit do not prolong it."""
        limit = self._limit()
        now = self._clock()
        if now >= self._reset:
            self._reset, self._used = int(now) + WINDOW, 0
        within = self._used < limit or not self._knobs.limits
        self._used += within
        left = max(0, limit - self._used)
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": str(int(self._world.now.timestamp()) + ceil(self._reset - now)),
        }, within

    def _limit(self) -> int:
        if not self._knobs.limits:
            return UNLIMITED
        return self._knobs.rates.get("clickup", PLAN_RATES[self._world.plans["clickup"]])
