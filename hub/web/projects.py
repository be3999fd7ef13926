"""All projects in one table, and one project from every side: list, board, timeline, milestones, and why it has its colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from hub.access.keys import Role
from hub.portfolio import board, burnup, flow, history, listing, projects, rollup, tasks, triage
from hub.portfolio.projects import ProjectFilter
from hub.portfolio.shapes import task_shapes
from hub.portfolio.tasks import MilestoneFilter, TaskFilter
from hub.web import charts
from hub.web.desk import Desk, View, nothing
from hub.web.export import Column
from hub.web.login import signed_in
from hub.web.milestones import COLUMNS as MILESTONE_COLUMNS
from hub.web.tasks import COLUMNS as TASK_COLUMNS
from hub.web.tasks import rows_for_file
from hub.web.timeline import COLUMNS as TIMELINE_COLUMNS
from hub.web.timeline import drawn

Line = Mapping[str, Any]
A_PAGE, LISTED, CARDS, MILESTONES = 100, 50, 25, 500
SPARK_WEEKS = 8
BAR, WIDE = 160, 320
TROUBLE = {"red": 0, "amber": 1, "grey": 2, "green": 3, None: 4}
TABS = {"list": "List", "board": "Board", "timeline": "Timeline", "milestones": "Milestones"}


def colour(line: Line) -> str | None:
    return line["computed_health"]["colour"] if line["computed_health"] else None


def by_trouble(line: Line) -> Any:
    """Worst colour first, then the longest overdue, then the most of it."""
    return TROUBLE[colour(line)], -line["most_late_days"], -line["overdue"], line["name"] or ""


SORTS: Mapping[str, Callable[[Line], Any]] = {
    "trouble": by_trouble,
    "name": lambda line: (line["name"] is None, (line["name"] or "").casefold()),
    "tool": lambda line: line["tool"],
    "tasks": lambda line: -line["tasks"],
    "progress": lambda line: -(line["progress"]["percent"] or 0),
    "overdue": lambda line: -line["overdue"],
    "late": lambda line: -line["most_late_days"],
    "blocked": lambda line: -line["blocked"],
    "slipped": lambda line: -(line["slipped"]["most_days"] or 0),
    "milestone": lambda line: (line["next_milestone"] is None, line["next_milestone"]["due_on"] if line["next_milestone"] else None),
}
COLUMNS = (
    Column("id", lambda line: line["id"]),
    Column("project", lambda line: line["name"]),
    Column("tool", lambda line: line["tool"]),
    Column("colour", colour),
    Column("declared", lambda line: ((line["computed_health"] or {}).get("declared") or {}).get("value")),
    Column("reasons", lambda line: "; ".join(cause["words"] for cause in (line["computed_health"] or {"reasons": ()})["reasons"])),
    Column("tasks", lambda line: line["tasks"]),
    Column("open", lambda line: line["open"]),
    Column("progress percent", lambda line: line["progress"]["percent"]),
    Column("overdue", lambda line: line["overdue"]),
    Column("most late days", lambda line: line["most_late_days"]),
    Column("due soon", lambda line: line["due_soon"]),
    Column("blocked", lambda line: line["blocked"]),
    Column("slipped tasks", lambda line: line["slipped"]["tasks"]),
    Column("most slipped days", lambda line: line["slipped"]["most_days"]),
    Column("next milestone", lambda line: line["next_milestone"]["title"] if line["next_milestone"] else None),
    Column("next milestone due", lambda line: line["next_milestone"]["due_on"] if line["next_milestone"] else None),
    Column("due_on", lambda line: line["due_on"]),
    Column("url", lambda line: line["url"]),
)


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/projects", show_all)
    desk.add(made, "/projects/{project_id}", show_one)


def show_all(view: View) -> Response:
    sort = view.choice("sort", SORTS, "trouble")
    lines, sorting, capped = lines_of(view)
    lines = sorted(sorted(lines, key=by_trouble), key=SORTS[sort], reverse=view.address.one("order") == "desc")
    if view.form:
        return view.send("projects", COLUMNS, lines)
    pages = view.pages(len(lines), A_PAGE)
    shown = lines[pages.offset : pages.offset + A_PAGE]
    stacks = [charts.stack(line["by_category"], BAR) for line in shown]
    weeks = flow.finished_each(view.session, view.reached, view.day, [line["id"] for line in shown], weeks=SPARK_WEEKS)
    sparks = [charts.spark(weeks[line["id"]], *charts.SPARK) for line in shown]
    return view.page(
        "projects.html",
        lines=list(zip(shown, stacks, sparks, strict=True)),
        pages=pages,
        triage=sorting,
        sort=sort,
        bar=BAR,
        capped=capped,
        may_sort=signed_in(view.request).may(Role.ADMIN, Role.PMO),
        sorted_now=view.whole("sorted", 0, 1_000_000) if view.address.one("sorted") not in ("", "0") else None,
        query=view.address.but().partition("?")[2],
    )


def lines_of(view: View) -> tuple[list[Any], Any, bool]:
    """(projects that fit the filter, with their figures; how many are sorted; are there more)."""
    lines, sorting, capped = _lines(view)
    if text := view.address.one("q").casefold():
        lines = [line for line in lines if text in (line["name"] or "").casefold()]
    if wanted := view.address.all("colour"):
        lines = [line for line in lines if colour(line) in wanted]
    return lines, sorting, capped


def _lines(view: View) -> tuple[list[Any], Any, bool]:
    """What counts comes as on the home page; what does not, on request, narrowed by name already, so that the limit is one of what is looked for."""
    asked = view.choice("triage", {"counting": "", "unsorted": "", "out": "", "in": ""}, "counting")
    if asked == "counting":
        figures = rollup.portfolio(view.session, view.reached, view.day)
        return [line for line in figures["projects"] if line["id"]], figures["triage"], False
    sorting = triage.triage(view.session, view.reached)
    wanted = ProjectFilter.model_validate({"triage": [asked], "q": view.address.one("q")[:500] or None})
    shapes, further = projects.page(view.session, wanted, view.reached, view.day, None, 1000)
    return shapes, triage.counts(view.session, sorting, view.reached), further is not None


def show_one(view: View) -> Response:
    project_id = view.id("project_id", "project")
    found = projects.one(view.session, project_id, view.everything, view.day)
    if found is None:
        raise nothing("project")
    tab = view.choice("view", TABS, "list")
    if view.form:
        return _file(view, project_id, tab)
    shown = {"list": _list, "board": _board, "timeline": _timeline, "milestones": _milestones}[tab](view, project_id)
    weeks = flow.flow(view.session, view.everything, view.day, weeks=12, projects=[project_id])
    columns = charts.columns([week["finished"] for week in weeks["weeks"]], *charts.FLOW)
    grown = burnup.burn_up(view.session, view.everything, view.day, [project_id], weeks=12)
    return view.page(
        "project.html",
        containers=[project_id],
        scope=f"this project of {found['tool']}",
        project=found,
        tab=tab,
        tabs=TABS,
        flow=weeks,
        flow_columns=columns,
        burn=grown,
        burn_chart=charts.burn(grown["points"], *charts.BURN),
        stack=charts.stack(found["by_category"], WIDE),
        bar=WIDE,
        **shown,
    )


def _file(view: View, project_id: UUID, tab: str) -> Response:
    """The rows that the tab shows; a board's are the list's."""
    if tab == "milestones":
        rows = _milestones(view, project_id)["milestones"]
        return view.send("project milestones", MILESTONE_COLUMNS, rows)
    if tab == "timeline":
        found = drawn(view, view.everything, projects=[project_id])
        return view.send("project timeline", TIMELINE_COLUMNS, found.rows, cut=found.further is not None)
    return rows_for_file(view, "project", TaskFilter.model_validate({"project_id": [project_id]}), TASK_COLUMNS)


def _list(view: View, project_id: UUID) -> dict[str, Any]:
    sort, pages = view.choice("sort", listing.SORTS, "due"), view.pages(None, LISTED)
    asked, down = TaskFilter.model_validate({"project_id": [project_id]}), view.address.one("order") == "desc"
    rows, total = listing.page(view.session, asked, view.everything, view.day.today, sort=sort, descending=down, offset=pages.offset, limit=LISTED)
    return {"rows": task_shapes(view.session, rows, view.everything), "pages": pages.of(total), "sort": sort}


def _board(view: View, project_id: UUID) -> dict[str, Any]:
    by = board.By(view.choice("by", {"category": "", "section": "", "person": ""}, "category"))
    return {"columns": board.board(view.session, project_id, view.everything, view.day, by, CARDS), "by": by.value}


def _timeline(view: View, project_id: UUID) -> dict[str, Any]:
    return {"drawn": drawn(view, view.everything, projects=[project_id])}


def _milestones(view: View, project_id: UUID) -> dict[str, Any]:
    asked = tasks.milestones(MilestoneFilter.model_validate({"project_id": [project_id]}))
    rows, further = tasks.page(view.session, asked, view.everything, view.day.today, tasks.BY_DUE, None, MILESTONES)
    moved = history.movements(view.session, view.everything, view.day, [row["id"] for row in rows])
    tools = view.everything.tools
    names = listing.project_names(view.session, view.everything, [project_id])
    beside = {"project": names.get(project_id)}
    made = [{**row, **beside, "tool": tools[row["connection_id"]], "movement": moved[row["id"]]} for row in rows]
    return {"milestones": made, "more_milestones": further is not None}
