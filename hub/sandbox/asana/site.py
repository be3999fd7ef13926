"""Answers one call, or a batch of them: token, limits, route, parameters, handler, page, fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from hub.sandbox.asana.calls import Call, One
from hub.sandbox.asana.errors import JSON, Refusal, bad
from hub.sandbox.asana.fields import Compiler
from hub.sandbox.asana.gate import Gate
from hub.sandbox.asana.kinds import all_kinds
from hub.sandbox.asana.paging import Pager, Token
from hub.sandbox.asana.routes import COMMON, Router
from hub.sandbox.asana.view import View
from hub.sandbox.asana.webhooks import Hooks
from hub.sandbox.consent import Office
from hub.sandbox.courier import Courier
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import World

MOST_ACTIONS = 10
NO_ROUTE = "No matching route for request"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request without HTTP: ``base`` is the address that stands before ``path`` in next_page.uri."""

    method: str
    path: str
    query: Mapping[str, str]
    base: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """``after``: what happens once it was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    after: Callable[[], None] | None = None


class Site:
    """The whole pretend Asana, over one world. Not safe to share between threads."""

    def __init__(self, world: World, knobs: Knobs, clock: Callable[[], float], courier: Courier | None = None, office: Office | None = None) -> None:
        self.view = View(world, knobs)
        self.view.refresh()
        self.gate = Gate(world, knobs, clock, office)
        self.tokens = Token(f"asana/{world.seed}", clock)
        self.pager = Pager(knobs, self.tokens)
        self.compiler = Compiler(all_kinds(self.view))
        self.router = Router()
        self.hooks = Hooks(world, knobs, courier)
        self._number = 0

    def answer(self, asked: Asked) -> Answer:
        """Never raises for anything a client can send."""
        try:
            self._enter(asked)
            body = self._batch(asked) if (asked.method, asked.path) == ("POST", "/batch") else self._single(asked)
        except Refusal as refusal:
            return _refused(asked, refusal)
        return _answer(asked, 200, body)

    async def register(self, asked: Asked) -> Answer:
        """Makes a webhook, with the handshake on the way. Never raises for anything a client can send."""
        try:
            self._enter(asked)
            self.gate.admit()
            _check_names(asked)
            made = await self.hooks.create(self.view, _data(asked.body))
            shape = self.compiler.shape("webhook", asked.query.get("opt_fields"), full=True)
        except Refusal as refusal:
            return _refused(asked, refusal)
        body = {"data": shape.render(made), "X-Hook-Secret": made.secret}
        return _answer(asked, 201, body, lambda: self.hooks.begin(made))

    def _enter(self, asked: Asked) -> None:
        self.gate.authenticate(asked.headers)
        if self.view.refresh():
            self.compiler.forget()

    def _single(self, asked: Asked) -> dict[str, Any]:
        found = self.router.find(asked.path)
        self.gate.admit(searches=int(found is not None and found[0].search))
        if asked.method in ("PUT", "DELETE") and found is not None and found[0].template == "/webhooks/{webhook_gid}":
            return self._webhook(asked, found[1][0])
        return self._read(asked.method, asked.path, asked.query, asked.base)

    def _webhook(self, asked: Asked, gid: str) -> dict[str, Any]:
        """Changes its filters, or takes it down."""
        _check_names(asked)
        if asked.method == "DELETE":
            self.hooks.remove(gid)
            return {"data": {}}
        changed = self.hooks.change(self.view, gid, _data(asked.body))
        return {"data": self.compiler.shape("webhook", asked.query.get("opt_fields"), full=True).render(changed)}

    def _read(self, method: str, path: str, query: Mapping[str, str], base: str) -> dict[str, Any]:
        """The body of a GET; every other method is unknown here: but for its webhooks this Asana is read only."""
        found = self.router.find(path)
        if found is None or method != "GET":
            raise Refusal(404, NO_ROUTE)
        route, values = found
        route.check(query)
        self._number += 1
        result = route.handler(Call(self.view, values, query, self.tokens, self._number, self.hooks))
        opt_fields = query.get("opt_fields")
        if isinstance(result, One):
            shape = self.compiler.shape(result.kind, opt_fields, full=True)
            self.gate.charge(1 + shape.links)
            return {"data": shape.render(result.thing)}
        shape = self.compiler.shape(result.kind, opt_fields, full=result.full)
        rows, beside = result.things, dict(result.beside or {})
        if route.paged:
            rows, beside = self.pager.cut(rows, query, path, base, of_tasks=result.kind == "task")
        self.gate.charge(len(rows) * (1 + shape.links))
        return {"data": [shape.render(row) for row in rows], **beside}

    def _batch(self, asked: Asked) -> dict[str, Any]:
        """Up to ten actions, counted as ten calls, all admitted or none; each may fail alone."""
        try:
            actions = orjson.loads(asked.body)["data"]["actions"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self.gate.admit()
            raise bad("data.actions: Missing input") from None
        if not isinstance(actions, list) or not 1 <= len(actions) <= MOST_ACTIONS or not all(isinstance(action, dict) for action in actions):
            self.gate.admit()
            raise bad(f"actions: Must be a list of 1 to {MOST_ACTIONS} actions")
        _check_names(asked)
        found = [self.router.find(str(action.get("relative_path", ""))) for action in actions]
        self.gate.admit(len(actions), sum(1 for each in found if each is not None and each[0].search))
        return {"data": [self._action(action, asked.base) for action in actions]}

    def _action(self, action: dict[str, Any], base: str) -> dict[str, Any]:
        path = str(action.get("relative_path", ""))
        try:
            if "?" in path:
                raise bad("relative_path: Must not hold query parameters: put them into data and options")
            body = self._read(str(action.get("method", "")).upper(), path, _action_query(action), base)
        except Refusal as refusal:
            return {"status_code": refusal.status, "headers": refusal.headers, "body": refusal.body()}
        return {"status_code": 200, "headers": {}, "body": body}


def _answer(asked: Asked, status: int, body: Any, after: Callable[[], None] | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    pretty = orjson.OPT_INDENT_2 if asked.query.get("opt_pretty", "").lower() == "true" else 0
    return Answer(status, {"content-type": JSON, **(headers or {})}, orjson.dumps(body, option=pretty), after)


def _refused(asked: Asked, refusal: Refusal) -> Answer:
    return _answer(asked, refusal.status, refusal.body(), headers=refusal.headers)


def _check_names(asked: Asked) -> None:
    unknown = [name for name in asked.query if name not in COMMON]
    if unknown:
        raise bad(f"{unknown[0]}: Unknown parameter")


def _data(body: bytes) -> dict[str, Any]:
    """What a write orders; 400 where that is no object."""
    with suppress(orjson.JSONDecodeError, KeyError, TypeError):
        data = orjson.loads(body)["data"]
        if isinstance(data, dict):
            return data
    raise bad("data: Missing input")


def _action_query(action: dict[str, Any]) -> dict[str, str]:
    """An action's ``data`` are its query parameters; its ``options`` are limit, offset and fields."""
    data, options = action.get("data") or {}, action.get("options") or {}
    if not isinstance(data, dict) or not isinstance(options, dict):
        raise bad("data, options: Must be objects")
    query = {str(name): str(value).lower() if isinstance(value, bool) else str(value) for name, value in data.items()}
    for name, value in options.items():
        if name not in ("limit", "offset", "fields"):
            raise bad(f"options.{name}: Unknown option")
        query["opt_fields" if name == "fields" else name] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return query
