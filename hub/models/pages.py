"""What people keep of the pages."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class SavedView(Base):
    """A page's address under a name. It holds no rows and gives no rights: whoever opens it sees what they may see anyway.

    ``owner``: ``user:ID``, ``key:ID`` (a key that is nobody's), or ``guest`` (everybody at the demo's machine). ``page``: the path; ``query``: its
    filters, sorting and zoom as they stand in the address. ``shared``: everybody finds it."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("owner", "page", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    page: Mapped[str]
    query: Mapped[str]
    shared: Mapped[bool] = mapped_column(index=True)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
