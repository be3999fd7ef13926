"""Who may ask: keys for programs. People and grants come beside them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class ApiKey(Base):
    """A program's key: only its SHA-256 is kept (the key itself has 256 random bits, so a slow hash would
    protect nothing more). ``prefix`` finds the row."""

    __tablename__ = "api_key"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    role: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
