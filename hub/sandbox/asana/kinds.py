"""What each kind of object shows: users, workspaces, teams, projects, sections, tags, memberships and events, with the vendor's field names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from html import escape
from typing import Any, NamedTuple

from hub.sandbox.asana.custom_fields import valued
from hub.sandbox.asana.fields import ABSENT, Field, Kind
from hub.sandbox.asana.task_kinds import instant, task_kinds
from hub.sandbox.asana.view import Tag, UserTaskList, View, built_gid
from hub.sandbox.world import FieldDef, Node, Person, Project, Section

WEB = "https://app.asana.com"
STATUS_COLORS = {"on_track": "green", "at_risk": "yellow", "off_track": "red", "on_hold": "blue", "complete": "complete"}


class Named(NamedTuple):
    """Any resource, by gid, type and name (None: only gid and type are shown)."""

    id: str
    type: str
    name: str | None = None
    subtype: str | None = None


class ProjectMembership(NamedTuple):
    id: str
    project: Project
    member: Named


class TeamMembership(NamedTuple):
    id: str
    user: Person
    team: Node


class FieldSetting(NamedTuple):
    """A custom field's place on a project."""

    id: str
    project: Project
    definition: FieldDef


class StatusUpdate(NamedTuple):
    id: str
    project: Project


class Change(NamedTuple):
    """What a ``changed`` event says about the field."""

    field: str
    action: str
    value: Named | None


class Event(NamedTuple):
    at: datetime
    action: str
    resource: Named
    user: Person | None
    parent: Named | None
    change: Change | None


def constant(value: Any) -> Field:
    return Field(lambda _: value)


def identified(resource_type: str, **fields: Field) -> dict[str, Field]:
    """The fields that every resource has, and ``fields``."""
    return {"gid": Field(lambda thing: thing.id), "resource_type": constant(resource_type), **fields}


def day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def body_html(text: str | None) -> str:
    return f"<body>{escape(text or '', quote=False)}</body>"


def all_kinds(view: View) -> dict[str, Kind]:
    """Every kind by its name; getters read the world through ``view`` at the time of the answer."""
    return {**_places(view), **_projects(view), **_links(), **_events(), **_webhooks(), **task_kinds(view)}


def _places(view: View) -> dict[str, Kind]:
    def title(person: Person) -> str:
        return person.name or "Private User"

    def workspaces(person: Person) -> list[Node]:
        return view.workspaces()

    def visibility(team: Node) -> str:
        return "secret" if team.private else "public"

    user = identified(
        "user",
        name=Field(title),
        email=Field(lambda person: person.email),
        photo=constant(None),
        workspaces=Field(workspaces, "workspace", many=True),
    )
    workspace = identified(
        "workspace",
        name=Field(lambda node: node.name),
        email_domains=Field(lambda node: ["example.org"] if view.is_organization(node) else []),
        is_organization=Field(view.is_organization),
    )
    team = identified(
        "team",
        name=Field(lambda node: node.name),
        description=Field(lambda _: "", opt_in=True),
        html_description=Field(lambda _: body_html(""), opt_in=True),
        organization=Field(lambda node: view.workspace_of_node(node.id), "workspace"),
        permalink_url=Field(lambda node: f"{WEB}/0/{node.id}"),
        visibility=Field(visibility),
    )
    listed = identified(
        "user_task_list",
        name=Field(lambda _: "My Tasks"),
        owner=Field(lambda each: each.owner, "user"),
        workspace=Field(lambda each: each.workspace, "workspace"),
    )
    tag = identified(
        "tag",
        name=Field(lambda each: each.name),
        color=constant(None),
        notes=constant(""),
        workspace=Field(lambda _: view.workspace_of_node(None), "workspace"),
        followers=Field(lambda _: [], "user", many=True),
        permalink_url=Field(lambda each: f"{WEB}/0/{each.id}"),
    )
    return {
        "user": Kind(user),
        "workspace": Kind(workspace),
        "team": Kind(team),
        "user_task_list": Kind(listed, ("gid", "resource_type", "name", "owner", "workspace")),
        "tag": Kind(tag),
    }


def _projects(view: View) -> dict[str, Kind]:
    section = identified(
        "section",
        name=Field(lambda each: each.name),
        created_at=Field(lambda each: instant(view.project_of_section(each).created_at)),
        project=Field(view.project_of_section, "project"),
    )
    return {"project": Kind(_project_fields(view)), "section": Kind(section), **_updates(view)}


def _project_fields(view: View) -> dict[str, Field]:
    def owner(project: Project) -> Person | None:
        return view.people.get(project.owner) if project.owner else None

    def team(project: Project) -> Node | None:
        node = view.nodes.get(project.node) if project.node else None
        return node if node is not None and node.kind == "team" and view.node_standing(node.id) == "open" else None

    def members(project: Project) -> list[Person]:
        person = owner(project)
        return [person] if person else []

    def update(project: Project) -> StatusUpdate | None:
        return StatusUpdate(built_gid("status_update", project.id), project) if project.health else None

    def settings(project: Project) -> Any:
        return field_settings(view, project) if view.paid else ABSENT

    def values(project: Project) -> Any:
        return [] if view.paid else ABSENT

    return identified(
        "project",
        name=Field(lambda project: project.name),
        archived=Field(lambda project: project.archived),
        color=constant(None),
        icon=constant(None),
        default_view=constant("list"),
        created_at=Field(lambda project: instant(project.created_at)),
        modified_at=Field(lambda project: instant(project.updated_at)),
        start_on=Field(lambda project: day(project.start)),
        due_on=Field(lambda project: day(project.due)),
        due_date=Field(lambda project: day(project.due)),
        notes=Field(lambda project: project.description or ""),
        html_notes=Field(lambda project: body_html(project.description), opt_in=True),
        public=Field(lambda project: not project.private),
        privacy_setting=Field(lambda project: "private" if project.private else "public_to_workspace"),
        completed=Field(lambda project: project.completed_at is not None),
        completed_at=Field(lambda project: instant(project.completed_at)),
        completed_by=Field(lambda project: owner(project) if project.completed_at else None, "user"),
        current_status=Field(update, "project_status"),
        current_status_update=Field(update, "status_update"),
        custom_field_settings=Field(settings, "custom_field_setting", many=True),
        custom_fields=Field(values, "custom_field", many=True),
        members=Field(members, "user", many=True),
        followers=Field(members, "user", many=True),
        owner=Field(owner, "user"),
        team=Field(team, "team"),
        workspace=Field(lambda project: view.workspace_of_node(project.node), "workspace"),
        project_brief=constant(None),
        created_from_template=constant(None),
        permalink_url=Field(lambda project: f"{WEB}/0/{project.id}"),
    )


def _updates(view: View) -> dict[str, Kind]:
    def author(update: StatusUpdate) -> Person:
        return view.people.get(update.project.owner or "", view.me)

    shared: dict[str, Field] = {
        "title": Field(lambda update: update.project.health_text or ""),
        "text": Field(lambda update: update.project.health_text or ""),
        "html_text": Field(lambda update: body_html(update.project.health_text)),
        "author": Field(author, "user"),
        "created_by": Field(author, "user"),
        "created_at": Field(lambda update: instant(update.project.updated_at)),
        "modified_at": Field(lambda update: instant(update.project.updated_at)),
    }
    update = identified(
        "status_update",
        resource_subtype=constant("project_status_update"),
        status_type=Field(lambda update: update.project.health),
        parent=Field(lambda update: update.project, "project"),
        **shared,
    )
    old = identified("project_status", color=Field(lambda update: STATUS_COLORS.get(update.project.health, "complete")), **shared)
    return {
        "status_update": Kind(update, ("gid", "resource_type", "title", "resource_subtype")),
        "project_status": Kind(old, ("gid", "resource_type", "title")),
    }


def field_settings(view: View, project: Project) -> list[FieldSetting]:
    return [FieldSetting(built_gid("custom_field_setting", project.id, gid), project, view.fields[gid]) for gid in project.fields]


def _links() -> dict[str, Kind]:
    team_membership = identified(
        "team_membership",
        user=Field(lambda each: each.user, "user"),
        team=Field(lambda each: each.team, "team"),
        is_guest=Field(lambda each: each.user.guest),
        is_limited_access=constant(False),
        is_admin=constant(False),
    )
    membership = identified(
        "membership",
        resource_subtype=constant("project_membership"),
        parent=Field(lambda each: each.project, "project"),
        member=Field(lambda each: each.member, "named"),
        access_level=constant("editor"),
    )
    setting = identified(
        "custom_field_setting",
        project=Field(lambda each: each.project, "project"),
        parent=Field(lambda each: each.project, "project"),
        is_important=constant(False),
        custom_field=Field(lambda each: valued(each.definition), "custom_field"),
    )
    portfolio = identified("portfolio", name=Field(lambda node: node.name))
    return {
        "team_membership": Kind(team_membership, tuple(team_membership)),
        "membership": Kind(membership, ("gid", "resource_type", "resource_subtype", "parent", "member", "access_level")),
        "custom_field_setting": Kind(setting, tuple(setting)),
        "portfolio": Kind(portfolio),
    }


def _webhooks() -> dict[str, Kind]:
    fields = identified(
        "webhook",
        active=constant(True),
        resource=Field(lambda each: each.resource, "named"),
        target=Field(lambda each: each.target),
        created_at=Field(lambda each: instant(each.created_at)),
        last_failure_at=Field(lambda each: instant(each.last_failure_at)),
        last_failure_content=Field(lambda each: each.last_failure_content),
        last_success_at=Field(lambda each: instant(each.last_success_at)),
        delivery_retry_count=Field(lambda each: each.retries),
        next_attempt_after=Field(lambda each: instant(each.next_attempt)),
        failure_deletion_timestamp=Field(lambda each: instant(each.ends_at)),
        filters=Field(lambda each: each.filters),
    )
    return {"webhook": Kind(fields, ("gid", "resource_type", "active", "resource", "target"))}


def _events() -> dict[str, Kind]:
    def absent(value: Any) -> Any:
        return ABSENT if value is None else value

    def changed(action: str) -> Callable[[Change], Any]:
        return lambda change: change.value if change.action == action and change.value else ABSENT

    named = {
        "gid": Field(lambda each: each.id),
        "resource_type": Field(lambda each: each.type),
        "resource_subtype": Field(lambda each: absent(each.subtype)),
        "name": Field(lambda each: absent(each.name)),
    }
    change = {
        "field": Field(lambda each: each.field),
        "action": Field(lambda each: each.action),
        "new_value": Field(changed("changed"), "named"),
        "added_value": Field(changed("added"), "named"),
        "removed_value": Field(changed("removed"), "named"),
    }
    event = {
        "user": Field(lambda each: each.user, "user"),
        "created_at": Field(lambda each: instant(each.at)),
        "type": Field(lambda each: each.resource.type),
        "action": Field(lambda each: each.action),
        "resource": Field(lambda each: each.resource, "named"),
        "parent": Field(lambda each: each.parent, "named"),
        "change": Field(lambda each: absent(each.change), "change"),
    }
    return {
        "named": Kind(named, tuple(named)),
        "change": Kind(change, tuple(change), plain=True),
        "event": Kind(event, tuple(event), plain=True),
    }


__all__ = [
    "Change",
    "Event",
    "FieldSetting",
    "Named",
    "ProjectMembership",
    "Section",
    "Tag",
    "TeamMembership",
    "UserTaskList",
    "all_kinds",
    "field_settings",
]
