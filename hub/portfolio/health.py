"""A project's colour by the policy's rules, with what caused it, beside the colour that its team declared. Pure.

Each rule has one number; it says red or amber once the number reaches what the policy says. The worst that any rule says is the colour. Where none
says anything, the project is green if there is enough to judge by, else grey. What is merely missing (owner, estimate, report) makes no project red.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from connectors.records import StatusCategory
from hub.portfolio.policy import Policy, RuleName
from hub.portfolio.tally import BACKLOG, Tally


class Colour(StrEnum):
    RED = "red"
    AMBER = "amber"
    GREEN = "green"
    GREY = "grey"


WORST_FIRST = (Colour.RED, Colour.AMBER, Colour.GREY, Colour.GREEN)
UNITS: Mapping[RuleName, str] = {
    RuleName.MILESTONE_OVERDUE: "days",
    RuleName.MILESTONE_SLIPPED: "days",
    RuleName.PROJECT_OVERDUE: "days",
    RuleName.OVERDUE_SHARE: "percent of open tasks",
    RuleName.BLOCKED_SHARE: "percent of open tasks",
    RuleName.STALE_SHARE: "percent of open tasks outside the backlog",
}
WORDS: Mapping[RuleName, str] = {
    RuleName.MILESTONE_OVERDUE: "a milestone is overdue",
    RuleName.MILESTONE_SLIPPED: "a milestone has slipped",
    RuleName.PROJECT_OVERDUE: "the project is past its own due date",
    RuleName.OVERDUE_SHARE: "many tasks are overdue",
    RuleName.BLOCKED_SHARE: "many tasks are blocked",
    RuleName.STALE_SHARE: "many tasks have not changed for long",
}
DECLARED: Mapping[str, Colour] = {
    "on_track": Colour.GREEN,
    "complete": Colour.GREEN,
    "green": Colour.GREEN,
    "at_risk": Colour.AMBER,
    "yellow": Colour.AMBER,
    "amber": Colour.AMBER,
    "off_track": Colour.RED,
    "red": Colour.RED,
    "on_hold": Colour.GREY,
}
"""The words that teams use for their own colour. Any other word is shown as it is, without a colour."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A rule that said something. ``value``, ``limit``: in the rule's unit."""

    rule: RuleName
    colour: Colour
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """``causes``: the red ones first. ``missing``: why the project is grey, in words."""

    colour: Colour
    causes: tuple[Cause, ...]
    missing: tuple[str, ...]


def judge(tally: Tally, due_on: date | None, today: date, policy: Policy, *, synced: bool = True) -> Verdict:
    """A project's colour: the worst that any rule of the policy says (red before amber). If none says anything: grey where there is not enough to
    judge by (nothing read yet, no task, too few due dates, too many statuses that nobody has explained), else green."""
    causes = tuple(sorted(_causes(tally, due_on, today, policy), key=lambda cause: cause.colour is not Colour.RED))
    missing = tuple(_missing(tally, due_on, policy, synced))
    if causes:
        return Verdict(Colour.RED if any(cause.colour is Colour.RED for cause in causes) else Colour.AMBER, causes, missing)
    return Verdict(Colour.GREY if missing else Colour.GREEN, (), missing)


def _causes(tally: Tally, due_on: date | None, today: date, policy: Policy) -> Iterator[Cause]:
    values = _values(tally, due_on, today)
    for name in RuleName:
        rule, value = policy.rule(name), values[name]
        for colour, limit in ((Colour.RED, rule.red), (Colour.AMBER, rule.amber)):
            if rule.on and limit is not None and value > 0 and value >= limit:
                yield Cause(name, colour, round(value, 1), limit)
                break


def _values(tally: Tally, due_on: date | None, today: date) -> dict[RuleName, float]:
    working = tally.open - tally.by_category[BACKLOG]
    return {
        RuleName.MILESTONE_OVERDUE: (today - tally.milestone_late_from).days if tally.milestone_late_from else 0,
        RuleName.MILESTONE_SLIPPED: tally.milestone_slip_days,
        RuleName.PROJECT_OVERDUE: (today - due_on).days if due_on and tally.open else 0,
        RuleName.OVERDUE_SHARE: _percent(tally.overdue, tally.open),
        RuleName.BLOCKED_SHARE: _percent(tally.blocked, tally.open),
        RuleName.STALE_SHARE: _percent(tally.stale, working),
    }


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _missing(tally: Tally, due_on: date | None, policy: Policy, synced: bool) -> Iterator[str]:
    if not synced:
        yield "it has not been read yet"
    elif not tally.tasks:
        yield "it has no tasks"
    elif tally.open and due_on is None and tally.open - tally.no_due_date < policy.dated_share * tally.open:
        yield "too few open tasks have a due date"
    if tally.tasks and tally.by_category[StatusCategory.UNKNOWN.value] > policy.unknown_share * tally.tasks:
        yield "nobody has said what most of its statuses count as"


def declared(word: str | None, text: str | None) -> dict[str, Any] | None:
    """What the team says itself; null where it says nothing."""
    if word is None and text is None:
        return None
    colour = DECLARED.get((word or "").casefold().replace(" ", "_"))
    return {"value": word, "colour": colour.value if colour else None, "text": text}
