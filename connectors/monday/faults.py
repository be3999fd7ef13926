"""What a monday answer that is not the asked-for data means, in every spelling that the versions and their field-level limits use.

The vendor says most of it in bodies, often with HTTP 200. ``classify`` speaks for a whole request; ``errors`` beside usable data belong to one field
(``fault`` names them) and are left to the caller, which knows which board each stands for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.errors import AuthFailed, BadResponse, ConnectorError, CursorExpired, NotFound, RateLimited, Refused, Transient

DEFAULT_WAIT = 60.0
DAILY = "DAILY_LIMIT_EXCEEDED"
COMPLEXITY = frozenset({"COMPLEXITY_BUDGET_EXHAUSTED", "ComplexityException", "complexityBudgetExhausted"})
LIMITS = COMPLEXITY | {DAILY, "FIELD_LIMIT_EXCEEDED", "RATE_LIMIT_EXCEEDED", "maxConcurrencyExceeded", "IP_RATE_LIMIT_EXCEEDED"}
CONNECTION = frozenset({"USER_ACCESS_DENIED", "Not Authenticated"})
REFUSALS = frozenset({"UserUnauthorizedException", "USER_UNAUTHORIZED", "missingRequiredPermissions"})
MISSING = frozenset({"InvalidBoardIdException", "ResourceNotFoundException"})
CURSOR = "CursorException"
TOO_COSTLY = "QUERY_TOO_COSTLY"
"""Our own code for one query above the 5M cap: it never succeeds, only a smaller one does."""
SERVER = "INTERNAL_SERVER_ERROR"

_LIMIT_WORDS = ("minute limit rate exceeded", "rate limit exceeded", "concurrency limit exceeded", "complexity budget exhausted")
_RESET = re.compile(r"reset in (\d+(?:\.\d+)?) second")


def classify(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError | None:
    """The error that a whole answer stands for; null where it has data, or where the plain status code says all there is."""
    errors = reported(body)
    if status == 401:
        return AuthFailed(f"monday refuses the token: {_words(errors)}", code=_code(errors), status=status)
    for error in errors:
        limit = _limit(status, headers, error)
        if limit is not None:
            return limit
        if _of_cursor(error):
            return CursorExpired("monday: the cursor has expired", code=CURSOR, status=status)
    if status == 429:
        return RateLimited("monday: too many calls", retry_after=_wait(headers, {}), status=status)
    if not errors:
        return None
    if status < 400 and _has_data(body):
        return None
    return fault(errors[0], status)


def reported(body: Any) -> list[dict[str, Any]]:
    """The errors of a body in one shape: ``message``, ``code``, ``path``, ``extensions``. Plain strings and the older flat form included."""
    if not isinstance(body, dict):
        return []
    found: list[dict[str, Any]] = []
    if "error_code" in body or "error_message" in body:
        found.append(_error(body.get("error_message"), body.get("error_code"), None, body.get("error_data")))
    listed = body.get("errors")
    for error in listed if isinstance(listed, list) else []:
        if isinstance(error, dict):
            extensions = error.get("extensions")
            code = extensions.get("code") if isinstance(extensions, dict) else None
            found.append(_error(error.get("message"), code, error.get("path"), extensions))
        elif not found:  # the flat form repeats its message here
            found.append(_error(error, None, None, None))
    return found


def _error(message: Any, code: Any, path: Any, extensions: Any) -> dict[str, Any]:
    return {
        "message": str(message or ""),
        "code": None if code is None else str(code),
        "path": path if isinstance(path, list) else None,
        "extensions": extensions if isinstance(extensions, dict) else {},
    }


def fault(error: Mapping[str, Any], status: int = 200) -> ConnectorError:
    """One reported error as the class of who must act."""
    code, message = error["code"], f"monday: {_line(error['message']) or error['code']}"
    if code in CONNECTION or "not authenticated" in error["message"].casefold():
        return AuthFailed(message, code=code, status=status)
    if code in REFUSALS or status in (402, 403):
        return Refused(message, code=code, status=status)
    if code in MISSING or status == 404:
        return NotFound(message, code=code, status=status)
    if code == SERVER or status >= 500 or status == 423:
        return Transient(message, code=code, status=status)
    return BadResponse(message, code=code, status=status)


def _limit(status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> ConnectorError | None:
    code, message, extensions = error["code"], error["message"], error["extensions"]
    if code in COMPLEXITY and ("maxComplexity" in extensions or "max_complexity" in extensions):
        return BadResponse(f"monday: one query is above the complexity cap: {_line(message)}", code=TOO_COSTLY, status=status)
    if code == DAILY:
        return RateLimited("monday: the account's calls of the day are used up", retry_after=_until_midnight(headers), code=code, status=status)
    if code in LIMITS or any(words in message.casefold() for words in _LIMIT_WORDS):
        return RateLimited(f"monday: {_line(message)}", retry_after=_wait(headers, error), code=code, status=status)
    return None


def _wait(headers: Mapping[str, str], error: Mapping[str, Any]) -> float:
    """The body's own word first, then the header, then the words of the message, else a minute: the length of every window but the day's."""
    extensions = error.get("extensions") or {}
    data = extensions.get("error_data")
    for source in (extensions, data if isinstance(data, dict) else {}):
        seconds = source.get("retry_in_seconds")
        if isinstance(seconds, int | float) and not isinstance(seconds, bool):
            return max(1.0, float(seconds))
    header = _header(headers, "retry-after")
    if header is not None and header.strip().isdigit():
        return max(1.0, float(header))
    match = _RESET.search(error.get("message") or "")
    return float(match[1]) if match else DEFAULT_WAIT


def _until_midnight(headers: Mapping[str, str]) -> float:
    """Seconds to the vendor's next 00:00 UTC, by the vendor's own clock where the answer tells it; never 0, so that nobody knocks a moment early."""
    told = _header(headers, "date")
    try:
        now = parsedate_to_datetime(told).astimezone(UTC) if told else datetime.now(UTC)
    except ValueError:
        now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return max(1.0, (midnight - now).total_seconds())


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)


def _of_cursor(error: Mapping[str, Any]) -> bool:
    return error["code"] == CURSOR or "cursorexpired" in error["message"].casefold().replace(" ", "")


def _has_data(body: Any) -> bool:
    data = body.get("data")
    return isinstance(data, dict) and any(value is not None for value in data.values())


def _code(errors: list[dict[str, Any]]) -> str | None:
    return errors[0]["code"] if errors else None


def _words(errors: list[dict[str, Any]]) -> str:
    return _line(errors[0]["message"]) if errors else "not authenticated"


def _line(message: str) -> str:
    return " ".join(message.split())[:200]
