"""What happens when: bars by project on one axis, milestones as diamonds, what waits for what, and what slipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from hub.portfolio import dependencies, history, timeline
from hub.portfolio.dependencies import DependencyFilter
from hub.portfolio.reach import Reach
from hub.portfolio.timeline import TimelineFilter
from hub.web import charts
from hub.web.charts import HEAD, ROW, Scale
from hub.web.desk import Desk, View
from hub.web.export import MOST, Column

A_PAGE, EDGES, SLIPS = 150, 500, 30
ZOOMS: Mapping[str, tuple[int, int, float]] = {"week": (7, 28, 24.0), "month": (21, 91, 8.0), "quarter": (60, 300, 3.0)}
"""Days before today, days after it, pixels a day."""
COLUMNS = (
    Column("id", lambda row: row["id"]),
    Column("title", lambda row: row["title"]),
    Column("tool", lambda row: row["tool"]),
    Column("kind", lambda row: row["kind"]),
    Column("project", lambda row: row["project"]),
    Column("counts as", lambda row: row["status_category"]),
    Column("start", lambda row: row["start_on"]),
    Column("due", lambda row: row["due_on"]),
    Column("url", lambda row: row["url"]),
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A timeline ready for the template. ``lines``: (project or null, its bars); ``across``: dependencies between different tools."""

    scale: Scale
    zoom: str
    lines: Sequence[tuple[Any, Sequence[charts.Bar]]]
    arrows: Sequence[charts.Arrow]
    edges: Sequence[Mapping[str, Any]]
    moved: Mapping[UUID, Mapping[str, Any]]
    ticks: Sequence[tuple[float, str]]
    today: float | None
    height: float
    since: date
    earlier: str
    later: str
    further: str | None
    rows: Sequence[Mapping[str, Any]]


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/timeline", show)


def show(view: View) -> Response:
    ids = view.ids("project_id")
    found = drawn(view, view.reached, projects=ids)
    if view.form:
        return view.send("timeline", COLUMNS, found.rows, cut=found.further is not None)
    return view.page("timeline.html", containers=ids, drawn=found)


def drawn(view: View, reached: Reach, *, projects: Sequence[UUID]) -> Drawn:
    """A stretch of time by the address: ``zoom``, ``from``, ``kind``, ``after``."""
    zoom = view.choice("zoom", ZOOMS, "month")
    back, ahead, wide = ZOOMS[zoom]
    today = view.day.today
    first = view.date("from", today - timedelta(days=back))
    last = first + timedelta(days=back + ahead)
    asked = view.asked(TimelineFilter).model_copy(update={"project_id": list(projects)})
    limit = MOST if view.form else A_PAGE
    groups, further = timeline.page(view.session, asked, reached, (first, last), today, view.key(timeline.ORDER), limit)
    ids = [item["id"] for group in groups for item in group["items"]]
    since = today - timedelta(days=SLIPS)
    seen = [] if view.form else ids  # a file holds the rows only
    moved = history.movements(view.session, reached, view.day, seen, since)
    edges, _ = dependencies.page(view.session, DependencyFilter.model_validate({"task_id": seen}), reached, None, EDGES) if seen else ([], None)
    scale = Scale(first, last, wide)
    y, lines = float(HEAD), []
    for group in groups:
        y += ROW
        lines.append((group["project"], charts.bars(((y + place * ROW, item) for place, item in enumerate(group["items"])), scale, moved)))
        y += ROW * len(group["items"])
    shown = {bar.task["id"]: bar for _, bars in lines for bar in bars}
    step = timedelta(days=(back + ahead) // 2)
    return Drawn(
        scale=scale,
        zoom=zoom,
        lines=lines,
        arrows=list(charts.arrows(edges, shown)),
        edges=edges,
        moved=moved,
        ticks=scale.ticks(zoom),
        today=scale.x(today) + wide / 2 if first <= today <= last else None,
        height=y + ROW / 2,
        since=since,
        earlier=view.address.but(**{"from": max(first - step, date(1970, 1, 1)), "after": None}),
        later=view.address.but(**{"from": min(first + step, date(8999, 1, 1)), "after": None}),
        further=view.further(further),
        rows=[{**item, "project": group["project"]["name"] if group["project"] else None} for group in groups for item in group["items"]],
    )
