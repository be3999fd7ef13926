"""When a failed delivery is tried again, and when it is given up. Pure: chance comes in as an argument."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

HOUR = 3600
DELAYS = tuple(timedelta(seconds=each) for each in (5, 30, 120, 600, 1800, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, *[12 * HOUR] * 5))
"""After the first failure, the second ...: 76 hours in all. Chance only ever adds, so it is never less."""
GIVEN_UP_AFTER = timedelta(hours=72)
SPREAD = 0.2
ASKED = 30
"""So many times a receiver's Retry-After may be shorter than our delay; after that it only lengthens it: nobody is asked each second for three
days."""

Chance = Callable[[], float]


def next_try(attempts: int, parked_at: datetime, now: datetime, wait: timedelta | None, chance: Chance) -> datetime | None:
    """When an event that failed ``attempts`` times is tried again; None: it has become a dead letter. ``wait``: the receiver's Retry-After, never cut
    short."""
    if attempts > len(DELAYS) and now - parked_at >= GIVEN_UP_AFTER:
        return None
    ours = DELAYS[min(attempts, len(DELAYS)) - 1]
    if wait is not None:
        ours = wait if attempts <= ASKED else max(wait, ours)
    return now + ours * (1 + SPREAD * chance()) + timedelta(milliseconds=200 * chance())
