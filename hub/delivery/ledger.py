"""What became of many deliveries, written in one short transaction: positions, parked events, attempts, and how the endpoint stands.

Nothing is written for one delivery alone. A process that dies before this transaction repeats what it covers, and never loses it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from hub import events
from hub.delivery.reader import PAGE
from hub.events import Draft, EventType
from hub.models import Attempt, Endpoint, Parked, Replay

LEASE = timedelta(seconds=60)
Row = dict[str, Any]


@dataclass(slots=True)
class Entry:
    """What one endpoint's deliveries came to since the last entry. ``park``: rows of ``Parked`` to add; ``retried``: to change, by sequence;
    ``settled``: parked events that are delivered now; ``told``: entities whose dead letters a delivery has told of; ``touched``: entities whose line
    has moved on.

    ``standing``: columns of ``Endpoint`` to set, which a person's change in between overrules. ``replays``: position, cursor and count by id."""

    endpoint_id: UUID
    holder: str
    revision: int
    position: int | None = None
    attempts: list[Row] = field(default_factory=list)
    park: list[Row] = field(default_factory=list)
    retried: list[Row] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    touched: set[UUID] = field(default_factory=set)
    told: set[UUID] = field(default_factory=set)
    delivered: int = 0
    last_success_at: datetime | None = None
    last_error: str | None = None
    standing: Row = field(default_factory=dict)
    hasten: bool = False
    news: list[tuple[EventType, Row]] = field(default_factory=list)
    replays: dict[UUID, Row] = field(default_factory=dict)
    release: bool = False

    @property
    def empty(self) -> bool:
        return not (self.attempts or self.park or self.replays or self.news or self.standing or self.release) and self.position is None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the transaction found. ``held`` False: another process drains the endpoint now, and nothing was written for it. ``parked``: of the touched
    entities those that still have something parked."""

    held: bool
    revision: int = 0
    parked: frozenset[UUID] = frozenset()


def holder() -> str:
    """Who holds a lease: this process and this sender."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def take(session: Session, wanted: Collection[UUID], who: str, now: datetime) -> list[Endpoint]:
    """Those of the wanted endpoints that are ours to drain until the lease ends."""
    taken = []
    for endpoint in session.scalars(
        select(Endpoint).where(Endpoint.id.in_(wanted), Endpoint.state == "active").order_by(Endpoint.id).with_for_update()
    ):
        former = endpoint.lease_owner
        if former is None or former == who or endpoint.lease_until is None or endpoint.lease_until < now or has_died(former):
            endpoint.lease_owner, endpoint.lease_until = who, now + LEASE
            taken.append(endpoint)
    return taken


def has_died(former: str) -> bool:
    """Whether the holder was a process of this machine that is no more: its lease need not be waited for."""
    host, _, process = former.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname() or not process.isdecimal() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)  # asks only whether there is such a process
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, under another user
        return False
    return False


def settle(session: Session, entries: Sequence[Entry], now: datetime) -> dict[UUID, Receipt]:
    """Writes all entries; those of endpoints that are another's by now are left out."""
    chosen = select(Endpoint.id, Endpoint.lease_owner, Endpoint.revision).where(Endpoint.id.in_([entry.endpoint_id for entry in entries]))
    found = {row.id: row for row in session.execute(chosen.order_by(Endpoint.id).with_for_update())}
    receipts = {}
    for entry in entries:
        row = found.get(entry.endpoint_id)
        if row is None or row.lease_owner != entry.holder:
            receipts[entry.endpoint_id] = Receipt(held=False)
            continue
        _stand(session, entry, now, unchanged=row.revision == entry.revision)
        parked = _park(session, entry, now)
        receipts[entry.endpoint_id] = Receipt(True, row.revision, frozenset(parked))
    kept = [entry for entry in entries if receipts[entry.endpoint_id].held]
    if attempts := [row for entry in kept for row in entry.attempts]:
        session.connection().execute(insert(_attempted), attempts)
    for entry in kept:
        _tell(session, entry, now)
    return receipts


def _stand(session: Session, entry: Entry, now: datetime, *, unchanged: bool) -> None:
    values: Row = {"lease_until": now + LEASE, "delivered": Endpoint.delivered + entry.delivered}
    values["attempted"] = Endpoint.attempted + len(entry.attempts)
    if entry.position is not None:
        values["position"] = entry.position
    if entry.last_success_at is not None:
        values["last_success_at"] = entry.last_success_at
    if entry.last_error is not None:
        values["last_error"] = entry.last_error
    if unchanged:
        values |= entry.standing
    if entry.release:
        values |= {"lease_owner": None, "lease_until": None}
    session.execute(update(Endpoint).where(Endpoint.id == entry.endpoint_id).values(values).execution_options(synchronize_session=False))
    for replay_id, progress in entry.replays.items():
        session.execute(update(Replay).where(Replay.id == replay_id).values(progress).execution_options(synchronize_session=False))


_parked: Any = Parked.__table__  # tables, not classes: rows need none of what the ORM does for objects
_attempted: Any = Attempt.__table__
_RETRIED = (
    update(_parked)
    .where(_parked.c.endpoint_id == bindparam("of_endpoint"), _parked.c.sequence == bindparam("of_sequence"))
    .values({name: bindparam(f"to_{name}") for name in ("state", "attempts", "next_at", "held_until", "last_status", "last_error")})
)


def _park(session: Session, entry: Entry, now: datetime) -> set[UUID]:
    """Adds, changes and removes parked events, and lets those go on that nothing stands before. Returns touched entities that still have some."""
    mine = Parked.endpoint_id == entry.endpoint_id
    if entry.park:
        _insert(session, entry)
    if entry.retried:
        session.connection().execute(_RETRIED, [{f"to_{name}": value for name, value in row.items()} | _of(entry, row) for row in entry.retried])
    for some in _pieces(entry.settled):
        session.execute(delete(Parked).where(mine, Parked.sequence.in_(some)).execution_options(synchronize_session=False))
    for some in _pieces(list(entry.told)):
        told = update(Parked).where(mine, Parked.entity_id.in_(some), Parked.state == "dead").values(told=True)
        session.execute(told.execution_options(synchronize_session=False))
    if entry.hasten:
        free = or_(Parked.held_until.is_(None), Parked.held_until <= now)
        session.execute(update(Parked).where(mine, Parked.state == "waiting", free).values(next_at=now).execution_options(synchronize_session=False))
    return promote(session, entry.endpoint_id, entry.touched, now)


def _of(entry: Entry, row: Row) -> Row:
    return {"of_endpoint": entry.endpoint_id, "of_sequence": row["sequence"]}


def _insert(session: Session, entry: Entry) -> None:
    """A replay may meet what is parked already: then the older row holds."""
    rows = {row["sequence"]: row for row in entry.park}
    for some in _pieces(list(rows)):
        for known in session.scalars(select(Parked.sequence).where(Parked.endpoint_id == entry.endpoint_id, Parked.sequence.in_(some))):
            del rows[known]
    if rows:
        session.connection().execute(insert(_parked), list(rows.values()))


def promote(session: Session, endpoint_id: UUID, entities: Collection[UUID], now: datetime) -> set[UUID]:
    """The earliest parked event of each of these entities waits for its own retry from now on, where it stood behind another. Returns
    the entities that have something parked."""
    mine = Parked.endpoint_id == endpoint_id
    held: set[UUID] = set()
    for some in _pieces(list(entities)):
        first = select(Parked.entity_id, func.min(Parked.sequence)).where(mine, Parked.entity_id.in_(some), Parked.state != "dead")
        heads = {row[0]: row[1] for row in session.execute(first.group_by(Parked.entity_id))}
        held |= heads.keys()
        freed = and_(mine, Parked.sequence.in_(list(heads.values())), Parked.state == "behind")
        session.execute(update(Parked).where(freed).values(state="waiting", next_at=now).execution_options(synchronize_session=False))
    return held


def promote_all(session: Session, endpoint_id: UUID, now: datetime) -> None:
    """The same for all entities of an endpoint: whatever was done to its parked events, none is left behind nothing."""
    first = select(func.min(Parked.sequence)).where(Parked.endpoint_id == endpoint_id, Parked.state != "dead").group_by(Parked.entity_id)
    freed = and_(Parked.endpoint_id == endpoint_id, Parked.state == "behind", Parked.sequence.in_(first))
    session.execute(update(Parked).where(freed).values(state="waiting", next_at=now).execution_options(synchronize_session=False))


def _tell(session: Session, entry: Entry, now: datetime) -> None:
    """The endpoint's own events go into the log like all others; last, because the log's lock is held until the commit."""
    drafts = [Draft(kind, "endpoint", entry.endpoint_id, {"changed": sorted(after), "before": {}, "after": after}) for kind, after in entry.news]
    events.append(session, drafts, connection_id=None, change_set=uuid4(), now=now)


def _pieces(many: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (many[at : at + PAGE] for at in range(0, len(many), PAGE))
