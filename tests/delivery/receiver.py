"""A receiver on this machine: answers as it is told, remembers what came, and can misbehave in every way that HTTP allows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import orjson
from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True)
class Call:
    """One delivery as it arrived. ``at``: by this machine's clock."""

    headers: Mapping[str, str]
    body: bytes
    at: float
    path: str

    @property
    def json(self) -> dict[str, Any]:
        return dict(orjson.loads(self.body))

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """Checked by the public package, which knows nothing of our code; raises where it is forged."""
        return dict(Webhook(secret).verify(self.body, dict(self.headers)))


@dataclass(slots=True)
class Reply:
    """``raw``: these bytes instead of an answer. ``drip``: seconds between the bytes of the body. ``delay``: seconds before the answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    drip: float | None = None
    endless: bool = False
    raw: bytes | None = None


Behaviour = Callable[[Call], Reply]


@dataclass(slots=True)
class Receiver:
    behave: Behaviour = lambda _call: Reply()
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    most_at_once: int = 0
    _at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def until(self, condition: Callable[[], bool], patience: float = 30.0) -> None:
        """Looks until the condition holds."""
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, f"nothing happened; {len(self.calls)} calls came"
            time.sleep(0.005)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    await self._answer(head, reader, writer)
        finally:
            writer.transport.abort()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        call = Call(headers, body, time.time(), first.split(" ")[1])
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            reply = self.behave(call)
            if reply.delay:
                await asyncio.sleep(reply.delay)
        finally:
            self._at_once -= 1
        self.calls.append(call)
        await _send(reply, writer)


async def _send(reply: Reply, writer: asyncio.StreamWriter) -> None:
    if reply.raw is not None:
        writer.write(reply.raw)
        await writer.drain()
        return
    length = {} if reply.endless else {"content-length": str(len(reply.body))}
    lines = [f"HTTP/1.1 {reply.status} Some Reason", *(f"{name}: {value}" for name, value in (reply.headers | length).items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    if reply.drip is not None:
        for byte in reply.body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(reply.drip)
    writer.write(reply.body)
    await writer.drain()
    while reply.endless:
        writer.write(b"x" * 65536)
        await writer.drain()


@contextmanager
def receiving(behave: Behaviour | None = None, **options: Any) -> Iterator[Receiver]:
    """A receiver in a thread of its own; ``options`` such as ``ssl`` go to the server, ``port`` takes one that was in use before."""
    made = Receiver(behave) if behave is not None else Receiver()
    ready, loop = Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(made.serve, "127.0.0.1", options.pop("port", 0), **options)
        made.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)  # the aborted connections close in the loop's next round

    thread = Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
