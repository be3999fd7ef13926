"""How things are said to people: dates, durations, states. Pure; English, unambiguous dates, numbers with thin spaces."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hub.portfolio.reach import Day

CATEGORIES: Mapping[str, str] = {
    "backlog": "backlog",
    "unstarted": "not started",
    "started": "in progress",
    "blocked": "blocked",
    "done": "done",
    "cancelled": "cancelled",
    "unknown": "not explained",
}
"""What a status counts as. ``unknown``: nobody has said yet what the tool's word means."""

COLOURS: Mapping[str, str] = {"red": "Red", "amber": "Amber", "green": "Green", "grey": "Grey"}
MARKS: Mapping[str, str] = {"red": "▲", "amber": "◆", "green": "●", "grey": "○"}
"""A shape for each colour: the colour alone would say nothing to many readers."""

KINDS: Mapping[str, str] = {"task": "task", "milestone": "milestone", "approval": "approval"}
TRIAGE: Mapping[str, str] = {"in": "counts", "out": "does not count", "unsorted": "not sorted yet"}
STATES: Mapping[str, str] = {
    "active": "working",
    "paused": "paused",
    "broken": "broken: needs a person",
    "queued": "waiting to begin",
    "running": "running",
    "complete": "complete",
    "partial": "complete but for what was refused",
    "deferred": "goes on later",
    "failed": "failed",
    "cancelled": "cancelled",
}
SOURCES: Mapping[str, str] = {"admin": "a person said so", "vendor": "the tool says so", "suggested": "guessed by its name: please confirm"}
FIELDS: Mapping[str, str] = {
    "title": "title",
    "status_id": "status",
    "due_on": "due date",
    "due_at": "due time",
    "start_on": "start date",
    "start_at": "start time",
    "assignee_ids": "assigned to",
    "completed_at": "finished",
    "deleted_at": "deleted",
    "archived": "archived",
    "memberships": "projects",
    "project_id": "project",
    "section_id": "section",
    "parent_id": "parent",
    "depends_on": "waits for",
    "estimate_minutes": "estimate",
    "logged_minutes": "time spent",
    "priority": "priority",
    "progress": "progress",
    "tags": "tags",
    "kind": "kind",
    "name": "name",
    "owner_id": "owner",
    "health": "declared health",
    "health_text": "declared health in words",
    "description": "description",
}
ROLES: Mapping[str, str] = {
    "due": "due date",
    "start": "start date",
    "timeline": "start and due date together",
    "assignees": "assigned to",
    "logged": "time spent",
    "dependency": "waits for",
}
"""What a column may mean, where its key says it badly."""
DASH = "\u2013"
"""Stands where there is nothing to say."""

NARROW = "\u202f"
"""A thin space that does not break."""


def number(value: float | None) -> str:
    """1 234; a missing figure is a dash, never 0."""
    if value is None:
        return DASH
    text = f"{value:,.1f}" if isinstance(value, float) and not value.is_integer() else f"{int(value):,}"
    return text.replace(",", NARROW)


def percent(value: float | None) -> str:
    return DASH if value is None else f"{number(value)}{NARROW}%"


def plural(value: int, one: str, many: str | None = None) -> str:
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def date_text(day: date | None) -> str:
    return DASH if day is None else f"{day.day} {day:%b} {day.year}"


def instant(at: datetime | None, day: Day, never: str = "not yet") -> str:
    """In the reader's zone, which is said."""
    if at is None:
        return never
    local = at.astimezone(day.zone)
    return f"{date_text(local.date())} {local:%H:%M} {day.zone.key}"


def hours(minutes: float | None) -> str:
    """Minutes as hours: 12.5 h; less than an hour as minutes."""
    if minutes is None:
        return DASH
    if 0 < minutes < 60:
        return f"{number(round(minutes))}{NARROW}min"
    return f"{number(round(minutes / 60, 1))}{NARROW}h"


def delta(days: int | None) -> str:
    """A movement in words: later is what hurts, so it is said and not only signed."""
    if days is None:
        return "not known"
    if days == 0:
        return "not moved"
    return f"{plural(abs(days), 'day')} {'later' if days > 0 else 'earlier'}"


def late(days: int) -> str:
    return f"{plural(days, 'day')} late" if days > 0 else DASH


def due(day: date | None, today: date) -> str:
    """A due date with how far it is from today."""
    if day is None:
        return "no date"
    away = (day - today).days
    far = f"in {plural(away, 'day')}" if away > 0 else f"{plural(-away, 'day')} ago"
    return f"{date_text(day)} ({ {0: 'today', 1: 'tomorrow', -1: 'yesterday'}.get(away, far) })"


def field(name: str, given: str | None = None) -> str:
    return given if name.startswith("custom_fields.") and given else FIELDS.get(name, name.replace("_", " "))


def value(name: str, raw: Any, names: list[str | None], day: Day) -> str:
    """One side of a change: names for ids, days and instants as people write them."""
    if names:
        return ", ".join(each or "(not read yet)" for each in names)
    if raw in (None, "", [], {}):
        return "nothing"
    if name.endswith("_on") and isinstance(raw, str):
        return date_text(date.fromisoformat(raw))
    if name.endswith("_at") and isinstance(raw, str):
        return instant(datetime.fromisoformat(raw), day)
    if name.endswith("_minutes") and isinstance(raw, int | float):
        return hours(raw)
    if isinstance(raw, list):
        return ", ".join(str(each) for each in raw)
    return {True: "yes", False: "no"}.get(raw, str(raw)) if isinstance(raw, bool) else str(raw)


def query(text: str) -> list[tuple[str, str]]:
    """The filters of an address as they stand in it."""
    return [(name.replace("_", " "), value) for name, value in parse_qsl(text)]


def web_address(url: str | None) -> str | None:
    """The address if a browser may follow it, else null: what comes from a tool may be any scheme, ``javascript:`` too."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def reason(cause: Mapping[str, Any]) -> str:
    """Why a rule spoke, with its number and the limit that it reached."""
    value, unit = cause["value"], str(cause["unit"])
    figure = plural(round(value), "day") if unit == "days" else f"{percent(float(value))} {unit.removeprefix('percent ')}"
    return f"{cause['words']}: {figure} ({cause['colour']} from {number(float(cause['limit']))})"
