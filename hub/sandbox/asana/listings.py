"""The lists and single objects other than searches and events: one function per endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.sandbox.asana.calls import Call, One, Rows
from hub.sandbox.asana.custom_fields import valued
from hub.sandbox.asana.errors import Refusal, bad
from hub.sandbox.asana.kinds import Named, ProjectMembership, TeamMembership, field_settings
from hub.sandbox.asana.view import View, built_gid
from hub.sandbox.world import Node, Person, Project, Task

SOURCES = ("project", "section", "tag", "user_task_list")


def workspaces(call: Call) -> Rows:
    return Rows("workspace", call.view.workspaces())


def workspace(call: Call) -> One:
    return One("workspace", call.view.workspace(call.path[0]))


def users(call: Call) -> Rows:
    """By gid, of the workspace and team if given; guests, agents and those who left included, for no source says that they are not."""
    view = call.view
    if "workspace" in call.query:
        view.workspace(call.query["workspace"])
    listed: Iterable[Person] = view.people.values()
    if "team" in call.query:
        members = _team_members(view, view.team(call.query["team"]))
        listed = (person for person in listed if person in members)
    return Rows("user", sorted(listed, key=lambda person: int(person.id)))


def user(call: Call) -> One:
    if "workspace" in call.query:
        call.view.workspace(call.query["workspace"])
    return One("user", call.view.user(call.path[0]))


def teams(call: Call) -> Rows:
    view = call.view
    place = view.workspace(call.path[0])
    if not view.is_organization(place):
        raise bad(f"workspace: Not an organization: {place.id}")
    return Rows("team", view.teams(place.id))


def team(call: Call) -> One:
    return One("team", call.view.team(call.path[0]))


def _team_members(view: View, place: Node) -> list[Person]:
    """The seeded members; for a team without any, those who own a project in it, and the token's user."""
    seeded = view.world.teams["asana"].get(place.id)
    if seeded is not None:
        return [view.people[gid] for gid in seeded.members]
    owners = {project.owner for project in view.projects.values() if project.node == place.id} | {view.me.id}
    return [person for person in view.people.values() if person.id in owners]


def team_memberships(call: Call) -> Rows:
    """Of a team, or of a user in a workspace; one of the two must be given."""
    view = call.view
    if call.path or "team" in call.query:
        places = [view.team(call.path[0] if call.path else call.query["team"])]
    elif "user" in call.query and "workspace" in call.query:
        places = view.teams(view.workspace(call.query["workspace"]).id)
    else:
        raise bad("team: Missing input (or user and workspace)")
    person = view.user(call.query["user"]) if "user" in call.query else None
    pairs = [(place, member) for place in places for member in _team_members(view, place) if person in (None, member)]
    return Rows("team_membership", [TeamMembership(built_gid("team_membership", place.id, member.id), member, place) for place, member in pairs])


def memberships(call: Call) -> Rows:
    """Of a project (``parent``), or all project memberships of a team or user (``member`` and ``resource_subtype``)."""
    view = call.view
    if "parent" in call.query:
        projects = [view.project(call.query["parent"])]
    elif "member" in call.query and call.query.get("resource_subtype") == "project_membership":
        projects = view.open_projects()
    else:
        raise bad("parent: Missing input (or member and resource_subtype)")
    wanted = call.query.get("member")
    if wanted in view.nodes:
        view.team(wanted)
    elif wanted is not None:
        wanted = view.user(wanted).id
    pairs = [(project, member) for project in projects for member in _project_members(view, project) if wanted in (None, member.id)]
    return Rows("membership", [ProjectMembership(built_gid("membership", project.id, member.id), project, member) for project, member in pairs])


def _project_members(view: View, project: Project) -> list[Named]:
    found = []
    node = view.nodes.get(project.node) if project.node else None
    if node is not None and node.kind == "team":
        found.append(Named(node.id, "team", node.name))
    if project.owner in view.people:
        owner = view.people[project.owner]
        found.append(Named(owner.id, "user", owner.name or "Private User"))
    return found


def projects(call: Call) -> Rows:
    """By workspace and team, each optional; both archived states unless one is asked for."""
    view = call.view
    place = view.workspace(call.query["workspace"]) if "workspace" in call.query else None
    group = view.team(call.query["team"]) if "team" in call.query else None
    found = _of_state(call, view.open_projects())
    if place is not None:
        found = [project for project in found if view.workspace_of_node(project.node) is place]
    return Rows("project", found if group is None else [project for project in found if project.node == group.id])


def _of_state(call: Call, found: list[Project]) -> list[Project]:
    archived = call.flag("archived")
    return [project for project in found if archived in (None, project.archived)]


def workspace_projects(call: Call) -> Rows:
    view = call.view
    place = view.workspace(call.path[0])
    return Rows("project", _of_state(call, [project for project in view.open_projects() if view.workspace_of_node(project.node) is place]))


def team_projects(call: Call) -> Rows:
    place = call.view.team(call.path[0])
    return Rows("project", _of_state(call, [project for project in call.view.open_projects() if project.node == place.id]))


def project(call: Call) -> One:
    return One("project", call.view.project(call.path[0]))


def sections(call: Call) -> Rows:
    return Rows("section", call.view.sections(call.view.project(call.path[0])))


def section(call: Call) -> One:
    return One("section", call.view.section(call.path[0]))


def tasks(call: Call) -> Rows:
    """Of exactly one project, section, tag or user task list, or of an assignee in a workspace; everything else is a 400."""
    view, query = call.view, call.query
    named = [name for name in SOURCES if name in query]
    by_person = [name for name in ("assignee", "workspace") if name in query]
    if len(named) + bool(by_person) != 1 or len(by_person) == 1:
        raise bad("Must specify exactly one of project, section, tag, user task list, or assignee + workspace")
    if by_person:
        person, place = view.user(query["assignee"]), view.workspace(query["workspace"])
        return _filtered(call, _assigned(view, person, place))
    source = named[0]
    if source == "project":
        return _filtered(call, view.members(view.project(query["project"])))
    if source == "section":
        return _filtered(call, _in_section(view, query["section"]))
    if source == "tag":
        return _filtered(call, _tagged(view, query["tag"]))
    mine = view.task_list(query["user_task_list"])
    return _filtered(call, _assigned(view, mine.owner, mine.workspace))


def _assigned(view: View, person: Person, place: Node) -> list[Task]:
    found = [task for task in view.tasks.values() if person.id in task.assignees[:1] and view.task_standing(task) == "open"]
    return [task for task in found if view.workspace_of(task) is place]


def _in_section(view: View, gid: str) -> list[Task]:
    place = view.section(gid)
    home = view.project_of_section(place)
    return [task for task in view.members(home) if (home.id, gid) in task.homes]


def _tagged(view: View, gid: str) -> list[Task]:
    tag = view.tag(gid)
    return [task for task in view.tasks.values() if tag.name in task.tags and view.task_standing(task) == "open"]


def _filtered(call: Call, found: Sequence[Task]) -> Rows:
    """``completed_since``: open ones and those completed since; ``modified_since``: a change younger than the lag does not show yet."""
    completed, modified, horizon = call.moment("completed_since"), call.moment("modified_since"), call.view.horizon()
    if completed is not None:
        found = [task for task in found if not task.completed or (task.completed_at is not None and task.completed_at >= completed)]
    if modified is not None:
        found = [task for task in found if task.updated_at is not None and modified <= task.updated_at <= horizon]
    return Rows("task", found)


def project_tasks(call: Call) -> Rows:
    return _filtered(call, call.view.members(call.view.project(call.path[0])))


def section_tasks(call: Call) -> Rows:
    return _filtered(call, _in_section(call.view, call.path[0]))


def tag_tasks(call: Call) -> Rows:
    return _filtered(call, _tagged(call.view, call.path[0]))


def list_tasks(call: Call) -> Rows:
    mine = call.view.task_list(call.path[0])
    return _filtered(call, _assigned(call.view, mine.owner, mine.workspace))


def task_list(call: Call) -> One:
    return One("user_task_list", call.view.task_list(call.path[0]))


def task_list_of(call: Call) -> One:
    """A person's own list only: others' are 403."""
    person, place = call.view.user(call.path[0]), call.view.workspace(call.need("workspace"))
    if person is not call.view.me:
        raise Refusal(403)
    return One("user_task_list", call.view.task_list_of(person, place))


def task(call: Call) -> One:
    return One("task", call.view.task(call.path[0]))


def subtasks(call: Call) -> Rows:
    return Rows("task", call.view.children(call.view.task(call.path[0])))


def dependencies(call: Call) -> Rows:
    """402 on the free plan."""
    view = call.view
    view.need_paid()
    return Rows("task", [view.tasks[edge.task] for edge in view.task(call.path[0]).depends_on if view.task_standing(view.tasks[edge.task]) == "open"])


def dependents(call: Call) -> Rows:
    """402 on the free plan."""
    view = call.view
    view.need_paid()
    return Rows("task", [other for other in view.dependents(view.task(call.path[0])) if view.task_standing(other) == "open"])


def custom_fields(call: Call) -> Rows:
    """All of them in the first workspace, elsewhere those its projects use; 402 on the free plan."""
    view = call.view
    view.need_paid()
    place = view.workspace(call.path[0])
    if place is view.workspace_of_node(None):
        return Rows("custom_field", [valued(definition) for definition in view.fields.values()], full=True)
    used = {gid for project in view.open_projects() if view.workspace_of_node(project.node) is place for gid in project.fields}
    return Rows("custom_field", [valued(definition) for gid, definition in view.fields.items() if gid in used], full=True)


def custom_field(call: Call) -> One:
    return One("custom_field", valued(call.view.field(call.path[0])))


def custom_field_settings(call: Call) -> Rows:
    """402 on the free plan."""
    call.view.need_paid()
    return Rows("custom_field_setting", field_settings(call.view, call.view.project(call.path[0])), full=True)


def tags(call: Call) -> Rows:
    """The world's tags lie in the first workspace."""
    view = call.view
    gid = call.path[0] if call.path else call.query.get("workspace")
    first = view.workspace_of_node(None)
    return Rows("tag", list(view.tags.values()) if gid is None or view.workspace(gid) is first else [])


def tag(call: Call) -> One:
    return One("tag", call.view.tag(call.path[0]))


def portfolios(call: Call) -> Rows:
    """A person's token lists only that person's own: another owner is 403. 402 on the free plan."""
    view = call.view
    view.need_paid()
    place = view.workspace(call.need("workspace"))
    if "owner" in call.query and view.user(call.query["owner"]) is not view.me:
        raise Refusal(403)
    mine = [node for node in view.nodes.values() if node.kind == "portfolio" and node.parent == place.id and view.node_standing(node.id) == "open"]
    return Rows("portfolio", mine)
