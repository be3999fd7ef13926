"""The pretend monday.com with its knobs and clock at hand, for its tests."""

from __future__ import annotations

from typing import Any

import httpx

from hub.sandbox.knobs import Knobs
from hub.sandbox.monday import app
from hub.sandbox.world import Project, World

ALL = "state: all, hierarchy_types: [classic, multi_level]"
DEEP = 'hierarchy_scope_config: "{\\"scope\\":\\"allItems\\"}"'


class Clock:
    """Unix seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Server:
    """The sandbox with its knobs at hand, and a client that knows the token."""

    def __init__(self, world: World) -> None:
        self.world, self.knobs, self.clock = world, Knobs(), Clock()
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app(world, self.knobs, clock=self.clock)), base_url="http://monday.test")
        self.headers = {"Authorization": world.tokens["monday"], "API-Version": "2026-10"}

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        return await self.http.post("/", json=body, headers={**self.headers, **headers})

    async def body(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = await self.post({"query": query, "variables": variables})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = await self.body(query, **variables)
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    async def failure(self, query: str, **variables: Any) -> dict[str, Any]:
        error: dict[str, Any] = (await self.body(query, **variables))["errors"][0]
        return error

    def boards(self, kind: str = "board", hierarchy: str = "classic") -> list[Project]:
        """The boards that the token sees and that are neither archived nor deleted, the fullest first."""
        known = self.world.projects["monday"].values()
        rows = [row for row in known if row.kind == kind and row.hierarchy == hierarchy and self.world.sees_project(row) and not row.archived]
        return sorted(rows, key=lambda row: -len(self.ids(row)))

    def ids(self, board: Project) -> set[str]:
        """The items that can be listed on the board, at all levels."""
        return {task.id for task in self.world.tasks["monday"].values() if task.homes[0][0] == board.id and not task.deleted and not task.archived}

    async def walk(self, board: Project, first: str, limit: int = 500) -> list[str]:
        """All item ids of a board, page by page."""
        page = (
            await self.ask(f"query ($b: [ID!]) {{ boards(ids: $b, {ALL}) {{ items_page({first}) {{ cursor items {{ id }} }} }} }}", b=[board.id])
        )["boards"][0]["items_page"]
        found = [item["id"] for item in page["items"]]
        while page["cursor"]:
            page = (
                await self.ask(
                    "query ($c: String!, $n: Int!) { next_items_page(cursor: $c, limit: $n) { cursor items { id } } }", c=page["cursor"], n=limit
                )
            )["next_items_page"]
            found += [item["id"] for item in page["items"]]
        return found
