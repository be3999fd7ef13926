"""The HTTP side: who is calling, is the body a query, do the limits allow it; then the answer with its envelope and headers."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from hub.sandbox.consent import Office
from hub.sandbox.courier import Courier
from hub.sandbox.knobs import Knobs
from hub.sandbox.monday import arguments, boards, directory, items, logs, mutations
from hub.sandbox.monday.account import Account
from hub.sandbox.monday.documents import Invalid, Library, Operation, schema
from hub.sandbox.monday.errors import Rejection, Reply, invalid, rejected, unauthenticated
from hub.sandbox.monday.execute import Call, Executor, Resolvers
from hub.sandbox.monday.webhooks import PostRoom
from hub.sandbox.world import World

CURRENT = "2026-10"
SERVED = ("2025-04", "2025-07", "2025-10", "2026-01", "2026-04", "2026-07", CURRENT)
"""Versions whose error bodies are told apart; the schema is always that of 2026-10. Any other header falls back to the current one without a word."""
ROUTED = {"2024-10": "2025-04", "2025-01": "2025-04"}


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that was let in: known, within the limits, valid."""

    call: Call
    operation: Operation
    variables: dict[str, Any]
    request_id: str


class Door:
    """The one endpoint of the API. ``clock`` tells Unix time in seconds; without a ``courier`` the token may not make webhooks."""

    def __init__(self, world: World, knobs: Knobs, clock: Callable[[], float], courier: Courier | None = None, office: Office | None = None) -> None:
        self._office = office
        self.account = Account(world, knobs, clock, logs.Log())
        self.library = Library()
        self.post_room = PostRoom(world, knobs, clock, courier)
        queries = {**directory.RESOLVERS, **boards.RESOLVERS, **items.RESOLVERS, **logs.RESOLVERS}
        self.resolvers: Resolvers = {**queries, **mutations.resolvers(), **self.post_room.resolvers()}
        self._numbers = itertools.count(1)

    async def serve(self, request: Request) -> Response:
        meter = self.account.meter
        meter.running += 1
        try:
            begun = self._begin(request.headers.get("authorization"), request.headers.get("api-version"), await request.body())
            if isinstance(begun, Begun):
                # The address of a new webhook is challenged while the mutation is open.
                await self.post_room.shake_hands(begun.call, begun.operation, begun.variables)
                begun = self._end(begun)
        finally:
            meter.running -= 1
        content = orjson.dumps(begun.body)
        return Response(content, begun.status, {**meter.headers(), **begun.headers}, "application/json; charset=utf-8")

    def answer(self, authorization: str | None, pinned: str | None, body: bytes) -> Reply:
        """The reply to one call that makes no webhook: every refusal, in the order in which the real service comes to it."""
        begun = self._begin(authorization, pinned, body)
        return self._end(begun) if isinstance(begun, Begun) else begun

    def _begin(self, authorization: str | None, pinned: str | None, body: bytes) -> Begun | Reply:
        request_id = str(uuid.UUID(int=next(self._numbers)))
        pinned = ROUTED.get(pinned or "", pinned)
        version = pinned if pinned in SERVED else CURRENT
        try:
            if not self._knows(authorization):
                self.account.meter.admit()
                return unauthenticated()
            self.account.meter.admit()
            return self._prepared(_asked(body), version, request_id)
        except Rejection as rejection:
            return rejected(rejection, version, request_id)
        except Invalid as error:
            return invalid(error.messages, error.code, request_id)
        except arguments.Misfit as error:
            return invalid([(str(error), [])], "GRAPHQL_VALIDATION_FAILED", request_id)

    def _end(self, begun: Begun) -> Reply:
        try:
            data = Executor(begun.call, self.resolvers, begun.variables).run(begun.operation)
        except Rejection as rejection:
            return rejected(rejection, begun.call.version, begun.request_id)
        except arguments.Misfit as error:
            return invalid([(str(error), [])], "GRAPHQL_VALIDATION_FAILED", begun.request_id)
        envelope: dict[str, Any] = {"data": data}
        if begun.call.errors:
            envelope["errors"] = begun.call.errors
        return Reply(200, envelope | {"extensions": {"request_id": begun.request_id}})

    def _knows(self, authorization: str | None) -> bool:
        """The bare token; a ``Bearer`` before it is tolerated."""
        if authorization is None or "monday" in self.account.knobs.revoked:
            return False
        token = authorization.removeprefix("Bearer ")
        return token == self.account.world.tokens["monday"] or (self._office is not None and self._office.accepts(token))

    def _prepared(self, asked: dict[str, Any], version: str, request_id: str) -> Begun:
        document = self.library.document(asked["query"])
        operation = _chosen(document.operations, asked.get("operationName"))
        variables = arguments.variables(schema(), operation.variables, asked.get("variables") or {})
        cost = operation.cost.points(variables)
        before, reset = self.account.meter.charge(cost)
        return Begun(Call(self.account, version, cost, before, reset), operation, variables, request_id)


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
