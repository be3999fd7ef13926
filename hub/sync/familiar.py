"""Pages that are known again. Most pages of a full reading bring, byte for byte, what they brought the last time; those are neither parsed nor
compared item by item.

A page is familiar where the same slice (same arguments, options and mapping) showed a page with the same fingerprint in the last complete full pass,
in a slice that was read and understood whole, and where every row that it brought still has the digest that it got then and is neither deleted nor
hidden. That is looked up once, when a pass opens: whoever wrote one of the rows since (a poll, a webhook, a tombstone) thereby made its pages
unfamiliar. While the pass runs nobody else writes them, since it holds the connection's lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from connectors.base import Json, Page, Slice
from hub.models import FamiliarPage, Seen, SyncPass, SyncSlice
from hub.sync import store
from hub.sync.bulk import ID_BYTES, standing, upsert
from hub.sync.rows import TABLES

KINDS = frozenset({"section", "status", "task"})
"""What a familiar page may bring. Anything else on a page of tasks is a stand-in for what no list brought, and another page may have brought it."""
DIGEST = 16

Brought = Mapping[str, Mapping[UUID, bytes]]
"""By kind: {row: digest}."""


@dataclass(frozen=True, slots=True)
class _Held:
    number: int
    rows: bytes
    cursor: Json
    tasks: int


@dataclass(slots=True)
class Familiar:
    """The familiar pages of a connection: those of ``before``, the last complete full pass. ``reading``: the mapping's version and options."""

    reading: Sequence[Json] = ()
    before: UUID | None = None
    _pages: dict[tuple[str, bytes], _Held] = field(default_factory=dict)
    _bases: dict[str, bytes] = field(default_factory=dict)

    def load(self, session: Session, before: SyncPass | None) -> None:
        if before is None:
            return
        self.before = before.id
        on_it = and_(FamiliarPage.pass_id == Seen.pass_id, FamiliarPage.slice_key == Seen.slice_key, FamiliarPage.page == Seen.page)
        read_whole = and_(SyncSlice.pass_id == Seen.pass_id, SyncSlice.key == Seen.slice_key, SyncSlice.state == store.DONE)
        wanted = select(FamiliarPage, Seen.kind, Seen.ids).join(Seen, on_it).join(SyncSlice, read_whole)
        wanted = wanted.where(FamiliarPage.pass_id == before.id, Seen.kind.in_(KINDS))
        found: dict[tuple[str, int], tuple[FamiliarPage, dict[str, bytes]]] = {}
        for page, kind, ids in session.execute(wanted):
            found.setdefault((page.slice_key, page.page), (page, {}))[1][kind] = ids
        for page, seen in found.values():
            if _summed(standing(session, TABLES[kind].__table__, seen[kind]) for kind in sorted(seen)) == page.rows:
                held = _Held(page.page, page.rows, page.cursor["at"], len(seen.get("task", b"")) // ID_BYTES)
                self._pages[page.slice_key, page.fingerprint] = held

    def recognise(self, piece: Slice, fingerprint: bytes) -> Mapping[str, Json] | None:
        """For ``Sight``."""
        held = self._pages.get((piece.key, self._whole(piece, fingerprint)))
        return None if held is None else {"cursor": held.cursor}

    def keep(self, session: Session, this: SyncPass, piece: Slice, number: int, page: Page, brought: Brought) -> None:
        """Writes down a page that was understood, in its transaction, so that it is known again."""
        if page.fingerprint is None or page.opens or page.refused or page.gone or not brought.keys() <= KINDS:
            return
        rows = _summed([found[entity] for entity in sorted(found)] for _, found in sorted(brought.items()))
        self._write(session, this, piece, number, page, rows)

    def repeat(self, session: Session, this: SyncPass, piece: Slice, number: int, page: Page) -> int:
        """Counts all that a familiar page brought as seen; returns how many tasks it has."""
        held = self._pages[piece.key, self._whole(piece, page.fingerprint or b"")]
        on_it = and_(Seen.pass_id == self.before, Seen.slice_key == piece.key, Seen.page == held.number, Seen.kind.in_(KINDS))
        rows = select(Seen.kind, Seen.ids).where(on_it)
        seen = [{"pass_id": this.id, "slice_key": piece.key, "page": number, "kind": kind, "ids": ids} for kind, ids in session.execute(rows)]
        upsert(session, Seen.__table__, seen)
        self._write(session, this, piece, number, page, held.rows)
        return held.tasks

    def _write(self, session: Session, this: SyncPass, piece: Slice, number: int, page: Page, rows: bytes) -> None:
        made: dict[str, Any] = {"pass_id": this.id, "slice_key": piece.key, "page": number, "rows": rows, "cursor": {"at": page.cursor}}
        upsert(session, FamiliarPage.__table__, [made | {"fingerprint": self._whole(piece, page.fingerprint or b"")}])

    def _whole(self, piece: Slice, fingerprint: bytes) -> bytes:
        basis = self._bases.get(piece.key)
        if basis is None:
            basis = self._bases[piece.key] = orjson.dumps([*self.reading, piece.args, piece.covers], option=orjson.OPT_SORT_KEYS)
        return sha256(basis + fingerprint).digest()[:DIGEST]


def _summed(kinds: Iterable[Sequence[bytes]]) -> bytes:
    """One digest of the rows of a page, kind by kind, each in the order of the ids."""
    whole = sha256()
    for digests in kinds:
        whole.update(len(digests).to_bytes(4) + b"".join(digests))
    return whole.digest()[:DIGEST]
