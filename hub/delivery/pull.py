"""The log read by those who ask for it: the same lines, filters and order as for those who are sent them. A cursor is ``EPOCH-SEQUENCE``: the log it
belongs to, and the place after which to go on. It is a plain number on purpose: an endpoint's position is one, too, so that a reader may change
sides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub import events
from hub.access.scope import EVERYTHING, Scope
from hub.delivery.envelope import Stored, read
from hub.delivery.filter import Filter
from hub.delivery.retention import dropped
from hub.delivery.veil import veiled
from hub.models import Event

SHAPE = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)
CHUNK, MOST_READ = 500, 5_000
"""Lines read in one statement, and looked at in one go: a filter that lets nothing through must not read the whole log while somebody waits."""
RESTORED = "the hub was restored from a backup since: read what you hold anew, then begin with from=now"
NOT_KEPT = "the hub no longer keeps the events after it: read what you hold anew, then begin with from=now; from=start begins with the oldest kept"


class Lost(Exception):
    """What the cursor names cannot be gone on from without a gap; ``code`` says why, the message what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Cursor:
    epoch: int
    sequence: int

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises ValueError."""
        shaped = SHAPE.fullmatch(text)
        if shaped is None:
            raise ValueError("a cursor looks like 1764000000-4711: the answer's next_cursor, or an endpoint's")
        return cls(int(shaped[1]), int(shaped[2]))

    def __str__(self) -> str:
        return f"{self.epoch}-{self.sequence}"


@dataclass(slots=True)
class Page:
    """``cursor``: where to go on; ``head``: the newest place there is."""

    cursor: Cursor
    head: int
    lines: list[Stored] = field(default_factory=list)

    @property
    def exhausted(self) -> bool:
        return self.cursor.sequence >= self.head


def page(session: Session, after: Cursor, wanted: Filter, limit: int, scope: Scope = EVERYTHING) -> Page:
    """The next lines that fit and that the reader may see. May be none although there are more: then the cursor has moved on. Raises Lost."""
    at, head = followed(session, after), events.head(session)
    found = Page(Cursor(events.epoch(session), at), head)
    for _ in range(0, MOST_READ, CHUNK):
        lines = veiled(session, read(session, at, CHUNK), scope)
        for line in lines:
            at = line.sequence
            if wanted.matches(line):
                found.lines.append(line)
                if len(found.lines) == limit:
                    break
        if len(found.lines) == limit or len(lines) < CHUNK:
            break
    found.cursor = Cursor(found.cursor.epoch, at)
    found.head = max(head, at)
    return found


def followed(session: Session, after: Cursor) -> int:
    """The place after which a cursor's reader goes on. Raises Lost. An empty log has no name yet: its beginning is any log's."""
    if after == Cursor(0, 0) and dropped(session) == 0:
        return 0
    if after.epoch != events.epoch(session) or after.sequence > events.head(session):
        raise Lost("log_restored", RESTORED)
    if after.sequence < dropped(session):
        raise Lost("events_dropped", NOT_KEPT)
    return after.sequence


def start(session: Session) -> Cursor:
    """Before the oldest line that is kept."""
    return Cursor(events.epoch(session), dropped(session))


def now(session: Session) -> Cursor:
    return Cursor(events.epoch(session), events.head(session))


def since(session: Session, instant: datetime) -> Cursor:
    """Before the first line that was recorded at ``instant`` or later. Raises Lost where such lines may be gone already."""
    first = session.scalar(select(func.min(Event.sequence)).where(Event.recorded_at >= instant))
    if first is None:
        return now(session)
    if (last := dropped(session)) and first == last + 1:
        raise Lost("events_dropped", NOT_KEPT)
    return Cursor(events.epoch(session), first - 1)
