"""Custom fields: values on tasks, definitions, and the priority that is by convention one of them. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from connectors.asana.options import DEFAULT, Options
from connectors.records import CustomScalar, CustomValue, Field, FieldType, Option, Priority

Raw: TypeAlias = Mapping[str, Any]
Value: TypeAlias = CustomScalar | tuple[CustomScalar, ...]


class Malformed(ValueError):
    """A piece of a raw body that is not what the specification says; the mapping adds the object's name."""


TYPES: Final[Mapping[str, FieldType]] = {
    "text": FieldType.TEXT,
    "number": FieldType.NUMBER,
    "enum": FieldType.ENUM,
    "multi_enum": FieldType.MULTI_ENUM,
    "date": FieldType.DATE,
    "people": FieldType.PERSON,
    "reference": FieldType.RELATION,
    "formula": FieldType.FORMULA,
    # The vendor's running number of a task ("BUG-12"): it has no value of its own, only what is displayed.
    "custom_id": FieldType.TEXT,
}

PRIORITY_NAMES: Final = frozenset({"priority", "priorität"})

PRIORITIES: Final[Mapping[str, Priority]] = {
    "urgent": Priority.URGENT,
    "critical": Priority.URGENT,
    "dringend": Priority.URGENT,
    "kritisch": Priority.URGENT,
    "high": Priority.HIGH,
    "hoch": Priority.HIGH,
    "medium": Priority.NORMAL,
    "normal": Priority.NORMAL,
    "mittel": Priority.NORMAL,
    "low": Priority.LOW,
    "niedrig": Priority.LOW,
}


def field_type(raw: Raw) -> FieldType:
    """``representation_type`` says more than ``resource_subtype`` (formula, custom id); a type the vendor adds later is shown as text."""
    kind = TYPES.get(raw.get("representation_type") or raw.get("resource_subtype") or "", FieldType.TEXT)
    return FieldType.MONEY if kind is FieldType.NUMBER and raw.get("currency_code") else kind


def definition(raw: Raw) -> Field:
    gid = raw["gid"]
    options = tuple(Option(id=option["gid"], name=option.get("name") or "", color=color(option)) for option in raw.get("enum_options") or ())
    return Field(id="field:" + gid, external_id=gid, name=raw["name"] or "", type=field_type(raw), options=options)


def values(raws: Iterable[Raw], options: Options = DEFAULT) -> tuple[tuple[CustomValue, ...], Priority]:
    """The set values of a task, and its priority. Raises Malformed naming the field."""
    found: list[CustomValue] = []
    priority: Priority | None = None
    chosen = options.priority_field
    for raw in raws:
        gid = raw["gid"]
        kind = field_type(raw)
        subtype = raw.get("representation_type") or raw.get("resource_subtype") or ""
        try:
            value = READERS.get(subtype, _displayed)(raw)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Malformed(f"custom field {gid}: {error}") from error
        if value is None:
            continue
        found.append(CustomValue(field_id="field:" + gid, type=kind, value=value))
        if kind is FieldType.ENUM:
            name = (raw.get("name") or "").casefold()
            if chosen is not None and chosen in (gid, name):
                priority = PRIORITIES.get(str(value).casefold(), Priority.NONE)
                chosen = None
            elif priority is None and name in PRIORITY_NAMES:
                priority = PRIORITIES.get(str(value).casefold(), Priority.NONE)
    return tuple(found), priority or Priority.NONE


def color(option: Raw) -> str | None:
    """Colours are the vendor's names (``dark-green``); its ``none`` is ours."""
    name = option.get("color")
    return None if name in (None, "none") else str(name)


def _text(raw: Raw) -> Value:
    return raw.get("text_value") or None


def _number(raw: Raw) -> Value:
    number = raw.get("number_value")
    if number is None or (isinstance(number, int | float) and not isinstance(number, bool)):
        return number
    raise ValueError("number_value is not a number")


def _enum(raw: Raw) -> Value:
    option = raw.get("enum_value")
    return option["name"] if option else None


def _multi_enum(raw: Raw) -> Value:
    return tuple(option["name"] for option in raw.get("multi_enum_values") or ()) or None


def _date(raw: Raw) -> Value:
    value = raw.get("date_value")
    if not value:
        return None
    instant = value.get("date_time")
    if not instant:
        return value.get("date")  # type: ignore[no-any-return]  # raw JSON
    if instant.endswith("Z"):
        return instant  # type: ignore[no-any-return]  # raw JSON
    return datetime.fromisoformat(instant).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _people(raw: Raw) -> Value:
    return tuple("identity:" + person["gid"] for person in raw.get("people_value") or ()) or None


def _references(raw: Raw) -> Value:
    return tuple(_reference(other) for other in raw.get("reference_value") or ()) or None


def _reference(other: Raw) -> str:
    kind = other.get("resource_type") or "task"
    return f"container:portfolio/{other['gid']}" if kind == "portfolio" else f"{kind}:{other['gid']}"


def _displayed(raw: Raw) -> Value:
    """Formulas, custom ids and types that the vendor adds later have a text to show and nothing else."""
    shown = raw.get("display_value")
    return None if shown is None or shown == "" else str(shown)


READERS: Final[Mapping[str, Callable[[Raw], Value]]] = {
    "text": _text,
    "number": _number,
    "enum": _enum,
    "multi_enum": _multi_enum,
    "date": _date,
    "people": _people,
    "reference": _references,
}
