"""What the PMO decided: tolerances, the calendar of work, who has how much time, and which projects count. Where nothing is set, defaults hold."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base, JsonColumn


class Policy(Base):
    """``settings``: only what differs from the defaults; ``calendar``: {working_days: ISO weekdays, minutes_a_day}. ``version`` grows with
    each change, so that two people who edit at once do not overwrite each other. There is one row, ``default``; a portfolio of its own gets
    a row of its own."""

    __tablename__ = "policy"

    key: Mapped[str] = mapped_column(primary_key=True)
    settings: Mapped[dict[str, Any]]
    calendar: Mapped[dict[str, Any]]
    version: Mapped[int]
    changed_at: Mapped[datetime]


class Holiday(Base):
    """A day on which nobody works."""

    __tablename__ = "holiday"

    policy_key: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str]


class Capacity(Base):
    """One person's own working time; null: as everybody's. ``person_id``: a person, or an identity that is nobody's yet."""

    __tablename__ = "capacity"

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    minutes_a_day: Mapped[int | None]
    working_days: Mapped[Any | None] = mapped_column(JsonColumn)


class TimeOff(Base):
    """Days on which one person does not work, first and last included."""

    __tablename__ = "time_off"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    first_on: Mapped[date]
    last_on: Mapped[date]
    note: Mapped[str | None]


class TriageRule(Base):
    """Which projects count, for those that nobody decided by hand: the first rule that fits, by ``place``. kind: name (a pattern with ``*``),
    container (an id; all below it), tool. decision: in, out."""

    __tablename__ = "triage_rule"

    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    value: Mapped[str]
    decision: Mapped[str]
