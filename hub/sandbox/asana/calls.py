"""One call as a handler sees it: path and query values already checked for name and type, and the world's view; and what a handler answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

from hub.sandbox.asana.errors import bad
from hub.sandbox.asana.paging import Token
from hub.sandbox.asana.view import View


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of objects of ``kind``, ``full`` ones when no opt_fields say otherwise. ``beside``: what stands beside ``data``."""

    kind: str
    things: Sequence[Any]
    full: bool = False
    beside: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class One:
    """A single object of ``kind``."""

    kind: str
    thing: Any


class Webhooks(Protocol):
    """What the routes of webhooks are answered from."""

    def listed(self, call: Call) -> Rows: ...

    def shown(self, call: Call) -> One: ...


@dataclass(frozen=True, slots=True)
class Call:
    """``path``: the values of the route's placeholders, in order; ``number``: how many calls came before (searches are not stable)."""

    view: View
    path: Sequence[str]
    query: Mapping[str, str]
    tokens: Token
    number: int
    hooks: Webhooks

    def need(self, name: str) -> str:
        """A parameter that must be there; raises 400."""
        value = self.query.get(name)
        if not value:
            raise bad(f"{name}: Missing input")
        return value

    def flag(self, name: str) -> bool | None:
        """``true``, ``false`` or None when it was not sent."""
        value = self.query.get(name)
        return None if value is None else value.lower() == "true"

    def moment(self, name: str) -> datetime | None:
        """An instant; ``now`` is the world's; None when it was not sent."""
        value = self.query.get(name)
        if value is None:
            return None
        return self.view.world.now if value == "now" else instant_of(name, value)


def instant_of(name: str, text: str) -> datetime:
    """An ISO 8601 instant or date as aware UTC; raises 400."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad(f"{name}: Not a valid date-time: {text}") from None


def date_of(name: str, text: str) -> date:
    """An ISO 8601 date; raises 400."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise bad(f"{name}: Not a valid date: {text}") from None
