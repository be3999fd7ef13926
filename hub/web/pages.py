"""The home page: what was read from each tool, how it stands, and how fresh that is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from hub.db import Database
from hub.portfolio.reach import Day, meta, reach
from hub.portfolio.rollup import CATEGORIES, portfolio
from hub.settings import Settings

HERE = Path(__file__).parent
LATE_SHOWN = 25


def environment() -> Environment:
    made = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["number"] = lambda value: f"{value:,}".replace(",", "\u202f")
    return made


def static() -> StaticFiles:
    return StaticFiles(directory=HERE / "static")


def router(database: Database, settings: Settings, now: Callable[[], datetime], *, open_home: bool) -> APIRouter:
    """``/``: the portfolio where it is open to all, else a page that says how to make a key."""
    made = APIRouter(include_in_schema=False)
    template = environment().get_template("home.html")

    @made.get("/", response_class=HTMLResponse)
    def home() -> HTMLResponse:
        return HTMLResponse(template.render(shown=_shown(database, Day(now(), settings.zone)) if open_home else None))

    return made


def _shown(database: Database, day: Day) -> dict[str, Any]:
    with database.reading() as session:
        reached = reach(session)
        figures = portfolio(session, reached, day.today)
        said = meta(session, reached, day)
    late = sorted((line for line in figures["projects"] if line["overdue"]), key=lambda line: -line["overdue"])
    return {**figures, "late": late[:LATE_SHOWN], "categories": CATEGORIES, "meta": said, "when": lambda instant: _when(instant, day)}


def _when(instant: datetime | None, day: Day) -> str:
    return "not yet" if instant is None else f"{instant.astimezone(day.zone):%Y-%m-%d %H:%M} {day.zone.key}"
