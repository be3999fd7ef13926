"""Everything that is sealed is found, re-sealed while others write, and never buried under a new key."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from uuid import UUID, uuid4

import pytest
from sqlalchemy import LargeBinary, select

from hub import connections, sealed
from hub.db import Base, Database
from hub.delivery import endpoints
from hub.delivery.endpoints import Terms, Vetted
from hub.models import Connection, Consent, Endpoint, Hook
from hub.settings import Settings
from hub.sync import calls
from hub.vault import Vault, VaultError, add_key, key_file, new_key, open_vault

OLD, NEW = b"o" * 32, b"n" * 32
BEFORE, BOTH, AFTER = Vault([OLD]), Vault([NEW, OLD]), Vault([NEW])
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
IN_THE_OPEN = {
    "synced rows' digest": {"digest"},
    "hashes and fingerprints": {"api_key.hash", "familiar_page.fingerprint", "hook.door"},
    "ids and what the tool said": {"raw.body", "familiar_page.rows", "seen.ids"},
}


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Database:
    return Database(sqlite_url)


def test_every_binary_column_is_sealed_or_known_to_be_no_secret() -> None:
    binary = {
        f"{table.name}.{column.name}" for table in Base.metadata.sorted_tables for column in table.columns if isinstance(column.type, LargeBinary)
    }
    known = {sealed.name_of(column) for column in sealed.COLUMNS}
    open_ones = set().union(*IN_THE_OPEN.values())
    unknown = {name for name in binary - known if name not in open_ones and name.partition(".")[2] not in open_ones}
    assert known <= binary
    assert not unknown, f"add {unknown} to sealed.COLUMNS, or to IN_THE_OPEN here with what it holds"


def fill(database: Database, vault: Vault = BEFORE, *, hooks: int = 1) -> dict[str, str]:
    """One of everything that is sealed; what each column holds."""
    with database.writing() as session:
        made = connections.prepare(session, vault, tool="clickup", name="ours", token="t0ken", base_url=None, workspaces=(), excluded=(), now=NOW)
        connections.keep_signing_secret(made, vault, "signed")
        session.add(made)
        endpoint, _ = endpoints.create(session, vault, "there", Vetted("https://there.example.org/in"), Terms(headers={"X-Auth": "word"}), NOW)
        endpoints.rotate_secret(vault, endpoint, NOW, overlap=timedelta(hours=1))
        for number in range(hooks):
            hook = Hook(id=uuid4(), connection_id=made.id, key=f"project/{number}", door=uuid4().bytes, state="active")
            hook.secret = vault.seal(f"hook {number}", bound_to=calls.secret_of(hook.id))
            session.add(hook)
        consent = Consent(id="a" * 64, tool="clickup", name="new", base_url="https://tool.example.org", flow="standard", scopes=[])
        consent.redirect_uri, consent.created_at, consent.expires_at = "https://hub.example.org/back", NOW, NOW
        consent.verifier = vault.seal("verifier", bound_to=sealed.bound_to(Consent.verifier, consent.id))
        session.add(consent)
    return held(database, vault)


def held(database: Database, vault: Vault) -> dict[str, str]:
    """Everything that is sealed, opened as the rooms that own it do."""
    found = {}
    with database.reading() as session:
        for account in session.scalars(select(Connection)):
            assert account.signing_secret is not None
            found[f"token {account.id}"] = connections.opened(account, vault).credential.token
            found[f"signing {account.id}"] = vault.open(account.signing_secret, bound_to=connections.signing_secret_of(account.id))
        for endpoint in session.scalars(select(Endpoint)):
            found[f"keys {endpoint.id}"] = repr(endpoints.keys(vault, endpoint, NOW))
            found[f"headers {endpoint.id}"] = repr(endpoints.static_headers(vault, endpoint))
        for hook in session.scalars(select(Hook)):
            assert hook.secret is not None
            found[f"hook {hook.id}"] = vault.open(hook.secret, bound_to=calls.secret_of(hook.id))
        for consent in session.scalars(select(Consent)):
            found[f"consent {consent.id}"] = vault.open(consent.verifier, bound_to=sealed.bound_to(Consent.verifier, consent.id))
    return found


def bytes_of(database: Database) -> list[bytes]:
    with database.reading() as session:
        return [
            bytes(value) for column in sealed.COLUMNS for value in session.scalars(select(column).order_by(column.class_.id)) if value is not None
        ]


def test_everything_opens_with_the_new_key_alone_afterwards(database: Database) -> None:
    before = fill(database)
    with pytest.raises(VaultError):
        held(database, AFTER)
    done = sealed.reseal(database, BOTH)
    assert (done.resealed, done.problems) == (7, [])
    assert held(database, AFTER) == before
    with database.reading() as session:
        counts = sealed.count(session, BOTH)
    assert counts.keys() == {sealed.name_of(column) for column in sealed.COLUMNS}
    assert [name for name, each in counts.items() if each.former or each.unreadable] == []
    assert sum(each.current for each in counts.values()) == 7


def test_a_second_rotation_writes_nothing(on_sqlite: Database) -> None:
    fill(on_sqlite)
    sealed.reseal(on_sqlite, BOTH)
    before = bytes_of(on_sqlite)
    assert sealed.reseal(on_sqlite, BOTH).resealed == 0
    assert bytes_of(on_sqlite) == before


def test_an_interrupted_rotation_goes_on(on_sqlite: Database) -> None:
    before = fill(on_sqlite, hooks=2 * sealed.BATCH + 1)
    seen = []

    def interrupt(rows: int) -> None:
        seen.append(rows)
        if rows == sealed.BATCH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sealed.reseal(on_sqlite, BOTH, interrupt)
    assert held(on_sqlite, BOTH) == before
    with on_sqlite.reading() as session:
        assert sealed.count(session, BOTH)["hook.secret"].former == sealed.BATCH + 1
    assert sealed.reseal(on_sqlite, BOTH).resealed == sealed.BATCH + 1 + 1, "the hooks that were left, and the consent"
    assert held(on_sqlite, AFTER) == before


def test_rotation_under_load_loses_nothing(database: Database) -> None:
    """Writers that know both keys change secrets all the while; afterwards the new key alone opens what each of them wrote last."""
    fill(database, hooks=sealed.BATCH)
    ready, told = Event(), dict[str, str]()

    def often(act: Callable[[int], None]) -> None:
        for number in range(12):
            act(number)
            ready.set()

    def hook_gets_another(number: int) -> None:
        with database.writing() as session:
            hook = session.scalars(select(Hook).order_by(Hook.key).limit(1).offset(number).with_for_update()).one()
            hook.secret = BOTH.seal(f"other {number}", bound_to=calls.secret_of(hook.id))
            told[f"hook {hook.id}"] = f"other {number}"

    def endpoint_rotates(_number: int) -> None:
        with database.writing() as session:
            endpoint = session.scalars(select(Endpoint).with_for_update()).one()
            endpoints.rotate_secret(BOTH, endpoint, NOW)
            told[f"keys {endpoint.id}"] = repr(endpoints.keys(BOTH, endpoint, NOW))

    def token_is_renewed(number: int) -> None:
        with database.writing() as session:
            account = session.scalars(select(Connection).with_for_update()).one()
            account.secret = (BEFORE if number % 2 else BOTH).seal(f"token {number}", bound_to=connections.secret_of(account.id))
            told[f"token {account.id}"] = f"token {number}"

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(often, act) for act in (hook_gets_another, endpoint_rotates, token_is_renewed)]
        ready.wait(30)
        first = sealed.reseal(database, BOTH)
        for writer in writers:
            writer.result()
    assert first.problems == []
    assert sealed.reseal(database, BOTH).problems == []
    found = held(database, AFTER)
    assert {name: found[name] for name in told} == told
    assert len(found) == 5 + sealed.BATCH


def test_what_another_process_seals_with_the_old_key_is_counted(on_sqlite: Database) -> None:
    fill(on_sqlite)
    sealed.reseal(on_sqlite, BOTH)
    with on_sqlite.writing() as session:
        connections.keep_signing_secret(session.scalars(select(Connection)).one(), BEFORE, "late")
    with on_sqlite.reading() as session:
        assert sealed.count(session, BOTH)["connection.signing_secret"].former == 1
        assert sealed.count(session, AFTER)["connection.signing_secret"].unreadable == 1


def test_a_value_that_does_not_open_is_named_and_stops_nothing(on_sqlite: Database) -> None:
    fill(on_sqlite)
    with on_sqlite.writing() as session:
        account = session.scalars(select(Connection)).one()
        account.signing_secret = Vault([b"x" * 32]).seal("lost", bound_to="elsewhere")
    done = sealed.reseal(on_sqlite, BOTH)
    assert done.resealed == 6
    assert [f"connection.signing_secret of {account.id}" in problem for problem in done.problems] == [True]


def test_a_key_that_opens_nothing_is_refused_and_nothing_is_written(on_sqlite: Database) -> None:
    fill(on_sqlite)
    before = bytes_of(on_sqlite)
    wrong = Settings(secret_keys=(new_key(),))
    with on_sqlite.reading() as session, pytest.raises(VaultError, match="none of the 7 stored secrets opens"):
        sealed.vault_of(session, wrong)
    assert bytes_of(on_sqlite) == before


@pytest.mark.parametrize("column", sealed.COLUMNS, ids=sealed.name_of)
def test_whatever_is_sealed_keeps_a_new_key_away(on_sqlite: Database, column: sealed.Column) -> None:
    """Each column alone is enough."""
    fill(on_sqlite)
    with on_sqlite.writing() as session:
        for each in sealed.COLUMNS:
            if each is not column and each.class_ is not column.class_:
                for row in session.scalars(select(each.class_)):
                    session.delete(row)
            elif each is not column and each.nullable:
                for row in session.scalars(select(each.class_)):
                    setattr(row, each.key, None)
    path = on_sqlite.url.removeprefix("sqlite:///")
    with on_sqlite.reading() as session, pytest.raises(VaultError, match="restore the key file"):
        sealed.vault_of(session, Settings(database_url=f"sqlite:///{path}"))


# -- the key file -------------------------------------------------------------------------------------------------------------------


def test_a_key_that_comes_into_the_file_seals_in_every_running_process(on_sqlite: Database) -> None:
    settings = Settings(database_url=on_sqlite.url)
    serving = open_vault(settings, sealed_rows=False)
    fill(on_sqlite, serving)
    add_key(settings)
    rotating = open_vault(settings, sealed_rows=True)
    assert rotating.seals_like(serving.seal("sealed after", bound_to="y")), "the serving process looked at the file again"
    assert sealed.reseal(on_sqlite, rotating).resealed == 7
    assert held(on_sqlite, serving) == held(on_sqlite, rotating)


def test_a_process_that_knows_only_the_old_key_reads_what_another_sealed_with_the_new_one(on_sqlite: Database) -> None:
    settings = Settings(database_url=on_sqlite.url)
    serving = open_vault(settings, sealed_rows=False)
    add_key(settings)
    assert serving.open(open_vault(settings, sealed_rows=False).seal("new", bound_to="y"), bound_to="y") == "new"


def test_two_new_keys_are_not_made_at_once(on_sqlite: Database) -> None:
    settings = Settings(database_url=on_sqlite.url)
    open_vault(settings, sealed_rows=False)
    path = key_file(settings)
    assert path is not None
    before, half = path.read_text(), path.with_name(path.name + ".new")
    half.touch()
    with pytest.raises(VaultError, match="another process"):
        add_key(settings)
    assert path.read_text() == before
    half.unlink()
    add_key(settings)
    assert path.read_text().split()[1:] == before.split()
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_key_is_made_where_none_is_kept() -> None:
    with pytest.raises(VaultError, match="openssl"):
        add_key(Settings(secret_keys=(new_key(),)))
    with pytest.raises(VaultError, match="openssl"):
        add_key(Settings(database_url="postgresql+psycopg://h/d"))


def test_an_empty_key_file_is_no_reason_for_a_new_key(on_sqlite: Database) -> None:
    settings = Settings(database_url=on_sqlite.url)
    path = key_file(settings)
    assert path is not None
    path.write_text("\n")
    with pytest.raises(VaultError, match="is empty"):
        open_vault(settings, sealed_rows=True)
    assert path.read_text() == "\n"


def test_what_the_list_binds_to_is_what_the_rooms_bind_to() -> None:
    row = UUID(int=7)
    assert sealed.bound_to(Connection.secret, row) == connections.secret_of(row)
    assert sealed.bound_to(Connection.signing_secret, row) == connections.signing_secret_of(row)
    assert sealed.bound_to(Hook.secret, row) == calls.secret_of(row)
