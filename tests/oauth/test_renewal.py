"""An access that ends is renewed by one process, once, and kept before it is used; what that costs where a process dies is said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import anyio
import httpx
import pytest

from connectors.errors import AuthFailed, Transient
from connectors.http import build_client
from connectors.oauth import Exchange
from hub import connections
from hub.access.audit import Actor
from hub.connections import consents, tokens
from hub.connections.consents import Asker
from hub.connections.tokens import Keeper, Renewing, app_of, flow_of
from hub.db import Database
from hub.models import Connection
from hub.sandbox.knobs import Fault
from hub.sandbox.server import Sandbox
from hub.sync import contact, hooks, runs
from hub.sync.engine import Engine
from tests.oauth.conftest import ORIGIN, Hub, consent

TOKEN_PATH = {"asana": "oauth_token", "monday": "oauth_ms/oauth/token"}
Act = Callable[[Renewing], Awaitable[str | None]]


class Waits:
    """A sleep that only counts, and lets others do something meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.count, self.meanwhile = 0, meanwhile

    async def __call__(self, _seconds: float) -> None:
        self.count += 1
        self.meanwhile()


def granted(hub: Hub, tool: str) -> UUID:
    """A connection that is active, with nothing of its beginnings in the sandbox's log."""
    nobody = Asker(None, None, Actor("guest", None))
    with hub.database.writing() as session:
        begun = consents.begin(session, hub.vault, hub.settings, nobody, hub.clock(), origin=ORIGIN, tool=tool, name="ours")
    said = dict(parse_qsl(urlsplit(consent(begun.address)).query))
    made = consents.finish(hub.contact, said, nobody)
    with hub.database.writing() as session:
        session.get_one(Connection, made).state = "active"
    hub.sandbox.log.clear()
    return made


Sleep = Callable[[float], Awaitable[None]]


def using(
    hub: Hub, made: UUID, act: Act, *, keeper: Keeper | None = None, client: httpx.AsyncClient | None = None, sleep: Sleep | None = None
) -> str | None:
    """Does something with an access as one process would, from what is stored."""
    keeper = keeper or hub.contact
    with keeper.database.reading() as session:
        account = connections.opened(session.get_one(Connection, made), keeper.vault)
    assert account.tokens is not None

    async def go() -> str | None:
        mine = client or build_client()
        try:
            assert account.tokens is not None
            return await act(Renewing(keeper, made, account.tool, account.base_url, account.tokens, mine, sleep or Waits()))
        finally:
            await mine.aclose()

    return anyio.run(go)


def current(renewing: Renewing) -> Awaitable[str]:
    return renewing.current()


@pytest.mark.parametrize("tool", TOKEN_PATH)
def test_an_access_is_renewed_before_it_ends_and_kept(hub: Hub, tool: str) -> None:
    made = granted(hub, tool)
    first = hub.tokens(made)
    assert using(hub, made, current) == first.access
    assert hub.calls(TOKEN_PATH[tool]) == []
    hub.later(minutes=56 if tool == "asana" else 26)
    second = using(hub, made, current)
    kept = hub.tokens(made)
    assert second == kept.access != first.access
    assert (kept.refresh == first.refresh) == (tool == "asana"), "one keeps its refresh token, the other's works once"
    assert kept.expires_at is not None
    assert kept.expires_at > hub.clock()
    assert (hub.row(made).renewal_owner, hub.row(made).renewal_until) == (None, None)
    assert len(hub.calls(TOKEN_PATH[tool])) == 1
    assert contact.check(hub.contact, made).problem is None


@pytest.mark.parametrize("tool", TOKEN_PATH)
def test_a_refused_access_is_renewed_once_and_the_call_is_sent_again(hub: Hub, sandbox: Sandbox, tool: str) -> None:
    made = granted(hub, tool)
    sandbox.knobs.later = 3601  # the tool's clock is ahead of ours
    found = contact.check(hub.contact, made)
    assert found.problem is None
    assert len(hub.calls(TOKEN_PATH[tool])) == 1
    assert [row["status"] for row in sandbox.log.rows][:3] == [401, 200, 200]
    assert hub.row(made).state == "active"


def test_an_access_that_stays_refused_is_not_renewed_again_and_again(hub: Hub, sandbox: Sandbox) -> None:
    made = granted(hub, "asana")
    for _ in range(5):
        sandbox.knobs.faults.append(Fault("asana", "/users/me", "status", times=9, code=401))
    assert contact.check(hub.contact, made).problem is not None
    assert len(hub.calls("oauth_token")) == 1
    assert len(hub.calls("/users/me")) == 2
    assert hub.told() == ["connection.broken"]


@pytest.mark.parametrize("tool", TOKEN_PATH)
def test_of_two_processes_one_renews_and_the_other_reads_what_it_got(hub: Hub, database_url: str, tool: str) -> None:
    made = granted(hub, tool)
    hub.later(minutes=59)
    others = [Database(database_url) for _ in range(2)]
    together = Barrier(2)

    def process(database: Database) -> str | None:
        keeper = Keeper(database, hub.vault, hub.settings, hub.clock)

        async def act(renewing: Renewing) -> str:
            together.wait(10)
            return await renewing.current()

        return using(hub, made, act, keeper=keeper, sleep=anyio.sleep)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(process, others))
    for each in others:
        each.dispose()
    assert found[0] == found[1] == hub.tokens(made).access
    assert len(hub.calls(TOKEN_PATH[tool])) == 1


def test_whoever_waits_takes_what_the_other_one_got(hub: Hub) -> None:
    """The same, step by step: the other one has the lease, and stores while we wait."""
    made = granted(hub, "monday")
    hub.later(minutes=29)
    lease(hub, made)
    fresh = tokens.Tokens("theirs", "r2", hub.clock() + timedelta(hours=1), hub.clock() + timedelta(minutes=55), "2.1")

    def other_finishes() -> None:
        with hub.database.writing() as session:
            tokens.keep(session.get_one(Connection, made), hub.vault, fresh)

    waits = Waits(other_finishes)
    assert using(hub, made, current, sleep=waits) == "theirs"
    assert (waits.count, hub.calls("/token")) == (1, [])


def lease(hub: Hub, made: UUID) -> None:
    with hub.database.writing() as session:
        row = session.get_one(Connection, made)
        row.renewal_owner, row.renewal_until = "another process", hub.clock() + tokens.LEASE


def test_a_lease_whose_owner_does_not_finish_is_waited_for_and_not_broken(hub: Hub) -> None:
    made = granted(hub, "monday")
    hub.later(minutes=29)
    lease(hub, made)
    waits = Waits()
    assert using(hub, made, current, sleep=waits) == hub.tokens(made).access, "while it is good, the access at hand does"
    hub.later(minutes=2)
    lease(hub, made)
    with pytest.raises(Transient, match="another process is renewing"):
        using(hub, made, current, sleep=waits)
    assert waits.count == 2 * tokens.LOOKS
    assert hub.calls("/token") == []
    assert hub.row(made).state == "active"


@pytest.mark.parametrize("tool", TOKEN_PATH)
def test_killed_between_the_tool_s_answer_and_the_commit(hub: Hub, tool: str) -> None:
    """What holds: nobody takes the dead one's place before its lease has ended. Then, where the refresh token stays, all goes on; where it works
    once, it died with the process: the connection is broken by the very next call, and that is told."""
    made = granted(hub, tool)
    hub.later(minutes=59)
    lease(hub, made)
    before = hub.tokens(made)

    async def dies(_renewing: Renewing) -> str | None:
        app, way = app_of(hub.settings, tool), flow_of(tool, hub.row(made).base_url, before.flow)
        assert app is not None
        assert way is not None
        client = build_client()
        await Exchange(client, way[1], app, hub.clock).renewed(before.refresh or "")
        await client.aclose()
        return None

    using(hub, made, dies)
    assert hub.tokens(made) == before
    hub.later(minutes=5)
    found = contact.check(hub.contact, made)
    if tool == "asana":
        assert found.problem is None
        assert hub.tokens(made).access != before.access
        return
    assert found.problem is not None
    assert "no longer renews" in found.problem
    assert hub.told() == ["connection.broken"]


def test_a_stop_in_the_middle_loses_nothing(hub: Hub) -> None:
    """The cancellation comes while the tool answers: the new pair is kept all the same."""
    made = granted(hub, "monday")
    hub.later(minutes=29)
    before = hub.tokens(made)
    scopes: list[anyio.CancelScope] = []

    class Cancelling(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            scopes[0].cancel()
            return await super().handle_async_request(request)

    async def act(renewing: Renewing) -> str | None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await renewing.current()
        return None

    using(hub, made, act, client=httpx.AsyncClient(transport=Cancelling()))
    assert scopes[0].cancel_called
    assert hub.tokens(made).refresh not in (None, before.refresh)
    assert contact.check(hub.contact, made).problem is None


def test_a_tool_that_cannot_be_asked_to_renew_does_no_harm_while_the_access_is_good(hub: Hub, sandbox: Sandbox) -> None:
    made = granted(hub, "asana")
    hub.later(minutes=58)
    sandbox.knobs.faults.append(Fault("asana", "oauth_token", "status", times=9, code=503))
    assert contact.check(hub.contact, made).problem is None
    assert len(hub.calls("oauth_token")) == 1, "not asked again for every call"
    hub.later(minutes=3)
    found = contact.check(hub.contact, made)
    assert found.problem is not None
    assert hub.row(made).state == "active", "a fault is no refusal"
    sandbox.knobs.faults.clear()
    assert contact.check(hub.contact, made).problem is None


def test_a_renewal_without_the_app_s_secret_says_what_is_missing(hub: Hub) -> None:
    made = granted(hub, "asana")
    hub.later(minutes=61)
    bare = Keeper(hub.database, hub.vault, type(hub.settings)(), hub.clock)
    with pytest.raises(AuthFailed, match="HUB_OAUTH_ASANA_CLIENT_ID"):
        using(hub, made, current, keeper=bare)


def test_a_yes_that_is_given_again_meanwhile_is_used_by_what_runs(hub: Hub, sandbox: Sandbox) -> None:
    """Also where nothing can be renewed: the old token is refused, another one is there."""
    made = granted(hub, "clickup")
    first = hub.tokens(made)
    newer = tokens.Tokens("12345678_abcdef", None, None, None, "standard")
    sandbox.offices["clickup"].grant((), newer.access, None, None)

    async def act(renewing: Renewing) -> str | None:
        assert await renewing.current() == first.access
        assert await renewing.instead_of(first.access) is None
        with hub.database.writing() as session:
            tokens.keep(session.get_one(Connection, made), hub.vault, newer)
        return await renewing.instead_of(first.access)

    assert using(hub, made, act) == newer.access


def test_a_connection_that_got_a_personal_token_meanwhile_is_left_to_it(hub: Hub) -> None:
    made = granted(hub, "asana")

    async def act(renewing: Renewing) -> str | None:
        hub.later(minutes=61)
        with hub.database.writing() as session:
            connections.give_token(session.get_one(Connection, made), hub.vault, "personal")
        return await renewing.current()

    with pytest.raises(Transient, match="another credential"):
        using(hub, made, act)
    assert hub.row(made).auth_kind == "personal_token"


def test_a_long_reading_goes_on_over_the_end_of_its_access(hub: Hub, sandbox: Sandbox) -> None:
    """Between two pages a quarter of an hour goes by."""
    made = granted(hub, "asana")
    with hub.database.writing() as session:
        run_id = runs.queue(session, made, "manual", hub.clock()).id
    engine = Engine(hub.database, hub.vault, hub.settings, hub.clock, watch=lambda _progress: hub.later(minutes=15))
    outcome = engine.sync(run_id)
    assert outcome is not None
    assert (outcome.state, outcome.errors) == ("complete", [])
    assert hub.calls("oauth_token")


# -- broken within one failed call --------------------------------------------------------------------------------------------------


def sync(hub: Hub, made: UUID) -> None:
    with hub.database.writing() as session:
        run_id = runs.queue(session, made, "manual", hub.clock()).id
    Engine(hub.database, hub.vault, hub.settings, hub.clock).sync(run_id)


def look_for_places(hub: Hub, made: UUID) -> None:
    with pytest.raises(AuthFailed):
        contact.discover(hub.contact, made)


WAYS_TO_NOTICE: dict[str, Callable[[Hub, UUID], object]] = {
    "a check": lambda hub, made: contact.check(hub.contact, made),
    "a run": sync,
    "choosing a scope": look_for_places,
    "webhooks put in order": lambda hub, made: hooks.upkeep(hub.contact, made),
}


@pytest.mark.parametrize("kind", ["a personal token", "a grant"])
@pytest.mark.parametrize("way", WAYS_TO_NOTICE)
def test_one_failed_call_breaks_a_connection_and_a_good_check_mends_it(hub: Hub, sandbox: Sandbox, way: str, kind: str) -> None:
    made = granted(hub, "asana")
    if kind == "a personal token":
        with hub.database.writing() as session:
            connections.give_token(session.get_one(Connection, made), hub.vault, sandbox.world.tokens["asana"])
    sandbox.knobs.revoked = {"asana"}
    WAYS_TO_NOTICE[way](hub, made)
    row = hub.row(made)
    assert (row.state, row.next_sync_at, hub.told()) == ("broken", None, ["connection.broken"])
    assert "the credential was refused" in (row.last_error or "")
    assert "hub connection rotate ours" in (row.last_error or "")
    if way != "webhooks put in order":  # that leaves a broken connection alone
        WAYS_TO_NOTICE[way](hub, made)
        assert hub.told() == ["connection.broken"], "told once"
    sandbox.knobs.revoked = set()
    assert contact.check(hub.contact, made).problem is None
    assert (hub.row(made).state, hub.row(made).last_error) == ("active", None)
    assert hub.told() == ["connection.broken", "connection.recovered"]
