"""API keys: ``hub_`` + 8 characters that find the row + ``_`` + 43 characters of 256 random bits. Only the SHA-256 is kept, so a key is shown once.

A plain SHA-256 is right here: nobody can guess 256 random bits, however fast the hash is.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID, uuid4

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from hub.models import ApiKey, User

SHAPE = re.compile(r"hub_([a-z0-9]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
PREFIX_LETTERS = string.ascii_lowercase + string.digits
USE_NOTED_EVERY = timedelta(minutes=1)


class Role(StrEnum):
    ADMIN = "admin"
    PMO = "pmo"
    VIEWER = "viewer"
    CONSUMER = "consumer"


class Scope(StrEnum):
    """``read``: no method that changes anything, whatever the role."""

    FULL = "full"
    READ = "read"


GRANTS = {
    Role.ADMIN: frozenset(Role),
    Role.PMO: frozenset({Role.PMO, Role.VIEWER, Role.CONSUMER}),
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.CONSUMER: frozenset({Role.CONSUMER}),
}
"""The roles that a person's keys may have: nobody hands on more than they have."""


def create(
    session: Session,
    name: str,
    role: str,
    now: datetime,
    *,
    expires_at: datetime | None = None,
    scope: Scope = Scope.FULL,
    owner: User | None = None,
) -> str:
    """Adds a key and returns it in plain text, this once. Raises ValueError for an unknown role, one that the owner cannot hand on, an end in the
    past or an empty name."""
    if not name.strip():
        raise ValueError("a key needs a name")
    made = Role(role)
    if owner is not None and made not in GRANTS[Role(owner.role)]:
        raise ValueError(f"a key cannot have more rights than its owner, who is {owner.role}")
    if expires_at is not None and expires_at <= now:
        raise ValueError("a key's end must lie in the future")
    prefix = "".join(secrets.choice(PREFIX_LETTERS) for _ in range(8))
    key = f"hub_{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiKey(
        id=uuid4(), name=name.strip(), prefix=prefix, hash=_hash(key), role=made.value, scope=scope.value, created_at=now, expires_at=expires_at
    )
    row.owner_user_id = None if owner is None else owner.id
    session.add(row)
    session.flush()
    return key


def verify(session: Session, text: str, now: datetime) -> ApiKey | None:
    """The key's row if ``text`` is a key that is valid now."""
    shaped = SHAPE.fullmatch(text)
    if shaped is None:
        return None
    found = session.scalars(select(ApiKey).where(ApiKey.prefix == shaped[1])).one_or_none()
    if found is None or not compare_digest(found.hash, _hash(text)):
        return None
    if found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= now):
        return None
    if found.owner_user_id is not None and not _vouched_for(session.get_one(User, found.owner_user_id), found):
        return None
    return found


def _vouched_for(owner: User, key: ApiKey) -> bool:
    """Whether the owner could hand this key out today."""
    return owner.disabled_at is None and Role(key.role) in GRANTS[Role(owner.role)]


def prefix_of(text: str) -> str | None:
    """What may be told of a key that was refused: its first characters, if it has the shape of one."""
    shaped = SHAPE.fullmatch(text)
    return shaped[1] if shaped else None


def use_is_due(key: ApiKey, now: datetime) -> bool:
    """Whether the key's last use is to be written again; at most once a minute, because every reading would else be a writing."""
    return key.last_used_at is None or key.last_used_at <= now - USE_NOTED_EVERY


def note_use(session: Session, key_id: UUID, now: datetime) -> None:
    """Two requests at once write it once."""
    due = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - USE_NOTED_EVERY)
    session.execute(update(ApiKey).where(ApiKey.id == key_id, due).values(last_used_at=now))


def listed(session: Session) -> Sequence[ApiKey]:
    """All keys, newest first; their secrets are not to be had."""
    return session.scalars(select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.prefix)).all()


def revoke(session: Session, prefix: str, now: datetime) -> bool:
    """Ends a key at once; False where no living key has that prefix."""
    ended = session.execute(update(ApiKey).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None)).values(revoked_at=now))
    return bool(ended.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def _hash(key: str) -> bytes:
    return sha256(key.encode()).digest()
