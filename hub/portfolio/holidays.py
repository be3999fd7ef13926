"""Holidays out of a file: iCalendar (RFC 5545) as public calendars are published, or CSV with a day and a name a line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from io import StringIO

from icalendar import Calendar, Component
from icalendar.error import BrokenCalendarProperty

LONGEST = timedelta(days=60)
MOST = 5000


class HolidayFileProblem(ValueError):
    """The file cannot be read; the message says which line or event, and what it should look like."""


def from_ics(text: str) -> dict[date, str]:
    """{day: name} of all events; one over several days (its end is exclusive, as the standard says) is each of them. A repeating event is refused:
    the hub would have to guess how far it goes on, and public calendars list each year apart. Raises HolidayFileProblem."""
    try:
        events = list(Calendar.from_ical(text).walk("VEVENT"))
    except ValueError as error:
        raise HolidayFileProblem("this is not an iCalendar file: it begins with BEGIN:VCALENDAR") from error
    found: dict[date, str] = {}
    for event in events:
        name = str(event.get("SUMMARY", "")) or "holiday"
        if "RRULE" in event:
            raise HolidayFileProblem(f"{name[:80]!r} repeats: give a calendar that lists each day")
        found |= dict.fromkeys(_days(event, name), name)
        _limit(found)
    return found


def _days(event: Component, name: str) -> Iterator[date]:
    start = _day(event.get("DTSTART"), name)
    if event.get("DTEND") is not None:
        length = _day(event["DTEND"], name) - start
    else:
        given = _value(event.get("DURATION"))
        length = given if isinstance(given, timedelta) else timedelta(days=1)
    if not timedelta(0) <= length <= LONGEST or date.max - start < length:
        raise HolidayFileProblem(f"{name[:80]!r} ends before it begins, or lasts longer than {LONGEST.days} days")
    for step in range(max(length.days, 1)):
        yield start + timedelta(days=step)


def _value(of: object) -> object:
    """What a property says; None for one that is missing or makes no sense."""
    try:
        return getattr(of, "dt", None)
    except BrokenCalendarProperty:
        return None


def _day(value: object, name: str) -> date:
    found = _value(value)
    if isinstance(found, datetime):
        return found.date()
    if isinstance(found, date):
        return found
    raise HolidayFileProblem(f"{name[:80]!r} has no day")


def from_csv(text: str) -> dict[date, str]:
    """{day: name}: a line is ``2026-12-25,Christmas Day``; semicolons do as well; a first line of headings is skipped. Raises HolidayFileProblem."""
    found: dict[date, str] = {}
    delimiter = ";" if text.partition("\n")[0].count(";") else ","
    for number, cells in enumerate(_cells(text.removeprefix("\ufeff"), delimiter), 1):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            day = date.fromisoformat(cells[0].strip())
        except ValueError as error:
            if number == 1:
                continue
            raise HolidayFileProblem(f"line {number} does not begin with a day such as 2026-12-25") from error
        found[day] = cells[1].strip() if len(cells) > 1 and cells[1].strip() else "holiday"
        _limit(found)
    if not found:
        raise HolidayFileProblem("there is no day in it: a line is 2026-12-25,Christmas Day")
    return found


def _cells(text: str, delimiter: str) -> Iterator[list[str]]:
    """The reader bounds how long a cell may be, and says so by an error of its own."""
    try:
        yield from csv.reader(StringIO(text), delimiter=delimiter)
    except csv.Error as error:
        raise HolidayFileProblem(f"this is not CSV: {error}") from error


def _limit(found: dict[date, str]) -> None:
    if len(found) > MOST:
        raise HolidayFileProblem(f"more than {MOST} days: is this a calendar of holidays?")
