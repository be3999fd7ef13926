"""Raw dicts made into items. What comes both in a list of its own and embedded in a task gets one raw form, so that either way it has one digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.asana.client import Raw
from connectors.base import Context, Item

TICKS = (("open", False), ("completed", True))


def workspace(raw: Raw) -> Item:
    return Item(id=f"container:workspace/{raw['gid']}", raw={"gid": raw["gid"], "name": raw.get("name")})


def team(raw: Raw, workspace_gid: str) -> Item:
    body = {"gid": raw["gid"], "name": raw.get("name"), "visibility": raw.get("visibility"), "workspace": {"gid": workspace_gid}}
    return Item(id=f"container:team/{raw['gid']}", raw=body)


def identity(raw: Raw) -> Item:
    return Item(id=f"identity:{raw['gid']}", raw={"gid": raw["gid"], "name": raw.get("name"), "email": raw.get("email")})


def project(raw: Raw) -> Item:
    return Item(id=f"project:{raw['gid']}", raw=raw)


def task(raw: Raw, context: Context | None) -> Item:
    return Item(id=f"task:{raw['gid']}", raw=raw, context=context)


def field(raw: Raw) -> Item:
    return Item(id=f"field:{raw['gid']}", raw=raw)


def embedded_field(value: Raw) -> Item:
    """The definition of a field that is no workspace's library: only what its values on tasks tell, without its options."""
    kept = ("gid", "name", "resource_subtype", "representation_type", "currency_code")
    return Item(id=f"field:{value['gid']}", raw={key: value.get(key) for key in kept})


def sections(raws: Iterable[Raw], project_gid: str, position: int) -> list[Item]:
    """Each section and its two statuses; ``position`` counts on from the pages before."""
    found: list[Item] = []
    for raw in raws:
        body = {"gid": raw["gid"], "name": raw.get("name"), "project": {"gid": project_gid}, "position": position}
        found.append(Item(id=f"section:{raw['gid']}", raw=body))
        found.extend(_statuses(raw["gid"], {key: body[key] for key in ("name", "project", "position")}))
        position += 1
    return found


def statuses_without_section() -> list[Item]:
    return _statuses("none", {"name": None})


def option_statuses(field_gid: str, options: Iterable[Raw]) -> list[Item]:
    """The statuses of an enum field that an admin chose as a project's status; the blank one first."""
    found = _statuses(f"{field_gid}/", {"name": None})
    for position, option in enumerate(options, 1):
        found.extend(_statuses(f"{field_gid}/{option['gid']}", {"name": option.get("name"), "color": option.get("color"), "position": position}))
    return found


def embedded_statuses(value: Raw) -> list[Item]:
    """The statuses that one value of the chosen field tells of; its order and colour are known to definitions only."""
    option = value.get("enum_value")
    return option_statuses(value["gid"], ({"gid": option["gid"], "name": option.get("name")},) if option else ())


def _statuses(key: str, body: Mapping[str, Any]) -> list[Item]:
    return [Item(id=f"status:{key}/{word}", raw={"gid": f"{key}/{word}", "completed": done, **body}) for word, done in TICKS]
