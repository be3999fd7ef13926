"""monday's raw bodies -> records. Pure; the vendor's word is kept and nothing is guessed.

An item's body names its board (``board.id``): the context of a project holds the shapes of the board and of its companion. A board lends its items
a status, dates and people only through the columns that play those roles (``board.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from connectors.base import Context, Item
from connectors.errors import BadResponse
from connectors.monday import fields
from connectors.monday.board import Column, Raw, Shape, identifier, priority_of
from connectors.records import (
    DESCRIPTION_LIMIT,
    Container,
    ContainerKind,
    CustomValue,
    Dependency,
    DependencyType,
    Field,
    FieldType,
    Identity,
    Membership,
    Option,
    Priority,
    Project,
    Record,
    Ref,
    Section,
    Status,
    StatusCategory,
    Task,
    TaskKind,
    Team,
)

MAIN = "main"
"""The key of the workspace whose id the vendor gives as null."""

MINUTES_A_DAY = 1440
"""Lag is in days by the specification; whether it counts working days is not said, so calendar days are taken."""

_DEPENDENCIES: Mapping[Any, DependencyType] = {
    0: DependencyType.FINISH_TO_START,
    1: DependencyType.START_TO_START,
    2: DependencyType.FINISH_TO_FINISH,
    3: DependencyType.START_TO_FINISH,
} | {each.value: each for each in DependencyType}
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)


def record(item: Item) -> Record:
    """The record of one item. Raises BadResponse naming the object."""
    kind = item.id.partition(":")[0]
    try:
        if kind == "task":
            return task(item.raw, item.context)
        return _PLAIN[kind](item.raw)
    except _UNREADABLE as error:
        raise BadResponse(f"{item.id.replace(':', ' ', 1)}: {type(error).__name__} {error}") from error


def workspace(raw: Raw) -> Container:
    key = MAIN if raw.get("id") is None else identifier(raw, "container")
    return Container(
        id=f"container:workspace/{key}",
        external_id=key,
        kind=ContainerKind.WORKSPACE,
        name=raw["name"],
        archived=raw.get("state") == "archived",
        private=raw.get("kind") == "closed",
    )


def folder(raw: Raw) -> Container:
    key, above = identifier(raw, "container"), raw.get("parent")
    return Container(
        id=f"container:folder/{key}",
        external_id=key,
        kind=ContainerKind.FOLDER,
        name=raw["name"],
        parent_id=f"container:folder/{above['id']}" if above else workspace_ref((raw.get("workspace") or {}).get("id")),
    )


def workspace_ref(key: Any) -> Ref:
    return f"container:workspace/{MAIN if key is None else key}"


def identity(raw: Raw) -> Identity:
    key = identifier(raw, "identity")
    kind = str(raw.get("kind") or "").casefold()
    return Identity(
        id=f"identity:{key}",
        external_id=key,
        name=raw.get("name") or None,
        email=raw.get("email") or None,
        active=raw.get("status") != "INACTIVE" and raw.get("is_deleted") is not True,
        guest="guest" in kind,
        agent="agent" in kind,
    )


def team(raw: Raw) -> Team:
    key = identifier(raw, "team")
    members = tuple(f"identity:{user['id']}" for user in raw.get("users") or () if user is not None)
    return Team(id=f"team:{key}", external_id=key, name=raw["name"], member_ids=members)


def project(raw: Raw) -> Project:
    """A board. Its count takes in the companion's items, which belong to it here; of a multi-level board it is not known which levels it counts."""
    key = identifier(raw, "project")
    count, companion = raw.get("items_count"), raw.get("_companion")
    if companion and count is not None:
        below = companion.get("items_count")
        count = None if below is None else count + below
    owners = [owner for owner in raw.get("owners") or () if owner is not None]
    parent = raw.get("board_folder_id")
    description = raw.get("description") or None
    return Project(
        id=f"project:{key}",
        external_id=key,
        url=raw.get("url"),
        name=raw["name"],
        container_id=f"container:folder/{parent}" if parent is not None else workspace_ref(raw.get("workspace_id")),
        description=description[:DESCRIPTION_LIMIT] if description else None,
        owner_id=f"identity:{owners[0]['id']}" if owners else None,
        archived=raw.get("state") == "archived",
        private=raw.get("board_kind") == "private",
        vendor_count=None if raw.get("hierarchy_type") == "multi_level" else count,
        created_at=_instant(raw.get("created_at")),
        updated_at=_instant(raw.get("updated_at")),
    )


def section(raw: Raw) -> Section:
    board, key = raw["board"], identifier(raw, "section")
    return Section(
        id=f"section:{board}/{key}",
        external_id=key,
        project_id=f"project:{board}",
        name=raw["title"],
        position=raw["place"],
        archived=raw.get("archived") is True,
    )


def status(raw: Raw) -> Status:
    """One label of a board's status column; ``label`` null is the blank one."""
    key = raw["label"] if raw["label"] is not None else ""
    done = raw.get("is_done") is True
    return Status(
        id=f"status:{raw['board']}/{raw['column']}/{key}",
        external_id=f"{raw['column']}/{key}",
        name=raw.get("name") or None,
        type="blank" if raw["label"] is None else "done" if done else "label",
        category=StatusCategory.DONE if done else StatusCategory.UNKNOWN,
        project_id=f"project:{raw['project']}",
        color=raw.get("color"),
        position=raw.get("place", 0),
    )


def field(raw: Raw) -> Field:
    return Field(
        id=f"field:{raw['board']}/{raw['column']}",
        external_id=f"{raw['board']}/{raw['column']}",
        name=raw["title"],
        type=FieldType(raw["field_type"]),
        project_id=f"project:{raw['project']}",
        options=tuple(Option(id=option["id"], name=option["name"], color=option["color"]) for option in raw["options"]),
    )


def task(raw: Raw, context: Context | None) -> Task:
    """One item, subitem or item of a lower level."""
    key = identifier(raw, "task")
    shape = _shape(raw, key, context)
    values = {value["id"]: value for value in raw["column_values"]}
    played, custom = _values(key, values, shape)
    parent, group, creator = raw.get("parent_item"), raw.get("group"), raw.get("creator_id")
    section_id = f"section:{shape.board}/{group['id']}" if group and not shape.companion else None
    return Task(
        id=f"task:{key}",
        external_id=key,
        url=raw.get("url"),
        title=raw["name"],
        parent_id=f"task:{parent['id']}" if parent else None,
        memberships=(Membership(project_id=shape.project_id, section_id=section_id),),
        created_at=_instant(raw.get("created_at")),
        updated_at=_instant(raw.get("updated_at")),
        creator_id=f"identity:{creator}" if creator else None,
        archived=raw.get("state") == "archived",
        custom_fields=custom,
        **played,
    )


def _shape(raw: Raw, key: str, context: Context | None) -> Shape:
    board = raw.get("board")
    found = context.data.get(str(board["id"])) if context is not None and board else None
    if found is None:
        raise BadResponse(f"task {key}: no columns are known for its board {board and board.get('id')}")
    return found  # type: ignore[no-any-return]  # a context's data is untyped in the contract


def _values(key: str, values: Mapping[str, Raw], shape: Shape) -> tuple[dict[str, Any], tuple[CustomValue, ...]]:
    """What the columns say: the task's own fields by the roles, and the custom fields."""
    played: dict[str, Any] = {}
    for role, read in _ROLES.items():
        column = shape.columns.get(shape.roles.get(role, ""))
        if column is None:
            continue
        raw = values.get(column.id, _EMPTY)
        if raw is _EMPTY and role != "status":
            continue
        try:
            read(played, raw, column)
        except _UNREADABLE as error:
            raise BadResponse(f"task {key}: column {column.id} ({role}) is not a {column.type}: {error}") from error
    custom: list[CustomValue] = []
    playing = set(shape.roles.values())
    for column_id, raw in values.items():
        known = shape.columns.get(column_id)
        if known is None or column_id in playing:
            continue
        try:
            value = fields.custom(raw, known)
        except _UNREADABLE as error:
            raise BadResponse(f"task {key}: column {column_id} is not a {known.type}: {error}") from error
        if value is not None:
            custom.append(value)
    return played, tuple(custom)


_EMPTY: Raw = {}


def _status(played: dict[str, Any], raw: Raw, column: Column) -> None:
    key = fields.label_id(raw)
    prefix = column.field_id.replace("field:", "status:", 1)
    if key is None:
        if "battery_value" not in raw:  # a parent on a multi-level board counts those below it and has no status of its own
            played["status_id"] = f"{prefix}/"
        return
    label = column.labels.get(key)
    name = raw.get("label") or (label.name if label is not None else None)
    if not name and label is None:
        played["status_id"] = f"{prefix}/"  # label 5, the grey one, is not listed unless it was given a name
        return
    played["status"], played["status_id"] = name or None, f"{prefix}/{key}"
    done = raw.get("is_done")
    if done is True or (done is None and label is not None and label.done):
        played["completed_at"] = _instant(fields.inner(raw).get("changed_at"))


def _priority(played: dict[str, Any], raw: Raw, column: Column) -> None:
    value = fields.custom(raw, column)
    word = value.value if value is not None else None
    played["priority"] = priority_of(str(word[0] if isinstance(word, tuple) else word)) if word else Priority.NONE


def _timeline(played: dict[str, Any], raw: Raw, column: Column) -> None:
    played["start_on"], played["due_on"] = fields.span(raw)
    if raw.get("visualization_type") == "milestone" or fields.inner(raw).get("visualization_type") == "milestone":
        played["kind"] = TaskKind.MILESTONE


def _due(played: dict[str, Any], raw: Raw, column: Column) -> None:
    if column.type == "timeline":  # an admin chose the timeline itself
        _timeline(played, raw, column)
        return
    day, instant = fields.moment(raw)
    if day is not None:
        played["due_on"], played["due_at"] = day, instant


def _start(played: dict[str, Any], raw: Raw, column: Column) -> None:
    day, instant = fields.moment(raw)
    if day is not None:
        played["start_on"], played["start_at"] = day, instant


def _assignees(played: dict[str, Any], raw: Raw, column: Column) -> None:
    played["assignee_ids"] = fields.people(raw)


def _estimate(played: dict[str, Any], raw: Raw, column: Column) -> None:
    figure = fields.number(raw)
    played["estimate_minutes"] = None if figure is None else round(figure * column.minutes)


def _logged(played: dict[str, Any], raw: Raw, column: Column) -> None:
    seconds = raw.get("duration")
    if seconds is None:
        seconds = fields.inner(raw).get("duration")
    played["logged_minutes"] = None if seconds is None else round(seconds / 60)


def _tags(played: dict[str, Any], raw: Raw, column: Column) -> None:
    played["tags"] = fields.tags(raw)


def _progress(played: dict[str, Any], raw: Raw, column: Column) -> None:
    figure = fields.number(raw)
    played["progress"] = None if figure is None else min(100, max(0, round(figure)))


def _dependency(played: dict[str, Any], raw: Raw, column: Column) -> None:
    """Links with type and lag where the vendor gives them, else the bare ids, whose type is then assumed."""
    found = {f"task:{key}": Dependency(predecessor_id=f"task:{key}") for key in fields.links(raw)}
    for link in raw.get("dependency_links") or ():
        reference = f"task:{link['linked_item_id']}"
        stated = _DEPENDENCIES.get(link.get("dependency_type"))
        found[reference] = Dependency(
            predecessor_id=reference,
            type=stated or DependencyType.FINISH_TO_START,
            lag_minutes=(link.get("lag") or 0) * MINUTES_A_DAY,
            assumed=stated is None,
        )
    played["depends_on"] = tuple(found.values())


_ROLES: Mapping[str, Callable[[dict[str, Any], Raw, Column], None]] = {
    "status": _status,
    "priority": _priority,
    "timeline": _timeline,
    "due": _due,
    "start": _start,
    "assignees": _assignees,
    "estimate": _estimate,
    "logged": _logged,
    "tags": _tags,
    "progress": _progress,
    "dependency": _dependency,
}
"""The order matters: a timeline gives start and due, and columns that are called so overrule it."""


def _container(raw: Raw) -> Container:
    return folder(raw) if "workspace" in raw else workspace(raw)


_PLAIN: Mapping[str, Callable[[Raw], Record]] = {
    "container": _container,
    "identity": identity,
    "team": team,
    "project": project,
    "section": section,
    "status": status,
    "field": field,
}


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
