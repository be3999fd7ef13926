"""What a project's columns mean, for tools that leave that to their users: suggested with the evidence, to be overruled."""

from __future__ import annotations

from collections import defaultdict

from fastapi import APIRouter, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.errors import BadResponse
from hub.access.keys import Role
from hub.connections import ConnectionProblem
from hub.models import Connection, Project, Task
from hub.portfolio.fold import holds
from hub.sync import roles, runs
from hub.sync.roles import RoleTable
from hub.vault import VaultError
from hub.web.desk import Act, Desk, View, Wrong, nothing

A_PAGE = 50
HOME = "/admin/connections/{connection_id}/roles"
NONE, COLUMN = "none", "column:"


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, HOME, show, Role.ADMIN)
    desk.add(made, HOME + "/{project_id}", one, Role.ADMIN)
    desk.do(made, HOME + "/{project_id}", save, Role.ADMIN)


def show(view: View) -> Response:
    """The connection's projects, those with the most tasks first."""
    connection = _connection(view.session, view.id("connection_id", "connection"))
    here = [Project.connection_id == connection.id, Project.deleted_at.is_(None)]
    if text := view.address.one("q"):
        here.append(holds(Project.name, text))
    pages = view.pages(view.session.scalar(select(func.count()).select_from(Project).where(*here)), A_PAGE)
    tasks = select(Task.project_id, func.count().label("tasks")).where(Task.deleted_at.is_(None)).group_by(Task.project_id).subquery()
    number = func.coalesce(tasks.c.tasks, 0)
    wanted = (
        select(Project.id, Project.name, Project.external_id, number.label("tasks")).outerjoin(tasks, tasks.c.project_id == Project.id).where(*here)
    )
    rows = view.session.execute(wanted.order_by(number.desc(), Project.name, Project.id).offset(pages.offset).limit(A_PAGE)).all()
    option = roles.of_tool(connection.tool)
    chosen = set(connection.options.get(option.option) or ()) if option else set()
    return view.page("roles.html", connection=connection, rows=rows, pages=pages, chosen=chosen)


def one(view: View) -> Response:
    session = view.session
    connection = _connection(session, view.id("connection_id", "connection"))
    project = _project(session, connection, view)
    return view.page("role.html", connection=connection, project=project, tables=_tables(session, connection, project), none=NONE, column=COLUMN)


def save(act: Act) -> str:
    """Keeps the choices, and begins the reading that puts them in force."""
    desk, now = act.desk, act.desk.now()
    with desk.database.writing() as session:
        connection = _connection(session, act.id("connection_id", "connection"))
        project = _project(session, connection, act)
        shown = _tables(session, connection, project)
        chosen: dict[str, dict[str, str]] = defaultdict(dict)
        for table in shown or ():
            for role in table.roles:
                said = act.fields.get(f"{table.id}:{role.key}", "")
                if said and said != NONE and said.removeprefix(COLUMN) not in dict(role.columns):
                    raise Wrong(422, "This column cannot play that role", "Go back, choose again and send it.")
                if said:
                    chosen[table.id][role.key] = "" if said == NONE else said.removeprefix(COLUMN)
        try:
            roles.choose(connection, desk.vault, desk.settings, desk.now, chosen, shown or ())
        except (ConnectionProblem, VaultError) as error:
            raise Wrong(409, "This was not kept", f"{error}.") from error
        run_id = None if connection.state == "paused" else runs.queue(session, connection.id, "manual", now, kind=runs.FULL).id
        connection_id = connection.id
    if run_id is not None:
        desk.jobs.submit("sync", str(connection_id), {"run_id": str(run_id)})
    return f"/admin/connections/{connection_id}"


def _tables(session: Session, connection: Connection, project: Project) -> list[RoleTable] | None:
    try:
        found = roles.tables(session, connection, project)
    except BadResponse as error:
        raise Wrong(409, "Its columns cannot be read", f"{error}. Read the connection again.") from error
    return None if found is None else list(found)


def _connection(session: Session, connection_id: object) -> Connection:
    found = session.get(Connection, connection_id)
    if found is None or found.state == "detached" or roles.of_tool(found.tool) is None:
        raise nothing("connection whose columns have roles")
    return found


def _project(session: Session, connection: Connection, asked: View | Act) -> Project:
    found = session.get(Project, asked.id("project_id", "project"))
    if found is None or found.connection_id != connection.id:
        raise nothing("project")
    return found
