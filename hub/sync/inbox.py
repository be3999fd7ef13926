"""What webhooks have told and no run has read yet.

A call is a hint, and hints add up: a later line takes over what an earlier one named. It cannot simply be left out: a run may just be reading the
earlier one and miss what changed since. Beyond ``MOST`` waiting references one line stands for them all and asks for a wide run (a full one where
a walk of the containers does not tell what was deleted), so a flood costs a bounded number of rows and of reads. A line with a delivery id stays for
``REMEMBERED`` after it is done, so that the same call is known when it comes again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from connectors.records import Ref
from hub.models import Inbound

T = TypeVar("T")

MOST = 5_000
OVERFLOW: Ref = "connection:overflow"
"""Stands for more than can be named. No task, hence the containers are walked at least."""
REMEMBERED = timedelta(days=2)
"""Longer than any vendor repeats a call."""
LONGEST_DELIVERY = 200
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One genuine call. ``delivery``: the vendor's id of it, null where it gives none."""

    connection_id: UUID
    delivery: str | None
    refs: tuple[Ref, ...]


def add_all(session: Session, lines: Sequence[Line], now: datetime) -> list[bool]:
    """Keeps what calls touched, with a number of statements that does not depend on theirs. For each: was it new (else it was kept before)."""
    fresh = [False] * len(lines)
    for connection_id in dict.fromkeys(line.connection_id for line in lines):
        places = [place for place, line in enumerate(lines) if line.connection_id == connection_id]
        for place, new in zip(places, _add(session, connection_id, [lines[place] for place in places], now), strict=True):
            fresh[place] = new
    return fresh


def _add(session: Session, connection_id: UUID, lines: Sequence[Line], now: datetime) -> list[bool]:
    deliveries = [line.delivery[:LONGEST_DELIVERY] if line.delivery else None for line in lines]
    told = _told(session, connection_id, {delivery for delivery in deliveries if delivery})
    fresh: list[bool] = []
    named: set[Ref] = set()
    rows: list[dict[str, Any]] = []
    for line, delivery in zip(lines, deliveries, strict=True):
        fresh.append(delivery is None or delivery not in told)
        if not fresh[-1]:
            continue
        if delivery is not None:
            told.add(delivery)
        refs = [ref for ref in dict.fromkeys(line.refs) if ref not in named]
        named.update(refs)
        rows.append({"connection_id": connection_id, "delivery": delivery, "touched": refs, "received_at": now})
    if named:
        _take_over(session, connection_id, named, rows, now)
    rows = [row | {"done_at": None if row["touched"] else now} for row in rows if row["touched"] or row["delivery"] is not None]
    if rows:
        insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
        session.execute(insert(Inbound).on_conflict_do_nothing(), rows)  # another process may be keeping the same delivery
    return fresh


def _told(session: Session, connection_id: UUID, deliveries: Set[str]) -> set[str]:
    """Those deliveries that were kept before."""
    found: set[str | None] = set()
    for part in _parts(sorted(deliveries)):
        found |= set(session.scalars(select(Inbound.delivery).where(Inbound.connection_id == connection_id, Inbound.delivery.in_(part))))
    return {each for each in found if each is not None}


def _take_over(session: Session, connection_id: UUID, named: Set[Ref], rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Drops waiting lines that the new ``rows`` say again; where there are too many, all of them, and the first row stands for everything."""
    waiting = {
        row.id: row.touched
        for row in session.execute(select(Inbound.id, Inbound.touched).where(Inbound.connection_id == connection_id, Inbound.done_at.is_(None)))
    }
    over = [each for each, touched in waiting.items() if named >= set(touched)]
    left = sum(len(touched) for touched in waiting.values()) - sum(len(waiting[each]) for each in over)
    if left + len(named) > MOST or any(OVERFLOW in touched for touched in waiting.values()):
        over = list(waiting)
        for row in rows:
            row["touched"] = []
        rows[0]["touched"] = [OVERFLOW]
    for part in _parts(over):
        session.execute(delete(Inbound).where(Inbound.id.in_(part), Inbound.delivery.is_(None)))
        session.execute(update(Inbound).where(Inbound.id.in_(part)).values(done_at=now))


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def is_waiting(session: Session, connection_id: UUID) -> bool:
    """Whether anything was told that no run has read."""
    return session.scalar(select(Inbound.id).where(Inbound.connection_id == connection_id, Inbound.done_at.is_(None)).limit(1)) is not None


def overfull(session: Session, connection_id: UUID, before: datetime | None = None) -> list[int]:
    """The lines that stand for more than can be named and wait to be read; only those that came ``before`` then."""
    waiting = select(Inbound.id, Inbound.touched).where(Inbound.connection_id == connection_id, Inbound.done_at.is_(None))
    if before is not None:
        waiting = waiting.where(Inbound.received_at < before)
    return [row.id for row in session.execute(waiting) if OVERFLOW in row.touched]


def take(session: Session, connection_id: UUID, limit: int) -> list[tuple[int, list[Ref]]]:
    """The oldest ``limit`` lines that no run has read, with what each touched. They stay until ``done``: a run that dies has taken nothing."""
    waiting = select(Inbound.id, Inbound.touched).where(Inbound.connection_id == connection_id, Inbound.done_at.is_(None))
    return [(row.id, list(row.touched)) for row in session.execute(waiting.order_by(Inbound.id).limit(limit))]


def done(session: Session, ids: Sequence[int], now: datetime) -> None:
    """Marks lines as read; part of the transaction that keeps what was read."""
    for part in _parts(ids):
        session.execute(update(Inbound).where(Inbound.id.in_(part), Inbound.done_at.is_(None)).values(done_at=now))


def forget(session: Session, connection_id: UUID, now: datetime) -> None:
    """Deletes lines that were read long ago."""
    session.execute(delete(Inbound).where(Inbound.connection_id == connection_id, Inbound.done_at < now - REMEMBERED))
