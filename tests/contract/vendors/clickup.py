"""ClickUp for the contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx

from hub.sandbox.world import World
from tests.contract.stage import Stage
from tests.contract.vendor import LogRow, Vendor

SPEC: dict[str, Any] = json.loads((Path(__file__).parents[2] / "specs/clickup.json").read_text())["paths"]
SEEN = {("/v2/team/{team_Id}/task", "archived"): "documented for the list read only, works on both as others saw"}


def said_wait(headers: Mapping[str, str]) -> float:
    """The vendor tells the instant at which its minute ends, in Unix seconds; a wait shorter than a second is made one."""
    return max(1.0, int(headers["x-ratelimit-reset"]) - parsedate_to_datetime(headers["date"]).timestamp())


def repeats(stage: Stage) -> None:
    """There are no paging tokens: a vendor that ignores the key of a page is what sends a client round in circles."""

    def ignored(request: httpx.Request) -> httpx.Request:
        request.url = request.url.copy_remove_param("date_created_gt")
        return request

    stage.wire.bend = ignored


def closable(world: World) -> str:
    """A list under something archived: the others are not asked for one by one."""
    homes = {task.homes[0][0] for task in world.tasks["clickup"].values() if not task.deleted}
    return next(
        key for key, project in world.projects["clickup"].items() if key in homes and world.sees_project(project) and world.archived_above(project)
    )


def puzzle(world: World) -> tuple[str, str]:
    """A status of a type that the vendor has not had so far."""
    task = next(one for one in world.tasks["clickup"].values() if one.homes and not one.deleted and one.parent is None)
    status = next(one for one in world.projects["clickup"][task.homes[0][0]].statuses if one.id == task.status)
    status.type, status.name, status.category = "hibernating", "Quarantäne ☂", "unknown"
    world.set_title("clickup", task.id, task.title + " ")
    return task.id, "Quarantäne ☂"


def undeclared(row: LogRow) -> Iterator[str]:
    path = next((path for path in SPEC if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), row["path"])), None)
    if path is None:
        yield row["path"]
        return
    for name, _ in parse_qsl(row["query"], keep_blank_values=True):
        if name not in SPEC[path]["query"] and (path, name) not in SEEN:
            yield f"{path}?{name}"


def writes(row: LogRow) -> bool:
    return bool(row["method"] != "GET")


VENDOR = Vendor(
    tool="clickup",
    task_page="/task?",
    structure_page="/space?",
    small_plan="free",
    small_rate=100,
    several_homes=True,
    cursors_expire=False,
    said_wait=said_wait,
    repeats=repeats,
    closable=closable,
    puzzle=puzzle,
    undeclared=undeclared,
    writes=writes,
    page_rows=100,
)
