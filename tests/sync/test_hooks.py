"""A connection's webhooks are made, watched, restored and taken down by the hub itself, and what was not told meanwhile is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from importlib import metadata
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from connectors import registry
from connectors.base import Hook as Theirs
from connectors.errors import AuthFailed, RateLimited, Refused
from hub import models
from hub.app import create_receiver_app
from hub.jobs.clock import HOOKS_EVERY, TICK, Clock
from hub.models import Hook, SyncRun
from hub.settings import Settings
from hub.sync import bells, calls, hooks, inbox
from hub.sync.contact import Contact
from hub.sync.hooks import Report
from tests.api.conftest import NotedJobs
from tests.sync.conftest import Hub
from tests.sync.pretend import Vendor, project, task
from tests.sync.telling import Exchange, Telling, told

PUBLIC = "https://hub.example.org"


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    made = Exchange()
    monkeypatch.setattr(Telling, "exchange", made, raising=False)
    return made


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, exchange: Exchange) -> Vendor:
    """Two projects with a task each, at a vendor that tells."""
    made = Vendor()
    made.put(project("1"), project("2"), task("a", "1"), task("b", "2"))
    monkeypatch.setattr(Telling, "vendor", made, raising=False)
    point = metadata.EntryPoint("pretend", "tests.sync.telling:Telling", registry.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda *, group, name=None: metadata.EntryPoints([point] if group == registry.GROUP else []))
    return made


@pytest.fixture
def jobs() -> NotedJobs:
    return NotedJobs()


class Home:
    """The hub with its receivers, which the vendor reaches."""

    def __init__(self, hub: Hub, exchange: Exchange, jobs: NotedJobs) -> None:
        self.hub, self.exchange, self.jobs = hub, exchange, jobs
        self.contact = Contact(hub.database, hub.engine.vault, Settings(public_url=PUBLIC), hub.clock)
        exchange.post = self.post

    @property
    def app(self) -> FastAPI:
        return create_receiver_app(self.contact.settings, self.hub.database, self.hub.engine.vault, self.jobs, self.hub.clock)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str]]:
        public = str(self.contact.settings.public_url)
        if not url.startswith(public):
            return 502, {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=public) as client:
            answer = await client.post(url, content=body, headers=dict(headers))
        return answer.status_code, answer.headers

    def upkeep(self, *, sparing: bool = False, minutes: float = 10) -> Report:
        """Some minutes after the last one."""
        self.hub.clock.goes_on(minutes=minutes)
        self.exchange.asked.clear()
        return hooks.upkeep(self.contact, self.hub.connection_id, sparing=sparing)

    def moved_to(self, public_url: str | None) -> None:
        self.contact = replace(self.contact, settings=Settings(public_url=public_url))

    def rows(self) -> dict[str, Hook]:
        with self.hub.database.reading() as session:
            return {row.key: row for row in hooks.rows_of(session, self.hub.connection_id)}

    def states(self) -> dict[str, str]:
        return {key: row.state for key, row in self.rows().items()}

    def age(self, **span: float) -> None:
        """A registration that was begun and never ended."""
        with self.hub.database.writing() as session:
            for row in session.scalars(select(Hook)):
                row.state, row.opened_until = "opening", self.hub.clock() + timedelta(**span)

    def queued(self) -> list[tuple[str, str]]:
        with self.hub.database.reading() as session:
            return [(run.reason, run.kind) for run in session.scalars(select(SyncRun).where(SyncRun.state == "queued"))]

    def asked(self, what: str) -> list[str]:
        return sorted(key for each, key in self.exchange.asked if each == what)


@pytest.fixture
def home(hub: Hub, exchange: Exchange, jobs: NotedJobs) -> Home:
    """After the first full reading."""
    hub.complete()
    return Home(hub, exchange, jobs)


# -- making ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shakes", [True, False], ids=["handshake", "secret in the answer"])
@pytest.mark.anyio
async def test_every_project_gets_a_webhook_whose_calls_are_understood(home: Home, exchange: Exchange, shakes: bool) -> None:
    exchange.shakes = shakes
    report = await _in_thread(home)
    assert (report.made, report.active, report.wanted, report.errors) == (2, 2, 2, [])
    assert home.states() == {"project/1": "active", "project/2": "active"}
    assert (await home.post(*exchange.call("project/1", "task:a")))[0] == 200
    with home.hub.database.reading() as session:
        assert [refs for _, refs in inbox.take(session, home.hub.connection_id, 9)] == [["task:a"]]
    assert home.queued() == [], "a first registration leaves no gap: the next poll overlaps it"


async def _in_thread(home: Home) -> Report:
    from anyio.to_thread import run_sync

    return await run_sync(home.upkeep)


def test_neither_address_nor_secret_is_kept_in_the_open(home: Home, exchange: Exchange) -> None:
    home.upkeep()
    books = repr(home.hub.dump(("hook",)))
    for held in exchange.held.values():
        assert str(held.args["target"]).rpartition("/")[2] not in books
        assert str(held.secret) not in books


def test_a_registration_is_written_down_before_the_vendor_is_asked(home: Home, exchange: Exchange) -> None:
    seen: list[str] = []

    async def look(_target: str) -> None:
        seen.extend(state for state in home.states().values())

    exchange.inside = look
    home.upkeep()
    assert set(seen) <= {"opening", "active"}
    assert seen.count("opening") >= 2


def test_a_second_upkeep_changes_nothing(home: Home) -> None:
    home.upkeep()
    before = {key: row.door for key, row in home.rows().items()}
    report = home.upkeep()
    assert (report.made, report.restored, report.removed, report.active) == (0, 0, 0, 2)
    assert home.exchange.asked == [("held", "")]
    assert {key: row.door for key, row in home.rows().items()} == before
    assert {row.last_checked_at for row in home.rows().values()} == {home.hub.clock()}


def test_a_new_project_gets_its_webhook_after_the_run_that_found_it(home: Home, vendor: Vendor, jobs: NotedJobs) -> None:
    home.upkeep()
    vendor.put(project("3"))
    run = home.hub.complete()
    bells.after_run(home.contact, jobs, run.id)
    [(name, key, args, _)] = jobs.submitted
    assert (name, key, args["sparing"]) == ("hooks", str(home.hub.connection_id), True)
    bells.put_in_order(home.contact, jobs, args)
    assert home.states() == dict.fromkeys(("project/1", "project/2", "project/3"), "active")


def test_sparing_asks_the_vendor_nothing_while_all_is_in_order(home: Home) -> None:
    home.upkeep()
    assert home.upkeep(sparing=True).said
    assert home.exchange.asked == []
    assert home.upkeep(sparing=True, minutes=61).said is None
    assert home.exchange.asked == [("held", "")]


def test_sparing_trusts_no_longer_than_an_hour_however_often_it_is_called(home: Home) -> None:
    home.upkeep()
    asked = []
    for _ in range(8):
        home.upkeep(sparing=True, minutes=15)
        asked += home.exchange.asked
    assert asked == [("held", "")] * 2


def test_a_secret_whose_key_is_lost_is_said_in_words(home: Home, exchange: Exchange) -> None:
    home.upkeep()
    exchange.suspend()
    with home.hub.database.writing() as session:
        for row in session.scalars(select(Hook)):
            row.secret = b"sealed elsewhere"
    [error] = home.upkeep().errors
    assert "HUB_SECRET_KEYS" in error


def test_a_project_that_is_archived_or_gone_loses_its_webhook(home: Home, vendor: Vendor, exchange: Exchange) -> None:
    home.upkeep()
    vendor.change("project:1", archived=True)
    home.hub.complete()
    report = home.upkeep()
    assert (report.removed, home.states()) == (1, {"project/2": "active"})
    assert [hook.key for hook in exchange.held.values()] == ["project/2"]
    assert home.queued() == []


# -- losing and restoring ----------------------------------------------------------------------------------------------------------


def test_a_suspended_webhook_is_revived_and_the_gap_is_read(home: Home, exchange: Exchange, jobs: NotedJobs) -> None:
    home.upkeep()
    exchange.suspend("h1")
    bells.put_in_order(home.contact, jobs, {"connection_id": str(home.hub.connection_id)})
    assert home.states() == dict.fromkeys(("project/1", "project/2"), "active")
    assert home.queued() == [("webhook restored", "full")]
    assert [name for name, *_ in jobs.submitted] == ["sync"]
    assert len(exchange.held) == 2


@pytest.mark.anyio
async def test_a_webhook_that_the_vendor_dropped_is_made_anew_at_another_address(home: Home, exchange: Exchange) -> None:
    await _in_thread(home)
    old = next(each for each in exchange.held.values() if each.key == "project/1")
    forgotten = exchange.call("project/1", "task:a")
    exchange.held.pop(str(old.external_id))
    report = await _in_thread(home)
    assert (report.restored, report.made, home.queued()) == (1, 0, [("webhook restored", "full")])
    assert (await home.post(*forgotten))[0] == 404
    assert (await home.post(*exchange.call("project/1", "task:a")))[0] == 200


def test_one_that_cannot_be_restored_is_said_and_tried_again(home: Home, exchange: Exchange) -> None:
    home.upkeep()
    exchange.suspend()
    exchange.fails["project/1"] = Refused(f"no, not at {exchange.targets()[0]}")
    report = home.upkeep()
    assert (report.restored, len(report.errors)) == (1, 1)
    row = home.rows()["project/1"]
    assert row.state in ("suspended", "lost")
    assert "[redacted]" in str(row.error), "a vendor's own words may hold the address"
    assert str(exchange.targets()[0]).rpartition("/")[2] not in str(row.error) + str(report.errors)
    exchange.fails.clear()
    assert home.upkeep().restored == 1
    assert home.rows()["project/1"].error is None


def test_a_project_that_was_never_told_of_leaves_no_gap(home: Home, exchange: Exchange) -> None:
    exchange.fails["project/1"] = Refused("no more webhooks")
    assert (home.upkeep().errors, home.states()["project/1"]) == (["no more webhooks"], "lost")
    exchange.fails.clear()
    report = home.upkeep()
    assert (report.made, report.restored, home.queued()) == (1, 0, [])


@pytest.mark.parametrize("error", [AuthFailed("the token is no good"), RateLimited("too many", retry_after=300)], ids=["refused", "limited"])
def test_what_concerns_them_all_ends_the_attempt(
    home: Home, exchange: Exchange, jobs: NotedJobs, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "AT_ONCE", 1)
    exchange.fails |= {"project/1": error, "project/2": error}  # type: ignore[dict-item]
    bells.put_in_order(home.contact, jobs, {"connection_id": str(home.hub.connection_id)})
    assert len(home.asked("subscribe")) == 1
    again = [(name, at) for (name, *_), at in zip(jobs.submitted, jobs.at, strict=True)]
    assert again == ([("hooks", home.hub.clock() + timedelta(seconds=300))] if isinstance(error, RateLimited) else [])


# -- half-way ----------------------------------------------------------------------------------------------------------------------


def test_what_another_process_is_registering_is_left_alone(home: Home) -> None:
    home.upkeep()
    home.age(minutes=30)
    report = home.upkeep()
    assert home.exchange.asked == [("held", "")]
    assert (report.made, report.removed, home.states()) == (0, 0, dict.fromkeys(("project/1", "project/2"), "opening"))


def test_one_that_was_registered_while_the_vendor_was_asked_is_not_lost(home: Home, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    async def behind_the_times(_self: Telling) -> list[Theirs]:
        return []

    home.upkeep()
    with home.hub.database.writing() as session:
        for row in session.scalars(select(Hook)):
            row.active_since = home.hub.clock() + timedelta(minutes=10)
    monkeypatch.setattr(Telling, "hooks_held", behind_the_times)
    assert (home.upkeep().restored, home.asked("subscribe")) == (0, [])


def test_a_registration_that_died_is_finished_or_begun_again(home: Home, exchange: Exchange) -> None:
    """Killed between the vendor's yes and our note of it: with its secret it is adopted, without it is of no use."""
    home.upkeep()
    with home.hub.database.writing() as session:
        for row in session.scalars(select(Hook)):
            row.external_id = None
            if row.key == "project/2":
                row.secret = row.shook_at = None
    home.age(minutes=-1)
    report = home.upkeep()
    assert (home.asked("unsubscribe"), home.asked("subscribe"), report.errors) == (["project/2"], ["project/2"], [])
    assert home.states() == dict.fromkeys(("project/1", "project/2"), "active")
    assert len(exchange.held) == 2


def test_a_registration_that_died_before_the_vendor_was_asked_is_made(home: Home, exchange: Exchange) -> None:
    home.upkeep()
    exchange.held.clear()
    with home.hub.database.writing() as session:
        for row in session.scalars(select(Hook)):
            row.external_id = row.secret = row.shook_at = row.active_since = None
    home.age(minutes=-1)
    assert home.upkeep().made == 2
    assert home.states() == dict.fromkeys(("project/1", "project/2"), "active")


# -- where the hub is --------------------------------------------------------------------------------------------------------------


def test_a_hub_that_moved_moves_its_webhooks(home: Home, exchange: Exchange) -> None:
    home.upkeep()
    home.moved_to("https://elsewhere.example.org")
    report = home.upkeep()
    assert (report.restored, len(exchange.held)) == (2, 2)
    assert all(target.startswith("https://elsewhere.example.org/receivers/") for target in exchange.targets())


def test_without_an_address_they_are_taken_down(home: Home, exchange: Exchange) -> None:
    home.upkeep()
    home.moved_to(None)
    assert (home.upkeep().removed, exchange.held, home.states()) == (2, {}, {})
    assert "HUB_PUBLIC_URL" in str(home.upkeep().said)
    assert home.exchange.asked == []


def test_a_tool_that_cannot_tell_is_not_asked(home: Home, exchange: Exchange) -> None:
    exchange.capable = False
    assert home.upkeep().said
    assert exchange.asked == []


def test_strays_of_this_hub_go_and_those_of_others_stay(home: Home, exchange: Exchange) -> None:
    ours, other = home.hub.connection_id, uuid4()
    with home.hub.database.writing() as session:
        beside = models.Connection(id=other, name="beside", tool="pretend", base_url="", scope={}, options={}, created_at=home.hub.clock())
        session.add(beside)
    targets = {
        "stray": f"{PUBLIC}/receivers/{ours}/unknown",
        "orphan": f"{PUBLIC}/receivers/{uuid4()}/unknown",
        "beside": f"{PUBLIC}/receivers/{other}/theirs",
        "program": "https://program.example.org/hook",
    }
    exchange.held |= {name: Theirs(name, {"target": target}, name, "s") for name, target in targets.items()}
    report = home.upkeep()
    assert (report.removed, sorted(home.asked("unsubscribe"))) == (2, ["orphan", "stray"])
    assert {"beside", "program"} <= exchange.held.keys()


# -- taking down -------------------------------------------------------------------------------------------------------------------


def test_a_connection_that_goes_takes_its_webhooks_down(home: Home, exchange: Exchange) -> None:
    home.upkeep()
    assert hooks.withdraw(home.contact, home.hub.connection_id) == []
    assert (exchange.held, home.states()) == ({}, {})


def test_what_was_told_before_a_pause_is_read_after_it(home: Home) -> None:
    home.upkeep()
    with home.hub.database.writing() as session:
        told(session, home.hub.connection_id, None, ["task:a"], home.hub.clock())
    hooks.withdraw(home.contact, home.hub.connection_id)
    with home.hub.database.reading() as session:
        assert inbox.is_waiting(session, home.hub.connection_id)


def test_what_cannot_be_taken_down_is_said_and_answered_no_longer(home: Home, exchange: Exchange) -> None:
    home.upkeep()
    exchange.fails["unsubscribe"] = Refused("not yours")
    assert hooks.withdraw(home.contact, home.hub.connection_id) == ["not yours"]
    assert (len(exchange.held), home.states()) == (2, {})


# -- when --------------------------------------------------------------------------------------------------------------------------


def test_the_clock_rings_for_webhooks_once_a_day(home: Home, jobs: NotedJobs) -> None:
    def rings(*, hooks: bool = True) -> list[str]:
        jobs.submitted.clear()
        Clock(home.hub.database, jobs, home.hub.clock, hooks=hooks).ring()
        return [name for name, *_ in jobs.submitted if name != "sync"]

    assert rings(hooks=False) == []
    assert rings() == ["hooks"]
    home.upkeep()
    assert rings() == []
    home.hub.clock.goes_on(seconds=HOOKS_EVERY.total_seconds())
    assert rings() == ["hooks"]


def test_a_doorbell_that_was_lost_is_rung_by_the_clock(home: Home, jobs: NotedJobs) -> None:
    with home.hub.database.writing() as session:
        told(session, home.hub.connection_id, None, ["task:a"], home.hub.clock())
    clock = Clock(home.hub.database, jobs, home.hub.clock)
    clock.ring()
    assert "touch" not in {name for name, *_ in jobs.submitted}, "its own doorbell may still ring"
    home.hub.clock.goes_on(seconds=TICK.total_seconds() + 1)
    clock.ring()
    assert "touch" in {name for name, *_ in jobs.submitted}


def test_hints_before_the_first_reading_wait(hub: Hub, exchange: Exchange, jobs: NotedJobs) -> None:
    home = Home(hub, exchange, jobs)
    with hub.database.writing() as session:
        told(session, hub.connection_id, None, ["task:a"], hub.clock())
    bells.touch(home.contact, jobs, {"connection_id": str(hub.connection_id)})
    assert (jobs.submitted, home.queued()) == ([], [])


def test_an_address_has_as_many_random_bits_as_a_key() -> None:
    addresses = {calls.new_address(PUBLIC, uuid4())[0] for _ in range(50)}
    assert {len(address.rpartition("/")[2]) for address in addresses} == {43}
    assert all(len(address) <= 255 for address in addresses), "some vendors take no longer ones"
