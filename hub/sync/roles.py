"""Which column of a project means what, where a tool leaves that to its users: what is suggested and why, and an admin's word on it.

Read out of the stored body of the project: no tool is asked. A choice is one of the connector's options, and as such in force from the next reading,
which then reads everything once more, because every task of the project may mean something else by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors import registry
from connectors.columns import Roles
from connectors.columns import RoleTable as RoleTable
from hub import connections
from hub.models import Connection, Project, Raw
from hub.settings import Settings
from hub.sync import bodies
from hub.vault import Vault


def of_tool(tool: str) -> Roles | None:
    """How the tool's roles are chosen; None for one that has fields of its own."""
    found: Roles | None = registry.connector_class(tool).capabilities.roles
    return found


def tables(session: Session, connection: Connection, project: Project) -> Sequence[RoleTable] | None:
    """The project's tables with their roles; None where its body is not kept. Raises BadResponse."""
    roles = of_tool(connection.tool)
    body = session.scalar(select(Raw.body).where(Raw.entity_id == project.id))
    return None if roles is None or body is None else roles.tables(bodies.unpack(body), connection.options)


def choose(
    connection: Connection, vault: Vault, settings: Settings, now: Any, chosen: Mapping[str, Mapping[str, str]], shown: Sequence[RoleTable]
) -> None:
    """Keeps ``chosen``, {table: {role: column, or empty for none}}, in the place of what was chosen for the tables shown; what is left out follows
    the suggestion. Raises ConnectionProblem."""
    roles = of_tool(connection.tool)
    if roles is None:
        raise connections.ConnectionProblem(f"{connection.tool} has fields of its own: there is nothing to choose")
    held = {table: kept for table, kept in (connection.options.get(roles.option) or {}).items() if table not in {each.id for each in shown}}
    value = held | {table: dict(kept) for table, kept in chosen.items() if kept}
    connections.choose(connection, vault, settings, roles.option, value or None, now)
