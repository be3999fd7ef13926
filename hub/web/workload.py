"""Who has how much to do in which week, over all tools; what has no dates or no estimate stands apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Response

from hub.portfolio import workload
from hub.portfolio.workdays import week_start
from hub.web import charts
from hub.web.desk import Desk, View
from hub.web.export import Column

A_PAGE = 60


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/workload", show)


def show(view: View) -> Response:
    weeks, first = view.whole("weeks", 6, 26), view.date("from", view.day.today)
    found = workload.workload(view.session, view.reached, view.day, first=first, weeks=weeks)
    people = found["people"]
    if text := view.address.one("q").casefold():
        people = [line for line in people if line["assignee"] and text in (line["assignee"]["name"] or "").casefold()]
    if view.address.one("over"):
        people = [line for line in people if any(cell["over"] for cell in line["weeks"])]
    if view.form:
        return view.send("workload", _columns(found["weeks"]), people)
    pages = view.pages(len(people), A_PAGE)
    this, step = week_start(view.day.today), timedelta(weeks=weeks)
    following = this + timedelta(weeks=1)
    overloaded = [(line, cell) for line in found["people"] for cell in line["weeks"] if cell["over"] and cell["week"] == following]
    overloaded.sort(key=lambda pair: -(pair[1]["percent"] or 0))
    return view.page(
        "workload.html",
        weeks=found["weeks"],
        people=people[pages.offset : pages.offset + A_PAGE],
        pages=pages,
        heat=charts.heat,
        this=this,
        overloaded=overloaded,
        shows_next=following in found["weeks"],
        number=weeks,
        earlier=view.address.but(**{"from": found["weeks"][0] - step}),
        later=view.address.but(**{"from": found["weeks"][0] + step}),
        unlinked=sum(1 for line in people if line["users"] and not line["linked"]),
    )


def _columns(weeks: list[Any]) -> list[Column]:
    def cell(place: int, name: str) -> Any:
        return lambda line: line["weeks"][place][name]

    made = [Column("who", lambda line: line["assignee"]["name"] if line["assignee"] else "(nobody)")]
    made.append(Column("tools", lambda line: ", ".join(sorted({user["tool"] or "" for user in line["users"]}))))
    for place, week in enumerate(weeks):
        made += [Column(f"{week} minutes", cell(place, "minutes")), Column(f"{week} percent", cell(place, "percent"))]
    made.append(Column("overdue tasks", lambda line: line["overdue"]["tasks"]))
    made.append(Column("tasks without dates", lambda line: line["undated"]["tasks"]))
    made.append(Column("tasks without estimate", lambda line: line["unestimated"]["tasks"]))
    return made
