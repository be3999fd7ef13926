"""Which events a reader wants. Pure, and asked for every event and endpoint: sets, no database.

Every criterion that is given must hold, by any of its values. Projects, kinds, people and tags are looked for in the entity as it is at the event
*and* as it was before it, so that a reader learns what comes into its view and what leaves it. An event that has no such property (a run that ended
has no assignee) does not fit a criterion about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from connectors.records import StatusCategory, TaskKind
from hub.delivery.envelope import Stored
from hub.delivery.veil import Withheld

NOTHING: Final[frozenset[str]] = frozenset()
CUSTOM = "custom_fields"


@dataclass(frozen=True, slots=True)
class Filter:
    """``types``: exact, or all of a noun (``task.*``). ``categories_from``, ``categories_to``: only a status that changes its category has left one
    and come to one; a task that is new has come to its own. ``kinds``: of tasks (task, milestone ...). ``fields``: any of these changed;
    ``custom_fields`` means each of them. Ids as text."""

    types: frozenset[str] = NOTHING
    tools: frozenset[str] = NOTHING
    connection_ids: frozenset[str] = NOTHING
    project_ids: frozenset[str] = NOTHING
    categories_from: frozenset[str] = NOTHING
    categories_to: frozenset[str] = NOTHING
    kinds: frozenset[str] = NOTHING
    assignee_ids: frozenset[str] = NOTHING
    tags: frozenset[str] = NOTHING
    fields: frozenset[str] = NOTHING

    @classmethod
    def of(cls, kept: Mapping[str, Iterable[Any]], types: Iterable[str] = ()) -> Filter:
        """From JSON as ``kept`` gives it; ``types`` are added. Raises ValueError for a criterion that does not exist."""
        if unknown := kept.keys() - NAMES:
            raise ValueError(f"there is no such criterion: {', '.join(sorted(unknown))}; there are {', '.join(sorted(NAMES))}")
        given = {name: frozenset(map(str, values)) for name, values in kept.items() if values}
        return cls(**given | {"types": given.get("types", NOTHING) | frozenset(types)})

    def kept(self) -> dict[str, list[str]]:
        """As JSON, without what is not given."""
        return {name: sorted(values) for name in sorted(NAMES) if (values := getattr(self, name))}

    def matches(self, stored: Stored) -> bool:
        if isinstance(stored, Withheld):
            return False
        if self.types and not self._is_of_type(stored.type):
            return False
        if self.tools and stored.tool not in self.tools:
            return False
        if self.connection_ids and str(stored.connection_id) not in self.connection_ids:
            return False
        if self.project_ids and self.project_ids.isdisjoint(stored.project_ids) and self.project_ids.isdisjoint(stored.was.get("project_ids", ())):
            return False
        if self.fields and not self._is_about(stored.data["changed"]):
            return False
        if (self.categories_from or self.categories_to) and not self._crosses(stored):
            return False
        return not (self.kinds or self.assignee_ids or self.tags) or self._fits(stored.state, stored.was)

    def _is_of_type(self, kind: str) -> bool:
        return kind in self.types or f"{kind.partition('.')[0]}.*" in self.types

    def _is_about(self, changed: Iterable[str]) -> bool:
        return any(name in self.fields or name.partition(".")[0] in self.fields for name in changed)

    def _crosses(self, stored: Stored) -> bool:
        left, come = stored.data["before"].get("status_category"), stored.data["after"].get("status_category")
        if stored.type.endswith(".created"):
            come = stored.state.get("status_category")
        if come is None or left == come:
            return False
        return (not self.categories_from or left in self.categories_from) and (not self.categories_to or come in self.categories_to)

    def _fits(self, state: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
        if self.kinds and state.get("kind") not in self.kinds and was.get("kind") not in self.kinds:
            return False
        for wanted, name in ((self.assignee_ids, "assignee_ids"), (self.tags, "tags")):
            if wanted and wanted.isdisjoint(state.get(name, ())) and wanted.isdisjoint(was.get(name, ())):
                return False
        return True


def check(kept: Mapping[str, Iterable[str]], tools: Iterable[str]) -> None:
    """Whether the values can ever fit: a word that is misspelt would keep everything away, and nobody would know why. Raises ValueError."""
    known = {"tools": set(tools), "categories_from": CATEGORIES, "categories_to": CATEGORIES, "kinds": KINDS}
    for name, values in kept.items():
        if name in known and (wrong := sorted(set(values) - known[name])):
            raise ValueError(f"{name}: there is no {', '.join(wrong)}; there are {', '.join(sorted(known[name]))}")
        if name in IDS and (wrong := sorted(value for value in values if not ID.fullmatch(value))):
            raise ValueError(f"{name}: {', '.join(wrong)} is no id: the hub's own ids are UUIDs")


CATEGORIES, KINDS = {each.value for each in StatusCategory}, {each.value for each in TaskKind}
IDS = ("connection_ids", "project_ids", "assignee_ids")
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAMES = {each.name for each in fields(Filter)}
EVERYTHING = Filter()
