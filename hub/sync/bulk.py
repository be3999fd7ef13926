"""The three statements that every page pays for, made once per shape and sent straight to the driver.

SQLAlchemy builds the SQL and converts the values; what is left out is its per-row bookkeeping, which costs more than the database does. Ids go in
one parameter (a JSON array on SQLite, an array on PostgreSQL), so the statement does not depend on their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Date, Dialect, Uuid
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hub.db import UtcDateTime

Convert = Callable[[Any], Any]
ID_BYTES = 16
CHUNK = 1000
"""Rows taken from the driver at once while streaming."""


@dataclass(frozen=True, slots=True)
class _Upsert:
    """``defaults``: what the model gives columns that no row names."""

    sql: str
    columns: tuple[tuple[str, Convert | None], ...]
    defaults: dict[str, Any]
    positional: bool

    def send(self, session: Session, rows: Sequence[dict[str, Any]]) -> None:
        if self.defaults:
            rows = [self.defaults | row for row in rows]
        if self.positional:
            values: Any = list(zip(*[_column(rows, name, convert) for name, convert in self.columns], strict=True))
        else:
            values = [{name: row[name] if convert is None else convert(row[name]) for name, convert in self.columns} for row in rows]
        session.connection().exec_driver_sql(self.sql, values)


def _column(rows: Sequence[dict[str, Any]], name: str, convert: Convert | None) -> list[Any]:
    """One column of all rows: a loop per column costs a third of a loop per row."""
    values = [row[name] for row in rows]
    return values if convert is None else [convert(value) for value in values]


_upserts: dict[tuple[str, tuple[str, ...], tuple[str, ...], str], _Upsert] = {}


def upsert(session: Session, table: Any, rows: Sequence[dict[str, Any]], *, keep: Sequence[str] = ()) -> None:
    """Inserts rows or, where the key exists, sets all given columns but ``keep``. Every row has the same columns as the first."""
    if not rows:
        return
    dialect = session.get_bind().dialect
    key = (table.name, tuple(rows[0]), tuple(keep), dialect.name)
    if key not in _upserts:
        _upserts[key] = _build(table, key[1], key[2], dialect)
    _upserts[key].send(session, rows)


def _build(table: Any, columns: tuple[str, ...], keep: tuple[str, ...], dialect: Dialect) -> _Upsert:
    made: Any = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
    keys = [column.name for column in table.primary_key]
    change = {name: made.excluded[name] for name in columns if name not in keys and name not in keep}
    statement = made.on_conflict_do_update(index_elements=keys, set_=change) if change else made.on_conflict_do_nothing(index_elements=keys)
    defaults = {column.name: column.default.arg for column in table.columns if column.default is not None and column.name not in columns}
    every = (*columns, *defaults)
    compiled = statement.compile(dialect=dialect, column_keys=list(every))
    order = compiled.positiontup or every
    return _Upsert(str(compiled), tuple((name, _converter(table, name, dialect)) for name in order), defaults, compiled.positiontup is not None)


def _converter(table: Any, column: str, dialect: Dialect) -> Convert | None:
    kind = table.c[column].type
    if dialect.name == "sqlite" and type(kind) in _SQLITE:
        return _SQLITE[type(kind)]
    convert: Convert | None = kind._cached_bind_processor(dialect)
    return convert


def _id(value: UUID | None) -> str | None:
    return None if value is None else value.hex


def _instant(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is not UTC:
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: give it a time zone")
        value = value.astimezone(UTC)
    return value.isoformat(" ", "microseconds")[:26]


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


_SQLITE: dict[type, Convert] = {Uuid: _id, UtcDateTime: _instant, Date: _day}
"""What SQLAlchemy's own converters give for these types, in a fifth of their time (a test compares them)."""


def digests(session: Session, table: Any, ids: Iterable[UUID]) -> dict[UUID, tuple[bytes, bool]]:
    """{id: (digest, whether the row is marked as deleted or hidden)} of those that are held."""
    hidden = "deleted_at IS NOT NULL" + (" OR access_lost_at IS NOT NULL" if "access_lost_at" in table.c else "")
    by_key, found = _among(session, table, f"digest, {hidden}", ids)
    if by_key is None:
        return {row[0]: (bytes(row[1]), row[2]) for row in found}
    return {by_key[row[0]]: (row[1], bool(row[2])) for row in found}


def standing(session: Session, table: Any, ids: bytes) -> list[bytes]:
    """The digests, in the order of the ids, of those of the rows (16 bytes each, joined) that are neither deleted nor hidden."""
    shown = "deleted_at IS NULL" + (" AND access_lost_at IS NULL" if "access_lost_at" in table.c else "")
    sql = f"SELECT digest FROM {table.name} WHERE {shown} AND id "  # noqa: S608  our own names
    keys, width = ids.hex(), 2 * ID_BYTES
    wanted = [keys[start : start + width] for start in range(0, len(keys), width)]
    if session.get_bind().dialect.name == "postgresql":
        found = session.connection().exec_driver_sql(sql + "= ANY(%s::uuid[]) ORDER BY id", (wanted,))
        return [bytes(row[0]) for row in found]
    sql += "IN (SELECT value FROM json_each(?)) ORDER BY id"
    return [row[0] for row in session.connection().exec_driver_sql(sql, (orjson.dumps(wanted).decode(),))]


def by_ids(session: Session, table: Any, columns: Sequence[str], ids: Iterable[UUID]) -> list[tuple[Any, ...]]:
    """(id, *columns) of those rows that are held."""
    by_key, found = _among(session, table, ", ".join(columns), ids)
    if by_key is None:
        return [tuple(row) for row in found]
    dialect = session.get_bind().dialect
    converts = [table.c[name].type._cached_result_processor(dialect, None) or _same for name in columns]
    return [(by_key[row[0]], *[convert(value) for convert, value in zip(converts, row[1:], strict=True)]) for row in found]


def _same(value: Any) -> Any:
    return value


def _among(session: Session, table: Any, columns: str, ids: Iterable[UUID]) -> tuple[dict[str, UUID] | None, Iterable[Any]]:
    """Rows as the driver gives them, the id first; on SQLite, where ids are text, with a way back to them."""
    wanted = list(ids)
    if not wanted:
        return None, ()
    sql = f"SELECT id, {columns} FROM {table.name} WHERE id "  # noqa: S608  our own names
    if session.get_bind().dialect.name == "postgresql":
        return None, session.connection().exec_driver_sql(sql + "= ANY(%s)", (wanted,))
    by_text = {each.hex: each for each in wanted}
    keys = orjson.dumps(list(by_text)).decode()
    sql += "IN (SELECT value FROM json_each(?))"
    return by_text, session.connection().exec_driver_sql(sql, (keys,)).fetchall()


def live_ids(session: Session, table: Any, connection_id: UUID) -> Iterator[bytes]:
    """The 16-byte ids of a connection's rows that are neither deleted nor hidden; streams."""
    hidden = " AND access_lost_at IS NULL" if "access_lost_at" in table.c else ""
    where = f"FROM {table.name} WHERE connection_id = {{}} AND deleted_at IS NULL{hidden}"
    connection = session.connection()
    if session.get_bind().dialect.name == "postgresql":
        # As an option and not on the result: only so does the driver read from a cursor at the server and not everything at once.
        for row in connection.exec_driver_sql("SELECT id " + where.format("%s"), (connection_id,), execution_options={"yield_per": CHUNK}):
            yield row[0].bytes
    else:
        for row in connection.exec_driver_sql("SELECT id " + where.format("?"), (connection_id.hex,)).yield_per(CHUNK):
            yield bytes.fromhex(row[0])
