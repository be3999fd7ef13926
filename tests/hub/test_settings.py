"""Settings are read once, and a wrong one says what to write instead."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.access.keys import Role
from hub.settings import ROLES, OAuthApp, Settings, SettingsError, load


def test_without_any_variable_the_defaults_hold() -> None:
    assert load({}) == Settings()


def test_every_setting_is_read(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    found = load(
        {
            "HUB_DATABASE_URL": "sqlite:////data/x.db",
            "HUB_SECRET_KEYS": "a, b",
            "HUB_PUBLIC_URL": "https://hub.example.org/",
            "HUB_RECEIVER_BIND": "[::]:8443",
            "HUB_SYNC_INTERVAL": "90s",
            "HUB_OIDC_ISSUER": "https://login.example.org/realms/pmo/",
            "HUB_OIDC_CLIENT_ID": "hub",
            "HUB_OIDC_CLIENT_SECRET": "c4nary",
            "HUB_OIDC_GROUPS_CLAIM": "roles",
            "HUB_OIDC_ROLES": "pmo admins=admin, x=y=pmo,*=viewer,",
            "HUB_OIDC_TRUST_EMAIL": "1",
            "HUB_LOCAL_LOGIN": "off",
            "HUB_TIMEZONE": "Europe/Berlin",
            "HUB_PROXY": "http://proxy.example.org:3128",
            "HUB_CA_BUNDLE": str(bundle),
            "HUB_KEEP_RAW": "0",
            "HUB_TOMBSTONE_SHARE": "0.5",
            "HUB_WEBHOOK_ALLOW": "10.20.0.0/16, ::1",
            "HUB_WEBHOOK_PROXY": "http://proxy.example.org:3128",
            "HUB_WEBHOOK_PROXY_HOSTS": "*.Example.org",
            "HUB_RETENTION_EVENTS": "7d",
            "HUB_RETENTION_ATTEMPTS": "2d",
            "HUB_LOG_FORMAT": "json",
            "HUB_LOG_LEVEL": "DEBUG",
        }
    )
    assert (found.sqlite_path, found.secret_keys, found.sync_interval) == (Path("/data/x.db"), ("a", "b"), timedelta(seconds=90))
    assert (found.public_url, found.receiver_bind) == ("https://hub.example.org", ("::", 8443))
    assert (found.zone.key, found.keep_raw, found.tombstone_share) == ("Europe/Berlin", False, 0.5)
    assert (found.webhook_allow, found.webhook_proxy_hosts) == (("10.20.0.0/16", "::1/128"), ("*.example.org",))
    assert (found.retention_events, found.retention_attempts) == (timedelta(days=7), timedelta(days=2))
    assert (found.oidc_issuer, found.oidc_client_id, found.oidc_client_secret) == ("https://login.example.org/realms/pmo/", "hub", "c4nary")
    assert found.oidc_roles == (("pmo admins", "admin"), ("x=y", "pmo"), ("*", "viewer"))
    assert (found.oidc_groups_claim, found.oidc_trust_email, found.local_login, found.oidc_missing) == ("roles", True, False, ())
    assert "c4nary" not in repr(found)
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
        ("WEBHOOK_ALLOW", "10.20.0.1/16", "10.20.0.0/16"),
        ("WEBHOOK_PROXY", "xx", "http://HOST:PORT"),
        ("WEBHOOK_PROXY_HOSTS", "https://x", "hooks.example.org"),
        ("RETENTION_EVENTS", "long", "15m"),
        ("PUBLIC_URL", "http://hub.example.org", "https://HOST"),
        ("OIDC_ISSUER", "http://login.example.org", "https://HOST"),
        ("OIDC_ISSUER", "https://login.example.org/?x", "https://HOST"),
        ("OIDC_ROLES", "pmo", "pmo-admins=admin"),
        ("OIDC_ROLES", "pmo=boss", "admin, pmo, viewer, consumer"),
        ("OIDC_ROLES", "=pmo", "pmo-admins=admin"),
        ("OIDC_TRUST_EMAIL", "yes", "1 or 0"),
        ("LOCAL_LOGIN", "no", "on, off"),
        ("LOCAL_LOGIN", "off", "HUB_OIDC_ISSUER"),
        ("PUBLIC_URL", "https://hub.example.org/?x=1", "https://HOST"),
        ("PUBLIC_URL", "https://me@hub.example.org", "https://HOST"),
        ("PUBLIC_URL", "hub.example.org", "https://HOST"),
        ("PUBLIC_URL", "https://hub.example.org:port", "https://HOST"),
        ("RECEIVER_BIND", "8443", "0.0.0.0:8443"),
        ("RECEIVER_BIND", "0.0.0.0:https", "0.0.0.0:8443"),
        ("LOG_FORMAT", "xml", "console, json"),
        ("SECRET_KEYS_FILE", "/nowhere", "correct the path"),
    ],
)
def test_a_wrong_setting_names_itself_and_the_remedy(name: str, value: str, remedy: str) -> None:
    with pytest.raises(SettingsError, match=f"HUB_{name}") as problem:
        load({f"HUB_{name}": value})
    assert remedy in str(problem.value)


def test_a_hub_may_be_tried_out_on_this_machine() -> None:
    assert load({"HUB_PUBLIC_URL": "http://127.0.0.1:8000"}).public_url == "http://127.0.0.1:8000"


def test_settings_never_show_their_secrets() -> None:
    assert "canary" not in repr(load({"HUB_SECRET_KEYS": "canary"}))


def test_groups_whose_names_hold_commas_are_divided_by_semicolons() -> None:
    assert load({"HUB_OIDC_ROLES": "cn=pmo,dc=example=pmo;*=viewer"}).oidc_roles == (("cn=pmo,dc=example", "pmo"), ("*", "viewer"))


def test_the_roles_that_settings_know_are_the_roles() -> None:
    assert set(ROLES) == {role.value for role in Role}


def test_where_the_hub_is_registered_is_read_for_any_tool(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    given = {
        "HUB_OAUTH_TOOL_CLIENT_ID": "id",
        "HUB_OAUTH_TOOL_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "HUB_OAUTH_MY_OTHER_CLIENT_ID": "id2",
        "HUB_OAUTH_MY_OTHER_CLIENT_SECRET": "s2",
        "HUB_OAUTH_MY_OTHER_FLOW": "legacy",
        "HUB_OAUTH_MY_OTHER_BASE_URL": "http://127.0.0.1:9/v2",
    }
    assert load(given).oauth == {
        "tool": OAuthApp("id", "s3cret"),
        "my_other": OAuthApp("id2", "s2", "legacy", "http://127.0.0.1:9/v2"),
    }
    assert load({}).oauth == {}
    assert "s3cret" not in repr(load(given))


@pytest.mark.parametrize("half", ["CLIENT_ID", "CLIENT_SECRET"])
def test_half_a_registration_is_refused(half: str) -> None:
    with pytest.raises(SettingsError, match="HUB_OAUTH_TOOL_CLIENT_") as problem:
        load({f"HUB_OAUTH_TOOL_{half}": "word"})
    assert half not in str(problem.value).partition(" ")[0]
