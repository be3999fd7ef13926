"""The calendar of work: pure arithmetic over days. A week begins with ISO day 1."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache

WEEK = timedelta(days=7)
DAY = timedelta(days=1)


def week_start(day: date) -> date:
    """The first day of its week."""
    return day - timedelta(days=day.weekday())


@dataclass(frozen=True, slots=True)
class Workdays:
    """``weekdays``: ISO numbers from 1 to 7, 1 begins the week. ``off``: days, in order, on which nobody works although the week would say so."""

    weekdays: frozenset[int] = frozenset((1, 2, 3, 4, 5))
    off: tuple[date, ...] = field(default=())

    @classmethod
    def of(cls, weekdays: Sequence[int], holidays: Sequence[date]) -> Workdays:
        """Holidays at weekends are left out: they are off anyway, and must not be taken off twice."""
        return cls(frozenset(weekdays), tuple(sorted({day for day in holidays if day.isoweekday() in weekdays})))

    def count(self, first: date, last: date) -> int:
        """Working days from the first to the last, both included; 0 where the last lies before the first."""
        if last < first:
            return 0
        weeks, rest = divmod((last - first).days + 1, 7)
        begun = sum((first.isoweekday() - 1 + step) % 7 + 1 in self.weekdays for step in range(rest))
        return weeks * len(self.weekdays) + begun - (bisect_right(self.off, last) - bisect_left(self.off, first))

    def spread(self, weeks: Sequence[date]) -> Callable[[date, date], tuple[tuple[date, float], ...]]:
        """A function of a stretch's first and last day: ((week, share of the stretch's working days that lie in it), ...), for weeks given by their
        Mondays, in order. What it has counted it remembers, for many tasks have the same days.

        A stretch without a working day is spread over all its days: work that is planned for a weekend is not lost.
        """
        until = cache(lambda day: self.count(date.min, day))

        @cache
        def shares(first: date, last: date) -> tuple[tuple[date, float], ...]:
            first = max(first, date.min + DAY)
            counted = until if until(last) > until(first - DAY) else date.toordinal
            total, before, made = counted(last) - counted(first - DAY), first - DAY, []
            for week in weeks:
                begin, end = max(before, week - DAY), min(last, week + WEEK - DAY)
                if begin < end and (inside := counted(end) - counted(begin)):
                    made.append((week, inside / total))
            return tuple(made)

        return shares
