"""Custom fields: their definitions at each level, and a task's values in ClickUp's many shapes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zlib import crc32

import orjson

from hub.sandbox.clickup import people
from hub.sandbox.clickup.atlas import Atlas
from hub.sandbox.clickup.shelf import Shelf
from hub.sandbox.world import FieldDef, Task, World

CREATED = "1617765143523"
CONFIG = ("precision", "currency_type", "placeholder", "start", "end", "count", "code_point", "tracking", "complete_on", "default")
"""Settings of a FieldDef that belong into ``type_config`` as they are."""


def definition(field: FieldDef) -> dict[str, Any]:
    return {
        "id": field.id,
        "name": field.name,
        "type": field.vendor_type,
        "type_config": {**_options(field), **{key: field.settings[key] for key in CONFIG if key in field.settings}},
        "date_created": CREATED,
        "hide_from_guests": False,
    }


def _options(field: FieldDef) -> dict[str, Any]:
    """Labels call their text ``label``, drop-downs ``name`` with an ``orderindex``."""
    if field.vendor_type == "labels":
        return {"options": [{"id": key, "label": name, "color": color} for key, name, color in field.options]}
    if field.vendor_type == "drop_down":
        options = [{"id": key, "name": name, "color": color, "orderindex": place} for place, (key, name, color) in enumerate(field.options)]
        return {"default": None, "placeholder": None, "options": options}
    return {}


def made_at(world: World, atlas: Atlas, container: str) -> list[dict[str, Any]]:
    """The fields made at a workspace, space or folder: those whose lists have this container as the lowest in common."""
    paths: dict[str, tuple[str, ...]] = {}
    for project in atlas.projects.values():
        path = tuple(node.id for node in atlas.places[project.id].above)
        for key in project.fields:
            paths[key] = _common(paths[key], path) if key in paths else (*path, project.id)
    return [definition(world.fields["clickup"][key]) for key, path in paths.items() if path[-1] == container]


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return one[:same]


class Values:
    """Renders a task's ``custom_fields``: each field of its list, set or not; an unset one has no ``value`` key."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open = {key: orjson.dumps({**definition(field), "required": False})[:-1] for key, field in world.fields["clickup"].items()}

    def fragments(self, task: Task, keys: list[str], shelf: Shelf) -> list[orjson.Fragment]:
        return [orjson.Fragment(self._one(task, key, shelf)) for key in keys]

    def _one(self, task: Task, key: str, shelf: Shelf) -> bytes:
        value = task.values.get(key)
        if value is None:
            return self._open[key] + b"}"
        field = self._world.fields["clickup"][key]
        shown = SHAPES.get(field.vendor_type, _as_is)(Setting(self._world, shelf, field, task), value)
        return self._open[key] + b',"value":' + orjson.dumps(shown) + b"}"


class Setting:
    """What a value's shape may depend on. ``odd`` varies by task where the service is known to answer in two ways."""

    def __init__(self, world: World, shelf: Shelf, field: FieldDef, task: Task) -> None:
        self.world, self.shelf, self.field, self.task = world, shelf, field, task

    @property
    def odd(self) -> bool:
        return crc32(self.task.id.encode()) % 4 == 1


def _as_is(setting: Setting, value: Any) -> Any:
    return value


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _number(setting: Setting, value: Any) -> str:
    return number(value)


def _date(setting: Setting, value: Any) -> str:
    moment = datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    return str(setting.shelf.instant(moment))


def _checkbox(setting: Setting, value: Any) -> Any:
    return bool(value) if setting.odd else str(bool(value)).lower()


def _drop_down(setting: Setting, value: Any) -> Any:
    """The index of the option, and for some the option's id."""
    return value if setting.odd else next(place for place, option in enumerate(setting.field.options) if option[0] == value)


def _users(setting: Setting, value: Any) -> list[dict[str, Any]]:
    return [people.user(setting.world, identifier) for identifier in value]


def _tasks(setting: Setting, value: Any) -> list[dict[str, Any]]:
    """The related tasks, with a name only where the token's user may see them."""
    return [_related(setting.shelf, identifier) for identifier in value]


def _related(shelf: Shelf, identifier: str) -> dict[str, Any]:
    row = shelf.rows.get(identifier)
    if row is None or row.place.hidden:
        return {"id": identifier, "access": False}
    return {"id": identifier, "name": row.task.title, "status": row.status.name, "team_id": row.place.workspace, "access": True}


def _rating(setting: Setting, value: Any) -> Any:
    return number(value) if setting.odd else int(value)


def _manual_progress(setting: Setting, value: Any) -> dict[str, Any]:
    start, end = setting.field.settings.get("start", 0), setting.field.settings.get("end", 100)
    return {"current": number(value), "percent_completed": round(100 * (value - start) / (end - start))}


def _automatic_progress(setting: Setting, value: Any) -> dict[str, Any]:
    return {"percent_completed": value}


def _location(setting: Setting, value: Any) -> dict[str, Any]:
    return {"location": {"lat": 52.52, "lng": 13.405}, "formatted_address": value, "place_id": "sandbox-place"}


SHAPES: dict[str, Callable[[Setting, Any], Any]] = {
    "number": _number,
    "currency": _number,
    "date": _date,
    "checkbox": _checkbox,
    "drop_down": _drop_down,
    "users": _users,
    "tasks": _tasks,
    "emoji": _rating,
    "manual_progress": _manual_progress,
    "automatic_progress": _automatic_progress,
    "location": _location,
}
"""By ClickUp's word for the type; the others (texts, labels, formulas) are shown as the world holds them."""
