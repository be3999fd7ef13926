"""What of the log a reader may see: checked when it is read, against what they are granted now, not against what they were granted when it happened.

An event about a task or project is seen by who sees one of the projects that it lay in then, and so is one that sums up many of them, as far as they
lie there; any other about a connection by who sees the connection as a whole, one about the hub by who sees all that is not private. Places in the
log are the same for all its readers, so a gap between two of them tells that something else happened, and nothing more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from hub.access.scope import Scope
from hub.delivery.envelope import Stored

HOMES = ("project_id", "section_id")
PLACES = ("project_ids", "memberships")
"""Lists of projects; a membership is {project_id, section_id}."""
OF_CONNECTION = ("connection", "endpoint")
"""Entities whose events tell of more than the projects that they name."""
PARTS = "parts"
"""In an event that sums up many: by project, what lies in it (``sync.diff.summed_up``)."""


@dataclass(frozen=True, slots=True)
class Withheld(Stored):
    """A line that the reader may not see, with its place and without its content: it is passed over, never sent."""


@dataclass(frozen=True, slots=True)
class Partial(Stored):
    """A line without what the reader may not see of it: not the same bytes for everybody."""


def veiled(session: Session, lines: Sequence[Stored], scope: Scope) -> list[Stored]:
    """The same lines, those that may not be seen as ``Withheld``, and the others without the projects that may not. Two statements at most."""
    if scope.everything or not lines:
        return list(lines)
    seen = {str(each) for each in scope.seen_projects(session, {UUID(project) for line in lines for project in line.project_ids})}
    wholes = scope.seen_wholes(session, {line.connection_id for line in lines if line.connection_id})
    return [_partly(line, seen) if _may(line, scope, seen, wholes) else _withheld(line) for line in lines]


def _may(line: Stored, scope: Scope, seen: Collection[str], wholes: Collection[UUID]) -> bool:
    if line.connection_id is None:
        return scope.sees_the_hub
    if line.project_ids and (line.entity not in OF_CONNECTION or PARTS in line.data):
        return any(project in seen for project in line.project_ids)
    return line.connection_id in wholes


def _withheld(line: Stored) -> Withheld:
    return Withheld(**_given(line) | {"data": {"changed": [], "before": {}, "after": {}}, "actor_id": None})


def _given(line: Stored) -> dict[str, Any]:
    return {each.name: getattr(line, each.name) for each in fields(Stored)}


def _partly(line: Stored, seen: Collection[str]) -> Stored:
    """The other projects of an entity that lies in several are left out, and a home that is one of them."""
    data = dict(line.data)
    if all(project in seen for project in _named(data)) or (line.entity == "connection" and PARTS not in data):
        return line
    data["project_ids"] = [each for each in data.get("project_ids", ()) if each in seen]
    for part in ("object", "was", "before", "after"):
        if data.get(part):
            data[part] = _known(data[part], seen)
    if PARTS in data:
        data["after"] = _in_parts(data["after"], {project: those for project, those in data[PARTS].items() if project in seen})
    return Partial(**_given(line) | {"data": data})


def _in_parts(after: Mapping[str, Any], parts: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """What an event that sums up many names, without what lies in no project that may be seen."""
    seen = {entity for those in parts.values() for entity in those}
    made = {name: [each for each in value if each in seen] if isinstance(value, list) else value for name, value in after.items()}
    return made | {"count": len(seen)}


def _named(data: Mapping[str, Any]) -> set[str]:
    """Every project that the data name."""
    found = set(data.get("project_ids", ()))
    for part in (data.get("object"), data.get("was"), data.get("before"), data.get("after")):
        held = part or {}
        found.update(_project(each) for name in PLACES for each in held.get(name) or ())
        found.update([held["project_id"]] if held.get("project_id") else [])
    return found


def _project(each: Any) -> str:
    found: str = each["project_id"] if isinstance(each, Mapping) else each
    return found


def _known(part: Mapping[str, Any], seen: Collection[str]) -> dict[str, Any]:
    made = dict(part) | {name: [each for each in part[name] or () if _project(each) in seen] for name in PLACES if name in part}
    if part.get("project_id") is not None and part["project_id"] not in seen:
        made |= {name: None for name in HOMES if name in part}
    return made
