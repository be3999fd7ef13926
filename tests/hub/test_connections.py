"""Accounts at vendors: what may be added, what a check fixes, what removing keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.base import Check, Workspace
from hub import connections
from hub.connections import ConnectionProblem
from hub.db import Database
from hub.models import Connection, Container
from hub.vault import Vault

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
VAULT = Vault([b"k" * 32])


def add(session: Session, name: str, *, workspaces: tuple[str, ...] = (), base_url: str | None = None) -> Connection:
    made = connections.prepare(
        session, VAULT, tool="clickup", name=name, token="canary", base_url=base_url, workspaces=workspaces, excluded=(), now=NOW
    )
    session.add(made)
    session.flush()
    return made


def check(*workspaces: str, account: str = "") -> Check:
    return Check("7", "Ann", "ann@example.org", account, tuple(Workspace(key, f"Space {key}") for key in workspaces))


def test_a_stored_secret_is_sealed_and_opens_for_its_own_connection(database: Database) -> None:
    with database.writing() as session:
        made = add(session, "ours")
        assert made.secret is not None
        assert b"canary" not in made.secret
        opened = connections.opened(made, VAULT)
        assert opened.credential.token == "canary"
        assert "canary" not in repr(opened)


@pytest.mark.parametrize("url", ["http://vendor.example.org/api", "ftp://x", "not a url", "https://user:pw@vendor.example.org"])
def test_an_address_that_would_leak_the_token_is_refused(database: Database, url: str) -> None:
    with database.writing() as session, pytest.raises(ConnectionProblem):
        add(session, "ours", base_url=url)


def test_a_second_connection_of_the_same_name_is_refused(database: Database) -> None:
    with database.writing() as session:
        add(session, "ours")
        with pytest.raises(ConnectionProblem, match="already"):
            add(session, "ours")


def test_a_workspace_that_another_connection_covers_is_refused_by_name(database: Database) -> None:
    with database.writing() as session:
        connections.accept(session, add(session, "first"), check("1", "2"), NOW)
        with pytest.raises(ConnectionProblem, match=r"Space 2 .*'first'"):
            connections.accept(session, add(session, "second", workspaces=("2",)), check("1", "2"), NOW)


def test_two_connections_may_share_an_account_by_workspace(database: Database) -> None:
    with database.writing() as session:
        first, second = add(session, "first", workspaces=("1",)), add(session, "second", workspaces=("2",))
        connections.accept(session, first, check("1", "2"), NOW)
        connections.accept(session, second, check("1", "2"), NOW)
        assert first.realm == second.realm


def test_a_workspace_out_of_reach_is_refused_with_those_in_reach(database: Database) -> None:
    with database.writing() as session, pytest.raises(ConnectionProblem, match=r"does not reach workspace 9; it reaches: 1 \(Space 1\)"):
        connections.accept(session, add(session, "ours", workspaces=("9",)), check("1"), NOW)


def test_the_realm_is_fixed_by_tool_address_and_account(database: Database) -> None:
    assert connections.realm_of("t", "https://a/", "1") == connections.realm_of("t", "https://a", "1")
    assert (
        len(
            {
                connections.realm_of(*each)
                for each in (("t", "https://a", "1"), ("u", "https://a", "1"), ("t", "https://b", "1"), ("t", "https://a", "2"))
            }
        )
        == 4
    )
    with database.writing() as session:
        made = add(session, "ours")
        connections.accept(session, made, check("1", account="5"), NOW)
        with pytest.raises(ConnectionProblem, match="another account"):
            connections.accept(session, made, check("1", account="6"), NOW)


def test_removing_keeps_the_rows_and_adding_again_finds_them(database: Database) -> None:
    with database.writing() as session:
        old = add(session, "ours")
        connections.accept(session, old, check("1"), NOW)
        session.add(_container(old))
        connections.detach(old, NOW)
        assert old.secret is None
        new = add(session, "ours")
        connections.accept(session, new, check("1"), NOW)
        connections.adopt(session, new)
        session.flush()
        assert session.scalars(select(Container.connection_id)).all() == [new.id]
        assert session.scalars(select(Connection.name)).all() == ["ours"]


def test_purging_leaves_nothing(database: Database) -> None:
    with database.writing() as session:
        made = add(session, "ours")
        session.add(_container(made))
        session.flush()
        connections.purge(session, made)
        session.flush()
        assert session.scalar(select(func.count()).select_from(Container)) == 0
        assert session.scalar(select(func.count()).select_from(Connection)) == 0


def test_an_unknown_name_lists_the_known_ones(database: Database) -> None:
    with database.writing() as session:
        add(session, "ours")
        with pytest.raises(ConnectionProblem, match="there are: ours"):
            connections.by_name(session, "theirs")


def _container(connection: Connection) -> Container:
    return Container(
        id=uuid4(),
        connection_id=connection.id,
        external_id="1",
        digest=b"",
        first_seen_at=NOW,
        kind="workspace",
        name="Space",
        archived=False,
        private=False,
    )
