"""Calls and paging: yields the vendor's raw dicts, checked for being the list they claim to be, and sorts the vendor's refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final, TypeAlias

import orjson

from connectors.asana.selection import EVENT
from connectors.base import Sight
from connectors.errors import AuthFailed, BadResponse, ConnectorError, CursorExpired, NotFound, Refused, Transient
from connectors.http import Http, Lane

Raw: TypeAlias = Mapping[str, Any]
Params: TypeAlias = Sequence[tuple[str, str]]

PAGE_SIZE: Final = 100
"""The vendor's largest page. Without a limit no next_page comes at all and long lists answer 400."""

FREE_PER_MINUTE: Final = 150
"""Calls a minute on a free domain; 1,500 on a paid one. Refused calls count too."""

LANES: Final[Mapping[str, Lane]] = {
    # 1,500 calls and 60 searches a minute, 50 reads at once; a little below, since other programs of the same user count too. The vendor looks more
    # often than once a minute, so a burst of the whole minute would be refused.
    "default": Lane(per_minute=1440, at_once=45, per_second=50),
    "search": Lane(per_minute=58, at_once=8, within="default"),
}


class StaleToken(ConnectorError):
    """412: no token, or one that is too old. What happened up to now is not told; ``sync`` is where the stream goes on from."""

    def __init__(self, message: str, sync: str) -> None:
        super().__init__(message, status=412)
        self.sync = sync


class Duplicated(Refused):
    """The vendor has a webhook for this resource and target already."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brought; ``date`` is the vendor's own clock, null where its answer does not tell it."""

    rows: list[Raw]
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an event stream: at most 100 events, the token that follows them, and whether there are more."""

    rows: list[Raw]
    sync: str
    more: bool


def classify(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError | None:
    """The vendor's own word on an answer; null leaves it to the table of the http wrapper. Sheet: sections 4 and 6."""
    if status < 400:
        return None
    message = _message(body)
    if status == 400:
        return _bad_request(message)
    if status == 412:
        sync = body.get("sync") if isinstance(body, Mapping) else None
        return StaleToken(message, sync) if isinstance(sync, str) and sync else BadResponse("a stream begins without a token", status=412)
    if status == 403 and "duplicat" in message.lower():
        return Duplicated(message, status=403)
    if status == 402:
        return Refused(f"the plan does not include this: {message}", status=402)
    if status == 451:
        return AuthFailed(f"the vendor refuses this address for legal reasons: {message}", status=451)
    if status == 500:
        return Transient(f"the vendor failed: {message}", status=500)
    return None


def _bad_request(message: str) -> ConnectorError | None:
    lowered = message.lower()
    if "truncated" in lowered:
        return BadResponse(f"the list is too long for the vendor, which cut it short: {message}", status=400)
    if "pagination token" in lowered or "offset" in lowered:
        return CursorExpired(message, status=400)
    return None


def _message(body: Any) -> str:
    """The first error's words; a 500 carries a phrase by which the vendor finds it in its logs."""
    errors = body.get("errors") if isinstance(body, Mapping) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, Mapping):
        return "no message"
    words = str(first.get("message") or "no message")
    phrase = first.get("phrase")
    return (f"{words} (phrase: {phrase})" if phrase else words)[:200]


class Client:
    """The reads a hub needs. Every list is asked for with the largest page and one constant field list. ``clock``: the vendor's own, as of the newest
    page of a list; null where its answers do not tell it."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.clock: datetime | None = None

    def on_free_plan(self) -> None:
        """Slows down to the free plan's quota."""
        self._http.limiter.set_rate("default", FREE_PER_MINUTE)

    async def one(self, path: str, fields: str) -> Raw:
        """One object. Raises what the http wrapper raises, BadResponse where the answer holds no object."""
        body = (await self._http.get(path, (("opt_fields", fields),))).body
        row = body.get("data") if isinstance(body, Mapping) else None
        return _checked(row, path)

    async def pages(
        self, path: str, params: Params, fields: str, offset: str | None = None, sights: Callable[[], Sight] | None = None
    ) -> AsyncIterator[tuple[list[Raw], str | None]]:
        """The pages of a list from ``offset`` on, each with the offset of the next; null is the vendor's own word for the end.

        ``sights`` is asked for one before each call; a page that it knows comes without its rows.

        Raises BadResponse where an answer has no list, does not say whether a page follows, or repeats an offset.
        Raises CursorExpired where the offset has died.
        """
        seen = {offset}
        while True:
            query = [*params, ("limit", str(PAGE_SIZE)), ("opt_fields", fields)]
            if offset is not None:
                query.append(("offset", offset))
            sight = sights() if sights is not None else None
            answer = await self._http.get(path, query, instead=None if sight is None else partial(_same, sight))
            rows = [] if sight is not None and sight.found is not None else _rows(answer.body, path)
            offset = _following(answer.body, path)
            if offset is not None and offset in seen:
                raise BadResponse(f"{path}: the vendor repeats a page's offset")
            self.clock = _date(answer.headers) or self.clock
            yield rows, offset
            if offset is None:
                return
            seen.add(offset)

    async def search(self, workspace: str, params: Params, fields: str, limit: int = PAGE_SIZE, sight: Sight | None = None) -> Found:
        """At most 100 tasks; search has no paging. Raises Refused with status 402 on a free plan. No rows where ``sight`` knows them."""
        path = f"/workspaces/{workspace}/tasks/search"
        instead = None if sight is None else partial(_same, sight)
        answer = await self._http.get(path, [*params, ("limit", str(limit)), ("opt_fields", fields)], lane="search", instead=instead)
        if sight is not None and sight.found is not None:
            return Found([], _date(answer.headers))
        return Found(_rows(answer.body, path), _date(answer.headers))

    async def events(self, resource: str, sync: str, seen: Collection[str] = ()) -> Step:
        """What happened to a resource, and below it, since the token. Raises StaleToken where that cannot be told, and BadResponse where more is to
        come and the token that leads there is one of those ``seen``."""
        body = (await self._http.get("/events", _stream(resource, sync))).body
        following, more = (body.get("sync"), body.get("has_more")) if isinstance(body, Mapping) else (None, None)
        rows = body.get("data") if isinstance(body, Mapping) else None
        if not isinstance(rows, list) or not isinstance(following, str) or not following or not isinstance(more, bool):
            raise BadResponse(f"/events of {resource}: the answer is no step of a stream")
        if more and following in seen:
            raise BadResponse(f"/events of {resource}: the vendor repeats a token")
        return Step([row for row in rows if isinstance(row, dict)], following, more)

    async def token(self, resource: str) -> str:
        """Where the stream of a resource stands now. It begins with a 412: that is the vendor's way and no failure."""
        try:
            return (await self.events(resource, "")).sync
        except StaleToken as normal:
            return normal.sync

    async def register(self, resource: str, target: str, filters: Sequence[Raw]) -> tuple[str, str | None]:
        """A new webhook: (gid, secret). The vendor calls ``target`` meanwhile. Raises Duplicated where it has this one already."""
        data: dict[str, Any] = {"resource": resource, "target": target}
        if filters:
            data["filters"] = list(filters)
        body = (await self._http.register_hook("POST", "/webhooks", {"data": data})).body
        row = _checked(body.get("data") if isinstance(body, Mapping) else None, "/webhooks")
        secret = body.get("X-Hook-Secret")
        return row["gid"], secret if isinstance(secret, str) and secret else None

    async def unregister(self, gid: str) -> None:
        """Takes a webhook down; one that is gone already is fine."""
        try:
            await self._http.register_hook("DELETE", f"/webhooks/{gid}")
        except NotFound:
            return


def _same(sight: Sight, content: bytes) -> Raw | None:
    """What is left of an answer whose rows are known: where its next page is, which is told in other words every time. It stands last; should the
    vendor move it, no page is known again."""
    rows, comma, following = content.rpartition(b',"next_page":')
    try:
        rest = orjson.loads(b'{"next_page":' + following) if comma else {"next_page": None}
    except orjson.JSONDecodeError:
        return None
    return rest if sight.of(rows if comma else content) else None


def _stream(resource: str, sync: str) -> list[tuple[str, str]]:
    return [("resource", resource), *([("sync", sync)] if sync else []), ("opt_fields", EVENT)]


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        moment = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _rows(body: Any, where: str) -> list[Raw]:
    rows = body.get("data") if isinstance(body, Mapping) else None
    if not isinstance(rows, list):
        raise BadResponse(f"{where}: the answer holds no list")
    return [_checked(row, where) for row in rows]


def _checked(row: Any, where: str) -> Raw:
    if not isinstance(row, dict):
        raise BadResponse(f"{where}: the answer holds no object where one must be")
    gid = row.get("gid")
    if not isinstance(gid, str) or not gid:
        raise BadResponse(f"{where}: an object has no gid")
    return row


def _following(body: Mapping[str, Any], where: str) -> str | None:
    if "next_page" not in body:
        raise BadResponse(f"{where}: the answer does not say whether a page follows")
    following = body["next_page"]
    if following is None:
        return None
    offset = following.get("offset") if isinstance(following, Mapping) else None
    if not isinstance(offset, str) or not offset:
        raise BadResponse(f"{where}: a page follows, but its offset is missing")
    return offset
