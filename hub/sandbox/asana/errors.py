"""The error bodies of the pretend Asana: ``{"errors": [{"message", "help"}]}`` with the status codes that the vendor documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

HELP = "See the documentation of the API's errors at https://developers.asana.com/docs/errors"
JSON = "application/json; charset=UTF-8"

MESSAGES = {
    400: "Bad request",
    401: "Not Authorized",
    402: "This feature needs a paid plan",
    403: "Forbidden",
    404: "Unknown object",
    405: "Method not allowed",
    412: "Sync token invalid or too old",
    429: "Too many requests: wait for as long as Retry-After says",
    451: "Unavailable for legal reasons",
    500: "Server Error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
}


class Refusal(Exception):
    """A call that is answered with an error: status, message, extra headers, and what stands beside ``errors`` (the events' ``sync``)."""

    def __init__(
        self, status: int, message: str | None = None, headers: Mapping[str, str] | None = None, beside: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message or MESSAGES[status])
        self.status = status
        self.message = message or MESSAGES[status]
        self.headers = dict(headers or {})
        self.beside = dict(beside or {})

    def body(self) -> dict[str, Any]:
        error = {"message": self.message}
        if self.status != 401:
            error["help"] = HELP
        if self.status == 500:
            # The vendor asks to quote this phrase to its support; a client should log it.
            error["phrase"] = "6 sad squid snuggle softly"
        return {"errors": [error], **self.beside}


def bad(message: str) -> Refusal:
    """A 400 with ``message``."""
    return Refusal(400, message)


def error_body(code: int, now: datetime) -> tuple[dict[str, str], bytes]:
    """Headers and body with which Asana answers ``code``; for faults on demand. A gateway's 502, 503 and 504 have the same shape here."""
    message = MESSAGES.get(code, "Server Error" if code >= 500 else "Bad request")
    headers = {"content-type": JSON} | ({"retry-after": "1"} if code == 429 else {})
    # A stream that is refused on demand names a token as the vendor does; it is one that no stream has given out.
    return headers, orjson.dumps(Refusal(code, message, beside={"sync": "0" * 32} if code == 412 else None).body())
