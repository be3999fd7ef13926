"""Connecting a tool in the browser: choose it, paste a token, see what that reaches, choose what to read, watch the first reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from connectors.errors import ConnectorError
from connectors.records import Project
from hub import connections
from hub.access.keys import Role
from hub.connections import ConnectionProblem, consents
from hub.models import Connection
from hub.sync import contact, runs
from hub.vault import VaultError
from hub.web.desk import Act, Desk, View, Wrong, nothing

SHOWN = 2_000
"""Places in the form of a scope: more than that are chosen at the command line."""


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/admin/connections/new", new, Role.ADMIN)
    desk.do(made, "/admin/connections/new", add, Role.ADMIN)
    desk.add(made, "/admin/connections/{connection_id}/scope", scope, Role.ADMIN)
    desk.do(made, "/admin/connections/{connection_id}/scope", choose, Role.ADMIN)


def new(view: View) -> Response:
    return view.page("connect.html", choices=connections.tools(), granting=consents.offered(view.desk.settings))


def add(act: Act) -> str:
    """Checks the token at the tool and keeps it sealed; nothing is read before the scope is chosen."""
    desk, fields = act.desk, act.fields
    tool = fields.get("tool", "")
    if tool not in connections.tools():
        raise Wrong(422, "Choose a tool", f"There are: {', '.join(connections.tools())}.")

    def prepared(session: Session) -> Connection:
        name, token, url = fields.get("name", "").strip() or tool, fields.get("token", ""), fields.get("base_url", "").strip() or None
        return connections.prepare(session, desk.vault, tool=tool, name=name, token=token, base_url=url, workspaces=[], excluded=[], now=desk.now())

    try:
        with desk.database.reading() as session:
            draft = prepared(session)
        found = connections.look(connections.opened(draft, desk.vault), desk.settings, desk.now)
        with desk.database.writing() as session:
            made = prepared(session)
            connections.accept(session, made, found, desk.now())
            made.state = "paused"
            session.add(made)
            session.flush()
            connections.adopt(session, made)
            made_id = made.id
    except (ConnectorError, ConnectionProblem, VaultError) as error:
        raise Wrong(409, "This cannot be connected", f"{error}. Nothing was stored: go back, correct it and send it again.") from error
    return f"/admin/connections/{made_id}/scope"


def scope(view: View) -> Response:
    """What the token reaches, asked of the tool now, with a box for each place."""
    connection_id = view.id("connection_id", "connection")
    row = view.session.get(Connection, connection_id)
    if row is None or row.state == "detached":
        raise nothing("connection")
    desk = view.desk
    try:
        found = contact.discover(contact.Contact(desk.database, desk.vault, desk.settings, desk.now), connection_id)
    except (ConnectorError, ConnectionProblem, VaultError) as error:
        raise Wrong(409, "The tool does not show what it has", f"{error}. Try again, or choose the scope at the command line.") from error
    places = _places(found)
    return view.page(
        "scope.html",
        connection=row,
        checked=row.checked or {},
        places=places[:SHOWN],
        hidden=max(0, len(places) - SHOWN),
        chosen=set(row.scope.get("workspaces", ())),
        excluded=set(row.scope.get("excluded", ())),
    )


def _places(found: Sequence[Any]) -> list[dict[str, Any]]:
    """The tool's tree in reading order, each place with its depth."""
    nodes = {each.id: each for each in found}
    below: dict[Any, list[Any]] = {}
    for each in found:
        parent = each.container_id if isinstance(each, Project) else each.parent_id
        below.setdefault(parent if parent in nodes else None, []).append(each)
    made: list[dict[str, Any]] = []
    waiting = [(each, 0) for each in sorted(below.get(None, []), key=_order, reverse=True)]
    while waiting:
        each, depth = waiting.pop()
        kind = "project" if isinstance(each, Project) else each.kind.value
        made.append({"key": each.external_id, "name": each.name, "kind": kind, "depth": min(depth, 4), "archived": each.archived})
        waiting += [(child, depth + 1) for child in sorted(below.get(each.id, []), key=_order, reverse=True)]
    return made


def _order(each: Any) -> tuple[bool, str]:
    return isinstance(each, Project), each.name.casefold()


def choose(act: Act) -> str:
    """Keeps the scope and begins the first reading."""
    connection_id = act.id("connection_id", "connection")
    desk = act.desk
    wanted, excluded = act.fields.getlist("workspace"), act.fields.getlist("exclude")
    with desk.database.writing() as session:
        found = session.get(Connection, connection_id)
        if found is None or found.state == "detached":
            raise nothing("connection")
        reached = [each["external_id"] for each in (found.checked or {}).get("workspaces", ())]
        if not wanted:
            raise Wrong(422, "Choose something", "At least one workspace has to be read. Go back and choose one.")
        if unknown := set(wanted) - set(reached):
            raise Wrong(422, "This token does not reach that", f"It does not reach {', '.join(sorted(unknown))[:200]}.")
        found.scope = {"workspaces": [] if set(wanted) == set(reached) else wanted, "excluded": excluded}
        if found.state == "paused":
            found.state = "active"
        run_id = runs.queue(session, connection_id, "manual", desk.now(), kind=runs.FULL).id
    desk.jobs.submit("sync", str(connection_id), {"run_id": str(run_id)})
    return f"/admin/connections/{connection_id}"
