"""Which columns hold what the vault has sealed: one list, so that a lost key is noticed wherever it is missed and a new key reaches everything.

A sealed column's ciphertext is bound to ``TABLE:ID:COLUMN``. The first bytes of it name its key, so which keys are in use is asked of the database
without opening anything. Re-sealing goes in small transactions, each over rows that it has locked; a row that somebody seals anew meanwhile is sealed
with that process's own first key, and counted at the end like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from hub import models
from hub.db import Database
from hub.settings import Settings
from hub.vault import PREFIX_BYTES, Vault, VaultError, open_vault

Column = InstrumentedAttribute[Any]

COLUMNS: tuple[Column, ...] = (
    models.Connection.secret,
    models.Connection.signing_secret,
    models.Endpoint.secret,
    models.Endpoint.previous_secret,
    models.Endpoint.headers,
    models.Hook.secret,
    models.Consent.verifier,
)
"""Every column whose content comes from ``Vault.seal``."""

BATCH = 50
"""Rows locked at once: a few milliseconds' work, so that nobody waits."""


def bound_to(column: Column, row_id: UUID | str) -> str:
    """What the ciphertext of one row's column is bound to."""
    return f"{column.class_.__tablename__}:{row_id}:{column.key}"


def name_of(column: Column) -> str:
    return f"{column.class_.__tablename__}.{column.key}"


def any_row(session: Session) -> bool:
    """Whether anything is stored that only the vault's key opens: then a lost key must never be replaced by a new one."""
    return any(session.scalar(select(column.is_not(None)).where(column.is_not(None)).limit(1)) for column in COLUMNS)


@dataclass(slots=True)
class Count:
    """Sealed values of one column, by key: the vault's first one, another of its keys, a key that is not at hand."""

    current: int = 0
    former: int = 0
    unreadable: int = 0

    @property
    def total(self) -> int:
        return self.current + self.former + self.unreadable


def count(session: Session, vault: Vault) -> dict[str, Count]:
    """By column, without opening anything."""
    found = {}
    for column in COLUMNS:
        counted = found[name_of(column)] = Count()
        prefix = func.substr(column, 1, PREFIX_BYTES)
        for head, rows in session.execute(select(prefix, func.count()).where(column.is_not(None)).group_by(prefix)):
            if vault.seals_like(bytes(head)):
                counted.current += rows
            elif vault.knows(bytes(head)):
                counted.former += rows
            else:
                counted.unreadable += rows
    return found


def vault_of(session: Session, settings: Settings) -> Vault:
    """The vault of this installation. Raises VaultError where nothing that is stored opens with the keys at hand: whatever would be sealed then would
    bury the loss."""
    vault = open_vault(settings, sealed_rows=any_row(session))
    counts = count(session, vault).values()
    unreadable, total = sum(each.unreadable for each in counts), sum(each.total for each in counts)
    if total and unreadable == total:
        raise VaultError(
            f"none of the {total} stored secrets opens with the key at hand: put the key that they were sealed with (back) into HUB_SECRET_KEYS, "
            "or into the key file beside the database; nothing was changed"
        )
    return vault


@dataclass(slots=True)
class Resealed:
    """What a rotation did. ``problems``: a sentence for each value that no key at hand opens."""

    resealed: int = 0
    problems: list[str] = field(default_factory=list)


def reseal(database: Database, vault: Vault, watch: Callable[[int], None] = lambda _rows: None) -> Resealed:
    """Seals everything with the vault's first key; what is sealed with it already stays as it is, so an interrupted rotation just goes on. ``watch``
    is told how many rows were looked at, after each transaction."""
    done = Resealed()
    for column in COLUMNS:
        after: Any = None
        while True:
            with database.writing() as session:
                ids = list(_some(session, vault, column, after, done))
            if not ids:
                break
            after = ids[-1]
            watch(len(ids))
    return done


def _some(session: Session, vault: Vault, column: Column, after: Any, done: Resealed) -> Iterator[Any]:
    """Locks the next rows, re-seals what needs it, and gives their ids."""
    table = column.class_
    wanted = select(table).where(column.is_not(None)).order_by(table.id).limit(BATCH).with_for_update()
    for row in session.scalars(wanted if after is None else wanted.where(table.id > after)).all():
        sealed = getattr(row, column.key)
        if not vault.seals_like(sealed):
            try:
                plain = vault.open(sealed, bound_to=bound_to(column, row.id))
            except VaultError as error:
                done.problems.append(f"{name_of(column)} of {row.id}: {error}")
            else:
                setattr(row, column.key, vault.seal(plain, bound_to=bound_to(column, row.id)))
                done.resealed += 1
        yield row.id
