"""Pages by key, not by number: the next page begins after the last row's key, so a row that does not change during a walk appears exactly once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlalchemy.engine import RowMapping
from sqlalchemy.orm import Session

from hub.portfolio.texts import storable

Key = tuple[Any, ...]
LARGEST = 2**63


def whole(text: str) -> int:
    """A number that both databases can hold; raises ValueError."""
    number = int(text)
    if not -LARGEST <= number < LARGEST:
        raise ValueError("out of range")
    return number


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("an instant says its zone")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


PARSERS: dict[type, Callable[[str], Any]] = {UUID: UUID, int: whole, str: storable, date: date.fromisoformat, datetime: _instant}


@dataclass(frozen=True, slots=True)
class Keyset:
    """An order: ``columns`` are (name in the row, expression, type), the last one unique among equals; none may be null."""

    columns: tuple[tuple[str, Any, type], ...]
    descending: bool = False

    def page(self, session: Session, statement: Select[Any], after: Key | None, limit: int) -> tuple[Sequence[RowMapping], Key | None]:
        """The rows after a key, and the key to go on after; None at the end."""
        expressions = [expression for _, expression, _ in self.columns]
        if after is not None:
            statement = statement.where(self._beyond(expressions, after))
        order = [expression.desc() if self.descending else expression for expression in expressions]
        rows = session.execute(statement.order_by(*order).limit(limit + 1)).mappings().all()
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], tuple(rows[limit - 1][name] for name, _, _ in self.columns)

    def _beyond(self, expressions: Sequence[Any], after: Key) -> ColumnElement[bool]:
        values = [literal(value, expression.type) for value, expression in zip(after, expressions, strict=True)]
        here: Any = expressions[0] if len(expressions) == 1 else tuple_(*expressions)
        there: Any = values[0] if len(values) == 1 else tuple_(*values)
        beyond: ColumnElement[bool] = here < there if self.descending else here > there
        return beyond

    def parse(self, texts: Sequence[str]) -> Key:
        """The key that ``str`` was taken of; raises ValueError for whatever else somebody puts there."""
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError("a key is a list of texts")
        return tuple(PARSERS[kind](text) for text, (_, _, kind) in zip(texts, self.columns, strict=True))
