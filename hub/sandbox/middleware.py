"""What lies between a client and a pretend vendor: the request log, latency, faults on demand, gzip and the Date. Pure
ASGI, so that it works with and without a socket."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from hub.sandbox.knobs import Fault, Knobs
from hub.sandbox.world import World

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
ErrorBody = Callable[[int, datetime], tuple[dict[str, str], bytes]]

BODY_KEPT = 20_000
LOG_KEPT = 50_000
GZIP_FROM = 400
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(slots=True)
class Log:
    """The requests of all tools in the order of their arrival; the oldest beyond ``LOG_KEPT`` are dropped, ``count`` goes on."""

    rows: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=LOG_KEPT))
    count: int = 0
    bad: set[int] = field(default_factory=set)

    def open(self, tool: str, method: str, path: str, query: str, body: bytes) -> dict[str, Any]:
        """A new row. ``retry``: the same request was answered badly (429, 5xx, a fault) just before."""
        self.count += 1
        same = hash((tool, method, path, query, body))
        row = {"tool": tool, "n": self.count, "time": time.time(), "method": method, "path": path, "query": query, "status": None, "bytes": 0}
        row |= {"body": body[:BODY_KEPT].decode(errors="replace"), "retry": same in self.bad, "fault": None, "same": same}
        self.bad.discard(same)
        self.rows.append(row)
        return row

    def close(self, row: dict[str, Any], status: int, size: int) -> None:
        row["status"], row["bytes"] = status, size
        if status == 429 or status >= 500 or row["fault"]:
            self.bad.add(row["same"])

    def clear(self) -> None:
        self.rows.clear()
        self.bad.clear()
        self.count = 0


@dataclass(slots=True)
class Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Watched:
    """One vendor's app with the log and the knobs around it. ``error_body`` gives that vendor's headers and body for a status code, at an instant.

    Every answer bears the world's clock as its ``Date``: a client that measures how old a change is does so by one clock, the vendor's.
    """

    def __init__(self, tool: str, app: App, world: World, knobs: Knobs, log: Log, error_body: ErrorBody) -> None:
        self.tool, self.app, self.world, self.knobs, self.log, self.error_body = tool, app, world, knobs, log, error_body

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        query = scope.get("query_string", b"").decode()
        row = self.log.open(self.tool, scope["method"], path, query, body)
        if self.knobs.latency:
            await asyncio.sleep(self.knobs.latency)
        fault = self._due(f"{scope['method']} {path}?{query}", body)
        row["fault"] = fault.kind if fault else None
        if fault is not None and fault.kind == "timeout":
            await _silence(receive, fault.seconds)
        answer = self._invented(fault) or await _ask(self.app, scope, body)
        if fault is not None and fault.kind == "truncated":
            answer.body = answer.body[: len(answer.body) // 2]
        _compress(answer, scope)
        answer.headers.append((b"date", format_datetime(self.world.now, usegmt=True).encode()))
        self.log.close(row, answer.status, len(answer.body))
        await _send(answer, send, cut=fault is not None and fault.kind == "reset")

    def _due(self, line: str, body: bytes) -> Fault | None:
        """The fault that this request meets, counted down; None when none is meant or it is still to be spared."""
        text = f"{line}\n{unquote(line)}\n{body.decode(errors='replace')}"
        for fault in self.knobs.faults:
            if fault.tool != self.tool or fault.match not in text:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                return None
            fault.times -= 1
            if fault.times <= 0:
                self.knobs.faults.remove(fault)
            return fault
        return None

    def _invented(self, fault: Fault | None) -> Answer | None:
        """The answer of a fault that never reaches the vendor's app."""
        if fault is None:
            return None
        if fault.kind == "status":
            headers, body = self.error_body(fault.code, self.world.now)
            return Answer(fault.code, [(name.lower().encode(), value.encode()) for name, value in headers.items()], body)
        if fault.kind == "html":
            return Answer(502, [(b"content-type", b"text/html")], HTML)
        if fault.kind == "empty":
            return Answer(200, [(b"content-type", b"application/json")], b"")
        return Answer(200, [(b"content-type", b"application/json")], b"Service is warming up, try later.") if fault.kind == "not_json" else None


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


async def _silence(receive: Receive, seconds: float) -> None:
    """Says nothing for ``seconds``, or until the caller hangs up."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def _ask(app: App, scope: Message, body: bytes) -> Answer:
    """The whole answer of ``app`` to a request whose body was read already."""
    answer = Answer(500, [], b"")
    parts: list[bytes] = []
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message.get("headers", []))
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    answer.body = b"".join(parts)
    return answer


def _compress(answer: Answer, scope: Message) -> None:
    accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
    names = {name.lower() for name, _ in answer.headers}
    if b"gzip" in accepted and len(answer.body) >= GZIP_FROM and b"content-encoding" not in names:
        answer.body = gzip.compress(answer.body, compresslevel=1, mtime=0)
        answer.headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
    answer.headers = [pair for pair in answer.headers if pair[0].lower() != b"content-length"] + [(b"content-length", str(len(answer.body)).encode())]


async def _send(answer: Answer, send: Send, *, cut: bool) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if cut:
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
        # The server answers an app's exception in mid-answer by closing the connection, which is what is wanted.
        raise ConnectionResetError("sandbox: the connection was cut on request")
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
