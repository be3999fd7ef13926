"""Raw body -> record: pure, and never a guess. A body may be the vendor's own or the lean one that is stored.

What cannot be read is a BadResponse that names the object and the key. What is merely unknown (a status
type, a type of field) keeps the vendor's word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from connectors.base import Item
from connectors.clickup import fields
from connectors.clickup.days import Days, days, instant
from connectors.errors import BadResponse
from connectors.records import (
    DESCRIPTION_LIMIT,
    Container,
    ContainerKind,
    CustomValue,
    Dependency,
    Field,
    Identity,
    Membership,
    Option,
    Priority,
    Project,
    Record,
    Ref,
    Status,
    StatusCategory,
    Task,
    TaskKind,
    Team,
)

CATEGORIES: Final[Mapping[str, StatusCategory]] = {
    "open": StatusCategory.UNSTARTED,
    "custom": StatusCategory.STARTED,
    "done": StatusCategory.DONE,
    "closed": StatusCategory.DONE,
}
PRIORITIES: Final[Mapping[str, Priority]] = {
    "1": Priority.URGENT,
    "2": Priority.HIGH,
    "3": Priority.NORMAL,
    "4": Priority.LOW,
    "urgent": Priority.URGENT,
    "high": Priority.HIGH,
    "normal": Priority.NORMAL,
    "low": Priority.LOW,
}
MILESTONE: Final = 1  # custom_item_id; 0 and null are plain tasks, other numbers the workspace's own types
GUEST: Final = 4  # member roles: 1 owner, 2 admin, 3 member, 4 guest
MINUTE: Final = 60_000


def record(item: Item) -> Record:
    """The record of an item. Raises BadResponse naming the object."""
    word = item.id.partition(":")[0]
    if word == "task":
        return task(item.raw, _days(item))
    if word == "project":
        return project(item.raw, _days(item))
    if word == "container":
        return CONTAINERS[item.id.partition(":")[2].partition("/")[0]](item.raw)
    if word == "status":
        return status(item.raw, item.id)
    return OTHERS[word](item.raw)


def _days(item: Item) -> Days:
    if item.context is None:
        raise BadResponse(f"{item.id}: the time zone to read its dates in is missing")
    return days(tuple(item.context.data["timezones"]))


def task(raw: Mapping[str, Any], zones: Days) -> Task:
    """A task at any depth."""
    key = _key(raw, "a task")
    where = f"task {key}"
    status = raw.get("status") or {}
    if not isinstance(status, Mapping):
        raise BadResponse(f"{where}: status is not an object")
    home = _id(raw.get("list"), where, "list")
    start_on, start_at = _date(raw, "start_date", where, zones)
    due_on, due_at = _date(raw, "due_date", where, zones)
    creator = _id(raw.get("creator"), where, "creator")
    parent, text = raw.get("parent"), raw.get("text_content") or raw.get("description")
    return Task(
        id=f"task:{key}",
        external_id=key,
        url=raw.get("url"),
        title=_name(raw, where),
        kind=TaskKind.MILESTONE if raw.get("custom_item_id") == MILESTONE else TaskKind.TASK,
        description=str(text)[:DESCRIPTION_LIMIT] if text else None,
        parent_id=f"task:{parent}" if parent else None,
        memberships=_memberships(home, raw.get("locations"), where),
        status=status.get("status"),
        status_id=status_ref(status, home),
        priority=_priority(raw.get("priority")),
        start_on=start_on,
        start_at=start_at,
        due_on=due_on,
        due_at=due_at,
        completed_at=_completed(raw, status, where),
        created_at=_instant(raw, "date_created", where),
        updated_at=_instant(raw, "date_updated", where),
        creator_id=f"identity:{creator}" if creator is not None else None,
        assignee_ids=_refs(raw, "assignees", "identity", where) + _refs(raw, "group_assignees", "team", where),
        depends_on=_waits(raw, key, where),
        tags=_tags(raw, where),
        estimate_minutes=_minutes(raw, "time_estimate", where),
        logged_minutes=_minutes(raw, "time_spent", where),
        archived=raw.get("archived") is True,
        custom_fields=_custom(raw, where, zones),
    )


def status_ref(status: Mapping[str, Any], home: str | None) -> Ref | None:
    """A status' reference: its id, or where the vendor gives none its list and name (names are compared without case)."""
    if status.get("id"):
        return f"status:{status['id']}"
    name = status.get("status")
    return f"status:list/{home}/{str(name).casefold()}" if name and home else None


def project(raw: Mapping[str, Any], zones: Days) -> Project:
    """A list. ``vendor_count`` stays null: what ClickUp's task_count counts is not documented, so it proves nothing."""
    key = _key(raw, "a list")
    where = f"list {key}"
    owner = _id(raw.get("assignee"), where, "assignee")
    return Project(
        id=f"project:{key}",
        external_id=key,
        url=None,
        name=_name(raw, where),
        container_id=_parent(raw, where),
        description=str(raw["content"])[:DESCRIPTION_LIMIT] if raw.get("content") else None,
        owner_id=f"identity:{owner}" if owner is not None else None,
        start_on=_date(raw, "start_date", where, zones)[0],
        due_on=_date(raw, "due_date", where, zones)[0],
        archived=raw.get("archived") is True,
    )


def workspace(raw: Mapping[str, Any]) -> Container:
    key = _key(raw, "a workspace")
    return Container(id=f"container:workspace/{key}", external_id=key, kind=ContainerKind.WORKSPACE, name=_name(raw, f"workspace {key}"))


def space(raw: Mapping[str, Any]) -> Container:
    key = _key(raw, "a space")
    return Container(
        id=f"container:space/{key}",
        external_id=key,
        kind=ContainerKind.SPACE,
        name=_name(raw, f"space {key}"),
        parent_id=f"container:workspace/{raw['team_id']}" if raw.get("team_id") else None,
        archived=raw.get("archived") is True,
        private=raw.get("private") is True,
    )


def folder(raw: Mapping[str, Any]) -> Container:
    key = _key(raw, "a folder")
    above = raw.get("parent_folder")
    return Container(
        id=f"container:folder/{key}",
        external_id=key,
        kind=ContainerKind.FOLDER,
        name=_name(raw, f"folder {key}"),
        parent_id=f"container:folder/{above}" if above else _parent(raw, f"folder {key}"),
        archived=raw.get("archived") is True,
    )


def identity(raw: Mapping[str, Any]) -> Identity:
    """A user. The name is null for people who have not accepted yet; role 4 is a guest (null in the stub that a task carries)."""
    key = _key(raw, "a user")
    return Identity(
        id=f"identity:{key}",
        external_id=key,
        name=raw.get("username"),
        email=raw.get("email"),
        active=raw.get("member") is not False,
        guest=raw.get("role") == GUEST,
    )


def team(raw: Mapping[str, Any]) -> Team:
    key = _key(raw, "a group")
    where = f"group {key}"
    return Team(id=f"team:{key}", external_id=key, name=_name(raw, where), member_ids=_refs(raw, "members", "identity", where))


def status(raw: Mapping[str, Any], ref: Ref) -> Status:
    """A status; its category is what the vendor's type says. Without an id of its own it belongs to one list."""
    name, kind = raw.get("status"), str(raw.get("type") or "unknown")
    if not isinstance(name, str):
        raise BadResponse(f"{ref}: the status has no name")
    key = ref.partition(":")[2]
    home = key.split("/")[1] if key.startswith("list/") else None
    position = raw.get("orderindex")
    return Status(
        id=ref,
        external_id=str(raw.get("id") or name),
        name=name,
        type=kind,
        category=CATEGORIES.get(kind, StatusCategory.UNKNOWN),
        project_id=f"project:{home}" if home else None,
        color=raw.get("color"),
        position=position if isinstance(position, int) else 0,
    )


def definition(raw: Mapping[str, Any]) -> Field:
    """The definition of a custom field; options of labels have a label where those of drop-downs have a name."""
    key = _key(raw, "a custom field")
    options = (raw.get("type_config") or {}).get("options") or ()
    return Field(
        id=f"field:{key}",
        external_id=key,
        name=_name(raw, f"custom field {key}"),
        type=fields.kind(raw.get("type")),
        options=tuple(
            Option(id=str(one["id"]), name=str(one.get("name", one.get("label"))), color=one.get("color")) for one in options if one.get("id")
        ),
    )


CONTAINERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Container]]] = {"workspace": workspace, "space": space, "folder": folder}
OTHERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Record]]] = {"identity": identity, "team": team, "field": definition}


def _key(raw: Mapping[str, Any], what: str) -> str:
    key = raw.get("id")
    if key is None or key == "" or isinstance(key, bool | dict | list):
        raise BadResponse(f"{what} without an id")
    return str(key)


def _name(raw: Mapping[str, Any], where: str) -> str:
    name = raw.get("name")
    if not isinstance(name, str):
        raise BadResponse(f"{where}: name is missing")
    return name


def _id(value: Any, where: str, name: str) -> str | None:
    """The id of an embedded object, or a bare id; null where there is none (a removed user's fields may be null)."""
    if isinstance(value, Mapping):
        value = value.get("id")
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadResponse(f"{where}: {name} has an id that is neither text nor number")
    return str(value)


def _rows(raw: Mapping[str, Any], name: str, where: str) -> list[Any]:
    rows = raw.get(name)
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise BadResponse(f"{where}: {name} is not a list")
    return rows


def _refs(raw: Mapping[str, Any], name: str, word: str, where: str) -> tuple[Ref, ...]:
    if not raw.get(name):
        return ()
    ids = (_id(row, where, name) for row in _rows(raw, name, where))
    return tuple(dict.fromkeys(f"{word}:{key}" for key in ids if key is not None))


def _memberships(home: str | None, locations: Any, where: str) -> tuple[Membership, ...]:
    if not locations:
        return (Membership(project_id=f"project:{home}"),) if home else ()
    further = (_id(place, where, "locations") for place in _rows({"locations": locations}, "locations", where))
    return tuple(Membership(project_id=f"project:{key}") for key in dict.fromkeys((home, *further)) if key)


def _waits(raw: Mapping[str, Any], key: str, where: str) -> tuple[Dependency, ...]:
    # The same edge is on both tasks; this one waits only where it is the edge's task_id.
    edges = raw.get("dependencies")
    if not edges:
        return ()
    found: dict[str, Dependency] = {}
    for edge in _rows(raw, "dependencies", where):
        if not isinstance(edge, Mapping) or not edge.get("task_id") or not edge.get("depends_on"):
            raise BadResponse(f"{where}: a dependency without task_id and depends_on")
        if edge["task_id"] == key:
            found[edge["depends_on"]] = Dependency(predecessor_id=f"task:{edge['depends_on']}")
    return tuple(found.values())


def _tags(raw: Mapping[str, Any], where: str) -> tuple[str, ...]:
    if not raw.get("tags"):
        return ()
    return tuple(str(tag.get("name") if isinstance(tag, Mapping) else tag) for tag in _rows(raw, "tags", where))


def _custom(raw: Mapping[str, Any], where: str, zones: Days) -> tuple[CustomValue, ...]:
    values: list[CustomValue] = []
    for field in _rows(raw, "custom_fields", where):
        if not isinstance(field, dict) or not (key := field.get("id")):
            raise BadResponse(f"{where}: a custom field without an id")
        value = field.get("value")
        if not value and not isinstance(value, int | float):  # null, "", [] or {}: unset; 0 and false are values
            continue
        try:
            kind, read = fields.value(field, zones)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise BadResponse(f"{where}: custom field {key} ({field.get('type')}) cannot be read") from error
        values.append(CustomValue(field_id=f"field:{key}", type=kind, value=read))
    return tuple(values)


def _priority(value: Any) -> Priority:
    """Null, an object {id, priority}, or (in an example of the specification) the bare number."""
    if value is None:
        return Priority.NONE
    if isinstance(value, Mapping):
        return PRIORITIES.get(str(value.get("id")), PRIORITIES.get(str(value.get("priority")), Priority.NONE))
    return PRIORITIES.get(str(value), Priority.NONE)


def _number(raw: Mapping[str, Any], name: str, where: str) -> int | None:
    """Milliseconds, as text or number (the specification and the service differ)."""
    value = raw.get(name)
    if value is None:
        return None
    try:
        return int(value) if isinstance(value, str) else round(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadResponse(f"{where}: {name} is not a number") from error


def _instant(raw: Mapping[str, Any], name: str, where: str) -> datetime | None:
    number = _number(raw, name, where)
    try:
        return None if number is None else instant(number)
    except OverflowError as error:
        raise BadResponse(f"{where}: {name} is out of range") from error


def _date(raw: Mapping[str, Any], name: str, where: str, zones: Days) -> tuple[date | None, datetime | None]:
    number = _number(raw, name, where)
    if number is None:
        return None, None
    try:
        return zones.read(number)
    except (OverflowError, ValueError) as error:
        raise BadResponse(f"{where}: {name} is out of range") from error


def _completed(raw: Mapping[str, Any], status: Mapping[str, Any], where: str) -> datetime | None:
    if status.get("type") not in ("done", "closed"):
        return None
    done = _instant(raw, "date_done", where)
    return done if done is not None else _instant(raw, "date_closed", where)


def _minutes(raw: Mapping[str, Any], name: str, where: str) -> int | None:
    number = _number(raw, name, where)
    return None if number is None else (number + MINUTE // 2) // MINUTE


def _parent(raw: Mapping[str, Any], where: str) -> Ref | None:
    """Folder (unless hidden: then there is none), else space, else workspace."""
    folder = raw.get("folder")
    if isinstance(folder, Mapping) and folder.get("id") and not folder.get("hidden"):
        return f"container:folder/{folder['id']}"
    space = _id(raw.get("space"), where, "space")
    if space:
        return f"container:space/{space}"
    return f"container:workspace/{raw['team_id']}" if raw.get("team_id") else None
