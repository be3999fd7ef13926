"""Who may ask: keys for programs, users with their sessions for people; and the record of what was done."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base, JsonColumn
from hub.models.events import BigKey


class User(Base):
    """A person who logs in. ``folded_email`` is unique and looked up; ``password_hash`` (argon2id) is null until the person has chosen one,
    and for good where the log-in provider vouches for them. ``link_until``: how long the provider's log-in with this address may be joined to this
    person."""

    __tablename__ = "user"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    folded_email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    link_until: Mapped[datetime | None]


class UserIdentity(Base):
    """Who a person is at the log-in provider: its ``subject`` never changes there, as an e-mail address may. One of an issuer for each person."""

    __tablename__ = "user_identity"
    __table_args__ = (UniqueConstraint("issuer", "user_id"),)

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]


class PendingLogin(Base):
    """Somebody was sent to the log-in provider and has not come back yet. ``state`` and ``browser`` are hashes of what went along and of the cookie
    that stayed behind; the secrets of the exchange are made from those two and kept nowhere. ``attempt_id``: what throttling counts it by."""

    __tablename__ = "pending_login"

    state: Mapped[str] = mapped_column(primary_key=True)
    browser: Mapped[str]
    wanted: Mapped[str]
    attempt_id: Mapped[UUID]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ApiKey(Base):
    """A program's key: only its SHA-256 is kept (the key itself has 256 random bits, so a slow hash would protect nothing more). ``prefix`` finds the
    row. scope: full, read. A key with an owner is worth no more than that person at the moment."""

    __tablename__ = "api_key"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    role: Mapped[str]
    scope: Mapped[str] = mapped_column(default="full", server_default="full")
    owner_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class UserSession(Base):
    """A person logged in in one browser. ``id`` is the SHA-256 of the cookie's token, so the table opens no door to who reads it."""

    __tablename__ = "session"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    address: Mapped[str | None]
    agent: Mapped[str | None]
    revoked_at: Mapped[datetime | None]


class LoginAttempt(Base):
    """One try to log in that has not succeeded (yet): what throttling counts. ``account`` is a hash of what was typed, which may be anything, even a
    password in the wrong field."""

    __tablename__ = "login_attempt"
    __table_args__ = (Index("ix_login_attempt_account", "account", "at"), Index("ix_login_attempt_address", "address", "at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    account: Mapped[str]
    address: Mapped[str]


class AdminLink(Base):
    """A link that works once. ``user_id``: to choose that person's password; without one: to become an admin. Only the token's hash is kept."""

    __tablename__ = "admin_link"

    hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Audit(Base):
    """What was done, or refused. Append-only: ids without gaps, each row's ``hash`` over its content and the ``previous`` row's hash.

    actor_kind: user, key, cli, link, provider, guest, nobody. ``before`` and ``after``: what changed, ids rather than names, secrets cut out."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    actor_kind: Mapped[str]
    actor_id: Mapped[str | None]
    address: Mapped[str | None]
    action: Mapped[str]
    target: Mapped[str | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    after: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    previous: Mapped[str]
    hash: Mapped[str]
