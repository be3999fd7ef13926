"""Milestones by due date, and how they moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Response

from connectors.records import StatusCategory
from hub.portfolio import history, listing, tasks
from hub.portfolio.tasks import SETTLED, MilestoneFilter
from hub.web import charts
from hub.web.charts import Scale
from hub.web.desk import Desk, View
from hub.web.export import Column

MOST, A_PAGE, DRAWN, BACK = 1000, 100, 25, 30
Row = Mapping[str, Any]
SHOWS = {"open": "still open", "moved": "moved", "overdue": "overdue", "all": "all"}
SORTS: Mapping[str, Callable[[Row], Any]] = {
    "due": lambda row: (row["due_on"] is None, row["due_on"]),
    "delta": lambda row: -(row["movement"]["delta_days"] or 0),
    "title": lambda row: row["title"].casefold(),
    "moves": lambda row: -row["movement"]["moves"],
}
COLUMNS = (
    Column("id", lambda row: row["id"]),
    Column("milestone", lambda row: row["title"]),
    Column("tool", lambda row: row["tool"]),
    Column("project", lambda row: row["project"]),
    Column("tool's status", lambda row: row["status"]),
    Column("counts as", lambda row: row["status_category"]),
    Column("was due", lambda row: row["movement"]["first_due_on"]),
    Column("due", lambda row: row["due_on"]),
    Column("moved by days", lambda row: row["movement"]["delta_days"]),
    Column("moves", lambda row: row["movement"]["moves"]),
    Column("url", lambda row: row["url"]),
)


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/milestones", show)


def show(view: View) -> Response:
    since = view.date("since", view.day.today - timedelta(days=BACK))
    which, sort = view.choice("show", SHOWS, "open"), view.choice("sort", SORTS, "due")
    rows, cut = _rows(view, which, since)
    rows = sorted(rows, key=SORTS[sort], reverse=view.address.one("order") == "desc")
    if view.form:
        return view.send("milestones", COLUMNS, rows, cut=cut)
    pages = view.pages(len(rows), A_PAGE)
    moved = sorted((row for row in rows if row["movement"]["delta_days"]), key=lambda row: -abs(row["movement"]["delta_days"]))
    return view.page(
        "milestones.html",
        rows=rows[pages.offset : pages.offset + A_PAGE],
        pages=pages,
        since=since,
        show=which,
        shows=SHOWS,
        sort=sort,
        cut=cut,
        number_moved=len(moved),
        chart=_chart(moved[:DRAWN], view.day.today),
    )


def _rows(view: View, which: str, since: date) -> tuple[list[Row], bool]:
    session, reached, day = view.session, view.reached, view.day
    asked = view.asked(MilestoneFilter)
    if which == "open" and not asked.status_category:
        asked = asked.model_copy(update={"status_category": [each for each in StatusCategory if each.value not in SETTLED]})
    if which == "overdue":
        asked = asked.model_copy(update={"overdue": True})
    extra = [history.moved_since(reached, day, since)] if which == "moved" else []
    found, further = tasks.page(session, tasks.milestones(asked), reached, day.today, tasks.BY_DUE, None, MOST, extra=extra)
    moves = history.movements(session, reached, day, [row["id"] for row in found], since)
    names = listing.project_names(session, reached, [row["project_id"] for row in found])
    tools = reached.tools
    made: list[Row] = []
    for row in found:
        home = row["project_id"] if row["project_id"] in names else None  # it may be one that the reader does not see
        made.append({**row, "tool": tools[row["connection_id"]], "project_id": home, "project": names.get(home), "movement": moves[row["id"]]})
    return made, further is not None


def _chart(moved: Sequence[Row], today: date) -> dict[str, Any] | None:
    if not moved:
        return None
    pairs = [(row, row["movement"]["first_due_on"], row["due_on"]) for row in moved]
    days = [day for _, was, now in pairs for day in (was, now)] + [today]
    first, last = min(days) - timedelta(days=7), max(days) + timedelta(days=14)
    width = 640
    scale = Scale(first, last, width / ((last - first).days + 1))
    height = charts.HEAD + charts.ROW * len(pairs)
    ticks = scale.ticks("month")
    every = max(1, len(ticks) // 10)
    return {"moves": charts.moves(pairs, scale), "ticks": ticks[::every], "today": scale.x(today), "width": width, "height": height}
