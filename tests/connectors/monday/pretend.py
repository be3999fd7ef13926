"""A small pretend monday: executes whatever document it is sent against the extract of the vendor's schema, over plain dicts.

It refuses what the schema does not have, applies the vendor's defaults (25 boards, 25 items, active boards only,
classic ones only) and answers faults from a script.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from graphql import GraphQLSchema, build_schema, execute_sync, parse, validate

from connectors.base import Credential, Item, Page, Scope, Slice
from connectors.http import Http, Limiter
from connectors.monday import MondayConnector
from connectors.records import Task

SCHEMA: GraphQLSchema = build_schema((Path(__file__).parents[2] / "specs/monday.graphql").read_text(encoding="utf-8"))
Canned = tuple[int, Any] | tuple[int, Any, dict[str, str]]


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def column(column_id: str, kind: str, title: str, **settings: Any) -> dict[str, Any]:
    return {"id": column_id, "title": title, "type": kind, "archived": False, "settings": settings}


STATUS = column(
    "status", "status", "Status",
    labels=[
        {"id": 0, "color": 0, "label": "Working on it", "index": 0, "is_done": False, "is_deactivated": False},
        {"id": 1, "color": 1, "label": "Erledigt", "index": 2, "is_done": True, "is_deactivated": False},
        {"id": 2, "color": 2, "label": "Stuck", "index": 1, "is_done": False, "is_deactivated": False},
    ],
)  # fmt: skip


class Vendor:
    """The account. ``script``: answers given before the account is asked, in order; ``null_boards``: ids that come back null beside an error;
    ``hidden``: ids that are taken out of a page after it was cut; ``unlogged``: boards whose log answers with that code."""

    def __init__(self) -> None:
        self.users: list[dict[str, Any]] = [
            {"id": "7", "name": "Ada", "email": "ada@example.org", "kind": "member", "status": "ACTIVE", "is_deleted": False}
        ]
        self.teams: list[dict[str, Any]] = [{"id": "4", "name": "Crew", "users": [{"id": "7"}]}]
        self.workspaces: list[dict[str, Any]] = [{"id": "50", "name": "Yard", "kind": "open", "state": "active"}]
        self.folders: list[dict[str, Any]] = []
        self.boards: list[dict[str, Any]] = []
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.version, self.tier, self.after, self.reset = "2026-10", "pro", 9_000_000, 30
        self.script: list[Canned | Callable[[dict[str, Any]], Canned | None]] = []
        self.null_boards: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.unlogged: dict[str, str] = {}
        self.sequences: dict[str, list[dict[str, Any]]] = {}
        self.webhooks: list[dict[str, Any]] = []
        self.now = datetime(2026, 5, 4, tzinfo=UTC)
        self.limits_seen: list[int] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[httpx.Headers] = []
        self.clock = Clock()

    def board(self, board_id: str, items: int = 0, **changes: Any) -> dict[str, Any]:
        board = {
            "id": board_id, "name": f"Board {board_id}", "description": None, "state": "active", "board_kind": "public", "type": "board",
            "hierarchy_type": "classic", "url": f"https://yard.example.org/boards/{board_id}", "items_count": items,
            "created_at": "2026-01-05T08:00:00Z", "updated_at": "2026-05-01T08:00:00Z", "workspace_id": "50", "board_folder_id": None,
            "owners": [{"id": "7"}], "columns": [STATUS],
            "groups": [{"id": "topics", "title": "This week", "color": "#fff", "position": "65536.0", "archived": False, "deleted": False}],
        } | changes  # fmt: skip
        self.boards.append(board)
        self.items[board_id] = [self.item(f"{board_id}{n:05d}", board_id) for n in range(items)]
        return board

    def item(self, item_id: str, board_id: str, **changes: Any) -> dict[str, Any]:
        status = {"__typename": "StatusValue", "id": "status", "index": 0, "label": "Working on it", "is_done": False, "value": '{"index":0}'}
        return {
            "id": item_id, "name": f"Task {item_id}", "state": "active", "created_at": "2026-02-01T10:00:00Z",
            "updated_at": "2026-03-01T10:00:00Z", "creator_id": "7", "url": f"https://yard.example.org/{item_id}",
            "group": {"id": "topics"}, "parent_item": None, "board": {"id": board_id}, "column_values": [status],
        } | changes  # fmt: skip

    def connector(self, **options: Any) -> MondayConnector:
        """A connector of a new process: nothing is carried over but the account."""
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        sleep: Callable[[float], Awaitable[None]] = self.clock.sleep
        http = Http(
            client,
            base_url="https://monday.test/v2",
            headers=MondayConnector.http_headers(Credential("secret")),
            classify=MondayConnector.classify,
            limiter=Limiter(MondayConnector.lanes, clock=self.clock, sleep=sleep),
            hooks=MondayConnector.hooks,
        )
        return MondayConnector(http, options=options, now=lambda: self.now)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        self.headers.append(request.headers)
        if self.script:
            step = self.script.pop(0)
            canned = step(body) if callable(step) else step
            if canned is not None:
                return httpx.Response(canned[0], json=canned[1], headers=canned[2] if len(canned) == 3 else {})
        document = parse(body["query"])
        wrong = validate(SCHEMA, document)
        assert wrong == [], wrong
        result = execute_sync(SCHEMA, document, root_value=self._root(), variable_values=body.get("variables"))
        return httpx.Response(200, json=result.formatted | {"extensions": {"request_id": "r"}})

    def _root(self) -> dict[str, Any]:
        return {
            "complexity": {"query": 1000, "after": self.after, "reset_in_x_seconds": self.reset},
            "version": {"value": self.version},
            "me": self.users[0],
            "account": {"id": "900", "name": "Yard", "tier": self.tier},
            "teams": self.teams,
            "users": lambda info, limit=200, page=1, status=("ACTIVE", "PENDING"), **_: _page(
                [u for u in self.users if u["status"] in status], limit, page
            ),
            "workspaces": lambda info, limit=25, page=1, state="active", **_: _page(_in_state(self.workspaces, state), limit, page),
            "folders": lambda info, limit=25, page=1, **_: _page(self.folders, limit, page),
            "boards": self._boards,
            "items": self._items,
            "next_items_page": self._next,
            "webhooks": lambda info, board_id, **_: [row for row in self.webhooks if row["board_id"] == board_id],
            "create_webhook": self._create_webhook,
            "delete_webhook": self._delete_webhook,
        }

    def _next(self, info: Any, cursor: str, limit: int = 25) -> dict[str, Any]:
        if cursor.startswith("changed:"):
            key, _, at = cursor.partition("@")
            return self._rest(key, int(at), limit)
        _, board, start, which = cursor.split(":")
        return self._items_page(board, start, which, limit=limit)

    def _create_webhook(self, info: Any, board_id: str, url: str, event: str, **_: Any) -> dict[str, Any]:
        self.webhooks.append({"id": str(len(self.webhooks) + 1), "board_id": board_id, "event": event, "config": None, "url": url})
        return self.webhooks[-1]

    def _delete_webhook(self, info: Any, id: str) -> dict[str, Any]:
        row = next((row for row in self.webhooks if row["id"] == id), None)
        if row is None:
            raise Failure("ResourceNotFoundException")
        self.webhooks.remove(row)
        return row

    def _boards(
        self,
        info: Any,
        ids: Any = None,
        limit: int = 25,
        page: int = 1,
        state: str = "active",
        hierarchy_types: Any = ("classic",),
        **_: Any,
    ) -> list[Any]:
        rows = [row for row in _in_state(self.boards, state) if row["hierarchy_type"] in hierarchy_types and (ids is None or row["id"] in ids)]
        return [self._board_answer(row) for row in _page(rows, limit, page) if row["id"] not in self.hidden]

    def _board_answer(self, row: dict[str, Any]) -> Any:
        code = self.null_boards.get(row["id"])
        if code is not None:
            return Failure(code)
        deep = row["hierarchy_type"] == "multi_level"

        def items_page(info: Any, limit: int = 25, hierarchy_scope_config: str | None = None, query_params: Any = None, **_: Any) -> Any:
            self.limits_seen.append(limit)
            if query_params is not None:
                return self._changed(row["id"], query_params, limit)
            everything = deep and hierarchy_scope_config == '{"scope":"allItems"}'
            return self._items_page(row["id"], "0", "all" if everything or not deep else "top", limit=limit)

        return row | {"items_page": items_page, "activity_logs": partial(self._logged, row["id"])}

    def _logged(self, board: str, info: Any, limit: int = 25, page: int = 1, **given: Any) -> Any:
        """Newest first, as the vendor has it; ``from`` is a second."""
        if board in self.unlogged:
            raise Failure(self.unlogged[board])
        rows = [row for row in self.logs.get(board, ()) if given.get("from") is None or row["created_at"] >= _ticks(given["from"])]
        return _page(sorted(rows, key=lambda row: row["created_at"], reverse=True), limit, page)

    def _changed(self, board: str, query: Any, limit: int) -> dict[str, Any]:
        """The items changed since, newest first."""
        since = query["rules"][0]["compare_value"][1]
        rows = [row for row in self.items[board] if row["state"] == "active" and row["updated_at"] >= since]
        rows.sort(key=lambda row: str(row["updated_at"]), reverse=True)
        self.sequences[key := f"changed:{board}:{len(self.sequences)}"] = rows
        return self._rest(key, 0, limit)

    def _rest(self, key: str, at: int, limit: int) -> dict[str, Any]:
        rows = self.sequences[key]
        return {
            "cursor": f"{key}@{at + limit}" if at + limit < len(rows) else None,
            "items": [self._item_answer(row) for row in rows[at : at + limit]],
        }

    def log(self, board: str, event: str, at: str, *, entity: str = "pulse", user: str = "7", **data: Any) -> None:
        """One more entry of a board's log."""
        entries = self.logs.setdefault(board, [])
        entries.append(
            {"id": f"log-{board}-{len(entries)}", "event": event, "entity": entity, "user_id": user, "account_id": "900",
             "created_at": _ticks(at), "data": json.dumps(data)}
        )  # fmt: skip

    def _items_page(self, board: str, start: str, which: str, *, limit: int) -> dict[str, Any]:
        rows = [row for row in self.items[board] if row["state"] == "active" and (which == "all" or row["parent_item"] is None)]
        at = int(start)
        after = f"cursor:{board}:{at + limit}:{which}" if at + limit < len(rows) else None
        return {"cursor": after, "items": [self._item_answer(row) for row in rows[at : at + limit]]}

    def _item_answer(self, row: dict[str, Any]) -> dict[str, Any]:
        values = row["column_values"]
        return row | {"column_values": lambda info, ids=None: [value for value in values if ids is None or value["id"] in ids]}

    def _items(self, info: Any, ids: Any, limit: int = 25, exclude_nonactive: bool = True, **_: Any) -> list[Any]:
        rows = [row for listed in self.items.values() for row in listed if row["id"] in ids]
        return [self._item_answer(row) for row in rows if not exclude_nonactive or row["state"] == "active"][:limit]


class Failure(Exception):
    """graphql-core turns an exception among a list's entries into a null with an error beside it."""

    def __init__(self, code: str) -> None:
        super().__init__("User unauthorized to perform action")
        self.extensions = {"code": code}


def _ticks(moment: Any) -> str:
    """An ISO instant in the log's seventeen digits."""
    at = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return f"{round(at.timestamp() * 10_000_000):017d}"


def _in_state(rows: list[dict[str, Any]], state: str) -> list[dict[str, Any]]:
    return [row for row in rows if state in ("all", row["state"])]


def _page(rows: list[Any], limit: int, page: int) -> list[Any]:
    return rows[(page - 1) * limit : page * limit]


def task(connector: MondayConnector, item: Item) -> Task:
    record = connector.map(item)
    assert isinstance(record, Task)
    return record


async def pages(connector: MondayConnector, piece: Slice, cursor: Any = None) -> list[Page]:
    return [page async for page in connector.read(piece, cursor)]


async def structure(connector: MondayConnector, scope: Scope | None = None) -> tuple[list[Item], list[Slice]]:
    (root,) = connector.roots(scope or Scope())
    found = await pages(connector, root)
    assert found[-1].cursor is None
    return [item for page in found for item in page.items], [piece for page in found for piece in page.opens]


async def everything(connector: MondayConnector, scope: Scope | None = None) -> dict[str, Item]:
    """All items of a first pass by reference."""
    items, opened = await structure(connector, scope)
    for piece in opened:
        items += [item for page in await pages(connector, piece) for item in page.items]
    return {item.id: item for item in items}
