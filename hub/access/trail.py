"""The audit log's ear at the door: every request that changed something, every one that was refused to somebody, every file that was taken out and
every admin's look at what is private in its tool becomes a row.

Acts of the access room itself (log-in, users, keys) write their own rows, in their own transaction and with before and after, and say so by
``RECORDED``. For the others the row is written between the act and its answer: nobody gets an answer to something that is in no log, but a process
that dies in that very moment leaves an act without a row, of which the changed thing itself then is the only witness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from anyio.to_thread import run_sync
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub import log
from hub.access import audit, private
from hub.access.audit import Actor
from hub.access.keys import Role
from hub.access.private import Readings
from hub.access.who import Who
from hub.db import Database

WHO, REFUSED, RECORDED = "hub.who", "hub.refused", "hub.recorded"
"""Keys of the request's scope: who it is; which key was refused to somebody we do not know; and that the act has its row already."""
HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_KEPT = 65_536


class Trail:
    """Plain ASGI, just outside the routes."""

    def __init__(self, app: ASGIApp, database: Database, now: Callable[[], datetime]) -> None:
        self.app, self.database, self.now = app, database, now
        self.readings = Readings()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = bytearray()

        async def overheard() -> Message:
            message = await receive()
            if scope["method"] not in HARMLESS and len(body) < BODY_KEPT:
                body.extend(message.get("body", b"")[: BODY_KEPT - len(body)])
            return message

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                if _matters(scope, message["status"]):
                    await run_sync(self._record, scope, message["status"], bytes(body))
                elif _is_file(scope, message):
                    await run_sync(self._add, scope, [("file.exported", scope["path"], {"asked": dict(_parameters(scope))})])
                if _looks_everywhere(scope, message["status"]):
                    await run_sync(self._look, scope)
            await send(message)

        await self.app(scope, overheard, noted)

    def _record(self, scope: Scope, status: int, body: bytes) -> None:
        refused = status >= 400
        facts: dict[str, Any] = {"status": status}
        if refused:
            facts |= {"method": scope["method"], "path": scope["path"], "credential": scope.get(REFUSED)}
        elif asked := _asked(scope, body):
            facts["asked"] = asked
        self._add(scope, [("request.refused" if refused else _name(scope), _target(scope), facts)])

    def _add(self, scope: Scope, rows: Sequence[tuple[str, str | None, dict[str, Any]]]) -> None:
        try:
            with self.database.writing() as session:
                for action, target, facts in rows:
                    audit.add(session, _by(scope), action, target, self.now(), after=facts)
        except DBAPIError as error:  # the act is done; an answer that says otherwise would make it be done twice
            log.get("audit").error("an act could not be recorded", rows=rows, reason=str(error.orig))

    def _look(self, scope: Scope) -> None:
        """An admin reads: are there private places in it that are not noted yet?"""
        by, now = _by(scope), self.now()
        asked = private.named([*(scope.get("path_params") or {}).items(), *_parameters(scope)])
        if not self.readings.is_new(by, asked, now):
            return
        try:
            with self.database.reading() as session:
                found = private.places(session, asked)
            if found:
                with self.database.writing() as session:
                    private.note(session, by, found, now)
        except DBAPIError as error:  # as above
            log.get("audit").error("an admin's reading could not be recorded", actor=by.id, path=scope["path"], reason=str(error.orig))


def _matters(scope: Scope, status: int) -> bool:
    who: Who | None = scope.get(WHO)
    if status in (401, 403):
        return who is not None or REFUSED in scope
    return who is not None and not scope.get(RECORDED) and scope["method"] not in HARMLESS and status < 400


def _is_file(scope: Scope, message: Message) -> bool:
    told = any(name == b"content-disposition" and value.startswith(b"attachment") for name, value in message.get("headers", ()))
    return told and message["status"] == 200 and scope.get(WHO) is not None and not scope.get(RECORDED)


def _looks_everywhere(scope: Scope, status: int) -> bool:
    """Whether this was the look of somebody who sees what is private without a grant. The demo's guest is nobody who could be asked about it."""
    who: Who | None = scope.get(WHO)
    if who is None or who.role is not Role.ADMIN or who.kind == "guest":
        return False
    return scope["method"] in HARMLESS and status in (200, 304) and private.shown_at(scope["path"])


def _by(scope: Scope) -> Actor:
    return audit.actor(scope.get(WHO), scope["client"][0] if scope.get("client") else None)


def _parameters(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True, errors="replace")


def _name(scope: Scope) -> str:
    route = scope.get("route")
    return str(getattr(route, "name", None) or scope["method"])


def _target(scope: Scope) -> str | None:
    found = scope.get("path_params") or {}
    return ", ".join(f"{name}:{value}" for name, value in found.items()) or None


def _asked(scope: Scope, body: bytes) -> Any:
    """What was sent, as far as it can be read: JSON, or a form without its token."""
    kind = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip()
    if kind == b"application/x-www-form-urlencoded":
        return {name: value for name, value in parse_qsl(body.decode("ascii", "replace")) if name != "csrf"}
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None
