"""For admins: how the connections keep up, and how complete the data is, in plain words."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import func, select

from hub.access.keys import Role
from hub.connections import consents
from hub.models import Connection, Incident, Project, Task
from hub.portfolio import reading
from hub.portfolio.reach import reach
from hub.portfolio.reading import CoverageFilter, Proof, RunFilter
from hub.sync import contact, pace, roles, runs
from hub.web.desk import Act, Desk, View, Wrong, nothing

RUNS, GAPS = 20, 200


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/admin/connections", connections, Role.ADMIN)
    desk.add(made, "/admin/connections/{connection_id}", connection, Role.ADMIN)
    desk.add(made, "/admin/data", data, Role.ADMIN, Role.PMO, Role.VIEWER)
    desk.do(made, "/admin/connections/{connection_id}/sync", sync, Role.ADMIN)
    desk.do(made, "/admin/connections/{connection_id}/check", check, Role.ADMIN)
    desk.do(made, "/admin/connections/{connection_id}/pause", pause, Role.ADMIN)
    desk.do(made, "/admin/connections/{connection_id}/resume", resume, Role.ADMIN)


def connections(view: View) -> Response:
    shapes = reading.connections(view.session, view.reached)
    held = dict(view.session.execute(select(Task.connection_id, func.count()).where(Task.deleted_at.is_(None)).group_by(Task.connection_id)).all())
    newest, _ = reading.runs(view.session, RunFilter.model_validate({}), view.reached, None, 100)
    last: dict[Any, Any] = {}
    for run in newest:
        last.setdefault(run["connection_id"], run)
    return view.page("connections.html", lines=[{**shape, "tasks": held.get(shape["id"], 0), "run": last.get(shape["id"])} for shape in shapes])


def connection(view: View) -> Response:
    """One connection; while it is being read the page looks again by itself."""
    connection_id = view.id("connection_id", "connection")
    row = view.session.get(Connection, connection_id)
    if row is None or row.state == "detached":
        raise nothing("connection")
    mine = next(each for each in reading.connections(view.session, view.everything) if each["id"] == connection_id)
    reached = reach(view.session, connection_ids={connection_id}, scope=view.scope_of_reader)
    newest, _ = reading.runs(view.session, RunFilter.model_validate({}), reached, None, RUNS)
    busy = any(run["state"] in ("queued", "running") for run in newest)
    counted = {
        name: view.session.scalar(select(func.count()).select_from(of).where(of.connection_id == connection_id, of.deleted_at.is_(None)))
        for name, of in (("projects", Project), ("tasks", Task))
    }
    pace_told = pace.told(view.session, row, view.day.now, view.desk.settings)
    return view.page(
        "connection.html",
        connection=mine,
        runs=newest,
        busy=busy,
        counted=counted,
        pace=pace_told,
        grants=row.tool in consents.offered(view.desk.settings),
        has_roles=roles.of_tool(row.tool) is not None,
    )


def data(view: View) -> Response:
    """What is missing, place by place, and what to do about it."""
    session, reached = view.session, view.reached
    unread, more_unread = reading.coverage(session, CoverageFilter.model_validate({"proof": [Proof.NONE], "refused": False}), reached, None, GAPS)
    refused, more_refused = reading.coverage(session, CoverageFilter.model_validate({"refused": True}), reached, None, GAPS)
    wanted = select(Incident, Project.name).outerjoin(Project, Project.id == Incident.container_id).where(Incident.closed_at.is_(None))
    drift = session.execute(wanted.where(*reached.whole(Incident.connection_id)).order_by(Incident.opened_at.desc()).limit(GAPS)).all()
    return view.page(
        "data.html",
        lines=reading.connections(session, reached),
        unread=unread,
        refused=refused,
        more=more_unread is not None or more_refused is not None,
        drift=[{"name": name, "detail": incident.detail, "since": incident.opened_at} for incident, name in drift],
    )


def sync(act: Act) -> str:
    connection_id = act.id("connection_id", "connection")
    with act.desk.database.writing() as session:
        found = session.get(Connection, connection_id)
        if found is None or found.state == "detached":
            raise nothing("connection")
        if found.state == "paused":
            raise Wrong(409, "The connection is paused", "Let it go on first, then sync it.")
        kind = runs.FULL if act.fields.get("full") else runs.STRUCTURE
        run_id = runs.queue(session, connection_id, "manual", act.desk.now(), kind=kind).id
    act.desk.jobs.submit("sync", str(connection_id), {"run_id": str(run_id)})
    return f"/admin/connections/{connection_id}"


def check(act: Act) -> str:
    """Asks the tool now; what it says is on the connection's page."""
    connection_id = _there(act)
    desk = act.desk
    found = contact.check(contact.Contact(desk.database, desk.vault, desk.settings, desk.now), connection_id)
    if found.problem is not None:
        raise Wrong(409, "The tool says no", f"{found.problem}.")
    return f"/admin/connections/{connection_id}"


def pause(act: Act) -> str:
    """No run reads it any more, and its webhooks are taken down."""
    return _set(act, "paused")


def resume(act: Act) -> str:
    return _set(act, "active")


def _there(act: Act) -> Any:
    connection_id = act.id("connection_id", "connection")
    with act.desk.database.reading() as session:
        found = session.get(Connection, connection_id)
        if found is None or found.state == "detached":
            raise nothing("connection")
    return connection_id


def _set(act: Act, state: str) -> str:
    connection_id = act.id("connection_id", "connection")
    with act.desk.database.writing() as session:
        found = session.get(Connection, connection_id)
        if found is None or found.state == "detached":
            raise nothing("connection")
        if found.state == "broken":
            raise Wrong(
                409,
                "The connection is broken",
                f"{found.last_error}. Connect it again on its page, or give it a new token: hub connection rotate {found.name}",
            )
        found.state = state
        if state == "active":
            found.next_sync_at = found.hooks_checked_at = None
    act.desk.jobs.submit("hooks", str(connection_id), {"connection_id": str(connection_id)})
    return f"/admin/connections/{connection_id}"
