"""Instants and calendar dates.

A task has no flag that tells a date from an instant: a date without a time is stored as 04:00 in the zone of
the person who set it (vendor's page on tasks).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.base import Context
from connectors.errors import BadResponse

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
REMEMBERED: Final = 50_000  # dates repeat from task to task; the bound keeps memory flat on a workspace where they do not


def instant(milliseconds: int) -> datetime:
    """The UTC instant of Unix milliseconds, exactly (no float in between)."""
    return EPOCH + timedelta(0, 0, 0, milliseconds)  # by place: by name it takes twice as long


class Days:
    """Reads ClickUp's dates in the given zones; the first is the token user's, which also decides the calendar day of an instant."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._zones = tuple(_zone(name) for name in names)
        self._read: dict[int, tuple[date, datetime | None]] = {}

    def read(self, milliseconds: int) -> tuple[date, datetime | None]:
        """The calendar date, and the UTC instant where the value has a time of day (is not 04:00:00.000 in any of the zones)."""
        known = self._read.get(milliseconds)
        if known is None:
            if len(self._read) >= REMEMBERED:
                self._read.clear()
            known = self._read[milliseconds] = self._work_out(milliseconds)
        return known

    def _work_out(self, milliseconds: int) -> tuple[date, datetime | None]:
        moment = instant(milliseconds)
        if milliseconds % 60_000 == 0:
            for zone in self._zones:
                local = moment.astimezone(zone)
                if local.hour == 4 and local.minute == 0 and local.second == 0:
                    return local.date(), None
        return moment.astimezone(self._zones[0]).date(), moment


@lru_cache(maxsize=32)
def days(names: tuple[str, ...]) -> Days:
    """One reader per set of zones, so that its memory of dates is shared by all tasks."""
    return Days(names)


def context(timezone: str | None, options: Mapping[str, Any]) -> Context:
    """What a mapping needs besides the raw body: the zones in which 04:00 means "no time".

    The option ``timezone`` outranks the token user's own, ``timezones`` adds those of colleagues. Raises BadResponse for a zone that does not exist.
    """
    own = options.get("timezone") or timezone or "UTC"
    names = tuple(dict.fromkeys((str(own), *map(str, options.get("timezones") or ()))))
    days(names)
    return Context(version=",".join(names), data={"timezones": names})


def require_zones(options: Mapping[str, Any]) -> None:
    """Raises ValueError, saying what to write, where the admin's options are no time zones."""
    own, others = options.get("timezone"), options.get("timezones") or []
    if not isinstance(own, str | None) or not isinstance(others, list) or not all(isinstance(name, str) for name in others):
        raise ValueError('write timezone="Europe/Berlin" and timezones=["Asia/Tokyo"]')
    try:
        context(None, options)
    except BadResponse as error:
        raise ValueError(str(error)) from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadResponse(f"time zone {name!r} is unknown: set the connection's option 'timezone' to an IANA name") from error
