"""Tasks by any filter, and one task with everything that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select

from hub.models import Task
from hub.portfolio import changes, dependencies, history, listing, tasks
from hub.portfolio.dependencies import DependencyFilter
from hub.portfolio.shapes import task_shapes
from hub.portfolio.tasks import TaskFilter
from hub.web.desk import Desk, View, nothing
from hub.web.export import MOST, Column

A_PAGE, HISTORY, EDGES = 50, 100, 100
BATCH = 1000
COLUMNS = (
    Column("id", lambda row: row["id"]),
    Column("title", lambda row: row["title"]),
    Column("tool", lambda row: row["tool"]),
    Column("kind", lambda row: row["kind"]),
    Column("project", lambda row: row["project"]),
    Column("tool's status", lambda row: row["status"]),
    Column("counts as", lambda row: row["status_category"]),
    Column("priority", lambda row: row["priority"]),
    Column("assigned to", lambda row: ", ".join(each["name"] or str(each["id"]) for each in row["assignees"])),
    Column("start", lambda row: row["start_on"]),
    Column("due", lambda row: row["due_on"]),
    Column("completed", lambda row: row["completed_at"]),
    Column("estimate minutes", lambda row: row["estimate_minutes"]),
    Column("tags", lambda row: ", ".join(row["tags"])),
    Column("url", lambda row: row["url"]),
)


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/tasks", show_all)
    desk.add(made, "/tasks/{task_id}", show_one)


def show_all(view: View) -> Response:
    asked = view.asked(TaskFilter)
    if view.form:
        return rows_for_file(view, "tasks", asked, COLUMNS)
    sort, pages = view.choice("sort", listing.SORTS, "due"), view.pages(None, A_PAGE)
    descending = view.address.one("order") == "desc"
    rows, total = listing.page(
        view.session, asked, view.reached, view.day.today, sort=sort, descending=descending, offset=pages.offset, limit=pages.size
    )
    shapes = task_shapes(view.session, rows, view.reached)
    return view.page(
        "tasks.html",
        containers=asked.project_id,
        rows=shapes,
        pages=pages.of(total),
        sort=sort,
        asked=asked,
        names=listing.project_names(view.session, view.reached, [*(shape["project_id"] for shape in shapes), *asked.project_id]),
        people=listing.assignee_names(view.session, view.reached, asked.assignee_id) if asked.assignee_id else {},
    )


def rows_for_file(view: View, name: str, asked: TaskFilter, columns: Sequence[Column]) -> Response:
    """The whole filter, not only the page, in the page's order."""
    sort, descending = view.choice("sort", listing.SORTS, "due"), view.address.one("order") == "desc"
    made: list[dict[str, Any]] = []
    for offset in range(0, MOST, BATCH):
        rows, total = listing.page(view.session, asked, view.reached, view.day.today, sort=sort, descending=descending, offset=offset, limit=BATCH)
        shapes = task_shapes(view.session, rows, view.reached)
        names = listing.project_names(view.session, view.reached, [shape["project_id"] for shape in shapes])
        made += [{**shape, "project": names.get(shape["project_id"])} for shape in shapes]
        if len(rows) < BATCH:
            break
    return view.send(name, columns, made, cut=total > MOST)


def show_one(view: View) -> Response:
    task_id = view.id("task_id", "task")
    row = tasks.one(view.session, task_id, view.everything)
    if row is None:
        raise nothing("task")
    session, reached, day = view.session, view.everything, view.day
    shape = task_shapes(session, [row], reached)[0]
    happened, more = changes.of_task(session, task_id, reached, None, HISTORY)
    edges, _ = dependencies.page(session, DependencyFilter.model_validate({"task_id": [task_id]}), reached, None, EDGES)
    projects = [*shape["project_ids"], shape["project_id"]]
    if view.form:
        named = {**shape, "project": listing.project_names(session, reached, projects).get(shape["project_id"])}
        return view.send("task", COLUMNS, [named])
    return view.page(
        "task.html",
        scope=f"this task of {shape['tool']}",
        task=shape,
        description=session.scalar(select(Task.description).where(Task.id == task_id)),
        parent=tasks.one(session, shape["parent_id"], reached) if shape["parent_id"] else None,
        movement=history.movements(session, reached, day, [task_id])[task_id],
        age=history.ages(session, reached, day, [task_id])[task_id],
        happened=happened,
        more=more is not None,
        waits_for=[edge for edge in edges if edge["successor"]["id"] == task_id],
        holds_up=[edge for edge in edges if edge["predecessor"]["id"] == task_id],
        names=listing.project_names(session, reached, projects),
    )
