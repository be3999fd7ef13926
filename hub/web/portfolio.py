"""The home page: what is wrong first, each with its reason; then how everything stands, tool by tool."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Response

from hub.portfolio import dependencies, flow, rollup
from hub.portfolio.dependencies import DependencyFilter
from hub.web import charts
from hub.web.desk import Desk, View
from hub.web.projects import COLUMNS, by_trouble

SHOWN, AHEAD, ACROSS = 15, 10, 10
BAR = 320


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/", show)


def show(view: View) -> Response:
    since = view.date("since", view.day.today - timedelta(days=30)) if view.address.one("since") else None
    figures = rollup.portfolio(view.session, view.reached, view.day, since=since)
    lines = figures["projects"]
    trouble = sorted((line for line in lines if _colour(line) in ("red", "amber")), key=by_trouble)
    if view.form:
        return view.send("portfolio", COLUMNS, sorted(lines, key=by_trouble))
    blocked, more = dependencies.page(
        view.session, DependencyFilter.model_validate({"across_tools": True, "blocking": True}), view.reached, None, ACROSS
    )
    ahead = sorted((line for line in lines if line["next_milestone"]), key=lambda line: (line["next_milestone"]["due_on"], str(line["id"])))
    finished = flow.flow(view.session, view.reached, view.day, weeks=12)
    return view.page(
        "portfolio.html",
        figures=figures,
        trouble=trouble[:SHOWN],
        troubled=len(trouble),
        ahead=ahead[:AHEAD],
        blocked=blocked,
        more_blocked=more is not None,
        stacks={line["tool"]: charts.stack(line["by_category"], BAR) for line in figures["tools"]},
        total_stack=charts.stack(figures["totals"]["by_category"], BAR),
        bar=BAR,
        flow=finished,
        flow_columns=charts.columns([week["finished"] for week in finished["weeks"]], *charts.FLOW),
    )


def _colour(line: dict[str, Any]) -> str | None:
    found = line["computed_health"]
    return found["colour"] if found else None
