"""Secrets at rest."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hub.settings import Settings
from hub.vault import Vault, VaultError, key_file, new_key, open_vault

OLD, NEW = b"o" * 32, b"n" * 32


def settings(tmp_path: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{tmp_path}/hub.db")


def test_a_secret_opens_where_it_was_sealed_and_nowhere_else() -> None:
    vault = Vault([NEW])
    sealed = vault.seal("top-secret", bound_to="connection:1:secret")
    assert vault.open(sealed, bound_to="connection:1:secret") == "top-secret"
    assert b"top-secret" not in sealed
    with pytest.raises(VaultError, match="does not belong"):
        vault.open(sealed, bound_to="connection:2:secret")


def test_an_older_key_still_opens_and_the_first_one_seals() -> None:
    sealed = Vault([OLD]).seal("s", bound_to="x")
    both = Vault([NEW, OLD])
    assert both.open(sealed, bound_to="x") == "s"
    assert Vault([NEW]).open(both.seal("t", bound_to="x"), bound_to="x") == "t"


def test_a_lost_key_is_named_with_its_remedy() -> None:
    with pytest.raises(VaultError, match="HUB_SECRET_KEYS"):
        Vault([NEW]).open(Vault([OLD]).seal("s", bound_to="x"), bound_to="x")


def test_the_key_file_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    sealed = open_vault(settings(tmp_path), sealed_rows=False).seal("s", bound_to="x")
    path = key_file(settings(tmp_path))
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_vault(settings(tmp_path), sealed_rows=True).open(sealed, bound_to="x") == "s"


def test_no_new_key_is_made_over_sealed_rows(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="restore the key file"):
        open_vault(settings(tmp_path), sealed_rows=True)
    path = key_file(settings(tmp_path))
    assert path is not None
    assert not path.exists()


def test_postgresql_needs_a_key_from_the_settings() -> None:
    with pytest.raises(VaultError, match="HUB_SECRET_KEYS is not set"):
        open_vault(Settings(database_url="postgresql+psycopg://h/d"), sealed_rows=False)


@pytest.mark.parametrize("key", ["short", "bm90IDMyIGJ5dGVz"])
def test_a_malformed_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(VaultError, match="32 bytes") as problem:
        open_vault(Settings(secret_keys=(key,)), sealed_rows=False)
    assert key not in str(problem.value)


def test_keys_made_here_fit() -> None:
    assert open_vault(Settings(secret_keys=(new_key(),)), sealed_rows=False).seal("x", bound_to="y")
