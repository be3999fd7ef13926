"""Where a pass stands: its slices, their cursors, the ids seen. Every function works in the caller's transaction.

A pass is one reading of everything and may take several runs: a finished slice is not read again in the same pass.
After 24 hours an unfinished pass is given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from connectors.base import STRUCTURE, Json, Slice
from connectors.errors import ConnectorError, NotFound, Refused
from connectors.records import Ref
from hub.models import FamiliarPage, Missing, Seen, SyncPass, SyncSlice
from hub.sync.bulk import ID_BYTES, upsert
from hub.sync.runs import FULL

PASS_LIFE = timedelta(hours=24)
OPEN, DONE, FAILED, REFUSED = "open", "done", "failed", "refused"
UNREADABLE = "an object could not be understood"
ATTEMPTS = 2
"""Runs of one pass that a failing slice is read in; then the pass is closed without it."""
KEYS_AT_ONCE = 1000
"""Few enough for any database's limit on parameters: a page may open a slice for every task."""
PARTITION = 100_000
"""Ids held in memory at once while a pass is looked through."""
BY_ID = "by id"
"""In place of a slice's key, for what was read by id."""


@dataclass(frozen=True, slots=True)
class Position:
    """A slice still to be read, and the cursor after its last kept page (None: from its start)."""

    piece: Slice
    cursor: Json | None
    pages: int


def open_pass(session: Session, connection_id: UUID, kind: str, now: datetime, *, anew: bool = False) -> tuple[SyncPass, bool, bool]:
    """The pass to go on with, whether its roots are still to be named, and whether it had begun before. A full one goes on with all that it has; any
    other begins at the marks again, and keeps only the slices that its pages had opened and nobody has read."""
    found = open_full(session, connection_id) if kind == FULL else _open_other(session, connection_id)
    if found and not anew and now - found.started_at < PASS_LIFE:
        if kind == FULL:
            return found, False, True
        _keep_opened(session, found.id)
        found.kind, found.started_at = kind, now
        return found, True, True
    if found:
        _abandon(session, found)
    if kind == FULL and (other := _open_other(session, connection_id)):
        _abandon(session, other)  # what its pages had opened is read now
    last = session.scalar(select(func.max(SyncPass.number)).where(SyncPass.connection_id == connection_id)) or 0
    made = SyncPass(id=uuid4(), connection_id=connection_id, number=last + 1, kind=kind, started_at=now, completed_at=None, state=OPEN)
    session.add(made)
    session.flush()
    return made, True, False


def open_full(session: Session, connection_id: UUID) -> SyncPass | None:
    """The full pass that has begun and is not complete."""
    return session.scalars(_opened(connection_id).where(SyncPass.kind == FULL)).first()


def _open_other(session: Session, connection_id: UUID) -> SyncPass | None:
    return session.scalars(_opened(connection_id).where(SyncPass.kind != FULL)).first()


def _opened(connection_id: UUID) -> Select[SyncPass]:
    return select(SyncPass).where(SyncPass.connection_id == connection_id, SyncPass.state == OPEN)


def _abandon(session: Session, found: SyncPass) -> None:
    found.state = "abandoned"
    _forget(session, [found.id])
    session.execute(delete(Missing).where(Missing.connection_id == found.connection_id, Missing.since_pass == found.number))


def _keep_opened(session: Session, pass_id: UUID) -> None:
    """Containers and feeds are read again from where the marks stand now; a project that a page had opened is gone on with."""
    again = or_(SyncSlice.root, SyncSlice.phase == STRUCTURE)
    keys = select(SyncSlice.key).where(SyncSlice.pass_id == pass_id, again)
    session.execute(delete(Seen).where(Seen.pass_id == pass_id, Seen.slice_key.in_(keys)))
    session.execute(delete(SyncSlice).where(SyncSlice.pass_id == pass_id, again))


def add_slices(session: Session, pass_id: UUID, slices: Sequence[Slice], *, root: bool = False) -> list[Slice]:
    """Opens the slices that this pass does not have yet, and returns those."""
    if not slices:
        return []
    by_key = {piece.key: piece for piece in slices}
    keys, held = list(by_key), set[str]()
    for start in range(0, len(keys), KEYS_AT_ONCE):
        part = keys[start : start + KEYS_AT_ONCE]
        held.update(session.scalars(select(SyncSlice.key).where(SyncSlice.pass_id == pass_id, SyncSlice.key.in_(part))))
    fresh = [piece for key, piece in by_key.items() if key not in held]
    rows = [
        {
            "pass_id": pass_id,
            "key": p.key,
            "label": p.label,
            "phase": p.phase,
            "args": dict(p.args),
            "covers": list(p.covers),
            "refused": {},
            "cursor": None,
            "state": OPEN,
            "pages": 0,
            "root": root,
            "error": None,
        }
        for p in fresh
    ]
    upsert(session, SyncSlice.__table__, rows)
    return fresh


def to_read(session: Session, pass_id: UUID) -> list[Position]:
    """The slices that are open, or failed in an earlier run."""
    found = session.scalars(
        select(SyncSlice).where(SyncSlice.pass_id == pass_id, SyncSlice.state.in_((OPEN, FAILED))).order_by(SyncSlice.phase, SyncSlice.key)
    )
    return [Position(Slice(s.key, s.label, s.phase, s.args, tuple(s.covers)), s.cursor["at"] if s.cursor else None, s.pages) for s in found]


@dataclass(frozen=True, slots=True)
class Kept:
    """A page that was kept: the ids seen on it, the slice's cursor behind it (None: the slice is
    complete), and whether all of the slice was understood."""

    key: str
    page: int
    cursor: Json | None
    seen: Mapping[str, Sequence[UUID]]
    refused: Mapping[str, ConnectorError]
    understood: bool = True


_slices: Any = SyncSlice.__table__
_MOVE = (
    update(_slices)
    .where(_slices.c.pass_id == bindparam("of_pass"), _slices.c.key == bindparam("of_key"))
    .values(
        pages=bindparam("page"),
        cursor=bindparam("at"),
        state=bindparam("now"),
        error=bindparam("why"),
        failures=_slices.c.failures + bindparam("failed"),
    )
)


def move(session: Session, pass_id: UUID, kept: Kept) -> None:
    """Writes down a kept page, in its transaction."""
    rows = [
        {"pass_id": pass_id, "slice_key": kept.key, "page": kept.page, "kind": kind, "ids": b"".join([each.bytes for each in ids])}
        for kind, ids in kept.seen.items()
        if ids
    ]
    upsert(session, Seen.__table__, rows)
    state = OPEN if kept.cursor is not None else DONE if kept.understood else FAILED
    values = {"page": kept.page + 1, "at": None if kept.cursor is None else {"at": kept.cursor}, "now": state}
    session.connection().execute(
        _MOVE, {"of_pass": pass_id, "of_key": kept.key, "why": UNREADABLE if state == FAILED else None, "failed": int(state == FAILED), **values}
    )
    if kept.refused:
        where = (SyncSlice.pass_id == pass_id, SyncSlice.key == kept.key)
        held = session.scalar(select(SyncSlice.refused).where(*where)) or {}
        session.execute(update(SyncSlice).where(*where).values(refused=held | {ref: reason(error) for ref, error in kept.refused.items()}))


def refuse(session: Session, pass_id: UUID, piece: Slice, error: ConnectorError) -> None:
    """Writes a whole slice's refusal on everything that it was to cover."""
    session.execute(
        update(SyncSlice).where(SyncSlice.pass_id == pass_id, SyncSlice.key == piece.key).values(refused={ref: reason(error) for ref in piece.covers})
    )


def refuse_by_id(session: Session, pass_id: UUID, refs: Iterable[Ref]) -> None:
    """Writes down what a read by id was refused, as if a slice had been to cover it."""
    reasons = {ref: {"error": "the tool lists it no more and refuses to show it", "access": True, "refusal": True} for ref in refs}
    if not reasons:
        return
    add_slices(session, pass_id, [Slice(BY_ID, BY_ID, 0)])
    held = session.scalar(select(SyncSlice.refused).where(SyncSlice.pass_id == pass_id, SyncSlice.key == BY_ID)) or {}
    reasons |= held
    session.execute(
        update(SyncSlice).where(SyncSlice.pass_id == pass_id, SyncSlice.key == BY_ID).values(state=DONE, refused=reasons, covers=sorted(reasons))
    )


def covered(session: Session, pass_id: UUID) -> set[Ref]:
    """Everything that some slice of the pass covers, read or not."""
    return {ref for covers in session.scalars(select(SyncSlice.covers).where(SyncSlice.pass_id == pass_id)) for ref in covers}


def saw(session: Session, pass_id: UUID, seen: Mapping[str, Sequence[UUID]]) -> None:
    """Adds things that were read by id, outside any slice, to what the pass saw."""
    for kind, ids in seen.items():
        page = session.scalar(select(func.count()).select_from(Seen).where(Seen.pass_id == pass_id, Seen.slice_key == BY_ID, Seen.kind == kind)) or 0
        if ids:
            session.execute(insert(Seen).values(pass_id=pass_id, slice_key=BY_ID, page=page, kind=kind, ids=b"".join(each.bytes for each in ids)))


def reason(error: ConnectorError) -> dict[str, Any]:
    """``access``: the credential may not read it. ``refusal``: that, or it is not there; else a fault that time or we must mend."""
    return {"error": str(error), "access": isinstance(error, Refused), "refusal": isinstance(error, Refused | NotFound)}


def close(session: Session, pass_id: UUID, key: str, state: str, error: str | None = None, *, restart: bool = False) -> None:
    """Ends a slice in this run. ``restart``: the next run reads it from its start."""
    values: dict[str, Any] = {"state": state, "error": error, "failures": SyncSlice.failures + int(state == FAILED)}
    if restart:
        values["cursor"] = None
    session.execute(update(SyncSlice).where(SyncSlice.pass_id == pass_id, SyncSlice.key == key).values(values))


def unread(session: Session, pass_id: UUID) -> bool:
    """Whether the pass still has slices worth another run: not those that failed in two runs already,
    or one garbled body would stop everything else."""
    again = or_(SyncSlice.state == OPEN, and_(SyncSlice.state == FAILED, SyncSlice.failures < ATTEMPTS))
    return session.scalar(select(SyncSlice.key).where(SyncSlice.pass_id == pass_id, again).limit(1)) is not None


def last_complete(session: Session, connection_id: UUID, kinds: Sequence[str] = (FULL,)) -> SyncPass | None:
    """The newest complete pass of these kinds; absence is only ever judged against a full one."""
    wanted = select(SyncPass).where(SyncPass.connection_id == connection_id, SyncPass.state == "complete", SyncPass.kind.in_(kinds))
    return session.scalars(wanted.order_by(SyncPass.number.desc()).limit(1)).first()


def is_open(session: Session, pass_id: UUID) -> bool:
    return session.scalar(select(SyncPass.state).where(SyncPass.id == pass_id)) == OPEN


def complete(session: Session, this: SyncPass, now: datetime) -> None:
    """Closes a pass and forgets what others saw: only the last complete full one is ever compared with."""
    session.execute(update(SyncPass).where(SyncPass.id == this.id).values(state="complete", completed_at=now))
    others = select(SyncPass.id).where(SyncPass.connection_id == this.connection_id, SyncPass.id != this.id, SyncPass.state != OPEN)
    _forget(session, others if this.kind == FULL else [this.id])


def _forget(session: Session, passes: Any) -> None:
    """``passes``: ids, or a query of ids: passes are kept for ever, so their number is no number of parameters."""
    session.execute(delete(Seen).where(Seen.pass_id.in_(passes)))
    session.execute(delete(FamiliarPage).where(FamiliarPage.pass_id.in_(passes)))
    session.execute(delete(SyncSlice).where(SyncSlice.pass_id.in_(passes)))


def seen_ids(session: Session, pass_id: UUID, kind: str, key: str | None = None) -> Iterator[tuple[str, bytes]]:
    """(slice key, 16-byte id) of everything of one kind that a pass saw; streams, so memory does not grow with it."""
    wanted = select(Seen.slice_key, Seen.ids).where(Seen.pass_id == pass_id, Seen.kind == kind)
    if key is not None:
        wanted = wanted.where(Seen.slice_key == key)
    for slice_key, ids in session.execute(wanted.execution_options(yield_per=200)):
        for start in range(0, len(ids), ID_BYTES):
            yield slice_key, ids[start : start + ID_BYTES]


def count_seen(session: Session, pass_id: UUID, kind: str) -> int:
    """How many different things of a kind the pass saw (a task in three projects is one); in partitions, so memory stays flat."""
    rows = session.scalar(select(func.coalesce(func.sum(func.length(Seen.ids)), 0)).where(Seen.pass_id == pass_id, Seen.kind == kind)) or 0
    parts = int(rows) // ID_BYTES // PARTITION + 1
    return sum(len({entity for _, entity in seen_ids(session, pass_id, kind) if entity[0] % parts == part}) for part in range(parts))
