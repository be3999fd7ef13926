"""Calls and paging: yields the vendor's raw dicts, checked for being the list they claim to be, and sorts the vendor's refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from connectors.errors import AuthFailed, BadResponse, ConnectorError, CursorExpired, Refused, Transient
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


def classify(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError | None:
    """The vendor's own word on an answer; null leaves it to the table of the http wrapper. Sheet: sections 4 and 6."""
    if status < 400:
        return None
    message = _message(body)
    if status == 400:
        return _bad_request(message)
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
    """The reads a hub needs. Every list is asked for with the largest page and one constant field list."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def on_free_plan(self) -> None:
        """Slows down to the free plan's quota."""
        self._http.limiter.set_rate("default", FREE_PER_MINUTE)

    async def one(self, path: str, fields: str) -> Raw:
        """One object. Raises what the http wrapper raises, BadResponse where the answer holds no object."""
        body = (await self._http.get(path, (("opt_fields", fields),))).body
        row = body.get("data") if isinstance(body, Mapping) else None
        return _checked(row, path)

    async def pages(self, path: str, params: Params, fields: str, offset: str | None = None) -> AsyncIterator[tuple[list[Raw], str | None]]:
        """The pages of a list from ``offset`` on, each with the offset of the next; null is the vendor's own word for the end.

        Raises BadResponse where an answer has no list, does not say whether a page follows, or repeats an offset.
        Raises CursorExpired where the offset has died.
        """
        seen = {offset}
        while True:
            query = [*params, ("limit", str(PAGE_SIZE)), ("opt_fields", fields)]
            if offset is not None:
                query.append(("offset", offset))
            body = (await self._http.get(path, query)).body
            rows = _rows(body, path)
            offset = _following(body, path)
            if offset is not None and offset in seen:
                raise BadResponse(f"{path}: the vendor repeats a page's offset")
            yield rows, offset
            if offset is None:
                return
            seen.add(offset)

    async def search(self, workspace: str, params: Params, fields: str, limit: int = PAGE_SIZE) -> list[Raw]:
        """At most 100 tasks; search has no paging. Raises Refused with status 402 on a free plan."""
        path = f"/workspaces/{workspace}/tasks/search"
        answer = await self._http.get(path, [*params, ("limit", str(limit)), ("opt_fields", fields)], lane="search")
        return _rows(answer.body, path)


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
