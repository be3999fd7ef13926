"""What the PMO decided, read and written: tolerances, rules, the calendar of work, people's time. Where nothing was decided, the defaults here hold.
A portfolio may have a policy of its own, which stands for the whole of everybody's; what lies below it has the same unless it has one too. Triage and
people's time are everybody's.

Stored is only what was set, so that a later release may choose a better default for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from hub.models import Capacity, Holiday, Portfolio, TimeOff, TriageRule
from hub.models import Policy as Row
from hub.portfolio.texts import Text
from hub.portfolio.workdays import Workdays

DEFAULT = "default"
DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class RuleName(StrEnum):
    MILESTONE_OVERDUE = "milestone_overdue"
    MILESTONE_SLIPPED = "milestone_slipped"
    PROJECT_OVERDUE = "project_overdue"
    OVERDUE_SHARE = "overdue_share"
    BLOCKED_SHARE = "blocked_share"
    STALE_SHARE = "stale_share"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rule(Strict):
    """A rule says amber or red once its value reaches the number; null: it never says so."""

    on: bool = True
    amber: float | None = Field(default=None, ge=0)
    red: float | None = Field(default=None, ge=0)


DEFAULT_RULES: dict[RuleName, Rule] = {
    RuleName.MILESTONE_OVERDUE: Rule(amber=1, red=7),
    RuleName.MILESTONE_SLIPPED: Rule(amber=1, red=14),
    RuleName.PROJECT_OVERDUE: Rule(amber=1, red=14),
    RuleName.OVERDUE_SHARE: Rule(amber=10, red=25),
    RuleName.BLOCKED_SHARE: Rule(amber=20, red=50),
    RuleName.STALE_SHARE: Rule(amber=50),
}


def _domain(text: str) -> str:
    found = text.strip().lower().removeprefix("@")
    if not DOMAIN.fullmatch(found):
        raise ValueError("a domain looks like example.org")
    return found


Domain = Annotated[str, AfterValidator(_domain)]


class Policy(Strict):
    """``slip_days``: how far back slips are looked for where nobody asks for a date. ``estimate_share``: from which share of tasks with an
    estimate on progress goes by estimate. ``dated_share``: below this share of open tasks with a due date a project without any alarm is
    grey and not green. ``own_domains``: users of several tools with the same e-mail address there are one person, guests left out."""

    due_soon_days: int = Field(default=7, ge=0, le=365)
    stale_days: int = Field(default=14, ge=1, le=3650)
    slip_days: int = Field(default=30, ge=1, le=3650)
    estimate_share: float = Field(default=0.7, gt=0, le=1)
    dated_share: float = Field(default=0.3, ge=0, le=1)
    unknown_share: float = Field(default=0.5, ge=0, le=1)
    rules: dict[RuleName, Rule] = {}
    own_domains: tuple[Domain, ...] = Field(default=(), max_length=50)

    def rule(self, name: RuleName) -> Rule:
        return self.rules.get(name, DEFAULT_RULES[name])

    def complete(self) -> Policy:
        """With every rule in it, those that nobody set as they are by default."""
        return self.model_copy(update={"rules": {name: self.rule(name) for name in RuleName}})


def _week(days: tuple[int, ...]) -> tuple[int, ...]:
    if not set(days) <= set(range(1, 8)):
        raise ValueError("weekdays are ISO numbers: 1 is the day after Sunday, 7 is Sunday")
    return tuple(sorted(set(days)))


Weekdays = Annotated[tuple[int, ...], Field(max_length=7), AfterValidator(_week)]
Minutes = Annotated[int, Field(ge=0, le=24 * 60)]


class HolidayShape(Strict):
    day: date
    name: Text = Field(max_length=200)


class CapacityShape(Strict):
    """``person_id``: a person, or a tool's user who is nobody's yet. Null: as everybody's."""

    person_id: UUID
    minutes_a_day: Minutes | None = None
    working_days: Weekdays | None = None


class TimeOffShape(Strict):
    person_id: UUID
    first_on: date
    last_on: date
    note: Text | None = Field(default=None, max_length=200)

    @model_validator(mode="after")
    def _forwards(self) -> TimeOffShape:
        if self.last_on < self.first_on:
            raise ValueError("time off ends before it begins")
        return self


class Calendar(Strict):
    """``working_days``: ISO numbers, 1 begins the week. ``people`` and ``time_off`` say who has other hours, and who is away."""

    working_days: Annotated[Weekdays, Field(min_length=1)] = (1, 2, 3, 4, 5)
    minutes_a_day: Minutes = 8 * 60
    holidays: tuple[HolidayShape, ...] = Field(default=(), max_length=5000)
    people: tuple[CapacityShape, ...] = Field(default=(), max_length=5000)
    time_off: tuple[TimeOffShape, ...] = Field(default=(), max_length=20_000)

    @model_validator(mode="after")
    def _once(self) -> Calendar:
        for name, keys in (("a holiday", [each.day for each in self.holidays]), ("a person", [each.person_id for each in self.people])):
            if len(set(keys)) < len(keys):
                raise ValueError(f"{name} is given twice")
        return self

    def workdays(self) -> Workdays:
        return Workdays.of(self.working_days, [each.day for each in self.holidays])


class RuleKind(StrEnum):
    NAME = "name"
    CONTAINER = "container"
    TOOL = "tool"


class Decision(StrEnum):
    IN = "in"
    OUT = "out"


class TriageRuleShape(Strict):
    """``value``: a name in which ``*`` stands for anything, a container's id (all below it is meant), or a tool. Case does not matter in names."""

    kind: RuleKind
    value: Text = Field(min_length=1)
    decision: Decision

    @model_validator(mode="after")
    def _names_something(self) -> TriageRuleShape:
        if self.kind is RuleKind.CONTAINER:
            UUID(self.value)
        return self


class Stale(Exception):
    """Somebody else has changed the policy since it was read."""


class Decided(Strict):
    """All that was decided. ``version`` 0 and ``changed_at`` null: nothing yet, these are the defaults."""

    policy: Policy
    calendar: Calendar
    triage_rules: tuple[TriageRuleShape, ...]
    version: int
    changed_at: datetime | None


def key_of(session: Session, portfolio_id: UUID) -> str:
    """The key of the policy that holds for a portfolio: its own, else that of the nearest one above it that has one, else everybody's."""
    parents: dict[UUID, UUID | None] = {key: parent for key, parent in session.execute(select(Portfolio.id, Portfolio.parent_id))}  # noqa: C416  to the type checker a row is no pair
    keys = set(session.scalars(select(Row.key)))
    at: UUID | None = portfolio_id
    while at is not None and str(at) not in keys:
        at = parents.pop(at, None)  # taken out: a circle ends
    return DEFAULT if at is None else str(at)


def load(session: Session, key: str = DEFAULT) -> Policy:
    """The tolerances and rules that hold; one statement."""
    found = session.execute(select(Row.settings).where(Row.key == key)).scalar()
    return Policy.model_validate(found or {})


def calendar(session: Session, key: str = DEFAULT) -> Calendar:
    """The calendar that holds, with everybody's own hours; a fixed number of statements."""
    found = session.execute(select(Row.calendar).where(Row.key == key)).scalar()
    days = session.execute(select(Holiday.day, Holiday.name).where(Holiday.policy_key == key).order_by(Holiday.day)).mappings()
    people = session.execute(select(Capacity.person_id, Capacity.minutes_a_day, Capacity.working_days).order_by(Capacity.person_id)).mappings()
    away = select(TimeOff.person_id, TimeOff.first_on, TimeOff.last_on, TimeOff.note).order_by(TimeOff.first_on, TimeOff.person_id, TimeOff.id)
    beside = {"holidays": [*days], "people": [*people], "time_off": [*session.execute(away).mappings()]}
    return Calendar.model_validate({**(found or {}), **{name: [dict(row) for row in rows] for name, rows in beside.items()}})


def triage_rules(session: Session) -> tuple[TriageRuleShape, ...]:
    rows = session.execute(select(TriageRule.kind, TriageRule.value, TriageRule.decision).order_by(TriageRule.place)).mappings()
    return tuple(TriageRuleShape.model_validate(dict(row)) for row in rows)


def decided(session: Session, key: str = DEFAULT) -> Decided:
    row = session.get(Row, key)
    return Decided(
        policy=load(session, key).complete(),
        calendar=calendar(session, key),
        triage_rules=triage_rules(session),
        version=row.version if row else 0,
        changed_at=row.changed_at if row else None,
    )


def save(
    session: Session,
    now: datetime,
    *,
    policy: Policy | None = None,
    calendar: Calendar | None = None,
    triage_rules: Sequence[TriageRuleShape] | None = None,
    version: int | None = None,
    key: str = DEFAULT,
) -> None:
    """Replaces the given parts, in the caller's transaction. ``version``: the one that the change was made upon; raises Stale where it is
    no longer that."""
    row = session.get(Row, key, with_for_update=True)
    if version is not None and version != (row.version if row else 0):
        raise Stale
    if row is None:
        row = Row(key=key, settings={}, calendar={}, version=0)
        session.add(row)
    row.version, row.changed_at = row.version + 1, now
    if policy is not None:
        row.settings = policy.model_dump(mode="json", exclude_unset=True)
    if calendar is not None:
        row.calendar = calendar.model_dump(mode="json", include={"working_days", "minutes_a_day"}, exclude_unset=True)
        session.execute(delete(Holiday).where(Holiday.policy_key == key))
        if calendar.holidays:
            session.execute(insert(Holiday), [{"policy_key": key, **each.model_dump()} for each in calendar.holidays])
    if calendar is not None and key == DEFAULT:
        _replace(session, Capacity, [each.model_dump() for each in calendar.people])
        _replace(session, TimeOff, [{"id": uuid4(), **each.model_dump()} for each in calendar.time_off])
    if triage_rules is not None:
        _replace(session, TriageRule, [{"place": place, **each.model_dump(mode="json")} for place, each in enumerate(triage_rules)])
    session.flush()


def add_holidays(session: Session, now: datetime, found: Mapping[date, str]) -> int:
    """Adds the days that are not there yet, renames those that are; returns how many are new."""
    held = calendar(session)
    names = {each.day: each.name for each in held.holidays}
    merged = tuple(HolidayShape(day=day, name=name[:200]) for day, name in sorted((names | dict(found)).items()))
    kept = {name: getattr(held, name) for name in held.model_fields_set if name != "holidays"}
    save(session, now, calendar=Calendar(**kept, holidays=merged))
    return len(merged) - len(names)


def _replace(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    session.execute(delete(table))
    if rows:
        session.execute(insert(table), rows)
