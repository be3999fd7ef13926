"""Values of custom fields as read -> the unified form.

What a type's value looks like is from the vendor's specification (its examples) and its page on custom fields; those of formula and
list_relationship are taken to be as their names say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final, TypeAlias

import orjson

from connectors.clickup import lean
from connectors.clickup.days import Days
from connectors.records import CustomScalar, FieldType

Value: TypeAlias = CustomScalar | tuple[CustomScalar, ...]
Reader: TypeAlias = Callable[[Any, Mapping[str, Any], Days], Value]

TYPES: Final[Mapping[str, FieldType]] = {
    "short_text": FieldType.TEXT,
    "text": FieldType.TEXT,
    "email": FieldType.TEXT,
    "phone": FieldType.TEXT,
    "location": FieldType.TEXT,
    "attachment": FieldType.TEXT,
    "url": FieldType.URL,
    "number": FieldType.NUMBER,
    "emoji": FieldType.NUMBER,
    "manual_progress": FieldType.NUMBER,
    "automatic_progress": FieldType.NUMBER,
    "currency": FieldType.MONEY,
    "date": FieldType.DATE,
    "checkbox": FieldType.BOOL,
    "drop_down": FieldType.ENUM,
    "labels": FieldType.MULTI_ENUM,
    "users": FieldType.PERSON,
    "tasks": FieldType.RELATION,
    "list_relationship": FieldType.RELATION,
    "formula": FieldType.FORMULA,
}


def kind(vendor_type: object) -> FieldType:
    """The unified type; a type that is not known here is text, its value kept in the vendor's words."""
    return TYPES.get(vendor_type, FieldType.TEXT) if isinstance(vendor_type, str) else FieldType.TEXT


def value(field: Mapping[str, Any], days: Days) -> tuple[FieldType, Value]:
    """The unified type of one field, and its value. Raises ValueError, TypeError or KeyError where it is not what its type says."""
    vendor_type = field.get("type") or ""
    return TYPES.get(vendor_type, FieldType.TEXT), READERS.get(vendor_type, _words)(field["value"], field, days)


def _words(value: Any, field: Mapping[str, Any], days: Days) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _number(value: Any, field: Mapping[str, Any], days: Days) -> float:
    # Numbers come as strings ("8").
    if isinstance(value, bool):
        raise TypeError("a boolean where a number was to be")
    number = float(value)
    if not isfinite(number):
        raise ValueError("not a finite number")
    return number


def _manual_progress(value: Any, field: Mapping[str, Any], days: Days) -> float:
    return _number(value["current"], field, days)


def _automatic_progress(value: Any, field: Mapping[str, Any], days: Days) -> float:
    return _number(value["percent_completed"] if isinstance(value, dict) else value, field, days)


def _date(value: Any, field: Mapping[str, Any], days: Days) -> str:
    on, at = days.read(int(value))
    return on.isoformat() if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _checkbox(value: Any, field: Mapping[str, Any], days: Days) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[value]


def _drop_down(value: Any, field: Mapping[str, Any], days: Days) -> str:
    # An index without an option (a deleted one) stays as the vendor's word rather than a guess.
    known = lean.options(field)
    option = lean.usual(known, value)
    if option is None:
        option = next(iter(lean.chosen(known, value)), None)
    return str(value) if option is None else _option_name(option)


def _labels(value: Any, field: Mapping[str, Any], days: Days) -> tuple[str, ...]:
    names = {option["id"]: _option_name(option) for option in lean.options(field) if option.get("id") in value}
    return tuple([names.get(key, key) for key in value])


def _option_name(option: Mapping[str, Any]) -> str:
    name = option.get("name")
    return str(name if name is not None else option["label"])


def _users(value: Any, field: Mapping[str, Any], days: Days) -> tuple[str, ...]:
    # Users have integer ids, groups (which may be chosen beside them) UUIDs.
    return tuple(f"{'identity' if str(entry['id']).lstrip('-').isdigit() else 'team'}:{entry['id']}" for entry in value)


def _tasks(value: Any, field: Mapping[str, Any], days: Days) -> tuple[str, ...]:
    return tuple(f"task:{entry['id']}" for entry in value)


def _attachments(value: Any, field: Mapping[str, Any], days: Days) -> str:
    return ", ".join(str(entry.get("title") or entry.get("name") or entry["id"]) for entry in value)


def _location(value: Any, field: Mapping[str, Any], days: Days) -> str:
    return str(value["formatted_address"]) if isinstance(value, dict) and value.get("formatted_address") else _words(value, field, days)


READERS: Final[Mapping[str, Reader]] = {
    "number": _number,
    "emoji": _number,
    "currency": _number,
    "manual_progress": _manual_progress,
    "automatic_progress": _automatic_progress,
    "date": _date,
    "checkbox": _checkbox,
    "drop_down": _drop_down,
    "labels": _labels,
    "users": _users,
    "tasks": _tasks,
    "list_relationship": _tasks,
    "attachment": _attachments,
    "location": _location,
}
