"""The PMO's own tree, beside the tools': what it counts and reports on, whatever tools the work lies in."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class Portfolio(Base):
    """kind: portfolio, programme, initiative (what a PMO counts, the one that usually has projects). ``sponsor_id``, ``lead_id``: a person, or an
    identity that is nobody's yet. ``phase``: the PMO's own word. ``start_on``, ``due_on``: as planned. ``version`` grows with each change."""

    __tablename__ = "portfolio"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    code: Mapped[str | None] = mapped_column(unique=True)
    parent_id: Mapped[UUID | None] = mapped_column(index=True)
    sponsor_id: Mapped[UUID | None]
    lead_id: Mapped[UUID | None]
    phase: Mapped[str | None]
    start_on: Mapped[date | None]
    due_on: Mapped[date | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class PortfolioProject(Base):
    """A project that was put there by hand. It may be in several."""

    __tablename__ = "portfolio_project"

    portfolio_id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)


class PortfolioRule(Base):
    """Projects that belong there by themselves. kind: name (``pattern``: as LIKE takes it), container (``container_id``; all below it), tool
    (``value``). ``value`` is what was written."""

    __tablename__ = "portfolio_rule"

    portfolio_id: Mapped[UUID] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    value: Mapped[str]
    pattern: Mapped[str | None]
    container_id: Mapped[UUID | None]
