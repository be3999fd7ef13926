"""Which projects belong to a portfolio, as SQL: those put there by hand, those that a rule of it fits, and those of everything below it.

Rules are looked at with every reading, so a project that turns up tomorrow belongs too, for figures and for what was granted alike.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, Select, select
from sqlalchemy.orm import aliased

from hub.db import fold
from hub.models import Connection, Container, Portfolio, PortfolioProject, PortfolioRule, Project

NAME, CONTAINER, TOOL = "name", "container", "tool"


def projects_of(portfolios: Select[Any]) -> CompoundSelect[Any]:
    """The projects of these portfolios (a SELECT of ids), to be used with IN. It does not ask whether anybody may see them."""
    below = _below(portfolios)
    by_hand = select(PortfolioProject.project_id).where(PortfolioProject.portfolio_id.in_(below)).correlate(None)
    return by_hand.union(*(each.where(PortfolioRule.portfolio_id.in_(below)).correlate(None) for each in _by_rule()))


def memberships() -> CompoundSelect[Any, Any]:
    """(portfolio_id, project_id) of all portfolios, each only for itself and not for what is below it."""
    by_hand = select(PortfolioProject.portfolio_id, PortfolioProject.project_id)
    by_rule = (each.add_columns(PortfolioRule.portfolio_id) for each in _by_rule())
    ruled = [select(found.c.portfolio_id, found.c.project_id) for found in (each.subquery() for each in by_rule)]
    return by_hand.union(*ruled)


def pattern_of(text: str) -> str:
    """A name in which ``*`` stands for anything, as LIKE takes it."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")


def _below(portfolios: Select[Any]) -> Select[Any]:
    """These and all below them. A circle ends by itself: each is found once."""
    top, child = aliased(Portfolio), aliased(Portfolio)
    found = select(top.id).where(top.id.in_(portfolios)).correlate(None).cte(recursive=True, nesting=True)
    found = found.union(select(child.id).join(found, child.parent_id == found.c.id))
    return select(found.c.id)


def _by_rule() -> list[Select[Any]]:
    """One SELECT of ``project_id`` for each kind of rule, joined with the rule."""
    named, of_tool, contained = aliased(Project), aliased(Project), aliased(Project)
    fits = fold(named.name).like(fold(PortfolioRule.pattern), escape="\\")
    ruled, child = aliased(PortfolioRule), aliased(Container)
    tree = select(ruled.container_id.label("top"), ruled.container_id.label("id")).where(ruled.kind == CONTAINER).correlate(None)
    places = tree.cte(recursive=True, nesting=True)
    places = places.union(select(places.c.top, child.id).join(places, child.parent_id == places.c.id))
    return [
        select(named.id.label("project_id")).join(PortfolioRule, (PortfolioRule.kind == NAME) & fits),
        select(of_tool.id.label("project_id"))
        .join(Connection, Connection.id == of_tool.connection_id)
        .join(PortfolioRule, (PortfolioRule.kind == TOOL) & (PortfolioRule.value == Connection.tool)),
        select(contained.id.label("project_id"))
        .join(places, places.c.id == contained.container_id)
        .join(PortfolioRule, (PortfolioRule.kind == CONTAINER) & (PortfolioRule.container_id == places.c.top)),
    ]
