"""What goes round every request: its id (echoed, and in every log line), the security headers, and a limit on bodies."""

from __future__ import annotations

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

REQUEST_ID = "hub.request_id"
LARGEST_BODY = 1_000_000
GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would send our own forms with "Origin: null", like a stranger's
    "Cross-Origin-Opener-Policy": "same-origin",
}


def security_headers(request_id: str) -> dict[str, str]:
    return {**SECURITY, "X-Request-Id": request_id}


class Envelope:
    """Plain ASGI: a middleware made with ``dispatch`` would run every request in a task of its own and cost more than many answers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = scope[REQUEST_ID] = _request_id(Headers(scope=scope).get("x-request-id"))
        extra = security_headers(request_id)

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in extra.items():
                    headers[name] = value
            await send(message)

        with bound_contextvars(request_id=request_id):
            await self.app(scope, _capped(scope, receive), sealed)


def _request_id(given: str | None) -> str:
    """The caller's own, if it can be trusted in a log line."""
    return given if given and GIVEN_ID.fullmatch(given) else uuid4().hex


def _capped(scope: Scope, receive: Receive) -> Receive:
    """Counts what really arrives: a declared length may lie, and a chunked body declares none."""
    arrived = 0
    declared = Headers(scope=scope).get("content-length", "0")

    async def counted() -> Message:
        nonlocal arrived
        message = await receive()
        arrived += len(message.get("body", b""))
        if arrived > LARGEST_BODY or (declared.isdecimal() and int(declared) > LARGEST_BODY):
            raise HTTPException(413, f"a body may have at most {LARGEST_BODY:,} bytes")
        return message

    return counted
