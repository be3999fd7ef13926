"""The list of figures: name, formula in words, unit. Made from the functions that compute them, so that what people read is what the code says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import getdoc
from typing import Any

from hub.portfolio import burnup, conditions, flow, health, history, tally, tasks, workload
from hub.portfolio.tally import Tally


@dataclass(frozen=True, slots=True)
class Figure:
    """``formula``: in words; ``unit``: what the number counts."""

    name: str
    formula: str
    unit: str


def _figure(name: str, source: Callable[..., Any], unit: str) -> Figure:
    return Figure(name, " ".join((getdoc(source) or "").replace("``", "").split()), unit)


FIGURES: tuple[Figure, ...] = (
    _figure("open", conditions.is_open, "tasks"),
    _figure("progress", Tally.progress, "percent"),
    _figure("overdue", tasks.overdue, "tasks"),
    _figure("due_soon", conditions.due_soon, "tasks"),
    _figure("blocked", conditions.blocked, "tasks"),
    _figure("waiting", conditions.waiting, "tasks"),
    _figure("stale", conditions.stale, "tasks"),
    _figure("slipped", history.slips, "tasks, days"),
    _figure("movement", history.movements, "days, moves"),
    _figure("aging", history.ages, "days"),
    _figure("flow", flow.flow, "tasks a week, days"),
    _figure("burn_up", burnup.burn_up, "tasks"),
    _figure("workload", workload.workload, "minutes a week"),
    _figure("health", health.judge, "colour"),
    _figure("no_owner", conditions.without_owner, "tasks"),
    _figure("no_estimate", conditions.without_estimate, "tasks"),
    _figure("no_due_date", conditions.without_due_date, "tasks"),
    _figure("unmapped_status", conditions.unmapped, "tasks"),
    _figure("no_report", tally.without_report, "projects"),
)
BY_NAME = {figure.name: figure for figure in FIGURES}
