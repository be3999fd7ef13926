"""The audit log: who did what, when, from where. Rows are added in the transaction of the act itself wherever the act is the hub's own.

Each row's hash covers its content and the hash before it, and ids have no gaps: a row that is changed, taken out or slipped in later is found by
``verify``. Whoever may write to the database can still cut off the newest rows, or write the whole log anew; therefore every row is told to the log
of the process too, and ``verify`` shows the newest hash, which can be kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from hub import log
from hub.access.who import Who
from hub.models import Audit

START = "0" * 64
CHAIN_LOCK = 7_201_126
"""One writer of the chain at a time on PostgreSQL; on SQLite every writer is alone anyway."""
LONGEST = 500
DEPTH = 6
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Actor:
    """kind: user, key, cli, link, provider (on the log-in provider's word), guest, nobody. ``address``: where from, null at the command line."""

    kind: str
    id: str | None
    address: str | None = None


def actor(who: Who | None, address: str | None) -> Actor:
    if who is None:
        return Actor("nobody", None, address)
    found = who.user_id or who.key_id
    return Actor(who.kind, None if found is None else str(found), address)


def add(
    session: Session,
    by: Actor,
    action: str,
    target: str | None,
    now: datetime,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Writes one row in the caller's transaction, and tells the log."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CHAIN_LOCK})
    last = session.execute(select(Audit.id, Audit.hash).order_by(Audit.id.desc()).limit(1)).one_or_none()
    row = Audit(
        id=(last.id if last else 0) + 1,
        at=now.astimezone(UTC),
        actor_kind=by.kind,
        actor_id=by.id,
        address=by.address,
        action=action,
        target=None if target is None else log.without_secrets(target)[:LONGEST],
        before=None if before is None else redacted(before),
        after=None if after is None else redacted(after),
        previous=last.hash if last else START,
    )
    row.hash = fingerprint(row)
    session.add(row)
    session.flush()
    log.get("audit").info("audit", **shape(row))


def shape(row: Audit) -> dict[str, Any]:
    names = ("id", "at", "actor_kind", "actor_id", "address", "action", "target", "before", "after", "previous", "hash")
    return {name: getattr(row, name).isoformat() if name == "at" else getattr(row, name) for name in names}


def fingerprint(row: Audit) -> str:
    content = {name: value for name, value in shape(row).items() if name != "hash"}
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def redacted(value: Any, depth: int = DEPTH) -> Any:
    """A value as the log may keep it: no secrets, of addresses only the host, of headers only the names, long texts cut, nothing that JSON or a
    database would write differently from how it reads it."""
    if depth == 0:
        return "..."
    if isinstance(value, Mapping):
        return {str(name)[:100]: _under(str(name), inner, depth) for name, inner in list(value.items())[:100]}
    if isinstance(value, (list, tuple, set)):
        return [redacted(each, depth - 1) for each in list(value)[:100]]
    if value is None or (isinstance(value, int) and abs(value) < 2**53):
        return value
    words = str(log.without_secrets(str(value))).replace("\x00", "")
    if "://" in words:
        parts = urlsplit(words)
        words = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/..."
    return words if len(words) <= LONGEST else words[:LONGEST] + "..."


def _under(name: str, value: Any, depth: int) -> Any:
    if log.SECRET.search(name):
        return log.HIDDEN
    if name == "headers" and isinstance(value, Mapping):
        return sorted(map(str, value))
    return redacted(value, depth - 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``broken``: the first row that is not as it was written, or whose neighbour is missing; None where all is well. ``lacks_head``: the hash asked
    for is not in the log."""

    rows: int
    head: str
    broken: int | None
    lacks_head: bool = False


def verify(session: Session, known: str | None = None) -> Verdict:
    """Reads the whole log in order and computes every hash anew. ``known``: a hash that must be among them."""
    rows, head, met = 0, START, known in (None, START)
    for row in walk(session):
        rows += 1
        if row.id != rows or row.previous != head or row.hash != fingerprint(row):
            return Verdict(rows, head, rows)
        head = row.hash
        met = met or head == known
    return Verdict(rows, head, None, lacks_head=not met)


def walk(session: Session, *, after: int = 0) -> Iterator[Audit]:
    """All rows, oldest first, a page at a time in memory."""
    while page := session.scalars(select(Audit).where(Audit.id > after).order_by(Audit.id).limit(PAGE)).all():
        yield from page
        after = page[-1].id
        session.expunge_all()
