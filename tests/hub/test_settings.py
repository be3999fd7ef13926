"""Settings are read once, and a wrong one says what to write instead."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.settings import Settings, SettingsError, load


def test_without_any_variable_the_defaults_hold() -> None:
    assert load({}) == Settings()


def test_every_setting_is_read(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    found = load(
        {
            "HUB_DATABASE_URL": "sqlite:////data/x.db",
            "HUB_SECRET_KEYS": "a, b",
            "HUB_PUBLIC_URL": "https://hub.example.org",
            "HUB_SYNC_INTERVAL": "90s",
            "HUB_TIMEZONE": "Europe/Berlin",
            "HUB_PROXY": "http://proxy.example.org:3128",
            "HUB_CA_BUNDLE": str(bundle),
            "HUB_KEEP_RAW": "0",
            "HUB_TOMBSTONE_SHARE": "0.5",
            "HUB_LOG_FORMAT": "json",
            "HUB_LOG_LEVEL": "DEBUG",
        }
    )
    assert (found.sqlite_path, found.secret_keys, found.sync_interval) == (Path("/data/x.db"), ("a", "b"), timedelta(seconds=90))
    assert (found.zone.key, found.keep_raw, found.tombstone_share) == ("Europe/Berlin", False, 0.5)
    assert (found.log_format, found.log_level, found.ca_bundle) == ("json", "DEBUG", str(bundle))


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("one,two\n")
    assert load({"HUB_SECRET_KEYS_FILE": str(path)}).secret_keys == ("one", "two")


def test_postgresql_gets_its_driver() -> None:
    assert load({"HUB_DATABASE_URL": "postgresql://u:p@h/d"}).database_url == "postgresql+psycopg://u:p@h/d"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("DATABASE_URL", "hub.db", "sqlite:///hub.db"),
        ("DATABASE_URL", "mysql://h/d", "postgresql://"),
        ("DATABASE_URL", "sqlite://", "sqlite:///FILE"),
        ("SYNC_INTERVAL", "often", "15m"),
        ("SYNC_INTERVAL", "0m", "15m"),
        ("TIMEZONE", "Berlin", "Europe/Berlin"),
        ("PROXY", "xx", "http://HOST:PORT"),
        ("CA_BUNDLE", "/nowhere.pem", "PEM"),
        ("KEEP_RAW", "yes", "1 or 0"),
        ("TOMBSTONE_SHARE", "2", "between 0 and 1"),
        ("TOMBSTONE_SHARE", "many", "between 0 and 1"),
        ("LOG_FORMAT", "xml", "console, json"),
        ("SECRET_KEYS_FILE", "/nowhere", "correct the path"),
    ],
)
def test_a_wrong_setting_names_itself_and_the_remedy(name: str, value: str, remedy: str) -> None:
    with pytest.raises(SettingsError, match=f"HUB_{name}") as problem:
        load({f"HUB_{name}": value})
    assert remedy in str(problem.value)


def test_settings_never_show_their_secrets() -> None:
    assert "canary" not in repr(load({"HUB_SECRET_KEYS": "canary"}))
