"""Engine, sessions, column types. Synchronous on purpose: one colour for service, CLI, migrations and
reports, and faster on SQLite than the async drivers.

Two session factories. ``reading()`` sees one snapshot and cannot write. ``writing()`` takes SQLite's write lock at once (BEGIN IMMEDIATE): with a
plain BEGIN a read-then-write transaction may find its snapshot stale and lose its update.

A writing transaction that touched a table which figures are made of leaves a new mark in ``written`` as its last act (``hub.models.views`` says why).
A reading one sees the mark of its own snapshot, so what is kept under a mark is exactly what the snapshot would give.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import JSON, DateTime, Dialect, Engine, MetaData, Uuid, bindparam, create_engine, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import String, TypeDecorator

BUSY_SECONDS = 30
BESIDE_FIGURES = "beside figures"
"""A key of ``Table.info``: no figure is made of this table."""
KEPT = "hub.kept"
"""A key of a reading session's ``info``: what its database keeps. A writing one has none, for it sees what others do not."""
TOUCHED, HELD = "hub.figures_touched", "hub.connection_info"
NOT_WRITTEN = ("SELECT", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")
TABLE_WRITTEN = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)")
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses naive values, because SQLite would silently drop the offset; gives aware UTC values back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: give it a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


JsonColumn = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {UUID: Uuid(), datetime: UtcDateTime(), dict[str, Any]: JsonColumn, list[Any]: JsonColumn}  # noqa: RUF012  SQLAlchemy's own protocol


class fold(GenericFunction[str]):
    """``fold(text)`` in SQL: made ready for a comparison that ignores case. SQLite's own lower() knows ASCII only, so its connections are given a
    function of this name; PostgreSQL's follows the database's locale."""

    type = String()
    inherit_cache = True


@compiles(fold, "postgresql")
def _lower(element: fold, compiler: Any, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


def dump_json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def load_json(value: Any) -> Any:
    """SQLite gives a JSON column numeric affinity: a bare number comes back as a number and not as text."""
    return value if isinstance(value, (int, float)) else orjson.loads(value)


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """An engine whose transactions begin as this module's docstring says. The database is not touched yet."""
    if url.startswith("sqlite"):
        engine = create_engine(
            url, json_serializer=dump_json, json_deserializer=load_json, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}
        )
        event.listen(engine, "connect", partial(_prepare_sqlite, READ_PRAGMAS if read_only else WRITE_PRAGMAS))
        event.listen(engine, "begin", partial(_begin_sqlite, "BEGIN" if read_only else "BEGIN IMMEDIATE"))
        return engine
    engine = create_engine(
        url, json_serializer=dump_json, json_deserializer=orjson.loads, hide_parameters=True, pool_pre_ping=True, pool_size=10, max_overflow=20
    )
    return engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ") if read_only else engine


PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    f"busy_timeout={BUSY_SECONDS * 1000}",
    "foreign_keys=ON",
    "cache_size=-16000",
    "temp_store=MEMORY",
)
WRITE_PRAGMAS = (*PRAGMAS, "wal_autocheckpoint=4000")
READ_PRAGMAS = (*PRAGMAS, "query_only=ON")


def _prepare_sqlite(pragmas: Sequence[str], connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late; ours is in _begin_sqlite
    connection.create_function("fold", 1, _fold, deterministic=True)
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _fold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _begin_sqlite(statement: str, connection: Any) -> None:
    connection.exec_driver_sql(statement)


MARK = text("UPDATE written SET mark = :mark WHERE name = 'figures'").bindparams(bindparam("mark", type_=Uuid()))


@lru_cache(maxsize=1000)
def _touches_figures(head: str) -> bool:
    """By a statement's first words: they name the table. What cannot be read counts as touching."""
    if head.startswith(NOT_WRITTEN):
        return False
    found = TABLE_WRITTEN.match(head)
    table = Base.metadata.tables.get(found[1]) if found else None
    return table is None or not table.info.get(BESIDE_FIGURES, False)


def _note_touched(connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
    """A statement that changed no row leaves figures as they are; of one that returns its rows the number is not known yet."""
    if _touches_figures(statement.lstrip()[:80]) and (cursor.rowcount != 0 or "RETURNING" in statement):
        connection.info[TOUCHED] = True


def _nothing_touched(connection: Any) -> None:
    connection.info.pop(TOUCHED, None)


def _hold(session: Session, _transaction: Any, connection: Any) -> None:
    session.info[HELD] = connection.info


def _leave_mark(session: Session) -> None:
    session.flush()
    if session.info.get(HELD, {}).get(TOUCHED):
        session.execute(MARK, {"mark": uuid4()})


class Database:
    """One database: two ways in. Safe to share between threads; sessions are not. ``kept``: what readers keep in memory (``portfolio.kept``)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = open_engine(url)
        self._read_engine = open_engine(url, read_only=True)
        self.kept: dict[str, Any] = {}
        self._reading = sessionmaker(self._read_engine, expire_on_commit=False, info={KEPT: self.kept})
        self._writing = sessionmaker(self.engine, expire_on_commit=False)
        event.listen(self.engine, "begin", _nothing_touched)
        event.listen(self.engine, "after_cursor_execute", _note_touched)
        event.listen(self._writing, "after_begin", _hold)
        event.listen(self._writing, "before_commit", _leave_mark)

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back on any error."""
        with self._writing.begin() as session:
            yield session

    def dispose(self) -> None:
        self._read_engine.dispose()
        self.engine.dispose()


def migrations_folder() -> Path:
    """Where the migration scripts lie: inside the installed package, or beside it in a checkout."""
    packaged = Path(__file__).parent / "_migrations"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "migrations"
