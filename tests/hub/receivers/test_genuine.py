"""A vendor's call is verified, stored and answered; whatever else knocks at a receiver does no harm and learns nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from hub import receivers
from hub.models import Connection
from hub.settings import Settings
from hub.sync import bells, inbox
from hub.sync.contact import Contact
from tests.hub.receivers.conftest import PUBLIC, SECRET, House, telling
from tests.sync.telling import OFFER

# -- genuine calls ---------------------------------------------------------------------------------------------------------------


def test_a_genuine_call_is_stored_and_rings_a_moment_later(house: House) -> None:
    path = house.hook()
    answer = house.tell(path, "task:1", "task:2", delivery="d1")
    assert (answer.status_code, answer.content) == (200, b"thanks")
    assert house.waiting() == [["task:1", "task:2"]]
    assert house.row().last_call_at == house.clock()
    assert house.jobs.submitted == [("touch", str(house.connection_id), {"connection_id": str(house.connection_id)}, None)]
    assert house.jobs.at == [house.clock() + receivers.COALESCE]


def test_the_doorbell_queues_one_run_that_reads_what_was_told(house: House) -> None:
    path = house.hook()
    for number in range(3):
        house.tell(path, f"task:{number}")
    house.jobs.submitted.clear()
    contact = Contact(house.database, house.vault, Settings(public_url=PUBLIC), house.clock)
    for _ in range(2):
        bells.touch(contact, house.jobs, {"connection_id": str(house.connection_id)})
    names = {(name, key, args["run_id"]) for name, key, args, _ in house.jobs.submitted}
    assert len(names) == 1
    with house.database.reading() as session:
        run = session.scalars(select(bells.SyncRun)).one()
        assert (run.kind, run.reason, run.state, str(run.id)) == ("touch", "webhook", "queued", next(iter(names))[2])


def test_a_heartbeat_is_noted_and_rings_nothing(house: House) -> None:
    assert house.tell(house.hook()).status_code == 200
    assert house.row().last_call_at == house.clock()
    assert (house.rows(), house.jobs.submitted) == (0, [])


def test_what_is_told_of_a_paused_connection_waits_until_it_goes_on(house: House) -> None:
    path = house.hook()
    with house.database.writing() as session:
        session.get_one(Connection, house.connection_id).state = "paused"
    assert house.tell(path, "task:1", delivery="d1").status_code == 200
    assert (house.waiting(), house.rows()) == ([["task:1"]], 1)


def test_a_call_that_comes_twice_is_answered_and_ignored(house: House) -> None:
    path = house.hook()
    assert [house.tell(path, "task:1", delivery="d1").status_code for _ in range(3)] == [200] * 3
    assert (house.waiting(), house.rows()) == ([["task:1"]], 1)


def test_a_replay_after_the_run_brings_nothing_back(house: House) -> None:
    path = house.hook()
    house.tell(path, "task:1", delivery="d1")
    with house.database.writing() as session:
        inbox.done(session, [line for line, _ in inbox.take(session, house.connection_id, 10)], house.clock())
    assert house.tell(path, "task:1", delivery="d1").status_code == 200
    assert house.waiting() == []


# -- calls that are not the vendor's ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["", "another"])
def test_a_forged_call_gets_its_status_and_no_word(house: House, secret: str) -> None:
    path = house.hook()
    answer = house.tell(path, "task:1", secret=secret)
    assert (answer.status_code, answer.content) == (403, b"")
    assert house.ask(path, b"not even JSON").status_code == 403
    assert (house.row().forged, house.row().last_call_at, house.rows(), house.jobs.submitted) == (2, None, 0, [])


def test_no_other_address_is_one(house: House) -> None:
    path = house.hook()
    token = path.rpartition("/")[2]
    wrong = [
        f"{path}x",
        path[:-1],
        f"/receivers/{uuid4()}/{token}",
        f"/receivers/{house.connection_id}/{uuid4()}",
        f"/receivers/x/{token}",
        f"/receivers/{house.connection_id}/%ff%00",
    ]
    answers = {(answer.status_code, answer.content) for answer in (house.ask(each, *telling("task:1")) for each in wrong)}
    assert answers == {(404, b"")}
    assert house.ask(path, method="GET").status_code == 405
    assert house.rows() == 0


@pytest.mark.parametrize("state", [{"state": "lost"}, {"state": "opening", "external_id": None}])
def test_a_webhook_that_is_none_is_not_to_be_called(house: House, state: dict[str, Any]) -> None:
    assert house.tell(house.hook(**state), "task:1").status_code == 404


def test_a_suspended_one_that_calls_all_the_same_is_heard(house: House) -> None:
    assert house.tell(house.hook(state="suspended"), "task:1").status_code == 200
    assert house.waiting() == [["task:1"]]


# -- handshakes --------------------------------------------------------------------------------------------------------------------


def test_a_handshake_is_taken_while_its_registration_is_open(house: House) -> None:
    path = house.opening()
    answer = house.ask(path, b"{}", {OFFER: "the new word"})
    assert (answer.status_code, answer.headers[OFFER]) == (200, "the new word")
    assert house.secret() == "the new word"
    assert b"the new word" not in (house.row().secret or b"")
    assert house.tell(path, "task:1", secret="the new word").status_code == 200


def test_a_handshake_when_none_is_open_changes_nothing(house: House) -> None:
    path = house.hook()
    assert house.ask(path, b"{}", {OFFER: "mine"}).status_code == 403
    assert (house.secret(), house.row().forged) == (SECRET, 1)


def test_a_handshake_after_the_time_for_it_is_refused(house: House) -> None:
    path = house.opening()
    house.clock.advance(timedelta(minutes=2))
    assert house.ask(path, b"{}", {OFFER: "late"}).status_code == 404
    assert house.row().secret is None


def test_a_secret_is_not_replaced_by_a_second_handshake(house: House) -> None:
    path = house.opening()
    assert house.ask(path, b"{}", {OFFER: "first"}).status_code == 200
    assert house.ask(path, b"{}", {OFFER: "first"}).status_code == 200, "a vendor may repeat itself"
    assert house.ask(path, b"{}", {OFFER: "second"}).status_code == 403
    assert house.secret() == "first"


def test_a_webhook_that_is_being_revived_still_knows_its_old_secret_and_takes_a_new_one(house: House) -> None:
    path = house.hook(state="opening", opened_until=house.clock() + timedelta(minutes=1))
    assert house.tell(path, "task:1").status_code == 200
    assert house.ask(path, b"{}", {OFFER: "new"}).status_code == 200
    assert house.secret() == "new"


# -- too much ----------------------------------------------------------------------------------------------------------------------


# -- what nobody may see -----------------------------------------------------------------------------------------------------------


# -- where they are served -----------------------------------------------------------------------------------------------------------
