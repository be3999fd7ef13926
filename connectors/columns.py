"""What a project's columns mean, for vendors whose users decide that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ChosenRole:
    """What a project's columns may be taken for: ``suggested`` by the connector ``because``; ``chosen`` by an admin (null: nobody; empty: no column);
    ``columns``: (id, title) of those that could."""

    key: str
    suggested: str | None
    because: str
    chosen: str | None
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RoleTable:
    """One set of columns: a project's own (``name`` null), or another one within it."""

    id: str
    name: str | None
    roles: Sequence[ChosenRole]


@dataclass(frozen=True, slots=True)
class Roles:
    """For a vendor whose columns mean what their users say. ``option`` holds an admin's choices: {table: {role: column, or empty for none}};
    ``tables``: the roles of a project, out of its stored raw body and the options."""

    option: str
    tables: Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[RoleTable]]
