"""A pretend vendor that tells of changes by webhooks, with a handshake or with a secret in its answer, and the connector that takes part in it."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from connectors.base import Capabilities, Json, Known, Scope
from connectors.calls import Call, Forged, Hook, Received
from connectors.errors import BadResponse, ConnectorError
from connectors.http import Http
from hub.sync import inbox
from tests.sync.pretend import Pretend

OFFER, SIGNATURE = "x-offer", "x-signature"
Post = Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[int, Mapping[str, str]]]]


@dataclass(slots=True)
class Exchange:
    """The vendor's post room. ``shakes``: the secret comes by a handshake, else in the answer. ``fails``: {key: error} while registering. ``inside``:
    runs while a registration is open. ``asked``: what was asked of it, in order."""

    held: dict[str, Hook] = field(default_factory=dict)
    capable: bool = True
    shakes: bool = True
    fails: dict[str, ConnectorError] = field(default_factory=dict)
    post: Post | None = None
    inside: Callable[[str], Awaitable[None]] | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    count: int = 0

    async def register(self, hook: Hook, target: str) -> Hook:
        if (error := self.fails.get(hook.key)) is not None:
            raise error
        self.count += 1
        name, secret = f"h{self.count}", f"secret {self.count}"
        if self.inside is not None:
            await self.inside(target)
        if self.shakes and self.post is not None:
            status, headers = await self.post(target, {OFFER: secret}, b"{}")
            if status != 200 or headers.get(OFFER) != secret:
                raise BadResponse(f"the handshake with {target} failed: {status}")
        self.held[name] = Hook(hook.key, {"target": target}, name, secret)
        return self.held[name]

    def targets(self) -> list[str]:
        return sorted(str(hook.args["target"]) for hook in self.held.values())

    def suspend(self, *ids: str) -> None:
        for each in ids or list(self.held):
            self.held[each] = replace(self.held[each], healthy=False)

    def call(self, key: str, *refs: str, delivery: str | None = None) -> tuple[str, dict[str, str], bytes]:
        """A genuine call: address, headers, body."""
        hook = next(each for each in self.held.values() if each.key == key)
        body = orjson.dumps({"touched": refs, "delivery": delivery})
        return str(hook.args["target"]), {SIGNATURE: signed(str(hook.secret), body)}, body


def told(session: Session, connection_id: UUID, delivery: str | None, refs: Sequence[str], now: datetime) -> bool:
    """One genuine call is kept; whether it was new."""
    return inbox.add_all(session, [inbox.Line(connection_id, delivery, tuple(refs))], now)[0]


def signed(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, sha256).hexdigest()


class Telling(Pretend):
    """Wants a webhook for each project that was read whole."""

    exchange: ClassVar[Exchange]

    def __init__(self, http: Http, *, options: Mapping[str, Json], now: Callable[[], datetime]) -> None:
        super().__init__(http, options=options, now=now)
        self.capabilities = Capabilities(2, hooks=self.exchange.capable)

    def know(self, known: Known) -> None:
        self.known = known

    def hooks_wanted(self, scope: Scope) -> Sequence[Hook]:
        return [Hook(ref.replace(":", "/"), {"project": ref}) for ref, archived in self.known.projects.items() if not archived]

    async def hooks_held(self) -> Sequence[Hook]:
        self.exchange.asked.append(("held", ""))
        return [replace(hook, secret=None) if self.exchange.shakes else hook for hook in self.exchange.held.values()]

    async def subscribe(self, hook: Hook, target: str) -> Hook:
        self.exchange.asked.append(("subscribe", hook.key))
        made = await self.exchange.register(hook, target)
        return replace(made, args=hook.args, secret=None) if self.exchange.shakes else made

    async def revive(self, hook: Hook, target: str) -> Hook:
        self.exchange.asked.append(("revive", hook.key))
        assert hook.external_id is not None
        del self.exchange.held[hook.external_id]
        made = await self.exchange.register(hook, target)
        return replace(made, secret=None) if self.exchange.shakes else made

    async def unsubscribe(self, hook: Hook) -> None:
        self.exchange.asked.append(("unsubscribe", hook.key))
        if (error := self.exchange.fails.get("unsubscribe")) is not None:
            raise error
        self.exchange.held.pop(str(hook.external_id), None)

    @classmethod
    def receive(cls, call: Call, hook: Hook, *, signing_secret: str | None, now: datetime) -> Received:
        if OFFER in call.headers:
            if hook.external_id is not None or hook.secret is not None:
                raise Forged("a handshake that nobody asked for")
            return Received(headers={OFFER: call.headers[OFFER]}, secret=call.headers[OFFER])
        if hook.secret is None or not hmac.compare_digest(signed(hook.secret, call.body), call.headers.get(SIGNATURE, "")):
            raise Forged("the signature is wrong")
        body: Any = orjson.loads(call.body)
        return Received(tuple(body["touched"]), delivery=body["delivery"], status=200, body=b"thanks")
