"""The vendor's body cut down to what is mapped, in the vendor's own shape (``mapping`` reads the full body just as well).

Pure, and fast: it runs on every task of every page. Dropped: watchers, checklists, attachments, sharing, linked tasks, unset custom
fields, pictures and colours of users, definitions of fields (they are items of their own). Of a drop-down's options only the chosen ones
stay, so that a task's body changes when its own option is renamed and not when another is added. Malformed parts are kept as they are:
the mapping names the object that holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.clickup.client import Raw
from connectors.records import DESCRIPTION_LIMIT

PLAIN: Final = (
    "id",
    "custom_item_id",
    "name",
    "date_created",
    "date_updated",
    "date_done",
    "date_closed",
    "archived",
    "parent",
    "due_date",
    "start_date",
    "time_estimate",
    "time_spent",
    "url",
)
UNSET: Final[tuple[Any, ...]] = (None, "", [], {})
CHOICES: Final = ("drop_down", "labels")


def task(raw: Mapping[str, Any]) -> Raw:
    """One task as it is stored."""
    kept: Raw = {name: value for name in PLAIN if (value := raw.get(name)) is not None}
    text = raw.get("text_content") or raw.get("description")
    if text:
        kept["text_content"] = text[:DESCRIPTION_LIMIT] if isinstance(text, str) else text
    status, priority = raw.get("status"), raw.get("priority")
    if status is not None:
        kept["status"] = {name: status[name] for name in ("id", "status", "type") if name in status} if isinstance(status, dict) else status
    if priority is not None:
        kept["priority"] = {"id": priority.get("id"), "priority": priority.get("priority")} if isinstance(priority, dict) else priority
    for name in ("creator", "list"):
        value = raw.get(name)
        if value is not None:
            kept[name] = {"id": value.get("id")} if isinstance(value, dict) else value
    for name in ("assignees", "group_assignees", "locations"):
        values = raw.get(name)
        if values:
            kept[name] = _ids(values)
    tags, edges, fields = raw.get("tags"), raw.get("dependencies"), raw.get("custom_fields")
    if tags:
        kept["tags"] = [{"name": tag.get("name")} if isinstance(tag, dict) else tag for tag in tags] if isinstance(tags, list) else tags
    if edges:
        kept["dependencies"] = _waits(edges, raw.get("id"))
    if fields and (values := _values(fields)):
        kept["custom_fields"] = values
    return kept


def _only(value: Any, keys: tuple[str, ...]) -> Any:
    return {key: value[key] for key in keys if key in value} if isinstance(value, dict) else value


def _ids(values: Any) -> Any:
    return [{"id": value.get("id")} if isinstance(value, dict) else value for value in values] if isinstance(values, list) else values


def _waits(edges: Any, key: Any) -> Any:
    # The same edge is on both tasks: only those where this task is the one that waits are its own.
    if not isinstance(edges, list):
        return edges
    return [_only(edge, ("task_id", "depends_on")) for edge in edges if not isinstance(edge, dict) or edge.get("task_id") == key]


def _values(fields: Any) -> Any:
    """The fields that are set, by far the fewest of those that a task lists."""
    if not isinstance(fields, list):
        return fields
    kept: list[Any] = []
    for field in fields:
        if not isinstance(field, dict):
            kept.append(field)
            continue
        value = field.get("value")
        if value is None or value in UNSET:
            continue
        kind = field.get("type")
        if kind in CHOICES:
            kept.append({"id": field.get("id"), "type": kind, "value": value, "type_config": {"options": chosen(options(field), value)}})
            continue
        if isinstance(value, list):
            value = [_only(entry, ("id", "title", "name")) for entry in value] if kind == "attachment" else _ids(value)
        elif isinstance(value, dict):
            value = _only(value, ("current", "percent_completed", "formatted_address")) or value
        kept.append({"id": field.get("id"), "type": kind, "value": value})
    return kept


def options(field: Mapping[str, Any]) -> Sequence[Raw]:
    """The options of a drop-down or labels field; empty where it has none."""
    config = field.get("type_config")
    found = config.get("options") if isinstance(config, dict) else None
    return [option for option in found if isinstance(option, dict)] if isinstance(found, list) else ()


def chosen(known: Sequence[Raw], value: Any) -> list[Raw]:
    """The options that a value names: by id, or by index, which is the option's ``orderindex`` (its place in the list where options carry none)."""
    if isinstance(value, list):
        return [_option(option, None) for option in known if option.get("id") in value]
    if (option := usual(known, value)) is not None:
        return [_option(option, value)]
    by_id = [_option(option, None) for option in known if option.get("id") == value]
    return by_id or [_option(option, place) for place, option in enumerate(known) if str(option.get("orderindex", place)) == str(value)][:1]


def usual(known: Sequence[Raw], value: Any) -> Raw | None:
    """The option of an index, where it is also that option's place in the list: found without a search."""
    if type(value) is int and 0 <= value < len(known) and known[value].get("orderindex", value) == value:
        return known[value]
    return None


def _option(option: Raw, place: int | None) -> Raw:
    kept: Raw = {name: option[name] for name in ("id", "name", "label", "orderindex") if name in option}
    return kept if place is None or "orderindex" in kept else kept | {"orderindex": place}


def field(raw: Raw) -> Raw:
    """The definition of a custom field."""
    kept = _only(raw, ("id", "name", "type"))
    choices = options(raw)
    if choices:
        kept["type_config"] = {"options": [_only(option, ("id", "name", "label", "color")) for option in choices]}
    return dict(kept)


def status(raw: Raw) -> Raw:
    return {name: raw.get(name) for name in ("id", "status", "type", "orderindex", "color") if name in raw}


def user(raw: Raw) -> Raw:
    return {name: raw.get(name) for name in ("id", "username", "email", "role") if name in raw}


def group(raw: Raw) -> Raw:
    members = raw.get("members")
    return {
        "id": raw.get("id"),
        "name": raw.get("name"),
        "members": [_only(member, ("id",)) for member in members] if isinstance(members, list) else [],
    }


def workspace(raw: Raw) -> Raw:
    return {"id": raw.get("id"), "name": raw.get("name")}


def space(raw: Raw, workspace: str, *, archived: bool) -> Raw:
    """A space with its workspace, which the vendor's object does not name. ``archived``: the read it came from, where it does not say itself."""
    own = raw.get("archived")
    return {
        "id": raw.get("id"),
        "name": raw.get("name"),
        "private": raw.get("private") is True,
        "archived": own if isinstance(own, bool) else archived,
        "team_id": workspace,
    }


def folder(raw: Raw, *, space: str | None, workspace: str, archived: bool) -> Raw:
    """A folder with its space (null: shared from a space that the user cannot see; it then hangs under the workspace)."""
    own = raw.get("archived")
    kept = {"id": raw.get("id"), "name": raw.get("name"), "archived": own if isinstance(own, bool) else archived, "space": space and {"id": space}}
    if raw.get("parent_folder"):
        kept["parent_folder"] = raw["parent_folder"]
    if space is None:
        kept["team_id"] = workspace
    return kept


def list_(raw: Raw, *, folder: Raw | None, space: str | None, workspace: str | None, archived: bool) -> Raw:
    """A list with the folder and space it lies in, which lists inside a folder's answer do not repeat.

    ``workspace``: its home where neither is known.
    """
    own, home = raw.get("archived"), folder or {}
    kept: Raw = {"id": raw.get("id"), "name": raw.get("name"), "archived": own if isinstance(own, bool) else archived}
    kept |= {name: raw[name] for name in ("content", "due_date", "start_date", "assignee") if raw.get(name) not in UNSET}
    if isinstance(kept.get("assignee"), dict):
        kept["assignee"] = _only(kept["assignee"], ("id",))
    kept["folder"] = {"id": home["id"]} if home.get("id") and not home.get("hidden") else None
    kept["space"] = {"id": space} if space else None
    if not kept["folder"] and not space:
        kept["team_id"] = workspace
    return kept
