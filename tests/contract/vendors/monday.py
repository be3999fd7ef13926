"""monday.com for the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, OperationType, build_schema, parse, validate

from hub.sandbox.world import World
from tests.contract.stage import Stage
from tests.contract.vendor import LogRow, Vendor


@cache
def schema() -> GraphQLSchema:
    return build_schema((Path(__file__).parents[2] / "specs/monday.graphql").read_text())


def said_wait(headers: Mapping[str, str]) -> float:
    return float(headers["retry-after"])


def repeats(stage: Stage) -> None:
    stage.knobs.repeat_cursor.add("monday")


def closable(world: World) -> str:
    """A live board with items."""
    homes = [task.homes[0][0] for task in world.tasks["monday"].values() if task.homes and not task.deleted]
    boards = world.projects["monday"]
    return next(key for key in homes if boards[key].kind == "board" and world.sees_project(boards[key]) and not boards[key].archived)


def puzzle(world: World) -> tuple[str, str]:
    """A label that is not marked as done and whose name suggests nothing."""
    boards = world.projects["monday"]
    tasks = [one for one in world.tasks["monday"].values() if not one.deleted and not one.archived and one.status]
    found = ((task, status) for task in tasks if world.sees_project(boards[task.homes[0][0]]) for status in boards[task.homes[0][0]].statuses)
    task, status = next((task, status) for task, status in found if status.id == task.status and status.type != "done")
    world.rename_status("monday", task.homes[0][0], status.id, "Quarantäne ☂")
    return task.id, "Quarantäne ☂"


def _document(row: LogRow) -> tuple[dict[str, Any], DocumentNode]:
    body = json.loads(row["body"])
    return body, parse(body["query"])


def undeclared(row: LogRow) -> Iterator[str]:
    body, document = _document(row)
    yield from (error.message for error in validate(schema(), document))
    yield from body.keys() - {"query", "variables"}


def writes(row: LogRow) -> bool:
    _, document = _document(row)
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return any(one.operation is not OperationType.QUERY for one in operations) or not operations


VENDOR = Vendor(
    tool="monday",
    task_page="items_page",
    structure_page="query Structure",
    small_plan="free",
    small_rate=1000,
    several_homes=False,
    cursors_expire=True,
    said_wait=said_wait,
    repeats=repeats,
    closable=closable,
    puzzle=puzzle,
    undeclared=undeclared,
    writes=writes,
    page_rows=500,
)
