"""What changed since yesterday, last week, or any day, over all tools."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Response

from hub.portfolio import changes
from hub.portfolio.changes import ChangesFilter
from hub.web import words
from hub.web.desk import Desk, View
from hub.web.export import MOST, Column

A_PAGE, SUMMED = 100, 50
QUICK = {"since yesterday": 1, "last 7 days": 7, "last 30 days": 30}


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/changes", show)


def show(view: View) -> Response:
    today = view.day.today
    since = view.date("since", today - timedelta(days=7))
    asked = view.asked(ChangesFilter)
    limit = MOST if view.form else A_PAGE
    groups, further = changes.page(view.session, asked, view.reached, view.day, since, view.key(changes.BY_PROJECT), limit)
    if view.form:
        rows = [{**item, "project": group["project"]["name"] if group["project"] else None} for group in groups for item in group["items"]]
        return view.send("changes", _columns(view), rows, cut=further is not None)
    lines = changes.summary(view.session, view.reached, view.day, since)
    return view.page(
        "changes.html",
        since=since,
        groups=groups,
        further=view.further(further),
        lines=lines[:SUMMED],
        number_lines=len(lines),
        asked=asked,
        quick=[(said, today - timedelta(days=days)) for said, days in QUICK.items()],
    )


def _columns(view: View) -> tuple[Column, ...]:
    return (
        Column("when", lambda row: row["at"]),
        Column("exactly", lambda row: "yes" if row["precision"] == "exact" else "no"),
        Column("project", lambda row: row["project"]),
        Column("tool", lambda row: row["tool"]),
        Column("task", lambda row: row["title"]),
        Column("what", lambda row: words.field(row["field"], row["field_name"])),
        Column("before", lambda row: words.value(row["field"], row["old"], row["old_names"], view.day)),
        Column("after", lambda row: words.value(row["field"], row["new"], row["new_names"], view.day)),
        Column("who", lambda row: row["actor"]["name"] if row["actor"] else None),
        Column("url", lambda row: row["url"]),
    )
