"""A connection's webhooks are made, watched, restored and taken down by the hub itself, and what was not told meanwhile is read."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from hub.models import Hook
from hub.sync import bells, inbox
from tests.api.conftest import NotedJobs
from tests.sync.hooks.conftest import Home, in_thread
from tests.sync.pretend import Vendor, project
from tests.sync.telling import Exchange

# -- making ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shakes", [True, False], ids=["handshake", "secret in the answer"])
@pytest.mark.anyio
async def test_every_project_gets_a_webhook_whose_calls_are_understood(home: Home, exchange: Exchange, shakes: bool) -> None:
    exchange.shakes = shakes
    report = await in_thread(home)
    assert (report.made, report.active, report.wanted, report.errors) == (2, 2, 2, [])
    assert home.states() == {"project/1": "active", "project/2": "active"}
    assert (await home.post(*exchange.call("project/1", "task:a")))[0] == 200
    with home.hub.database.reading() as session:
        assert [refs for _, refs in inbox.take(session, home.hub.connection_id, 9)] == [["task:a"]]
    assert home.queued() == [], "a first registration leaves no gap: the next poll overlaps it"


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


# -- half-way ----------------------------------------------------------------------------------------------------------------------


# -- where the hub is --------------------------------------------------------------------------------------------------------------


# -- taking down -------------------------------------------------------------------------------------------------------------------


# -- when --------------------------------------------------------------------------------------------------------------------------
