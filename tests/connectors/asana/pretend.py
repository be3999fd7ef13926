"""A vendor of a few lines: answers by path and query from lists given by the test, and remembers what was asked.

Where a test says nothing else, a stream of events begins as it always does, and the plan has no search.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx

from connectors.asana import AsanaConnector
from connectors.base import Credential, Item, Page, Slice
from connectors.http import Http
from connectors.limiter import Lane, Limiter

BASE = "https://asana.test/api/1.0"
Query = dict[str, str]
Answerer = Callable[[Query], Any]


def _unsaid(line: str) -> httpx.Response:
    if line == "/events":
        return stale("s0")
    return refusal(402, "Premium only") if line.endswith("/tasks/search") else refusal(404, "No matching route for request")


def stale(sync: str) -> httpx.Response:
    """The 412 with which a stream begins, and which says that it has a hole."""
    return httpx.Response(412, json={"errors": [{"message": "Sync token invalid or too old"}], "sync": sync})


def listed(rows: list[dict[str, Any]], offset: str | None = None) -> dict[str, Any]:
    following = {"offset": offset, "path": f"/x?offset={offset}", "uri": f"{BASE}/x?offset={offset}"} if offset else None
    return {"data": rows, "next_page": following}


def refusal(status: int, message: str, **more: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"message": message, "help": "see the documentation", **more}]})


class Vendor:
    """``answers[path]`` (or of a call that is no GET: ``"POST /path"``): a body, a response, or a function of the query. ``asked``: [(path, query)].
    ``sent``: [(method and path, body)] of what was no GET."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Query]] = []
        self.sent: list[tuple[str, Any]] = []
        self.authorizations: set[str] = set()
        self.pauses: list[float] = []
        self.limiter = Limiter({name: Lane(1e6, 50) for name in AsanaConnector.lanes}, sleep=self._sleep)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/1.0")
        query = dict(parse_qsl(request.url.query.decode()))
        self.asked.append((path, query))
        self.authorizations.add(request.headers["Authorization"])
        line = path if request.method == "GET" else f"{request.method} {path}"
        if request.method != "GET":
            self.sent.append((line, json.loads(request.content) if request.content else None))
        answer = self.answers.get(line)
        if callable(answer):
            answer = answer(query)
        if answer is None:
            return _unsaid(line)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, content=json.dumps(answer))

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def connector(self, **options: Any) -> AsanaConnector:
        """A new connector object, as a new process would build it."""
        headers = AsanaConnector.http_headers(Credential("1/invented"))
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        http = Http(client, base_url=BASE, headers=headers, classify=AsanaConnector.classify, limiter=self.limiter, hooks=AsanaConnector.hooks)
        return AsanaConnector(http, options=options, now=lambda: datetime(2026, 11, 23, tzinfo=UTC))

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def queries(self, path: str) -> list[Query]:
        return [query for asked, query in self.asked if asked == path]

    def by_offset(self, pages: Mapping[str | None, Any]) -> Answerer:
        return lambda query: pages[query.get("offset")]


async def pages_of(connector: AsanaConnector, piece: Slice, cursor: Any = None) -> list[Page]:
    return [page async for page in connector.read(piece, cursor)]


def items_of(pages: list[Page]) -> list[Item]:
    return [item for page in pages for item in page.items]


def ids_of(pages: list[Page]) -> list[str]:
    return [item.id for item in items_of(pages)]


def opened_by(pages: list[Page]) -> dict[str, Slice]:
    return {piece.key: piece for page in pages for piece in page.opens}


def task(gid: str, **more: Any) -> dict[str, Any]:
    """A task as the vendor answers it to the connector's field list, with nothing set."""
    bare: dict[str, Any] = {
        "gid": gid,
        "name": f"Task {gid}",
        "notes": "",
        "resource_subtype": "default_task",
        "completed": False,
        "completed_at": None,
        "created_at": "2026-11-01T08:00:00.000Z",
        "modified_at": "2026-11-02T08:00:00.000Z",
        "start_on": None,
        "start_at": None,
        "due_on": None,
        "due_at": None,
        "actual_time_minutes": None,
        "permalink_url": f"https://app.asana.com/0/0/{gid}",
        "created_by": {"gid": "1001"},
        "assignee": None,
        "parent": None,
        "num_subtasks": 0,
        "is_rendered_as_separator": False,
        "dependencies": [],
        "tags": [],
        "memberships": [],
        "custom_fields": [],
    }
    return {**bare, **more}


def project(gid: str, **more: Any) -> dict[str, Any]:
    bare: dict[str, Any] = {
        "gid": gid,
        "name": f"Project {gid}",
        "notes": "",
        "archived": False,
        "completed": False,
        "completed_at": None,
        "created_at": "2026-10-01T08:00:00.000Z",
        "modified_at": "2026-10-02T08:00:00.000Z",
        "start_on": None,
        "due_on": None,
        "privacy_setting": "public_to_workspace",
        "permalink_url": f"https://app.asana.com/0/{gid}",
        "owner": None,
        "team": None,
        "workspace": {"gid": "10"},
        "current_status_update": None,
    }
    return {**bare, **more}
