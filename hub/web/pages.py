"""All pages for people, put together: server-rendered, complete without script, with nothing from other servers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from hub.db import Database
from hub.jobs.base import Jobs
from hub.settings import Settings
from hub.vault import Vault
from hub.web import (
    admin,
    changes,
    connecting,
    consenting,
    endpoints,
    entrants,
    milestones,
    persons,
    portfolio,
    projects,
    records,
    roles,
    saved,
    statuses,
    tasks,
    timeline,
    triage,
    words,
    workload,
)
from hub.web.desk import Desk

HERE = Path(__file__).parent


def environment() -> Environment:
    made = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["number"] = words.number
    made.filters["pairs"] = lambda values: [(value, value) for value in values]
    return made


def static() -> StaticFiles:
    return StaticFiles(directory=HERE / "static")


def router(settings: Settings, database: Database, vault: Vault, jobs: Jobs, now: Callable[[], datetime]) -> APIRouter:
    """Every page; who may see it is asked of ``login``."""
    made = APIRouter(include_in_schema=False)
    desk = Desk(settings, database, vault, jobs, now, environment())
    reading = (portfolio, triage, projects, tasks, timeline, milestones, workload, changes, saved)
    for page in (*reading, connecting, consenting, admin, statuses, persons, endpoints, entrants, records, roles):
        page.routes(made, desk)
    return made
