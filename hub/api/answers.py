"""How an answer leaves: JSON from plain rows, instants with Z and milliseconds, dates as dates, a tag to ask again cheaply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Generic, Literal, TypeVar

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, Field

T = TypeVar("T")
CACHED: dict[int | str, dict[str, Any]] = {304: {"description": "the very answer whose ETag the caller has sent as If-None-Match"}}
"""For routes that answer with ``tagged``."""


class CoverageSummary(BaseModel):
    """``unproved``: containers of which it is not proved that all tasks are held; ``refused``: those that the tool does not show."""

    complete: bool
    containers: int
    unproved: int
    refused: int


class Meta(BaseModel):
    """How far the answer can be trusted. ``data_as_of``: the oldest last sync of the connections concerned, null if one never was synced.
    ``history_from``: no movement is known before."""

    data_as_of: datetime | None
    coverage: CoverageSummary
    timezone: str
    history_from: datetime | None
    scope: Literal["all", "granted"] = Field(description="granted: only what the asker may see; what is private in its tool needs a grant of its own")
    position: int | None = Field(None, description="with changed_since: what to ask with next time")


class Listed(BaseModel, Generic[T]):
    data: list[T]
    next_cursor: str | None
    meta: Meta


class Single(BaseModel, Generic[T]):
    data: T
    meta: Meta


def dump(value: Any) -> bytes:
    return orjson.dumps(value, default=_moment, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def single(data: Mapping[str, Any], meta: Mapping[str, Any], *, status: int = 200) -> Response:
    return Response(dump({"data": data, "meta": meta}), status, media_type="application/json")


def listed(data: Sequence[Mapping[str, Any]], next_cursor: str | None, meta: Mapping[str, Any]) -> Response:
    return Response(dump({"data": data, "next_cursor": next_cursor, "meta": meta}), media_type="application/json")


def tagged(request: Request, answer: Response) -> Response:
    """Adds an ETag; 304 without a body where the caller has this very answer."""
    tag = f'"{blake2b(answer.body, digest_size=16).hexdigest()}"'
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return answer
