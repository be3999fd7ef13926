"""What custom fields show, as definitions and as values on tasks. A page of tasks holds a thousand values, so a field's type is worked out once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from hub.sandbox.asana.fields import ABSENT, Field, Kind
from hub.sandbox.asana.view import View
from hub.sandbox.world import FieldDef

# The unified word where a field's own word is not one of the vendor's seven types.
TYPES = {
    "number": "number",
    "money": "number",
    "formula": "number",
    "enum": "enum",
    "multi_enum": "multi_enum",
    "date": "date",
    "person": "people",
    "relation": "reference",
}
VENDOR_TYPES = frozenset(("text", "enum", "multi_enum", "number", "date", "people", "reference"))


class Value(NamedTuple):
    """A custom field of the vendor's type ``kind``; its value on a task in the unified form is None when not set, ABSENT for the definition alone."""

    id: str
    definition: FieldDef
    kind: str
    value: Any


def valued(definition: FieldDef, value: Any = ABSENT) -> Value:
    """A definition as it stands on a task, or alone."""
    kind = definition.vendor_type
    return Value(definition.id, definition, kind if kind in VENDOR_TYPES else TYPES.get(definition.type, "text"), value)


def _memo(each: Value) -> Hashable:
    return each.id, tuple(each.value) if isinstance(each.value, list) else each.value


def field_kinds(view: View) -> dict[str, Kind]:
    """The kinds custom field, enum option (a world's option: id, name, color) and date value (its text)."""
    option = {
        "gid": Field(lambda each: each[0]),
        "resource_type": Field(lambda _: "enum_option"),
        "name": Field(lambda each: each[1]),
        "enabled": Field(lambda _: True),
        "color": Field(lambda each: each[2]),
    }
    moment = {
        "date": Field(lambda text: text[:10]),
        "date_time": Field(lambda text: text if len(text) > 10 else None),
    }
    custom_field = {**_definition(), **_values(view)}
    return {
        "custom_field": Kind(custom_field, tuple(custom_field), whole=True, memo=_memo),
        "enum_option": Kind(option, tuple(option)),
        "date_value": Kind(moment, tuple(moment), plain=True),
    }


def _definition() -> dict[str, Field]:
    def of_number(name: str, default: Any) -> Field:
        return Field(lambda each: each.definition.settings.get(name, default) if each.kind == "number" else ABSENT)

    def options(each: Value) -> Any:
        return each.definition.options if each.kind in ("enum", "multi_enum") else ABSENT

    return {
        "gid": Field(lambda each: each.id),
        "resource_type": Field(lambda _: "custom_field"),
        "name": Field(lambda each: each.definition.name),
        "type": Field(lambda each: each.kind),
        "resource_subtype": Field(lambda each: each.kind),
        "representation_type": Field(lambda each: "formula" if each.definition.type == "formula" else each.kind),
        "is_formula_field": Field(lambda each: each.definition.type == "formula"),
        "enabled": Field(lambda _: True),
        "description": Field(lambda _: ""),
        "is_global_to_workspace": Field(lambda _: True),
        "has_notifications_enabled": Field(lambda _: False),
        "precision": of_number("precision", 0),
        "format": of_number("format", "none"),
        "currency_code": of_number("currency_code", None),
        "enum_options": Field(options, "enum_option", many=True),
    }


def _values(view: View) -> dict[str, Field]:
    """The value keys: each is there only on a value (not on a definition alone) of its own type."""

    def of(kind: str, read: Any, empty: Any = None) -> Any:
        def get(each: Value) -> Any:
            if each.kind != kind or each.value is ABSENT:
                return ABSENT
            return empty if each.value is None else read(each)

        return get

    def option(each: Value) -> Any:
        return next(option for option in each.definition.options if option[0] == each.value)

    def chosen(each: Value) -> Any:
        return [option for option in each.definition.options if option[0] in each.value]

    def display(each: Value) -> Any:
        return each.value if each.value is None or each.value is ABSENT else _display(view, each)

    return {
        "display_value": Field(display),
        "text_value": Field(of("text", lambda each: str(each.value))),
        "number_value": Field(of("number", lambda each: float(each.value))),
        "enum_value": Field(of("enum", option), "enum_option"),
        "multi_enum_values": Field(of("multi_enum", chosen, []), "enum_option", many=True),
        "date_value": Field(of("date", lambda each: each.value), "date_value"),
        "people_value": Field(of("people", lambda each: [view.people[gid] for gid in each.value], []), "user", many=True),
        "reference_value": Field(of("reference", lambda each: [view.tasks[gid] for gid in each.value], []), "task", many=True),
    }


def _display(view: View, each: Value) -> str | None:
    """The vendor's text for a value; None for an empty list."""
    kind, value = each.kind, each.value
    if each.definition.type == "formula":
        return str(value)  # the world holds what the vendor shows of a formula
    if kind == "number":
        return _number(each.definition, float(value))
    if kind == "enum":
        return next(name for gid, name, _ in each.definition.options if gid == value)
    if kind == "multi_enum":
        return ", ".join(name for gid, name, _ in each.definition.options if gid in value) or None
    if kind == "people":
        return ", ".join(view.people[gid].name or "Private User" for gid in value) or None
    if kind == "reference":
        return ", ".join(view.tasks[gid].title for gid in value) or None
    return f"{value}T00:00:00.000Z" if kind == "date" and len(value) == 10 else str(value)


def _number(definition: FieldDef, value: float) -> str:
    precision = int(definition.settings.get("precision", 0))
    if definition.settings.get("format") == "percentage":
        return f"{value * 100:.{max(precision - 2, 0)}f}%"
    amount = f"{value:.{precision}f}"
    return f"{definition.settings['currency_code']} {amount}" if definition.settings.get("format") == "currency" else amount
