"""Letting the hub into a tool by saying yes in the tool itself: the page before, and the way back. What happens between is in ``consents``."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from connectors.errors import ConnectorError
from hub.access import audit
from hub.access.keys import Role
from hub.connections import ConnectionProblem, consents
from hub.connections.consents import Asker
from hub.connections.tokens import Keeper
from hub.models import Connection
from hub.vault import VaultError
from hub.web.desk import Act, Desk, View, Wrong, nothing
from hub.web.login import signed_in

HERE = ("localhost", "127.0.0.1", "::1")


def routes(made: APIRouter, desk: Desk) -> None:
    desk.do(made, "/connections/oauth/start", start, Role.ADMIN)
    desk.add(made, consents.CALLBACK, callback, Role.ADMIN)


def start(act: Act) -> Response:
    """Says what will be asked for, with the link that leads there: browsers let no form of ours lead to another site."""
    desk, fields = act.desk, act.fields
    tool, connection_id = fields.get("tool", ""), fields.get("connection")
    asker, origin, now = _asker(act.request), _origin(desk, act.request), desk.now()
    try:
        with desk.database.writing() as session:
            connection = None if connection_id is None else _connection(session.get(Connection, _id(connection_id)))
            name = fields.get("name", "").strip() or tool
            begun = consents.begin(session, desk.vault, desk.settings, asker, now, origin=origin, tool=tool, name=name, connection=connection)
    except (ConnectionProblem, VaultError) as error:
        raise Wrong(409, "This cannot be begun", f"{error}.") from error
    return desk.render("consent.html", act.request, begun=begun, host=urlsplit(begun.address).netloc)


def _connection(found: Connection | None) -> Connection:
    if found is None or found.state == "detached":
        raise nothing("connection")
    return found


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise nothing("connection") from error


def callback(view: View) -> Response:
    """The person is back: with a code, or with a no. Whatever it is, it counts once."""
    desk, said = view.desk, dict(view.request.query_params)
    try:
        made = consents.finish(Keeper(desk.database, desk.vault, desk.settings, desk.now), said, _asker(view.request))
    except (ConnectionProblem, ConnectorError, VaultError) as error:
        advice = f"{error}. Nothing was stored: go to Connections and begin there."
        return desk.error(view.request, Wrong(409, "This is not connected", advice), begin="/admin/connections")
    with desk.database.reading() as session:
        fresh = session.get_one(Connection, made).state == "paused"
    return RedirectResponse(f"/admin/connections/{made}" + ("/scope" if fresh else ""), 303)


def _asker(request: Request) -> Asker:
    who = signed_in(request)
    return Asker(who.user_id, who.session_id, audit.actor(who, request.client.host if request.client else None))


def _origin(desk: Desk, request: Request) -> str:
    """Where the tool sends the person back to: the public address, else this machine's own, never what a stranger's Host says."""
    if desk.settings.public_url is not None:
        return desk.settings.public_url
    host = request.headers.get("host", "")
    if (urlsplit(f"//{host}").hostname or "") not in HERE:
        raise Wrong(409, "The hub has no public address", "The tool has to know where to send you back to: set HUB_PUBLIC_URL and register it there.")
    return f"{request.url.scheme}://{host}"
