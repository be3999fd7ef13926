"""Pages: ``limit``, opaque offset tokens that belong to their query and expire, ``next_page`` only when a limit was sent (fact sheet, section 4)."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from hub.sandbox.asana.errors import bad
from hub.sandbox.knobs import Knobs

MOST = 100
UNPAGED = 1000
CUT = 50_000
"""Rows after which a paged list is cut with a 400. The vendor says "tens of thousands"."""
CURSOR_LIFE = 900.0
TOO_LARGE = "The result is too large. You should use pagination (may require specifying a workspace)!"


def limit_of(query: Mapping[str, str]) -> int | None:
    """The ``limit`` sent, 1 to 100; None if none was; else a 400."""
    text = query.get("limit")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 3) or not 1 <= int(text) <= MOST:
        raise bad(f"limit: Must be between 1 and {MOST}: {text}")
    return int(text)


class Token:
    """Signed tokens: what is inside cannot be read off or forged, and needs no memory here."""

    def __init__(self, secret: str, clock: Callable[[], float]) -> None:
        self._secret, self._clock = secret.encode(), clock

    def make(self, purpose: str, **content: Any) -> str:
        body = orjson.dumps({**content, "purpose": purpose, "at": self._clock()})
        return urlsafe_b64encode(self._sign(body) + body).decode().rstrip("=")

    def read(self, purpose: str, text: str, life: float) -> dict[str, Any] | None:
        """What ``make`` put in; None if it was not made here for this purpose or is older than ``life`` seconds."""
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return None
        signature, body = raw[:16], raw[16:]
        if self._sign(body) != signature:
            return None
        content: dict[str, Any] = orjson.loads(body)
        alive = self._clock() - content["at"] <= life
        return content if alive and content["purpose"] == purpose else None

    def _sign(self, body: bytes) -> bytes:
        return blake2b(body, digest_size=16, key=self._secret).digest()


class Pager:
    """Cuts lists into pages; counts task pages for the knob that hides one."""

    def __init__(self, knobs: Knobs, tokens: Token) -> None:
        self._knobs, self._tokens = knobs, tokens
        self._task_pages = 0

    def cut(self, rows: Sequence[Any], query: Mapping[str, str], path: str, base: str, *, of_tasks: bool) -> tuple[Sequence[Any], dict[str, Any]]:
        """(the rows of the page, what stands beside ``data``); raises 400 for a bad limit or offset and for a list too large without a limit."""
        limit = limit_of(query)
        offset = query.get("offset")
        start = self._start(rows, query, path, offset) if offset is not None else 0
        if limit is None:
            if len(rows) > UNPAGED:
                raise bad(TOO_LARGE)
            return rows[start:], {}
        limit = min(limit, self._knobs.page_size or MOST)
        if of_tasks and start < len(rows) and self._hidden():
            start += limit
        if start >= CUT:
            raise bad("The result was truncated: narrow the query")
        page = rows[start : start + limit]
        if start + limit >= len(rows):
            return page, {"next_page": None}
        repeats = offset is not None and "asana" in self._knobs.repeat_cursor
        following = offset if repeats else self._tokens.make("page", place=start + limit, last=page[-1].id, query=_digest(query, path))
        link = f"{path}?{urlencode({**query, 'offset': following}, quote_via=quote)}"
        return page, {"next_page": {"offset": following, "path": link, "uri": base + link}}

    def _start(self, rows: Sequence[Any], query: Mapping[str, str], path: str, offset: str) -> int:
        """After the last row of the page before, wherever it is now; at its old place if it is gone."""
        life = CURSOR_LIFE if self._knobs.cursor_life is None else self._knobs.cursor_life
        content = self._tokens.read("page", offset, life)
        if content is None:
            raise bad("offset: Your pagination token is invalid or has expired")
        if content["query"] != _digest(query, path):
            raise bad("offset: Your pagination token belongs to another query")
        place: int = content["place"]
        if 0 < place <= len(rows) and rows[place - 1].id == content["last"]:
            return place
        return next((index + 1 for index, row in enumerate(rows) if row.id == content["last"]), place)

    def _hidden(self) -> bool:
        wanted = self._knobs.hide_pages.get("asana")
        self._task_pages = 0 if wanted is None else self._task_pages + 1
        return wanted is not None and self._task_pages == wanted


def _digest(query: Mapping[str, str], path: str) -> str:
    others = sorted((name, value) for name, value in query.items() if name != "offset")
    return blake2b(orjson.dumps([path, others]), digest_size=8).hexdigest()
