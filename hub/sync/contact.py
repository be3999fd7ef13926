"""A short contact with a vendor outside a run: is the credential good, and what does it reach. Never reads tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import anyio

from connectors import registry
from connectors.base import Check, Connector
from connectors.errors import AuthFailed, ConnectorError
from connectors.http import build_client
from connectors.records import Container, Project
from hub import connections
from hub.connections import ConnectionProblem, accept, break_off, opened
from hub.connections.tokens import Keeper, stored, without
from hub.models import Connection
from hub.vault import VaultError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Contact(Keeper):
    """What a contact needs."""


@dataclass(frozen=True, slots=True)
class Checked:
    """``problem``: one sentence, null where all is well."""

    check: Check | None
    problem: str | None


def tools() -> tuple[str, ...]:
    """All tools that can be connected."""
    return registry.names()


def check(contact: Contact, connection_id: UUID) -> Checked:
    """Asks the tool who the credential is and keeps the answer; a refused credential makes the connection ``broken``."""
    try:
        return Checked(look(contact, connection_id), None)
    except AuthFailed as error:
        with contact.database.reading() as session:
            return Checked(None, _problem(session.get_one(Connection, connection_id), error))
    except (ConnectorError, ConnectionProblem, VaultError) as error:
        return Checked(None, str(error))


def look(contact: Contact, connection_id: UUID) -> Check:
    """As ``check``, for those who word errors themselves: raises ConnectorError, ConnectionProblem or VaultError."""
    found = asked(contact, connection_id)
    with contact.database.writing() as session:
        connection = session.get_one(Connection, connection_id)
        tokens = stored(connection, contact.vault)
        found = without(tokens, found)
        accept(session, connection, found, contact.now(), tokens)
    return found


def asked(contact: Contact, connection_id: UUID) -> Check:
    """Who the tool says the credential is; keeps nothing but that it was refused. Raises ConnectorError, ConnectionProblem or VaultError."""
    return _ask(contact, connection_id, lambda connector: connector.check())


def discover(contact: Contact, connection_id: UUID) -> list[Container | Project]:
    """The tool's container tree as it is now; a refused credential makes the connection ``broken``. Raises as ``asked`` does."""

    async def tree(connector: Connector) -> Sequence[Any]:
        return [connector.map(item) for item in await connector.discover()]

    return [record for record in _ask(contact, connection_id, tree) if isinstance(record, Container | Project)]


def _ask(contact: Contact, connection_id: UUID, question: Callable[[Connector], Awaitable[T]]) -> T:
    with contact.database.reading() as session:
        account = opened(session.get_one(Connection, connection_id), contact.vault)

    async def ask() -> T:
        client = build_client(proxy=contact.settings.proxy, ca_bundle=contact.settings.ca_bundle)
        try:
            return await question(account.connect(client, contact.now, contact))
        finally:
            await client.aclose()

    try:
        return anyio.run(ask)
    except AuthFailed as error:
        refused(contact, connection_id, error)
        raise


def refused(contact: Contact, connection_id: UUID, error: AuthFailed, *, paused_too: bool = True) -> None:
    """One failed call is enough: the connection is broken until a person has mended it, and that is told. ``paused_too``: also one that is paused."""
    with contact.database.writing() as session:
        connection = session.get_one(Connection, connection_id)
        if connection.state in ("active", "broken") or (paused_too and connection.state == "paused"):
            break_off(session, connection, f"{connection.name}: {_problem(connection, error)}", contact.now())


def _problem(connection: Connection, error: AuthFailed) -> str:
    return f"the credential was refused ({error}); {connections.way_out(connection.name, connection.auth_kind)}"
