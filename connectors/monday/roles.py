"""What an admin chooses a board's column roles by: for each the column that is suggested and why, the choice, and what could play it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.columns import ChosenRole, RoleTable
from connectors.monday.board import ROLES, TITLES, Column, Raw, Shape, contains, context_of

OPTION = "column_roles"
KINDS: Mapping[str, tuple[str, ...]] = {
    "status": ("status",),
    "priority": ("status", "dropdown"),
    "due": ("date",),
    "start": ("date",),
    "timeline": ("timeline",),
    "assignees": ("people", "person"),
    "estimate": ("numbers",),
    "logged": ("time_tracking",),
    "tags": ("tags",),
    "dependency": ("dependency",),
    "progress": ("numbers",),
}
"""The types that the mapping can read in a role."""


def tables(board: Raw, options: Mapping[str, Any]) -> Sequence[RoleTable]:
    """The board, and the hidden one of its subitems where it has one. Raises BadResponse where the columns cannot be read."""
    chosen = options.get(OPTION) or {}
    suggested: Mapping[str, Shape] = context_of(board, {}).data
    return [
        RoleTable(shape.board, "Subitems" if shape.companion else None, [_role(role, shape, chosen.get(shape.board) or {}) for role in ROLES])
        for shape in suggested.values()
    ]


def _role(role: str, shape: Shape, chosen: Mapping[str, str]) -> ChosenRole:
    fitting = tuple((column.id, column.title) for column in shape.columns.values() if column.type in KINDS[role])
    column = shape.columns.get(shape.roles.get(role, ""))
    return ChosenRole(role, column.id if column else None, _because(role, column, len(fitting)), chosen.get(role), fitting)


def _because(role: str, column: Column | None, fitting: int) -> str:
    if column is None:
        return "no column has the right type" if not fitting else "no title says so"
    title = column.title.casefold()
    if any(contains(title, word) for word in TITLES.get(role, ())):
        return f"by its title, {column.title}"
    return f"the only column of its type, {column.title}" if fitting == 1 else f"the first column of its type, {column.title}"
