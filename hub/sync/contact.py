"""A short contact with a vendor outside a run: is the credential good, and what does it reach. Never reads tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import anyio

from connectors import registry
from connectors.base import Check, Connector
from connectors.errors import AuthFailed, ConnectorError
from connectors.http import build_client
from connectors.records import Container, Project
from hub.connections import ConnectionProblem, accept, break_off, opened
from hub.db import Database
from hub.models import Connection
from hub.settings import Settings
from hub.vault import Vault, VaultError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Contact:
    """What a contact needs."""

    database: Database
    vault: Vault
    settings: Settings
    now: Callable[[], datetime]


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
        found = _ask(contact, connection_id, lambda connector: connector.check())
        with contact.database.writing() as session:
            accept(session, session.get_one(Connection, connection_id), found, contact.now())
    except AuthFailed as error:
        with contact.database.writing() as session:
            connection = session.get_one(Connection, connection_id)
            problem = f"the credential was refused ({error}); give it a new one: hub connection rotate {connection.name}"
            break_off(session, connection, f"{connection.name}: {problem}", contact.now())
        return Checked(None, problem)
    except (ConnectorError, ConnectionProblem, VaultError) as error:
        return Checked(None, str(error))
    return Checked(found, None)


def discover(contact: Contact, connection_id: UUID) -> list[Container | Project]:
    """The tool's container tree as it is now. Raises ConnectorError, ConnectionProblem or VaultError."""

    async def tree(connector: Connector) -> Sequence[Any]:
        return [connector.map(item) for item in await connector.discover()]

    return [record for record in _ask(contact, connection_id, tree) if isinstance(record, Container | Project)]


def _ask(contact: Contact, connection_id: UUID, question: Callable[[Connector], Awaitable[T]]) -> T:
    with contact.database.reading() as session:
        account = opened(session.get_one(Connection, connection_id), contact.vault)

    async def ask() -> T:
        client = build_client(proxy=contact.settings.proxy, ca_bundle=contact.settings.ca_bundle)
        try:
            return await question(account.connect(client, contact.now))
        finally:
            await client.aclose()

    return anyio.run(ask)
