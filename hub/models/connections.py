"""A configured account at a vendor."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class Connection(Base):
    """``realm`` is the namespace of all ids read through it: uuid5 of tool, base URL and (where the tool has one) account, fixed at the first check.

    state: active, paused, broken (a person must act), detached (removed, its rows kept). ``options``: the admin's mapping choices. ``checked``: what
    the last check found. ``lease_*``: the one run that may read this connection now. ``signing_secret``: sealed, what the vendor signs an app's
    webhooks with. auth_kind: personal_token, oauth (``secret`` then holds both tokens); ``renewal_*``: the one process that renews those now.
    ``hooks_checked_at``: when its webhooks were last compared with what the vendor has; null asks for that soon."""

    __tablename__ = "connection"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    tool: Mapped[str]
    base_url: Mapped[str]
    auth_kind: Mapped[str] = mapped_column(default="personal_token")
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    signing_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    realm: Mapped[UUID | None]
    scope: Mapped[dict[str, Any]] = mapped_column(default=dict)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    checked: Mapped[dict[str, Any] | None]
    interval_seconds: Mapped[int | None]
    state: Mapped[str] = mapped_column(default="active")
    last_error: Mapped[str | None]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    last_synced_at: Mapped[datetime | None]
    next_sync_at: Mapped[datetime | None]
    history_from: Mapped[datetime | None]
    hooks_checked_at: Mapped[datetime | None]
    renewal_owner: Mapped[str | None]
    renewal_until: Mapped[datetime | None]


class Consent(Base):
    """A person on the way to a tool, to let the hub in, and back. Gone with its first use. ``id``: SHA-256 of the state that comes back with them;
    ``verifier``: PKCE's, sealed. ``connection_id``: whose credential is to be replaced, null for a new connection. ``session_id``: the only session
    that may come back with it (null: any one of ``user_id``, who asked by an API key)."""

    __tablename__ = "consent"

    id: Mapped[str] = mapped_column(primary_key=True)
    tool: Mapped[str]
    name: Mapped[str]
    base_url: Mapped[str]
    flow: Mapped[str]
    redirect_uri: Mapped[str]
    connection_id: Mapped[UUID | None]
    verifier: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[Any]]
    user_id: Mapped[UUID | None]
    session_id: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
