"""The control desk under ``/_sandbox/``: what was asked, knobs, faults, the truth, and changes to the world. For tests, benches and the demo."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.sandbox import live, truth
from hub.sandbox.knobs import Fault, Knobs
from hub.sandbox.middleware import Log
from hub.sandbox.world import TOOLS, Tool, World

CALLS = (
    "create_task",
    "set_title",
    "set_status",
    "complete",
    "reopen",
    "set_due",
    "assign",
    "set_priority",
    "set_value",
    "archive_task",
    "delete_task",
    "restore_task",
    "move",
    "add_home",
    "remove_home",
    "reparent",
    "create_project",
    "rename_project",
    "archive_project",
    "hide_project",
    "unhide_project",
    "delete_project",
    "rename_status",
)
SETS = ("revoked", "repeat_cursor", "partial_errors", "hold", "denied")


def desk(world: World, knobs: Knobs, log: Log) -> Starlette:
    """The routes of the control desk. A wrong request answers 400 with ``{"error": ...}`` and changes nothing."""
    clerk = _Clerk(world, knobs, log)
    return Starlette(
        routes=[
            Route("/log", _guarded(clerk.log)),
            Route("/knobs", _guarded(clerk.knobs), methods=["GET", "PATCH"]),
            Route("/faults", _guarded(clerk.faults), methods=["GET", "POST", "DELETE"]),
            Route("/truth", _guarded(clerk.truth)),
            Route("/mutate", _guarded(clerk.mutate), methods=["POST"]),
            Route("/world", _guarded(clerk.world)),
        ]
    )


class _Clerk:
    """Answers at the desk; one live generator for its whole life, so that the same steps give the same day."""

    def __init__(self, world: World, knobs: Knobs, log: Log) -> None:
        self._world, self._knobs, self._log = world, knobs, log
        self._rng = random.Random(f"{world.seed}/live")

    async def log(self, request: Request) -> Response:
        tool = request.query_params.get("tool")
        rows = [{key: value for key, value in row.items() if key != "same"} for row in self._log.rows if tool in (None, row["tool"])]
        if request.query_params.get("clear"):
            self._log.clear()
        return _json(rows)

    async def knobs(self, request: Request) -> Response:
        if request.method == "PATCH":
            turn(self._knobs, orjson.loads(await request.body()))
        return _json(asdict(self._knobs))

    async def faults(self, request: Request) -> Response:
        if request.method == "POST":
            given = orjson.loads(await request.body())
            self._knobs.faults += [Fault(**one) for one in (given if isinstance(given, list) else [given])]
        elif request.method == "DELETE":
            self._knobs.faults.clear()
        return _json([asdict(fault) for fault in self._knobs.faults])

    async def truth(self, request: Request) -> Response:
        tool = _tool(request.query_params.get("tool"))
        rows = (truth.expected_projects if request.query_params.get("of") == "projects" else truth.expected_tasks)(self._world, tool)
        return _json({"fingerprint": truth.fingerprint(rows), "count": len(rows)} if request.query_params.get("brief") else rows)

    async def mutate(self, request: Request) -> Response:
        order = orjson.loads(await request.body())
        before = len(self._world.journal)
        if "call" in order:
            call(self._world, order["call"], order.get("args", {}))
        for _ in range(int(order.get("steps", 0))):
            live.step(self._world, self._rng)
        return _json([asdict(entry) for entry in self._world.journal[before:]])

    async def world(self, request: Request) -> Response:
        return _json(summary(self._world))


def turn(knobs: Knobs, values: dict[str, Any]) -> None:
    """Sets knobs by name; an unknown name raises ``ValueError`` before anything is set."""
    known = {one.name for one in fields(Knobs)} - {"faults"}
    if values.keys() - known:
        raise ValueError(f"no such knob: {', '.join(sorted(values.keys() - known))}; there are {', '.join(sorted(known))}")
    for name, value in values.items():
        setattr(knobs, name, set(value) if name in SETS else value)


def call(world: World, name: str, args: dict[str, Any]) -> None:
    """Calls one of the world's changes by name; ``due`` may be an ISO date or instant."""
    if name not in CALLS:
        raise ValueError(f"no such change: {name}; there are {', '.join(CALLS)}")
    due = args.get("due")
    if isinstance(due, str):
        args = args | {"due": datetime.fromisoformat(due) if "T" in due else date.fromisoformat(due)}
    getattr(world, name)(**args)


def summary(world: World) -> dict[str, Any]:
    """Counts by tool, the clock, plans and the token's users."""
    counts = {
        tool: {
            "tasks": len(world.tasks[tool]),
            "listable": len(truth.expected_tasks(world, tool)),
            "projects": len(truth.expected_projects(world, tool)),
            "people": len(world.people[tool]),
        }
        for tool in TOOLS
    }
    return {"seed": world.seed, "now": world.now, "journal": len(world.journal), "plans": world.plans, "me": world.me, "tools": counts}


def _tool(name: str | None) -> Tool:
    for tool in TOOLS:
        if tool == name:
            return tool
    raise ValueError(f"say ?tool= with one of {', '.join(TOOLS)}")


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value, default=_plain), status, media_type="application/json")


def _plain(value: Any) -> Any:
    if isinstance(value, set):
        return sorted(value)
    raise TypeError(f"cannot write {type(value).__name__}")


Handler = Callable[[Request], Any]


def _guarded(handler: Handler) -> Handler:
    """Turns a caller's mistake into a 400 that says what was wrong."""

    async def answer(request: Request) -> Response:
        try:
            response: Response = await handler(request)
        except (ValueError, TypeError, KeyError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        return response

    return answer
