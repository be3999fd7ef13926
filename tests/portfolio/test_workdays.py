"""The calendar of work counts what one would count day by day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.portfolio.workdays import WEEK, Workdays, week_start

START = date(2026, 11, 1)
days = st.integers(0, 80).map(lambda step: START + timedelta(days=step))
calendars = st.tuples(st.sets(st.integers(1, 7), min_size=1), st.sets(days, max_size=12))


def working(weekdays: set[int], holidays: set[date], first: date, last: date) -> list[date]:
    stretch = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    return [day for day in stretch if day.isoweekday() in weekdays and day not in holidays]


@given(calendars, days, days)
def test_working_days_are_counted(calendar: tuple[set[int], set[date]], first: date, last: date) -> None:
    assert Workdays.of(tuple(calendar[0]), tuple(calendar[1])).count(first, last) == len(working(*calendar, first, last))


@given(calendars, days, days)
def test_no_work_is_lost_or_doubled_when_it_is_spread(calendar: tuple[set[int], set[date]], one: date, other: date) -> None:
    first, last = sorted((one, other))
    weeks = [week_start(first) + WEEK * step for step in range(14)]
    shares = dict(Workdays.of(tuple(calendar[0]), tuple(calendar[1])).spread(weeks)(first, last))
    assert sum(shares.values()) == pytest.approx(1)
    assert all(week <= last and first < week + WEEK for week in shares)


def test_time_off_is_taken_out_once() -> None:
    every = Workdays.of((1, 2, 3, 4, 5), (date(2026, 11, 26), date(2026, 11, 28)))
    assert every.count(date(2026, 11, 23), date(2026, 11, 29)) == 4
