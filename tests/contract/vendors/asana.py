"""Asana for the contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from hub.sandbox.world import World
from tests.contract.stage import Stage
from tests.contract.vendor import LogRow, Vendor

SPEC: dict[str, Any] = json.loads((Path(__file__).parents[2] / "specs/asana.json").read_text())["paths"]
TEXT_ONLY = {("/workspaces/{workspace_gid}/tasks/search", "limit")}
"""Named in the operation's text and missing in its list of parameters."""


def said_wait(headers: Mapping[str, str]) -> float:
    return float(headers["retry-after"])


def repeats(stage: Stage) -> None:
    stage.knobs.repeat_cursor.add("asana")


def closable(world: World) -> str:
    """A live project with top-level tasks of its own."""
    homes = [task.homes[0][0] for task in world.tasks["asana"].values() if len(task.homes) == 1 and not task.deleted]
    return next(key for key in homes if world.sees_project(world.projects["asana"][key]) and not world.projects["asana"][key].archived)


def puzzle(world: World) -> tuple[str, str]:
    """A section with a name that suggests nothing, and an open task in it."""
    task = next(one for one in world.tasks["asana"].values() if len(one.homes) == 1 and one.homes[0][0] == closable(world) and not one.deleted)
    project, section = task.homes[0]
    world.reopen("asana", task.id)
    world.rename_status("asana", project, str(section), "Quarantäne ☂")
    return task.id, "Quarantäne ☂"


def undeclared(row: LogRow) -> Iterator[str]:
    path = next((path for path in SPEC if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), row["path"]) and "me" not in path), None)
    if path is None:
        yield row["path"]
        return
    for name, _ in parse_qsl(row["query"], keep_blank_values=True):
        if name not in SPEC[path]["parameters"] and (path, name) not in TEXT_ONLY:
            yield f"{path}?{name}"


def writes(row: LogRow) -> bool:
    return bool(row["method"] != "GET")


VENDOR = Vendor(
    tool="asana",
    task_page="GET /tasks?",
    structure_page="GET /projects?",
    small_plan="free",
    small_rate=150,
    several_homes=True,
    cursors_expire=True,
    said_wait=said_wait,
    repeats=repeats,
    closable=closable,
    puzzle=puzzle,
    undeclared=undeclared,
    writes=writes,
    page_rows=100,
)
