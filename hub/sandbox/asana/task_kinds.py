"""What tasks show: the hot path of every answer, so getters are plain and nothing is computed that is not asked for."""

from __future__ import annotations

from datetime import date, datetime
from html import escape
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hub.sandbox.asana.custom_fields import field_kinds, valued
from hub.sandbox.asana.fields import ABSENT, Field, Kind
from hub.sandbox.asana.view import View
from hub.sandbox.world import Person, Project, Section, Task

SUBTYPES = {"task": "default_task", "milestone": "milestone", "approval": "approval"}


class Reference(NamedTuple):
    id: str


class Home(NamedTuple):
    project: Project
    section: Section | None


def instant(moment: datetime | None) -> str | None:
    """UTC with milliseconds and ``Z``."""
    return None if moment is None else moment.isoformat(timespec="milliseconds")[:23] + "Z"


def task_kinds(view: View) -> dict[str, Kind]:
    """The kinds task, membership on a task and dependency, and those of custom fields."""
    home = {"project": Field(lambda each: each.project, "project"), "section": Field(lambda each: each.section, "section")}
    # The specification gives a task's creator no name.
    creator = {"gid": Field(lambda each: each.id), "resource_type": Field(lambda _: "user")}
    reference = {"gid": Field(lambda each: each.id), "resource_type": Field(lambda _: "task")}
    return {
        "task": Kind(_task(view), ("gid", "resource_type", "name", "resource_subtype")),
        "home": Kind(home, tuple(home), plain=True),
        "creator": Kind(creator, tuple(creator)),
        "reference": Kind(reference, tuple(reference)),
        **field_kinds(view),
    }


def _task(view: View) -> dict[str, Field]:
    return {
        "gid": Field(lambda task: task.id),
        "resource_type": Field(lambda _: "task"),
        "name": Field(lambda task: task.title),
        "resource_subtype": Field(lambda task: SUBTYPES[task.kind]),
        "approval_status": Field(_approval),
        "completed": Field(lambda task: task.completed),
        "completed_at": Field(lambda task: instant(task.completed_at)),
        "created_at": Field(lambda task: instant(task.created_at)),
        "modified_at": Field(lambda task: instant(task.updated_at)),
        "notes": Field(lambda task: task.description or ""),
        "html_notes": Field(lambda task: f"<body>{escape(task.description or '', quote=False)}</body>", opt_in=True),
        "num_subtasks": Field(lambda task: len(view.children(task)), opt_in=True),
        "is_rendered_as_separator": Field(lambda task: False if task.kind == "task" else ABSENT, opt_in=True),
        "actual_time_minutes": Field(lambda task: task.logged_minutes),
        "permalink_url": Field(view.world.url_of),
        "liked": Field(lambda _: False),
        "hearted": Field(lambda _: False),
        "num_likes": Field(lambda _: 0),
        "num_hearts": Field(lambda _: 0),
        **_dates(view),
        **_people(view),
        **_places(view),
    }


def _approval(task: Task) -> Any:
    if task.kind != "approval":
        return ABSENT
    return "approved" if task.completed else "pending"


def _dates(view: View) -> dict[str, Field]:
    zones: dict[str, ZoneInfo] = {}

    def on(value: date | datetime | None) -> str | None:
        if isinstance(value, datetime):
            # The date that the token's user sees; it may differ from the UTC date.
            name = view.me.timezone
            zone = zones.get(name) or zones.setdefault(name, ZoneInfo(name))
            return value.astimezone(zone).date().isoformat()
        return None if value is None else value.isoformat()

    def at(value: date | datetime | None) -> str | None:
        return instant(value) if isinstance(value, datetime) else None

    return {
        "due_on": Field(lambda task: on(task.due)),
        "due_at": Field(lambda task: at(task.due)),
        "start_on": Field(lambda task: None if task.kind == "milestone" else on(task.start)),
        "start_at": Field(lambda task: None if task.kind == "milestone" else at(task.start)),
    }


def _people(view: View) -> dict[str, Field]:
    def assignee(task: Task) -> Person | None:
        return view.people[task.assignees[0]] if task.assignees else None

    def creator(task: Task) -> Person | None:
        return view.people.get(task.creator) if task.creator else None

    def followers(task: Task) -> list[Person]:
        return [person for person in (creator(task),) if person is not None]

    return {
        "assignee": Field(assignee, "user"),
        "assigned_by": Field(lambda task: creator(task) if task.assignees else None, "user"),
        "completed_by": Field(lambda task: (assignee(task) or creator(task)) if task.completed else None, "user"),
        "created_by": Field(creator, "creator", opt_in=True),
        "followers": Field(followers, "user", many=True),
        "likes": Field(lambda _: [], "user", many=True),
        "hearts": Field(lambda _: [], "user", many=True),
        "assignee_status": Field(lambda _: "upcoming"),
        "assignee_section": Field(lambda _: None, "section"),
    }


def _places(view: View) -> dict[str, Field]:
    def homes(task: Task) -> list[Home]:
        return [Home(*home) for home in view.homes(task)]

    def parent(task: Task) -> Task | None:
        return view.tasks.get(task.parent) if task.parent is not None else None

    def values(task: Task) -> Any:
        if not view.paid:
            return ABSENT
        held = dict.fromkeys(gid for project, _ in view.homes(task) for gid in project.fields) | task.values
        return [valued(view.fields[gid], value) for gid, value in held.items()]

    return {
        "parent": Field(parent, "task"),
        "memberships": Field(homes, "home", many=True),
        "projects": Field(lambda task: [project for project, _ in view.homes(task)], "project", many=True),
        "workspace": Field(view.workspace_of, "workspace"),
        "tags": Field(lambda task: [view.tag_by_name[name] for name in task.tags], "tag", many=True),
        "dependencies": Field(lambda task: [Reference(edge.task) for edge in task.depends_on], "reference", many=True, opt_in=True),
        "dependents": Field(lambda task: [Reference(other.id) for other in view.dependents(task)], "reference", many=True, opt_in=True),
        "custom_fields": Field(values, "custom_field", many=True),
        "custom_type": Field(lambda _: None),
        "custom_type_status_option": Field(lambda _: None),
    }
