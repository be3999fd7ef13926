"""A column's value on one item -> the plain value of a custom field. Typed fields first, the vendor's ``value`` JSON second.

Each reader gets the column value and its column and returns None where the column is empty. It raises ValueError, TypeError, KeyError or
AttributeError where the value is not what its type promises; the caller names the item and the column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

import orjson

from connectors.monday.board import Column, Raw
from connectors.records import CustomScalar, CustomValue

Value: TypeAlias = CustomScalar | tuple[CustomScalar, ...]
Reader: TypeAlias = Callable[[Raw, Column], Value]


def custom(raw: Raw, column: Column) -> CustomValue | None:
    """The custom field's value; None where it is unset."""
    value = READERS.get(column.type, _text)(raw, column)
    if value is None or value == "" or value == ():
        return None
    return CustomValue(field_id=column.field_id, type=column.field_type, value=value)


def inner(raw: Raw) -> dict[str, Any]:
    """The ``value`` of a column: a string of JSON (parsed here), an object where the vendor has parsed it already, empty where null."""
    value = raw.get("value")
    if isinstance(value, str):
        value = orjson.loads(value)
    return value if isinstance(value, dict) else {}


def label_id(raw: Raw) -> str | None:
    """The id of a status value's label; null where the status is blank."""
    index = raw.get("index")
    if index is not None:
        return str(int(index))
    index = inner(raw).get("index")
    return None if index is None else str(int(index))


def moment(raw: Raw) -> tuple[date | None, datetime | None]:
    """A date column: the day as the vendor shows it, and the UTC instant where a time is set.

    ``value`` is UTC; whether the typed ``date`` follows the caller's zone is not documented, so it gives the day and ``value`` the instant.
    """
    stored = inner(raw)
    shown = raw.get("date") or stored.get("date")
    if not shown:
        return None, None
    day = date.fromisoformat(shown)
    clock = stored.get("time") or (raw.get("time") if not stored else None)
    if not clock:
        return day, None
    return day, datetime.fromisoformat(f"{stored.get('date') or shown}T{clock}").replace(tzinfo=UTC)


def span(raw: Raw) -> tuple[date | None, date | None]:
    """A timeline: calendar dates, whose typed form has a midnight attached that means nothing."""
    start, end = raw.get("from"), raw.get("to")
    if start is None and end is None:
        stored = inner(raw)
        start, end = stored.get("from"), stored.get("to")
    return (date.fromisoformat(start[:10]) if start else None, date.fromisoformat(end[:10]) if end else None)


def people(raw: Raw) -> tuple[str, ...]:
    """References to the people and teams of a people column; an agent is an identity too."""
    entries = raw.get("persons_and_teams")
    if entries is None:
        entries = inner(raw).get("personsAndTeams") or ()
    return tuple(f"team:{entry['id']}" if entry.get("kind") == "team" else f"identity:{entry['id']}" for entry in entries)


def number(raw: Raw) -> float | None:
    """A numbers column; the vendor's ``value`` is a JSON string that holds the figure."""
    found = raw.get("number")
    if found is None:
        found = raw.get("value")
        if isinstance(found, str):
            found = orjson.loads(found)
    if found is None or found == "":
        return None
    if isinstance(found, bool):
        raise ValueError("a truth value is not a number")
    return float(found)


def tags(raw: Raw) -> tuple[str, ...]:
    return tuple(tag["name"] for tag in raw.get("tags") or ())


def links(raw: Raw) -> tuple[str, ...]:
    return tuple(str(item) for item in raw.get("linked_item_ids") or ())


def _status(raw: Raw, column: Column) -> Value:
    key = label_id(raw)
    if key is None:
        return None
    label = column.labels.get(key)
    return raw.get("label") or (label.name if label is not None else None) or None


def _dropdown(raw: Raw, column: Column) -> Value:
    values = raw.get("values")
    if values is not None:
        return tuple(value["label"] for value in values)
    return tuple(column.labels[str(key)].name for key in inner(raw).get("ids") or () if str(key) in column.labels)


def _date(raw: Raw, column: Column) -> Value:
    day, instant = moment(raw)
    if instant is not None:
        return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return day.isoformat() if day is not None else None


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _span(raw: Raw, column: Column) -> Value:
    start, end = span(raw)
    return None if start is None and end is None else (_iso(start), _iso(end))


def _week(raw: Raw, column: Column) -> Value:
    start, end = raw.get("start_date"), raw.get("end_date")
    if start is None and end is None:
        week = inner(raw).get("week")
        start, end = (week.get("startDate"), week.get("endDate")) if isinstance(week, Mapping) else (None, None)
    if not start and not end:
        return None
    return (start[:10] if start else None, end[:10] if end else None)


def _team(raw: Raw, column: Column) -> Value:
    team = raw.get("team_id")
    return (f"team:{team}",) if team else None


def _hours(raw: Raw, column: Column) -> Value:
    """Tracked time beyond the column that plays the role, in hours as the vendor shows it."""
    seconds = raw.get("duration")
    return None if seconds is None else round(seconds / 3600, 4)


def _checked(raw: Raw, column: Column) -> Value:
    """Null when never set, a truth value or its word in text when set."""
    checked = raw.get("checked")
    if checked is None:
        checked = inner(raw).get("checked")
    return None if checked is None else str(checked).casefold() == "true"


def _shown(raw: Raw, column: Column) -> Value:
    """Mirrors and formulas have a display value only: ``text`` and ``value`` are null there."""
    shown = raw.get("display_value")
    return None if shown in (None, "", "null") else str(shown)


def _rating(raw: Raw, column: Column) -> Value:
    rating = raw.get("rating", raw.get("vote_count"))
    return None if rating is None else int(rating)


def _text(raw: Raw, column: Column) -> Value:
    for key in ("text", "email", "phone", "item_id", "color"):
        found = raw.get(key)
        if found:
            return str(found)
    return None


READERS: Mapping[str, Reader] = {
    "status": _status,
    "dropdown": _dropdown,
    "tags": lambda raw, column: tags(raw),
    "date": _date,
    "timeline": _span,
    "week": _week,
    "people": lambda raw, column: people(raw),
    "person": lambda raw, column: people(raw),
    "team": _team,
    "numbers": lambda raw, column: number(raw),
    "rating": _rating,
    "vote": _rating,
    "time_tracking": _hours,
    "checkbox": _checked,
    "link": lambda raw, column: raw.get("url"),
    "board_relation": lambda raw, column: tuple(f"task:{item}" for item in links(raw)),
    "dependency": lambda raw, column: tuple(f"task:{item}" for item in links(raw)),
    "mirror": _shown,
    "formula": _shown,
}
