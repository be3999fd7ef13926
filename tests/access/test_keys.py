"""API keys: shown once, kept as a hash, dead when expired or revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from hub.access import keys
from hub.db import Database
from hub.models import ApiKey

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_a_new_key_is_accepted_and_keeps_its_role(database: Database) -> None:
    with database.writing() as session:
        key = keys.create(session, "reports", "pmo", NOW)
    assert keys.SHAPE.fullmatch(key)
    with database.reading() as session:
        found = keys.verify(session, key, NOW)
        assert found is not None
        assert (found.name, found.role) == ("reports", "pmo")


def test_the_key_itself_is_not_kept(database: Database) -> None:
    with database.writing() as session:
        key = keys.create(session, "reports", "pmo", NOW)
    with database.reading() as session:
        row = session.scalars(select(ApiKey)).one()
    secret = key.rsplit("_", 1)[-1]
    assert len(row.hash) == 32
    assert all(secret not in str(value) for value in vars(row).values())


@pytest.mark.parametrize("text", ["", "hub_", "hub_aaaaaaaa_" + "a" * 43, "x" * 5000, "hub_aaaaaaaa_" + "ä" * 43])
def test_what_is_no_key_is_refused(database: Database, text: str) -> None:
    with database.reading() as session:
        assert keys.verify(session, text, NOW) is None


def test_a_key_with_another_secret_is_refused(database: Database) -> None:
    with database.writing() as session:
        key = keys.create(session, "reports", "pmo", NOW)
    with database.reading() as session:
        assert keys.verify(session, key[:-1] + ("A" if key[-1] != "A" else "B"), NOW) is None


def test_an_expired_key_is_refused(database: Database) -> None:
    with database.writing() as session:
        key = keys.create(session, "reports", "pmo", NOW, expires_at=NOW + timedelta(days=1))
    with database.reading() as session:
        assert keys.verify(session, key, NOW) is not None
        assert keys.verify(session, key, NOW + timedelta(days=1)) is None


def test_a_revoked_key_is_refused_at_once(database: Database) -> None:
    with database.writing() as session:
        key = keys.create(session, "reports", "pmo", NOW)
        assert keys.revoke(session, key[4:12], NOW)
        assert not keys.revoke(session, key[4:12], NOW)
        assert keys.verify(session, key, NOW) is None


@pytest.mark.parametrize(("name", "role"), [("", "admin"), ("x", "king")])
def test_a_key_needs_a_name_and_a_known_role(database: Database, name: str, role: str) -> None:
    with database.writing() as session, pytest.raises(ValueError):
        keys.create(session, name, role, NOW)


def test_its_use_is_noted_at_most_once_a_minute(database: Database) -> None:
    with database.writing() as session:
        key = keys.verify(session, keys.create(session, "reports", "pmo", NOW), NOW)
        assert key is not None
        assert keys.use_is_due(key, NOW)
        keys.note_use(session, key.id, NOW)
        keys.note_use(session, key.id, NOW + timedelta(seconds=59))
        session.refresh(key)
        assert key.last_used_at == NOW
        assert not keys.use_is_due(key, NOW + timedelta(seconds=59))
        assert keys.use_is_due(key, NOW + timedelta(seconds=60))
