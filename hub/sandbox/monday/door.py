"""The HTTP side: who is calling, is the body a query, do the limits allow it; then the answer with its envelope and headers."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from hub.sandbox.knobs import Knobs
from hub.sandbox.monday import arguments, boards, directory, items, logs, mutations
from hub.sandbox.monday.account import Account
from hub.sandbox.monday.documents import Invalid, Library, Operation, schema
from hub.sandbox.monday.errors import Rejection, Reply, invalid, rejected, unauthenticated
from hub.sandbox.monday.execute import Call, Executor, Resolvers
from hub.sandbox.world import World

CURRENT = "2026-10"
SERVED = ("2025-04", "2025-07", "2025-10", "2026-01", "2026-04", "2026-07", CURRENT)
"""Versions whose error bodies are told apart; the schema is always that of 2026-10. Any other header falls back to the current one without a word."""
ROUTED = {"2024-10": "2025-04", "2025-01": "2025-04"}


class Door:
    """The one endpoint of the API. ``clock`` tells Unix time in seconds."""

    def __init__(self, world: World, knobs: Knobs, clock: Callable[[], float]) -> None:
        self.account = Account(world, knobs, clock, logs.Log())
        self.library = Library()
        self.resolvers: Resolvers = {**directory.RESOLVERS, **boards.RESOLVERS, **items.RESOLVERS, **logs.RESOLVERS, **mutations.resolvers()}
        self._numbers = itertools.count(1)

    async def serve(self, request: Request) -> Response:
        meter = self.account.meter
        meter.running += 1
        try:
            reply = self.answer(request.headers.get("authorization"), request.headers.get("api-version"), await request.body())
        finally:
            meter.running -= 1
        content = orjson.dumps(reply.body)
        return Response(content, reply.status, {**meter.headers(), **reply.headers}, "application/json; charset=utf-8")

    def answer(self, authorization: str | None, pinned: str | None, body: bytes) -> Reply:
        """The reply to one call: every refusal, in the order in which the real service comes to it."""
        request_id = str(uuid.UUID(int=next(self._numbers)))
        pinned = ROUTED.get(pinned or "", pinned)
        version = pinned if pinned in SERVED else CURRENT
        try:
            if not self._knows(authorization):
                self.account.meter.admit()
                return unauthenticated()
            self.account.meter.admit()
            return self._run(_asked(body), version, request_id)
        except Rejection as rejection:
            return rejected(rejection, version, request_id)
        except Invalid as error:
            return invalid(error.messages, error.code, request_id)
        except arguments.Misfit as error:
            return invalid([(str(error), [])], "GRAPHQL_VALIDATION_FAILED", request_id)

    def _knows(self, authorization: str | None) -> bool:
        """The bare token; a ``Bearer`` before it is tolerated."""
        if authorization is None or "monday" in self.account.knobs.revoked:
            return False
        return authorization.removeprefix("Bearer ") == self.account.world.tokens["monday"]

    def _run(self, asked: dict[str, Any], version: str, request_id: str) -> Reply:
        document = self.library.document(asked["query"])
        operation = _chosen(document.operations, asked.get("operationName"))
        variables = arguments.variables(schema(), operation.variables, asked.get("variables") or {})
        cost = operation.cost.points(variables)
        before, reset = self.account.meter.charge(cost)
        call = Call(self.account, version, cost, before, reset)
        data = Executor(call, self.resolvers, variables).run(operation)
        envelope: dict[str, Any] = {"data": data}
        if call.errors:
            envelope["errors"] = call.errors
        return Reply(200, envelope | {"extensions": {"request_id": request_id}})


def _asked(body: bytes) -> dict[str, Any]:
    """The request's JSON. Raises Rejection (400) where it is no object with a ``query`` text."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Rejection(400, "BAD_REQUEST", "The body is not valid JSON") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("query"), str) or not asked["query"].strip():
        raise Rejection(400, "BAD_REQUEST", "No query string was present")
    if not isinstance(asked.get("variables") or {}, dict):
        raise Rejection(400, "BAD_REQUEST", "Variables must be an object")
    return asked


def _chosen(operations: dict[str, Operation], name: str | None) -> Operation:
    if name is None and len(operations) == 1:
        return next(iter(operations.values()))
    if name in operations:
        return operations[name]
    raise Rejection(400, "BAD_REQUEST", "Must provide the name of one of the document's operations")
