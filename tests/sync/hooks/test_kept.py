"""Webhooks that were lost, half made, moved or taken down: each is found out and put right, and what was not told meanwhile is read."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from connectors.calls import Hook as Theirs
from connectors.errors import AuthFailed, RateLimited, Refused
from hub import models
from hub.jobs.clock import HOOKS_EVERY, TICK, Clock
from hub.models import Hook
from hub.sync import bells, calls, hooks, inbox
from tests.api.conftest import NotedJobs
from tests.sync.conftest import Hub
from tests.sync.hooks.conftest import PUBLIC, Home, in_thread
from tests.sync.telling import Exchange, Telling, told


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
    await in_thread(home)
    old = next(each for each in exchange.held.values() if each.key == "project/1")
    forgotten = exchange.call("project/1", "task:a")
    exchange.held.pop(str(old.external_id))
    report = await in_thread(home)
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
