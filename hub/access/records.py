"""The audit log as it is looked through: by who, what and when, the newest first; and as a file, the oldest first."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from hub.access import audit
from hub.access.audit import Actor
from hub.models import ApiKey, Audit, User

COLUMNS = ("id", "at", "actor_kind", "actor_id", "address", "action", "target", "before", "after", "previous", "hash")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
STORABLE = r"^[^\x00]*$"
"""NUL is the one character that PostgreSQL keeps in no text."""
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9998, 1, 1, tzinfo=UTC))]


class AuditFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    actor_id: str | None = Field(None, max_length=100, pattern=STORABLE, description="a user's or key's id; at the command line the system's name")
    action: str | None = Field(None, max_length=100, pattern=STORABLE, description="such as user.changed")
    target: str | None = Field(None, max_length=200, pattern=STORABLE, description="such as user:ID")
    since: Moment | None = Field(None, description="from this moment on")
    until: Moment | None = Field(None, description="before this moment")

    def where(self) -> list[ColumnElement[bool]]:
        same = [getattr(Audit, name) == value for name in ("actor_id", "action", "target") if (value := getattr(self, name)) is not None]
        times = [Audit.at >= self.since] if self.since else []
        return [*same, *times, *([Audit.at < self.until] if self.until else [])]


def page(session: Session, asked: AuditFilter, before: int | None, limit: int) -> tuple[Sequence[Audit], int | None]:
    """The newest rows, of those before an id, and the id to go on before; None at the end."""
    where = [*asked.where(), *([Audit.id < before] if before is not None else [])]
    rows = session.scalars(select(Audit).where(*where).order_by(Audit.id.desc()).limit(limit + 1)).all()
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def taken_out(session: Session, asked: AuditFilter, now: datetime, by: Actor) -> int:
    """Notes that somebody takes the log out as a file; returns the last id that is in it."""
    audit.add(session, by, "audit.exported", None, now, after=asked.model_dump(exclude_none=True))
    return session.scalars(select(Audit.id).order_by(Audit.id.desc()).limit(1)).one()


def lines(reading: Callable[[], AbstractContextManager[Session]], asked: AuditFilter, last: int, form: str = "csv") -> Iterator[str]:
    """The rows up to an id, a page in memory at a time; ``form``: csv, or jsonl for a row of JSON a line."""
    if form == "csv":
        yield _csv(COLUMNS)
    after = 0
    while True:
        some = select(Audit).where(*asked.where(), Audit.id > after, Audit.id <= last).order_by(Audit.id).limit(audit.PAGE)
        with reading() as session:
            rows = session.scalars(some).all()
        if not rows:
            return
        shapes = [audit.shape(row) for row in rows]
        yield "".join(_csv([each[name] for name in COLUMNS]) if form == "csv" else f"{orjson.dumps(each).decode()}\n" for each in shapes)
        after = rows[-1].id


def names(session: Session, ids: Collection[str | None]) -> Mapping[str, str]:
    """{id: name} of the users and keys among these actors."""
    wanted = [found for text in ids if (found := _id(text)) is not None]
    users = session.execute(select(User.id, User.name).where(User.id.in_(wanted)))
    keys = session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(wanted)))
    return {str(key): name for found in (users, keys) for key, name in found}


def actors(session: Session) -> Sequence[tuple[str, str]]:
    """(id, name) of every user and key that the log names, by name; others by their id."""
    ids = [each for each in session.scalars(select(Audit.actor_id).distinct()) if each is not None]
    known = names(session, ids)
    return sorted(((each, known.get(each, each)) for each in ids), key=lambda pair: (pair[1].casefold(), pair[0]))


def actions(session: Session) -> Sequence[str]:
    """Every word that the log has for what was done."""
    return session.scalars(select(Audit.action).distinct().order_by(Audit.action)).all()


def _id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:  # a name of the system's, as the command line writes it
        return None


def _csv(values: Sequence[Any]) -> str:
    """One line. A cell that a spreadsheet would take for a formula gets an apostrophe in front."""
    line = io.StringIO()
    cells = [orjson.dumps(each).decode() if isinstance(each, dict) else "" if each is None else str(each) for each in values]
    csv.writer(line).writerow([f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell for cell in cells])
    return line.getvalue()
