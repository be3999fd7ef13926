"""The error bodies of monday.com, by the pinned API version: what a client of the real service has to survive.

Shapes and codes: the vendor's error documentation and bodies seen in public connectors (fact sheet, sections 4 and 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

Path = tuple[str | int, ...]
LEAN_SINCE = "2025-07"
"""From this version on a complexity error says no more than its code and ``retry_in_seconds``."""


class Failure(Exception):
    """One field could not be resolved: it becomes null (or its nearest nullable parent does) beside an entry in ``errors``."""

    def __init__(self, message: str, code: str, *, status: int = 200, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status
        self.data = dict(data or {})

    def entry(self, path: Path) -> dict[str, Any]:
        return {"message": self.message, "path": list(path), "extensions": {"code": self.code, "status_code": self.status, "error_data": self.data}}


class Rejection(Exception):  # a refusal is an answer here, not a defect
    """The whole request is answered with errors and no data. ``retry``: seconds that the vendor asks the client to wait."""

    def __init__(self, status: int, code: str, message: str, *, retry: int | None = None, extensions: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry = status, code, message, retry
        self.extensions = dict(extensions or {})


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out: status, body and headers beyond the content type."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


def unauthenticated() -> Reply:
    return Reply(401, {"errors": ["Not Authenticated"]})


def rejected(rejection: Rejection, version: str, request_id: str) -> Reply:
    extensions: dict[str, Any] = {"code": rejection.code}
    if rejection.retry is not None:
        extensions["retry_in_seconds"] = rejection.retry
    lean = rejection.code == "COMPLEXITY_BUDGET_EXHAUSTED" and version >= LEAN_SINCE
    if not lean:
        extensions |= {"status_code": rejection.status, **rejection.extensions}
    headers = {} if rejection.retry is None else {"Retry-After": str(rejection.retry)}
    body = {"errors": [{"message": rejection.message, "extensions": extensions}], "extensions": {"request_id": request_id}}
    return Reply(rejection.status, body, headers)


def invalid(messages: Sequence[tuple[str, list[dict[str, int]]]], code: str, request_id: str) -> Reply:
    """The document does not fit the schema: 400, nothing was executed. Each message comes with its locations."""
    errors = [{"message": text, "locations": where, "extensions": {"code": code}} for text, where in messages]
    return Reply(400, {"errors": errors, "extensions": {"request_id": request_id}})


STATUS_CODES = {
    400: ("BAD_REQUEST", "Bad request"),
    401: ("NOT_AUTHENTICATED", "Not Authenticated"),
    403: ("USER_ACCESS_DENIED", "User access denied"),
    404: ("ResourceNotFoundException", "Resource not found"),
    423: ("RESOURCE_LOCKED", "Resource is currently locked, please try again later"),
    429: ("RATE_LIMIT_EXCEEDED", "Minute limit rate exceeded"),
    500: ("INTERNAL_SERVER_ERROR", "Internal server error"),
}


def error_body(code: int, now: datetime) -> tuple[dict[str, str], bytes]:
    """Headers and body in the vendor's shape for an HTTP status, for faults on demand."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if code == 401:
        return headers, orjson.dumps(unauthenticated().body)
    name, message = STATUS_CODES.get(code, STATUS_CODES[500])
    extensions: dict[str, Any] = {"code": name, "status_code": code}
    if code == 429:
        extensions["retry_in_seconds"] = 1
        headers["Retry-After"] = "1"
    return headers, orjson.dumps({"errors": [{"message": message, "extensions": extensions}]})
