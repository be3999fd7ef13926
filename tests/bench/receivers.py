"""Five receivers in a process of their own, for ``tests.bench.delivery``: fast, slow, broken for a while, dead and back, picky.

Reads lines of JSON from stdin: ``{"secrets": {name: secret}}`` first, then ``calm``, ``open`` (the dead one comes back), ``reset`` and ``report``,
each of which it answers with one line. Each message is verified by the public package and checked for its entity's order as it comes."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from standardwebhooks import Webhook, WebhookVerificationError

NAMES = ("fast", "slow", "broken", "dead", "picky")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BROKEN = b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"
LATER = b"HTTP/1.1 503 Later\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
SLOWNESS = 0.3


@dataclass(slots=True)
class Receiver:
    name: str
    secret: str | None = None
    calm: bool = False
    port: int = 0
    calls: int = 0
    forged: int = 0
    disorder: int = 0
    seen: set[int] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)
    lags: list[float] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(3))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = (line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                headers = {name.lower(): value for name, value in lines}
                body = await reader.readexactly(int(headers[b"content-length"]))
                writer.write(await self.answer(headers, body))
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    async def answer(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        self.calls += 1
        if self.name == "slow" and not self.calm:
            await asyncio.sleep(SLOWNESS)
        if self.name == "broken" and not self.calm:
            return BROKEN
        if self.name == "picky" and self.chance.random() < 0.5:
            return LATER
        self.take(headers, body)
        return OK

    def take(self, headers: dict[bytes, bytes], body: bytes) -> None:
        message = orjson.loads(body)
        if "sequence" not in message:  # a bare post
            return
        if self.secret is not None:
            self.verify(headers, body)
        sequence, entity = message["sequence"], message["entity"]["id"]
        if sequence not in self.seen:
            self.seen.add(sequence)
            self.disorder += self.last.get(entity, -1) > sequence
            self.last[entity] = sequence
            self.lags.append(time.time() - datetime.fromisoformat(message["recorded_at"]).timestamp())

    def verify(self, headers: dict[bytes, bytes], body: bytes) -> None:
        try:
            Webhook(self.secret or "").verify(body, {name.decode(): value.decode() for name, value in headers.items()})
        except WebhookVerificationError:
            self.forged += 1

    def report(self) -> dict[str, Any]:
        lags = sorted(self.lags)
        found = {"calls": self.calls, "distinct": len(self.seen), "forged": self.forged, "disorder": self.disorder}
        return found | {f"p{share}": lags[len(lags) * share // 100] if lags else None for share in (50, 95)}


async def main() -> None:
    receivers = {name: Receiver(name) for name in NAMES}
    for receiver in receivers.values():
        server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
        receiver.port = server.sockets[0].getsockname()[1]
        if receiver.name == "dead":
            server.close()
    print(orjson.dumps({name: receiver.port for name, receiver in receivers.items()}).decode(), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        said = orjson.loads(line)
        if "secrets" in said:
            for name, secret in said["secrets"].items():
                receivers[name].secret = secret
        if "calm" in said:
            for receiver in receivers.values():
                receiver.calm = said["calm"]
        if "open" in said:
            again = await asyncio.start_server(receivers["dead"].serve, "127.0.0.1", receivers["dead"].port)
            receivers["dead"].calm = again.is_serving()
        if "reset" in said:
            for receiver in receivers.values():
                receiver.seen, receiver.last, receiver.lags, receiver.calls = set(), {}, [], 0
        print(orjson.dumps({name: receiver.report() for name, receiver in receivers.items()}).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
