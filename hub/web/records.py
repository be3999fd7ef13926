"""The audit log: who did what and when, from where; by any of these, and as a file."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson
from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from hub.access import records
from hub.access.keys import Role
from hub.access.records import AuditFilter
from hub.models import Audit
from hub.web.desk import Act, Desk, View, Wrong

A_PAGE = 50
HOME = "/admin/audit"


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, HOME, show, Role.ADMIN)
    desk.do(made, f"{HOME}/export", export, Role.ADMIN)


def show(view: View) -> Response:
    asked, before = _asked(view), view.address.one("before")
    if before and not (before.isascii() and before.isdecimal() and len(before) <= 18):
        raise Wrong(400, "This page of the log does not exist", "Begin again from its first page.")
    rows, further = records.page(view.session, asked, int(before) if before else None, A_PAGE)
    names = records.names(view.session, [row.actor_id for row in rows] + [asked.actor_id])
    return view.page(
        "audit.html",
        rows=[{"row": row, "who": names.get(row.actor_id or "") or row.actor_id or row.actor_kind, "facts": _facts(row)} for row in rows],
        further=None if further is None else view.address.but(before=further),
        actions=records.actions(view.session),
        actors=records.actors(view.session),
        asked=asked,
    )


def _facts(row: Audit) -> list[tuple[str, str]]:
    """What was and what is, a line each; the log holds no secrets."""
    held = (("before", row.before), ("after", row.after))
    return [(name, orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()) for name, value in held if value]


def _asked(view: View) -> AuditFilter:
    """Days are meant where the reader is; the last one is included."""
    since = view.day.midnight(view.date("since", view.day.today)) if view.address.one("since") else None
    until = view.day.midnight(view.date("until", view.day.today) + timedelta(days=1)) if view.address.one("until") else None
    words = {name: view.address.one(name).strip() or None for name in ("actor_id", "action", "target")}
    return _filter(words, since, until)


def _filter(words: dict[str, str | None], since: datetime | None, until: datetime | None) -> AuditFilter:
    try:
        return AuditFilter(**words, since=since, until=until)
    except ValidationError as error:
        raise Wrong(400, "This filter makes no sense", "Take it back, or begin again without filters.") from error


def export(act: Act) -> Response:
    """The rows that the page's filter finds, all of them, oldest first; that they were taken out is in the log too."""
    moments = {}
    for name in ("since", "until"):
        try:
            moments[name] = datetime.fromisoformat(text) if (text := act.fields.get(name)) else None
        except ValueError as error:
            raise Wrong(422, "This form is not whole", "Go back, load the page again and send it.") from error
    asked = _filter({name: act.fields.get(name) or None for name in ("actor_id", "action", "target")}, moments["since"], moments["until"])
    with act.desk.database.writing() as session:
        last = records.taken_out(session, asked, act.desk.now(), act.by())
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(records.lines(act.desk.database.reading, asked, last), media_type="text/csv; charset=utf-8", headers=headers)
