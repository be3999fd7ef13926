"""The small parts of a drain: what it must know of its endpoint, the events on their way in their lanes, and the pace of catching up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from hub.delivery.envelope import Stored
from hub.delivery.filter import Filter
from hub.delivery.sources import Source

CATCH_UP = 250.0
"""Deliveries a second of what an endpoint catches up on."""
BURST = 50.0
ENOUGH = 1 - 1e-6
"""What counts as one: waiting as long as was said must be enough, whatever was lost in rounding."""

Key = UUID | int


@dataclass(slots=True)
class Pace:
    """Lets so many through in a second, and a burst at the start."""

    held: float = BURST
    at: float | None = None

    def wait(self, clock: float) -> float:
        """Seconds until the next may go; 0: it goes now."""
        self.held = min(BURST, self.held + (clock - (clock if self.at is None else self.at)) * CATCH_UP)
        self.at = clock
        if self.held >= ENOUGH:
            self.held -= 1
            return 0.0
        return (1 - self.held) / CATCH_UP


@dataclass(frozen=True, slots=True)
class Terms:
    """An endpoint's row, opened: what a drain needs to know, fixed for its life. ``keys``: what to sign with at a moment. ``owner_key_id``: whose
    grants say what it may be sent."""

    id: UUID
    filter: Filter
    thin: bool
    ordered: bool
    headers: list[tuple[bytes, bytes]]
    hide: list[str]
    keys: Callable[[datetime], list[bytes]]
    revision: int
    owner_key_id: UUID | None = None


@dataclass(slots=True)
class Item:
    """One event on its way. ``source``: where it was read, None for one that was parked. ``after``: the dead letter that its delivery tells of."""

    sequence: int
    stored: Stored
    source: Source | None
    attempts: int = 0
    parked_at: datetime | None = None
    after: UUID | None = None


@dataclass(slots=True)
class Lane:
    key: Key
    items: deque[Item] = field(default_factory=deque)
