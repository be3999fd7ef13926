"""A small ClickUp for these tests, written from the vendor's specification.

It has containers, the two task reads with their filters, and errors and limits on demand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from connectors.base import Item, Page, Scope, Slice
from connectors.clickup import ClickUpConnector
from connectors.http import Http
from connectors.limiter import Limiter

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WORKSPACE = "9001"


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def read(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(seconds, 0.001)


def user(key: int, name: str | None, **more: Any) -> dict[str, Any]:
    return {"id": key, "username": name, "email": f"user{key}@example.org", "color": "#000000", "profilePicture": None, "initials": "XX", **more}


def a_task(key: str, created: int, *, home: str = "301", space: str = "101", **more: Any) -> dict[str, Any]:
    """A task with what every task carries; ``created`` in Unix milliseconds."""
    return {
        "id": key,
        "custom_item_id": 0,
        "name": f"Task {key}",
        "text_content": "",
        "description": "",
        "status": {"id": "p1_open", "status": "to do", "type": "open", "orderindex": 0, "color": "#d3d3d3"},
        "date_created": str(created),
        "date_updated": str(created),
        "date_closed": None,
        "date_done": None,
        "archived": False,
        "creator": user(11, "Ada"),
        "assignees": [],
        "group_assignees": [],
        "watchers": [user(11, "Ada")],
        "checklists": [],
        "tags": [],
        "parent": None,
        "priority": None,
        "due_date": None,
        "start_date": None,
        "points": None,
        "time_estimate": None,
        "custom_fields": [],
        "dependencies": [],
        "linked_tasks": [],
        "locations": [],
        "team_id": WORKSPACE,
        "url": f"https://app.clickup.com/t/{key}",
        "list": {"id": home, "name": f"List {home}", "access": True},
        "project": {"id": "201", "name": "Folder 201", "hidden": False, "access": True},
        "folder": {"id": "201", "name": "Folder 201", "hidden": False, "access": True},
        "space": {"id": space},
    } | more


def a_list(key: str, **more: Any) -> dict[str, Any]:
    return {
        "id": key,
        "name": f"List {key}",
        "orderindex": 0,
        "content": None,
        "assignee": None,
        "task_count": 3,
        "due_date": None,
        "start_date": None,
    } | more


@dataclass
class Vendor:
    """``bodies``: (path, asked for archived ones) -> answer. ``inclusive``: gt and lt include their bounds. ``first``: path -> answers before it."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    old_lists: set[str] = field(default_factory=set)
    bodies: dict[tuple[str, bool], Any] = field(default_factory=dict)
    inclusive: bool = False
    says_last_page: bool = True
    limit: int = 100
    calls: list[httpx.Request] = field(default_factory=list)
    first: dict[str, list[httpx.Response]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bodies = containers() | self.bodies

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        path = request.url.path.removeprefix("/api")
        if self.first.get(path):
            return self.first[path].pop(0)
        asked = request.url.params
        archived = asked.get("archived") == "true"
        if path.endswith("/task"):
            return self._answer(self._page(path, asked, archived))
        if path.startswith("/v2/task/"):
            found = [row for row in self.tasks if row["id"] == path.rpartition("/")[2]]
            return self._answer(found[0]) if found else error(404, "ITEM_013", "Task not found")
        if (path, archived) not in self.bodies:
            return httpx.Response(404, text="<html>Cannot GET</html>")
        return self._answer(self.bodies[path, archived])

    def _answer(self, body: Any) -> httpx.Response:
        return httpx.Response(200, content=orjson.dumps(body), headers={"X-RateLimit-Limit": str(self.limit)})

    def _page(self, path: str, asked: httpx.QueryParams, archived: bool) -> dict[str, Any]:
        whole = path.startswith("/v2/team/")
        place = path.split("/")[3]
        rows = [row for row in self.tasks if (row["list"]["id"] not in self.old_lists if whole else row["list"]["id"] == place)]
        rows = [row for row in rows if row["archived"] is archived]
        if asked.get("subtasks") != "true":
            rows = [row for row in rows if row["parent"] is None]
        if asked.get("include_closed") != "true":
            rows = [row for row in rows if row["status"]["type"] != "closed"]
        if asked.get_list("space_ids[]"):
            rows = [row for row in rows if row["space"]["id"] in asked.get_list("space_ids[]")]
        slack = 1 if self.inclusive else 0
        if "date_created_gt" in asked:
            rows = [row for row in rows if int(row["date_created"]) > int(asked["date_created_gt"]) - slack]
        if "date_created_lt" in asked:
            rows = [row for row in rows if int(row["date_created"]) < int(asked["date_created_lt"]) + slack]
        rows = sorted(rows, key=lambda row: (int(row["date_created"]), row["id"]), reverse=asked.get("reverse") != "true")
        start = int(asked.get("page", "0")) * 100
        body: dict[str, Any] = {"tasks": rows[start : start + 100]}
        return body | {"last_page": start + 100 >= len(rows)} if self.says_last_page else body

    def paths(self) -> list[str]:
        return [request.url.path.removeprefix("/api") for request in self.calls]


def error(status: int, code: str, text: str, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, content=orjson.dumps({"err": text, "ECODE": code}), headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def containers() -> dict[tuple[str, bool], Any]:
    """One workspace: space 101 and archived space 102 (list 305).

    In space 101: folder 201 with list 301 and archived list 303, archived folder 202 with live list 304, list 302 in no folder.
    """
    statuses = [{"id": "p1_open", "status": "to do", "type": "open", "orderindex": 0, "color": "#d3d3d3"}]
    space = {"id": "101", "name": "Delivery", "private": True, "archived": False, "statuses": statuses}
    home = {"id": "101", "name": "Delivery", "access": True}
    folder = {"id": "201", "name": "Folder 201", "hidden": False, "space": home, "task_count": "3", "lists": [a_list("301")]}
    old = {"id": "202", "name": "Folder 202", "hidden": False, "space": home, "task_count": "3", "lists": [a_list("304")], "parent_folder": "201"}
    hidden = {"id": "900", "name": "hidden", "hidden": True, "access": True}
    rows: dict[tuple[str, bool], Any] = {
        ("/v2/user", False): {"user": user(11, "Ada", timezone="Europe/Berlin", week_start_day=1)},
        ("/v2/team", False): {
            "teams": [{"id": WORKSPACE, "name": "Harbour", "members": [{"user": user(11, "Ada", role=1)}, {"user": user(12, None, role=4)}]}]
        },
        (f"/v2/team/{WORKSPACE}/plan", False): {"plan_name": "Business", "plan_id": 3},
        ("/v2/group", False): {"groups": [{"id": "4bfd-01", "team_id": WORKSPACE, "name": "Crew", "members": [user(11, "Ada"), user(12, None)]}]},
        (f"/v2/team/{WORKSPACE}/shared", False): {"shared": {"tasks": [], "lists": [], "folders": []}},
        (f"/v2/team/{WORKSPACE}/space", False): {"spaces": [space]},
        (f"/v2/team/{WORKSPACE}/space", True): {"spaces": [{"id": "102", "name": "Old", "private": False, "archived": True, "statuses": []}]},
        ("/v2/space/101/folder", False): {"folders": [folder]},
        ("/v2/space/101/folder", True): {"folders": [old]},
        ("/v2/space/101/list", False): {"lists": [a_list("302", folder=hidden, space=home)]},
        ("/v2/space/101/list", True): {"lists": []},
        ("/v2/folder/201/list", True): {"lists": [a_list("303", archived=True)]},
        ("/v2/folder/202/list", True): {"lists": []},
        ("/v2/space/102/folder", False): {"folders": []},
        ("/v2/space/102/folder", True): {"folders": []},
        ("/v2/space/102/list", False): {"lists": [a_list("305")]},
        ("/v2/space/102/list", True): {"lists": []},
        ("/v2/list/301", False): a_list("301", folder={"id": "201", "name": "Folder 201", "hidden": False}, space=home, archived=False),
    }
    return rows


def connector(vendor: Vendor, clock: Clock | None = None, **options: Any) -> ClickUpConnector:
    """A connector with no memory of any other, on that vendor."""
    clock = clock or Clock()
    client = httpx.AsyncClient(transport=httpx.MockTransport(vendor))
    limiter = Limiter(ClickUpConnector.lanes, clock=clock.read, sleep=clock.sleep)
    http = Http(
        client, base_url="https://clickup.test/api", headers={"Authorization": "pk_test"}, classify=ClickUpConnector.classify, limiter=limiter
    )
    return ClickUpConnector(http, options=options, now=lambda: NOW)


async def pages(live: ClickUpConnector, piece: Slice, cursor: Any = None) -> list[Page]:
    return [page async for page in live.read(piece, cursor)]


async def walk(live: ClickUpConnector, scope: Scope | None = None) -> AsyncIterator[tuple[Slice, Page]]:
    """Every page of a whole pass, lower phases first."""
    waiting = list(live.roots(scope or Scope()))
    while waiting:
        waiting.sort(key=lambda piece: piece.phase)
        piece = waiting.pop(0)
        for page in await pages(live, piece):
            waiting += page.opens
            yield piece, page


async def everything(live: ClickUpConnector, scope: Scope | None = None) -> list[Item]:
    return [item async for _, page in walk(live, scope) for item in told(page)]


def told(page: Page) -> list[Item]:
    """All that a page tells one who holds nothing yet: what its tasks describe, then its items."""
    described = page.describe(frozenset(item.id for item in page.items if item.id.startswith("task:"))) if page.describe else ()
    return [*described, *page.items]


def ids(items: Iterable[Item], word: str) -> list[str]:
    return [item.id.partition(":")[2] for item in items if item.id.startswith(f"{word}:")]


def through_json(piece: Slice) -> Slice:
    """A slice as another process would get it."""
    return Slice(piece.key, piece.label, piece.phase, orjson.loads(orjson.dumps(dict(piece.args))), tuple(piece.covers))


def found(slices: Sequence[Slice], key: str) -> Slice:
    return next(piece for piece in slices if piece.key == key)
