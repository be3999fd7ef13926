"""Event streams with sync tokens: 412 to begin, 100 events per token, 24 hours of life; a project's stream carries its tasks and their subtasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.sandbox.asana.calls import Call, Rows
from hub.sandbox.asana.errors import Refusal
from hub.sandbox.asana.kinds import Change, Event, Named
from hub.sandbox.asana.task_kinds import SUBTYPES
from hub.sandbox.asana.view import View
from hub.sandbox.world import Entry, Task

PER_TOKEN = 100
LIFE = 86_400.0
# The vendor's name of what a journal's line calls by the world's.
FIELDS = {
    "title": "name",
    "assignees": "assignee",
    "due": "due_on",
    "start": "start_on",
    "values": "custom_fields",
    "depends_on": "dependencies",
    "description": "notes",
}
Homes = list[tuple[str, str | None]]


def events(call: Call) -> Rows:
    """Events of a project or task since the token; raises 412 with a fresh token for a missing, stale, foreign or broken one."""
    view = call.view
    gid = call.need("resource")
    if gid in view.tasks:
        view.task(gid)
    else:
        view.project(gid)
    journal = view.world.journal
    end = next((place for place in range(len(journal), 0, -1) if journal[place - 1].at <= view.horizon()), 0)
    content = call.tokens.read("sync", call.query.get("sync", ""), LIFE)
    if content is None or content["of"] != gid:
        raise Refusal(412, beside={"sync": call.tokens.make("sync", of=gid, place=end)})
    place, found = content["place"], list[Event]()
    more = False
    while place < end and not more:
        fresh = list(told(view, place)) if gid in heard(view, place) else []
        more = len(found) + len(fresh) > PER_TOKEN and bool(found)
        if not more:
            found += fresh
            place += 1
    return Rows("event", found, beside={"sync": call.tokens.make("sync", of=gid, place=place), "has_more": more})


def heard(view: View, place: int) -> set[str]:
    """Who hears of line ``place`` of the journal: a project and its workspace; a section's project; a task, what was above it then, the projects
    of all of these, and where it was before."""
    entry = view.world.journal[place]
    if entry.tool != "asana" or entry.field == "hidden":  # losing sight of something is no event
        return set()
    if entry.kind == "project":
        return {entry.id, view.workspace_of_node(view.projects[entry.id].node).id}
    if entry.kind == "section":
        return {view.project_of_section(view.section_at(entry.id)).id}
    return _streams(view, view.tasks[entry.id], place) if entry.kind == "task" else set()


def told(view: View, place: int) -> Iterator[Event]:
    """The events that line ``place`` of the journal makes for whoever hears of it."""
    entry = view.world.journal[place]
    if entry.kind == "task":
        yield from _of_task(view, place, view.tasks[entry.id])
    elif entry.kind == "section":
        section = view.section_at(entry.id)
        yield _event(view, entry, "changed", Named(section.id, "section", section.name), Change(entry.field or "", "changed", None))
    elif entry.kind == "project":
        yield _of_project(view, entry)


def _of_project(view: View, entry: Entry) -> Event:
    project = view.projects[entry.id]
    if entry.field == "deleted":
        return _event(view, entry, "deleted" if entry.after else "undeleted", Named(project.id, "project"))
    resource = Named(project.id, "project", project.name)
    if entry.action == "created":
        place = view.workspace_of_node(project.node)
        return _event(view, entry, "added", resource, parent=Named(place.id, "workspace", place.name))
    return _event(view, entry, "changed", resource, Change(entry.field or "", "changed", None))


def _streams(view: View, task: Task, place: int) -> set[str]:
    entry = view.world.journal[place]
    heard: set[str] = set()
    current: Task | None = task
    while current is not None:
        heard.add(current.id)
        heard.update(home for home, _ in view.then(current, "homes", place))
        above = view.then(current, "parent", place)
        current = view.tasks.get(above) if above is not None else None
    if entry.field == "homes":
        heard.update(home for home, _ in entry.before)
    return heard


def _of_task(view: View, place: int, task: Task) -> Iterator[Event]:
    entry, resource = view.world.journal[place], _task(task)
    if entry.action == "created":
        yield from _placed(view, entry, resource, "added", view.then(task, "homes", place))
        above = view.then(task, "parent", place)
        if above is not None:
            yield _event(view, entry, "added", resource, parent=_task(view.tasks[above]))
    elif entry.field == "deleted":
        # What is in the trash is named by gid only.
        action = "deleted" if entry.action == "deleted" else "undeleted"
        yield _event(view, entry, action, Named(task.id, "task") if action == "deleted" else resource)
    elif entry.field == "homes":
        before: Homes = entry.before
        after: Homes = entry.after
        yield from _placed(view, entry, Named(task.id, "task"), "removed", _left(before, after))
        yield from _placed(view, entry, resource, "added", _left(after, before))
    elif entry.field == "parent":
        if entry.before is not None:
            yield _event(view, entry, "removed", Named(task.id, "task"), parent=Named(entry.before, "task"))
        if entry.after is not None:
            yield _event(view, entry, "added", resource, parent=_task(view.tasks[entry.after]))
    elif entry.field != "archived":
        yield _event(view, entry, "changed", resource, _change(view, entry))


def _left(homes: Homes, others: Homes) -> list[tuple[str | None, str | None]]:
    """The homes that ``others`` lacks; where only the section differs, only the section."""
    kept = {home for home, _ in others}
    return [(None if home in kept else home, section) for home, section in homes if (home, section) not in others]


def _placed(view: View, entry: Entry, resource: Named, action: str, places: Any) -> Iterator[Event]:
    """One event per project and one per section that the task came to or left; projects that the token cannot see stay unnamed."""
    for home, section in places:
        project = view.projects.get(home) if home is not None else None
        if project is not None:
            seen = view.project_standing(project) == "open"
            yield _event(view, entry, action, resource, parent=Named(project.id, "project", project.name) if seen else None)
        if section is not None and (project is None or view.project_standing(project) == "open"):
            yield _event(view, entry, action, resource, parent=Named(section, "section"))


def _change(view: View, entry: Entry) -> Change:
    name = FIELDS.get(entry.field or "", entry.field or "")
    value = None
    if name == "assignee" and entry.after:
        person = view.people[entry.after[0]]
        value = Named(person.id, "user", person.name or "Private User")
    return Change(name, "changed", value)


def _task(task: Task) -> Named:
    return Named(task.id, "task", task.title, SUBTYPES[task.kind])


def _event(view: View, entry: Entry, action: str, resource: Named, change: Change | None = None, parent: Named | None = None) -> Event:
    actor = view.people.get(entry.actor) if entry.actor else None
    return Event(entry.at, action, resource, actor, parent, change)
