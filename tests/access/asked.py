"""Questions that make sense, for tests that spoil them: a body for every operation that takes one, and the operations out of the document itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import FastAPI

PREFIX = "/api/v1"
SELF = "http://127.0.0.1:9/in"
"""Nobody listens there."""
BODIES: Mapping[tuple[str, str], Any] = {
    ("PATCH", "/projects"): {"triage": "out", "where": {"tool": ["clickup"], "q": "nothing is called so", "container_id": []}},
    ("POST", "/webhook-endpoints"): {"url": SELF, "name": "new", "types": ["task.*"], "filter": {"tags": ["red"]}, "headers": {"X-Auth": "x"}},
    ("PATCH", "/webhook-endpoints/{endpoint_id}"): {"name": "renamed", "filter": {"tools": ["clickup"]}, "ordering": "none"},
    ("POST", "/webhook-endpoints/{endpoint_id}/rotate-secret"): {"overlap_hours": 1},
    ("POST", "/webhook-endpoints/{endpoint_id}/test"): {"type": "task.created"},
    ("POST", "/webhook-endpoints/{endpoint_id}/replay"): {"types": ["task.*"], "entity_id": str(UUID(int=1))},
    ("POST", "/webhook-endpoints/{endpoint_id}/parked/skip"): {"entity_id": str(UUID(int=1))},
    ("POST", "/webhook-endpoints/{endpoint_id}/parked/retry"): {"sequences": [1]},
    ("PUT", "/status-mappings/{status_id}"): {"category": "done"},
    ("PUT", "/policy"): {
        "policy": {"due_soon_days": 7, "rules": {"blocked_share": {"amber": 1, "red": 2}}},
        "calendar": {
            "working_days": [1, 2],
            "holidays": [{"day": "2026-12-25", "name": "x"}],
            "people": [{"person_id": str(UUID(int=1)), "minutes_a_day": 60}],
            "time_off": [{"person_id": str(UUID(int=1)), "first_on": "2026-12-25", "last_on": "2026-12-26", "note": "x"}],
        },
        "triage_rules": [{"kind": "name", "value": "x*", "decision": "in"}],
        "version": 0,
    },
    ("POST", "/policy/holidays"): {"format": "csv", "text": "2026-12-25,Christmas Day"},
    ("POST", "/dependencies"): {"successor_id": str(UUID(int=1)), "predecessor_id": str(UUID(int=2))},
    ("POST", "/connections/oauth"): {"tool": "asana", "name": "new"},
    ("POST", "/people/merges"): {"ids": [str(UUID(int=1)), str(UUID(int=2))]},
    ("POST", "/people/distinct"): {"ids": [str(UUID(int=1)), str(UUID(int=2))]},
    ("POST", "/people/{person_id}/split"): {"ids": [str(UUID(int=1))]},
    ("POST", "/portfolios"): {"kind": "portfolio", "name": "new", "projects": [], "rules": [{"kind": "name", "value": "x*"}], "due_on": "2027-01-01"},
    ("PUT", "/portfolios/{portfolio_id}"): {"kind": "portfolio", "name": "renamed", "code": "P-1"},
    ("PUT", "/portfolios/{portfolio_id}/policy"): {"policy": {"due_soon_days": 7}},
    ("POST", "/saved-views"): {"name": "new", "page": "/tasks", "query": "overdue=true&sort=due", "shared": True},
    ("PATCH", "/saved-views/{view_id}"): {"name": "renamed", "query": "sort=due"},
    ("POST", "/users"): {"email": "new@example.org", "name": "New", "role": "viewer"},
    ("PATCH", "/users/{user_id}"): {"role": "pmo", "disabled": False},
    ("POST", "/keys"): {"name": "new", "role": "viewer", "grants": ["tool:clickup"], "expires_at": "2027-01-01T00:00:00Z"},
    ("PUT", "/keys/{key_id}/grants"): {"grants": ["tool:clickup"]},
    ("PUT", "/users/{user_id}/grants"): {"grants": ["tool:clickup"]},
    ("PUT", "/teams/{team_id}/grants"): {"grants": ["tool:clickup"], "enabled": False},
}
FREE = ("headers",)
"""Objects whose names are the caller's own."""


@dataclass(frozen=True, slots=True)
class Operation:
    """``path``: as the document has it, with names in braces. ``takes``: has a body."""

    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    takes: bool

    @property
    def body(self) -> Any:
        """One that is fine. Fails for an operation that somebody has added without saying here what it takes."""
        key = (self.method, self.path.removeprefix(PREFIX))
        assert not self.takes or key in BODIES, f"{self.method} {self.path} takes a body: add one that is fine to BODIES"
        return BODIES.get(key)

    def address(self, ids: Mapping[str, Any]) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: str(ids.get(found[1], UUID(int=7))), self.path)


def operations(app: FastAPI) -> list[Operation]:
    """Those of the API, in the document's order."""
    found = [
        Operation(method.upper(), path, tuple(operation.get("parameters", ())), "requestBody" in operation)
        for path, methods in app.openapi()["paths"].items()
        if path.startswith(PREFIX)
        for method, operation in methods.items()
    ]
    assert len(found) > 60
    return found


def objects(body: Any) -> Iterator[tuple[str, ...]]:
    """Where a body has an object whose names are ours: the ways there."""
    if isinstance(body, dict):
        yield ()
        yield from ((name, *way) for name, value in body.items() if name not in FREE for way in objects(value))
    elif isinstance(body, list):
        yield from ((str(place), *way) for place, value in enumerate(body) for way in objects(value))


def leaves(body: Any) -> Iterator[tuple[str, ...]]:
    """The ways to each value that holds no others."""
    if isinstance(body, dict | list):
        pairs = body.items() if isinstance(body, dict) else enumerate(body)
        yield from ((str(name), *way) for name, value in pairs for way in leaves(value))
    else:
        yield ()


def spoiled(body: Any, way: tuple[str, ...], value: Any) -> Any:
    """The body with another value at the end of the way."""
    if not way:
        return value
    if isinstance(body, list):
        return [spoiled(each, way[1:], value) if str(place) == way[0] else each for place, each in enumerate(body)]
    return {**body, way[0]: spoiled(body.get(way[0]), way[1:], value)}
