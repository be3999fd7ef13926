"""Drawing lots: everything random in the pretend world comes from one seeded generator, so that the same seed gives the same world."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from hub.sandbox import words

T = TypeVar("T")
DAYS = 90
"""Days of history before the world's ``now``."""
ODD_EVERY = 23
LEAP_AND_CLOCK_DAYS = (date(2028, 2, 29), date(2024, 2, 29), date(2026, 10, 25), date(2027, 3, 28), date(2027, 3, 14), date(2026, 12, 31))
_LETTERS = "abcdefghjkmnpqrstuvwxyz0123456789"


class Draw:
    """A seeded source of choices, ids and dates relative to ``now``. Not safe to share between threads."""

    def __init__(self, seed: int | str, now: datetime) -> None:
        self.rng = random.Random(seed)
        self.now = now
        self.today = now.date()
        self._number = 0

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.rng.random() * len(items))]

    def below(self, end: int) -> int:
        return int(self.rng.random() * end)

    def some(self, items: Sequence[T], most: int) -> list[T]:
        """One to ``most`` different items, in drawn order."""
        return self.rng.sample(list(items), min(len(items), 1 + self.below(most)))

    def next_number(self, start: int, step: int) -> str:
        """A fresh decimal id at or above ``start``: one growing counter, so ids never collide whatever they name."""
        self._number += 1 + self.below(step)
        return str(start + self._number)

    def letters(self, length: int) -> str:
        return "".join([_LETTERS[int(self.rng.random() * len(_LETTERS))] for _ in range(length)])

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def span(self, *, whole_seconds: bool) -> tuple[datetime, datetime]:
        """(created, updated) within the last ``DAYS`` days, both before ``now``; milliseconds, or whole seconds for a vendor that shows no more."""
        age = 60_000 + int(self.rng.random() * DAYS * 86_400_000)
        since = int(self.rng.random() ** 3 * (age - 30_000))
        if whole_seconds:
            age, since = age // 1000 * 1000, since // 1000 * 1000
        return self.now - timedelta(milliseconds=age), self.now - timedelta(milliseconds=max(since, 30_000))

    def between(self, start: datetime, end: datetime) -> datetime:
        """An instant on a whole second from ``start`` to ``end``."""
        seconds = int((end - start).total_seconds() * self.rng.random())
        return min(end, (start + timedelta(seconds=seconds)).replace(microsecond=0) + timedelta(seconds=1))

    def due_date(self) -> date:
        """A working day from a month ago to four months ahead; one in sixty is a leap day, a day when the clocks change or the year's last."""
        if self.chance(1 / 60):
            return self.pick(LEAP_AND_CLOCK_DAYS)
        day = self.today + timedelta(days=self.below(150) - 30)
        return day - timedelta(days=max(0, day.weekday() - 4))

    def at_work(self, day: date, zone: str) -> datetime:
        """A half hour between 08:00 and 19:30 of ``day`` in ``zone``, as UTC."""
        clock = time(8 + self.below(12), 30 * self.below(2))
        return datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC)

    def title(self, index: int) -> str:
        """A believable title; each ``ODD_EVERY``-th is one that breaks naive programs."""
        if index % ODD_EVERY == 7:
            return words.ODD_TITLES[index // ODD_EVERY % len(words.ODD_TITLES)]
        return f"{self.pick(words.VERBS)} {self.pick(words.OBJECTS)}{self.pick(words.TAILS)}"


def shares(weights: Sequence[float], total: int) -> list[int]:
    """``total`` split in proportion to ``weights`` into whole numbers that add up to it."""
    whole = sum(weights)
    exact = [total * weight / whole for weight in weights]
    counts = [int(value) for value in exact]
    order = sorted(range(len(weights)), key=lambda place: counts[place] - exact[place])
    for place in order[: total - sum(counts)]:
        counts[place] += 1
    return counts


def skewed(count: int) -> list[float]:
    """Weights of a few large and many small projects."""
    return [(place + 1) ** -0.8 for place in range(count)]


def project_count(tasks: int) -> int:
    """About one project per hundred tasks; small worlds have some more, so that every kind of container occurs."""
    return max(4, min(14, tasks // 10), tasks // 100)


def family(draw: Draw, size: int, depth: int, share: float) -> list[int | None]:
    """Who is whose child among ``size`` tasks: the parent's index, always an earlier one, or None. A
    project of 20 or more has a chain of full ``depth``."""
    parents: list[int | None] = []
    levels: list[int] = []
    for index in range(size):
        parent: int | None = None
        if 0 < index <= depth and size >= 20:
            parent = index - 1
        elif index and draw.chance(share):
            candidate = draw.below(index)
            parent = candidate if levels[candidate] < depth else None
        parents.append(parent)
        levels.append(0 if parent is None else levels[parent] + 1)
    return parents
