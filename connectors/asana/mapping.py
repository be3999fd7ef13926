"""Raw dict -> record. Pure: what it looks at beside the raw body is the admin's ``Options``.

Status. The only status the vendor builds in is the tick-box ``completed``; its word is the section, which differs from membership to
membership. So each section is two statuses (``status:SECTION/open`` and ``/completed``) with one name, and a task without a section has
``status:none/...`` with no name. Where an admin chose an enum field for a project, its option takes the section's place there.
``approval_status`` needs no reading: all but pending is completed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from connectors.asana import fields
from connectors.asana.fields import Malformed, Raw
from connectors.asana.options import DEFAULT, Options
from connectors.base import Item
from connectors.errors import BadResponse
from connectors.records import (
    DESCRIPTION_LIMIT,
    Container,
    ContainerKind,
    Dependency,
    Identity,
    Membership,
    Project,
    Record,
    Section,
    Status,
    StatusCategory,
    Task,
    TaskKind,
)

KINDS: Final[Mapping[str, TaskKind]] = {"milestone": TaskKind.MILESTONE, "approval": TaskKind.APPROVAL}


def record(item: Item) -> Record:
    """One item as one record. Raises BadResponse naming the object and, where it can, the field that is not what the specification says."""
    kind = item.id.partition(":")[0]
    options: Options = item.context.data if item.context is not None else DEFAULT
    try:
        return task(item.raw, options) if kind == "task" else MAPPINGS[kind](item.raw)
    except Malformed as error:
        raise BadResponse(f"{kind} {item.raw.get('gid')}: {error}") from error
    except KeyError as error:
        raise BadResponse(f"{kind} {item.raw.get('gid')}: {error.args[0]} is missing") from error
    except (TypeError, AttributeError) as error:
        raise BadResponse(f"{kind} {item.raw.get('gid')}: not of the shape that the specification gives ({error})") from error


def task(raw: Raw, options: Options = DEFAULT) -> Task:
    gid, title, completed = raw["gid"], raw["name"] or "", raw["completed"]
    if not isinstance(title, str):
        raise Malformed("name is not a text")
    if not isinstance(completed, bool):
        raise Malformed("completed is neither true nor false")
    tick = "/completed" if completed else "/open"
    homes = tuple(
        [_membership(raw, home, project["gid"], tick, options) for home in raw.get("memberships") or () if (project := home.get("project"))]
    )
    custom, priority = fields.values(raw.get("custom_fields") or (), options)
    start_at, due_at = instant(raw, "start_at"), instant(raw, "due_at")
    parent, assignee, creator = raw.get("parent"), raw.get("assignee"), raw.get("created_by")
    return Task(
        id="task:" + gid,
        external_id=gid,
        url=raw.get("permalink_url"),
        title=title,
        kind=KINDS.get(raw.get("resource_subtype") or "", TaskKind.TASK),
        description=description(raw),
        parent_id="task:" + parent["gid"] if parent else None,
        memberships=homes,
        status=homes[0].status if homes else None,
        status_id=homes[0].status_id if homes else "status:none" + tick,
        priority=priority,
        start_on=_day(raw, "start_on", start_at),
        start_at=start_at,
        due_on=_day(raw, "due_on", due_at),
        due_at=due_at,
        completed_at=instant(raw, "completed_at") if completed else None,
        created_at=instant(raw, "created_at"),
        updated_at=instant(raw, "modified_at"),
        creator_id="identity:" + creator["gid"] if creator else None,
        assignee_ids=("identity:" + assignee["gid"],) if assignee else (),
        depends_on=tuple([Dependency(predecessor_id="task:" + other["gid"]) for other in raw.get("dependencies") or ()]),
        tags=tuple([tag["name"] for tag in raw.get("tags") or ()]),
        logged_minutes=_minutes(raw),
        child_count=raw.get("num_subtasks"),
        custom_fields=custom,
    )


def _membership(raw: Raw, home: Raw, project_gid: str, tick: str, options: Options) -> Membership:
    section = home.get("section")
    field_gid = options.status_field.get(project_gid)
    status, status_id = _chosen(raw, field_gid, tick) if field_gid else (None, None)
    if status_id is None:
        status, status_id = (section["name"], "status:" + section["gid"] + tick) if section else (None, "status:none" + tick)
    section_id = "section:" + section["gid"] if section else None
    return Membership(project_id="project:" + project_gid, section_id=section_id, status=status, status_id=status_id)


def _chosen(raw: Raw, field_gid: str, tick: str) -> tuple[str | None, str | None]:
    """The option of the admin's status field; no id where the task does not have the field, so that its section speaks."""
    for value in raw.get("custom_fields") or ():
        if value["gid"] == field_gid:
            option = value.get("enum_value")
            return (option["name"], f"status:{field_gid}/{option['gid']}{tick}") if option else (None, f"status:{field_gid}/{tick}")
    return None, None


def _minutes(raw: Raw) -> int | None:
    minutes = raw.get("actual_time_minutes")
    if minutes is None:
        return None
    if not isinstance(minutes, int | float) or isinstance(minutes, bool):
        raise Malformed("actual_time_minutes is not a number")
    return round(minutes)


def instant(raw: Raw, key: str) -> datetime | None:
    """A UTC instant. Raises Malformed for anything else, a date without a time included."""
    value = raw.get(key)
    if value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise Malformed(f"{key} is not an instant") from error
    if parsed.tzinfo is None:
        raise Malformed(f"{key} is not an instant")
    return parsed if parsed.tzinfo is UTC else parsed.astimezone(UTC)


def _day(raw: Raw, key: str, at: datetime | None) -> date | None:
    """The vendor gives the local day beside the instant; should it leave the day out, the instant's UTC day is the nearest thing to it."""
    value = raw.get(key)
    if value is None:
        return at.date() if at is not None else None
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise Malformed(f"{key} is not a date") from error


def description(raw: Raw) -> str | None:
    notes = raw.get("notes")
    return notes[:DESCRIPTION_LIMIT] if notes else None


def project(raw: Raw) -> Project:
    gid = raw["gid"]
    team, owner, update = raw.get("team"), raw.get("owner"), raw.get("current_status_update")
    return Project(
        id="project:" + gid,
        external_id=gid,
        url=raw.get("permalink_url"),
        name=raw["name"] or "",
        container_id="container:team/" + team["gid"] if team else "container:workspace/" + raw["workspace"]["gid"],
        description=description(raw),
        owner_id="identity:" + owner["gid"] if owner else None,
        start_on=_day(raw, "start_on", None),
        due_on=_day(raw, "due_on", None),
        completed_at=instant(raw, "completed_at") if raw.get("completed") else None,
        archived=raw["archived"],
        private=raw.get("privacy_setting") == "private",
        health=update.get("status_type") if update else None,
        health_text=update.get("title") or None if update else None,
        created_at=instant(raw, "created_at"),
        updated_at=instant(raw, "modified_at"),
    )


def container(raw: Raw) -> Container:
    """A workspace, or a team, which names its ``workspace``."""
    gid = raw["gid"]
    workspace = raw.get("workspace")
    if workspace is None:
        return Container(id="container:workspace/" + gid, external_id=gid, kind=ContainerKind.WORKSPACE, name=raw["name"] or "")
    return Container(
        id="container:team/" + gid,
        external_id=gid,
        kind=ContainerKind.TEAM,
        name=raw["name"] or "",
        parent_id="container:workspace/" + workspace["gid"],
        private=raw.get("visibility") == "secret",
    )


def identity(raw: Raw) -> Identity:
    gid = raw["gid"]
    return Identity(id="identity:" + gid, external_id=gid, name=raw.get("name") or None, email=raw.get("email") or None)


def section(raw: Raw) -> Section:
    gid = raw["gid"]
    return Section(
        id="section:" + gid, external_id=gid, project_id="project:" + raw["project"]["gid"], name=raw["name"] or "", position=raw["position"]
    )


def status(raw: Raw) -> Status:
    """One half (open or completed) of a section, of an option of the chosen enum field, or of having neither."""
    completed = raw["completed"]
    key = raw["gid"]
    owner = raw.get("project")
    return Status(
        id="status:" + key,
        external_id=key,
        name=raw["name"],
        type="completed" if completed else "open",
        category=StatusCategory.DONE if completed else StatusCategory.UNKNOWN,
        project_id="project:" + owner["gid"] if owner else None,
        color=fields.color(raw),
        position=raw.get("position") or 0,
    )


MAPPINGS: Final[Mapping[str, Callable[[Mapping[str, Any]], Record]]] = {
    "task": task,
    "project": project,
    "container": container,
    "identity": identity,
    "section": section,
    "status": status,
    "field": fields.definition,
}
