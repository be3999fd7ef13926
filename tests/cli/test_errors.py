"""Whatever goes wrong is one line on stderr that says what to do, and the right exit code; never a traceback."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import pytest

from hub.cli import failures
from tests.cli.conftest import Hub

WRONG = [
    (("nonsense",), "No such command"),
    (("sync", "--nope"), "No such option"),
    (("serve", "--port", "99999"), "--port"),
    (("key", "create", "--name", "x", "--role", "boss"), "'admin', 'pmo', 'viewer', 'consumer'"),
    (("key", "create", "--role", "admin"), "--name"),
    (("key", "create", "--name", " ", "--role", "admin"), "--name"),
    (("connection", "add", "jira", "--name", "x", "--token-stdin"), "asana, clickup, monday"),
    (("connection", "add", "asana", "--name", "x", "--token-stdin", "--base-url", "http://example.org"), "https://"),
    (("connection", "add", "asana", "--name", "x", "--token-stdin", "--base-url", "no url"), "https://"),
    (("connection", "add", "asana", "--name", "x"), "--token-stdin"),
    (("connection", "add", "asana", "--name", "x", "--token-env", "NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"),
    (("connection", "add", "asana", "--name", "x", "--token-stdin"), "stdin held no token"),
    (("connection", "add", "asana", "--name", "x", "--token-stdin", "--token-env", "HOME"), "not both"),
    (("demo", "--tasks", "3"), "--tasks"),
]


@pytest.mark.parametrize(("words", "expected"), WRONG)
def test_wrong_usage_is_told_in_one_line_with_exit_code_2(hub: Hub, words: tuple[str, ...], expected: str) -> None:
    said = hub(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("hub: ")
    assert said.err.count("\n") == 1
    assert expected in said.err


def test_without_a_word_the_help_is_shown(hub: Hub) -> None:
    said = hub()
    assert said.code == 2
    assert "connection" in said.err
    assert hub("--help").code == 0


SETTINGS = [
    ("HUB_DATABASE_URL", "foo", "sqlite:///"),
    ("HUB_DATABASE_URL", "mysql://localhost/x", "sqlite:///"),
    ("HUB_DATABASE_URL", "sqlite:////nowhere/at/all/hub.db", "hub migrate"),
    ("HUB_SYNC_INTERVAL", "soon", "15m"),
    ("HUB_TIMEZONE", "Mars/Olympus", "Europe/Berlin"),
    ("HUB_LOG_LEVEL", "LOUD", "DEBUG"),
    ("HUB_CA_BUNDLE", "/nowhere.pem", "PEM"),
    ("HUB_SECRET_KEYS_FILE", "/nowhere.key", "HUB_SECRET_KEYS_FILE"),
    ("HUB_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "HUB_DATABASE_URL"),
]


@pytest.mark.parametrize(("name", "value", "expected"), SETTINGS)
def test_a_setting_that_cannot_be_used_is_named_with_what_to_write(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    said = hub("sync")
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert expected in said.err


def test_a_database_that_was_never_migrated_says_how(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    monkeypatch.setenv("HUB_DATABASE_URL", f"sqlite:///{empty}")
    said = hub("connection", "list")
    assert (said.code, "hub migrate" in said.err) == (1, True)
    assert not empty.exists()
    sqlite3.connect(empty).close()
    said = hub("connection", "list")
    assert (said.code, "hub migrate" in said.err) == (1, True)


def test_a_database_of_a_newer_program_is_left_alone(hub: Hub, sqlite_url: str) -> None:
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    for words in (("sync",), ("migrate",), ("serve", "--port", "0")):
        said = hub(*words)
        assert (said.code, "newer release" in said.err) == (1, True), words


def test_a_file_that_is_no_database_and_a_folder_are_told(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("dear diary, today I synced three tools and all went well")
    for path in (tmp_path / "text.db", tmp_path):
        monkeypatch.setenv("HUB_DATABASE_URL", f"sqlite:///{path}")
        for command in ("sync", "migrate"):
            said = hub(command)
            assert (said.code, said.err.count("\n"), "HUB_DATABASE_URL" in said.err) == (1, 1, True)
    assert (tmp_path / "text.db").read_text().startswith("dear diary")


@pytest.mark.parametrize("command", [("serve",), ("demo",)])
def test_a_port_in_use_is_told_before_any_work(hub: Hub, command: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = hub(*command, "--port", port)
    assert said.code == 1
    assert said.err.splitlines()[-1] == f"hub: port {port} of 127.0.0.1 is in use by another program: choose another one with --port"


def test_an_address_that_is_not_ours_cannot_be_listened_on(hub: Hub) -> None:
    said = hub("serve", "--host", "192.0.2.1")
    assert (said.code, "--host" in said.err) == (1, True)


def test_sealed_secrets_without_their_key_say_the_way_out(connected: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SECRET_KEYS", "")
    said = connected("connection", "check", "berlin")
    assert (said.code, "restore the key file" in said.err) == (1, True)


def test_a_defect_is_one_line_with_the_place_of_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise ZeroDivisionError("token hub_abcdefgh_" + "x" * 43)

    assert failures.guarded(broken) == 1
    line = capsys.readouterr().err
    assert "ZeroDivisionError" in line
    path = Path(line.split("its traceback is in ")[1].split(" (")[0])
    text = path.read_text()
    path.unlink()
    assert "in broken" in text
    assert "hub_abcdefgh" not in text + line


def test_an_interruption_has_exit_code_130() -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    assert failures.guarded(stopped) == 130
