"""The three statements that every page pays for, made once per shape and sent straight to the driver.

SQLAlchemy builds the SQL and converts the values; what is left out is its per-row bookkeeping, which costs more than the database does. Ids go in
one parameter (a JSON array on SQLite, an array on PostgreSQL), so the statement does not depend on their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

Convert = Callable[[Any], Any]
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
            values: Any = [tuple([row[name] if convert is None else convert(row[name]) for name, convert in self.columns]) for row in rows]
        else:
            values = [{name: row[name] if convert is None else convert(row[name]) for name, convert in self.columns} for row in rows]
        session.connection().exec_driver_sql(self.sql, values)


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
    convert: Convert | None = table.c[column].type._cached_bind_processor(dialect)
    return convert


def digests(session: Session, table: Any, ids: Iterable[UUID]) -> dict[UUID, tuple[bytes, bool]]:
    """{id: (digest, whether the row is marked as deleted or hidden)} of those that are held."""
    hidden = "deleted_at IS NOT NULL" + (" OR access_lost_at IS NOT NULL" if "access_lost_at" in table.c else "")
    if session.get_bind().dialect.name == "postgresql":
        found = session.connection().exec_driver_sql(f"SELECT id, digest, {hidden} FROM {table.name} WHERE id = ANY(%s)", (list(ids),))  # noqa: S608  our own names
        return {row[0]: (bytes(row[1]), row[2]) for row in found}
    by_text = {each.hex: each for each in ids}
    sql = f"SELECT id, digest, {hidden} FROM {table.name} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608  our own names
    found = session.connection().exec_driver_sql(sql, (orjson.dumps(list(by_text)).decode(),))
    return {by_text[row[0]]: (row[1], bool(row[2])) for row in found}


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
