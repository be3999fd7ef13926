"""The columns of a board: the roles and custom fields of the world, and those that every board has of itself (name, subitems, logs)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from hub.sandbox.world import FieldDef, Project, World

PALETTE = {"#fdab3d": 0, "#00c875": 1, "#df2f4a": 2, "#c4c4c4": 5, "#a25ddc": 9, "#037f4c": 6}
PRIORITIES = ("urgent", "high", "normal", "low")
"""The world's priorities in the order of a priority column's labels."""
WITH_LABELS = ("status", "dropdown")
LOGGED_EVERY = 3
"""One board in three carries a creation log and a last-updated column."""


@dataclass(slots=True)
class Label:
    """A status label: ``id`` is what values and filters name, ``position`` where it is displayed."""

    id: int
    name: str
    color: str
    position: int
    done: bool


@dataclass(slots=True)
class Column:
    """``role``: what the world keeps in it; None for a custom field, whose values lie under ``definition.id``. ``blanks``: its empty value."""

    id: str
    title: str
    type: str
    role: str | None
    definition: FieldDef | None = None
    labels: dict[str, Label] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    blanks: dict[bool, dict[str, Any]] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """The fields of the vendor's ``Column``. Settings come as an object, their old form as a string."""
        return {
            "id": self.id,
            "title": self.title,
            "type": self.type,
            "description": None,
            "width": None,
            "archived": False,
            "settings": self.settings,
            "settings_str": orjson.dumps(self._old_settings()).decode(),
            "revision": f"{len(self.settings):032x}",
        }

    def _old_settings(self) -> dict[str, Any]:
        if self.type != "status":
            return self.settings
        labels = self.labels.values()
        return {
            "done_colors": [label.id for label in labels if label.done],
            "labels": {str(label.id): label.name for label in labels},
            "labels_positions_v2": {str(label.id): label.position for label in labels},
        }


def columns_of(world: World, board: Project) -> list[Column]:
    """All columns of a board in display order."""
    if board.kind not in ("board", "project", "companion"):
        return []
    made = [Column("name", "Name", "name", "name")]
    if board.companion:
        made.append(
            Column("subtasks_mk1", "Subitems", "subtasks", "subtasks", settings={"boardIds": [int(board.companion)], "allowMultipleItems": True})
        )
    made += [_role(world, board, role, column) for role, column in board.columns.items()]
    made += [_custom(world.fields["monday"][key], board) for key in board.fields]
    if int(board.id) % LOGGED_EVERY == 0:
        made += [
            Column("pulse_log", "Creation log", "creation_log", "creation_log"),
            Column("pulse_updated", "Last updated", "last_updated", "last_updated"),
        ]
    return made


def _role(world: World, board: Project, role: str, column: str) -> Column:
    definition = world.fields["monday"][f"{board.id}/{column}"]
    made = Column(column, definition.name, definition.vendor_type, role, definition)
    if role == "status":
        made.labels = {
            status.id: Label(int(status.id.rsplit("/", 1)[1]), status.name or "", status.color, status.position, status.type == "done")
            for status in board.statuses
        }
    elif role == "priority":
        rows = zip(PRIORITIES, definition.options, strict=False)
        made.labels = {word: Label(int(key), name, color, place, False) for place, (word, (key, name, color)) in enumerate(rows)}
    return _with_settings(made, board)


def _custom(definition: FieldDef, board: Project) -> Column:
    made = Column(definition.id.split("/", 1)[1], definition.name, definition.vendor_type, None, definition)
    if definition.vendor_type in WITH_LABELS:
        made.labels = {key: Label(int(key), name, color, place, False) for place, (key, name, color) in enumerate(definition.options)}
    return _with_settings(made, board)


def _with_settings(column: Column, board: Project) -> Column:
    given = column.definition.settings if column.definition else {}
    if column.type == "status":
        labels = sorted(column.labels.values(), key=lambda label: label.position)
        column.settings = {"labels": [_status_label(label) for label in labels]}
    elif column.type == "dropdown":
        column.settings = {"labels": [{"id": label.id, "label": label.name, "is_deactivated": False} for label in column.labels.values()]}
    elif column.type == "numbers":
        column.settings = {"unit": given["unit"]} if "unit" in given else {}
    elif column.type in ("board_relation", "dependency"):
        column.settings = {"boardIds": [int(board.id)]}
    elif column.type == "formula":
        column.settings = {"formula": given.get("formula", "")}
    return column


def _status_label(label: Label) -> dict[str, Any]:
    color = PALETTE.get(label.color, 5)
    return {"id": label.id, "color": color, "label": label.name, "index": label.position, "is_done": label.done, "is_deactivated": False}
