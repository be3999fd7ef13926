"""What happens reaches its endpoints: once in the good case, signed, in order, and whatever becomes of the receiver."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from hub.delivery import drain, endpoints, parked
from hub.delivery.ledger import Entry
from hub.events import EventType
from hub.models import Endpoint
from tests.delivery.receiver import Call, Receiver, Reply, receiving
from tests.delivery.stage import Stage, now, until


class Later:
    """A clock that can be moved on."""

    def __init__(self) -> None:
        self.by = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


def ids(there: Receiver, entity: UUID | None = None) -> list[str]:
    return [call.id for call in there.calls if entity is None or call.json["entity"]["id"] == str(entity)]


def refusing(bad: Callable[[Call], bool], status: int = 500, **headers: str) -> Callable[[Call], Reply]:
    return lambda call: Reply(status, headers) if bad(call) else Reply()


def about(entity: UUID) -> Callable[[Call], bool]:
    return lambda call: call.json["entity"]["id"] == str(entity)


def test_an_event_arrives_once_and_signed(stage: Stage) -> None:
    with receiving() as there:
        endpoint = stage.endpoint(there.url)
        with stage.sending():
            made = stage.happen([uuid4() for _ in range(300)])
            there.until(lambda: len(there.calls) >= 300)
            until(lambda: stage.settled(endpoint))
    assert sorted(ids(there)) == sorted(made)
    for call in there.calls:
        assert call.verified(stage.secrets[endpoint])["id"] == call.id
    assert {row.status for row in stage.attempts(endpoint)} == {200}
    assert (stage.row(endpoint).delivered, stage.row(endpoint).attempted, stage.row(endpoint).lease_owner) == (300, 300, None)


def test_what_happened_before_an_endpoint_was_made_is_not_sent(stage: Stage) -> None:
    stage.happen([uuid4()])
    with receiving() as there:
        stage.endpoint(there.url)
        with stage.sending():
            made = stage.happen([uuid4()])
            there.until(lambda: len(there.calls) == 1)
    assert ids(there) == made


def test_filters_keep_the_rest_away_and_the_position_moves_on(stage: Stage) -> None:
    with receiving() as there:
        endpoint = stage.endpoint(there.url, types=["task.created"])
        with stage.sending():
            stage.happen([uuid4() for _ in range(20)])
            wanted = stage.happen([uuid4()], EventType.TASK_CREATED)
            stage.happen([uuid4() for _ in range(20)])
            until(lambda: stage.settled(endpoint))
    assert ids(there) == wanted


def test_static_headers_go_along_and_a_thin_message_has_no_data(stage: Stage) -> None:
    with receiving() as there:
        stage.endpoint(there.url, headers={"X-Door": "back"}, thin=True)
        with stage.sending():
            stage.happen([uuid4()])
            there.until(lambda: len(there.calls) == 1)
    assert there.calls[0].headers["x-door"] == "back"
    assert "data" not in there.calls[0].json


def test_one_entitys_events_come_in_order_although_others_overtake(stage: Stage) -> None:
    entities = [uuid4() for _ in range(5)]
    with receiving() as there:
        endpoint = stage.endpoint(there.url)
        with stage.sending():
            made = stage.happen(entities * 40)
            until(lambda: stage.settled(endpoint))
    for place, entity in enumerate(entities):
        assert ids(there, entity) == made[place::5]
    assert there.connections > 1


def test_a_refused_event_is_parked_with_those_behind_it_and_the_others_go_on(stage: Stage) -> None:
    bad, good = uuid4(), uuid4()
    mended = Event()
    with receiving(lambda call: Reply(422, body=b"no") if about(bad)(call) and not mended.is_set() else Reply()) as there:
        endpoint = stage.endpoint(there.url)
        with stage.sending():
            made = stage.happen([bad, good, bad, good, bad])
            until(lambda: stage.row(endpoint).position == stage.head())
            waiting = stage.parked(endpoint)
            assert [(row.state, row.attempts) for row in waiting] == [("waiting", 1), ("behind", 0), ("behind", 0)]
            assert (waiting[0].last_status, waiting[0].last_error) == (422, "answered 422")
            assert ids(there, good) == [made[1], made[3]]
            mended.set()
            there.calls.clear()
            assert stage.change(endpoint, lambda session, row: parked.retry(session, row, now())) == 1
            until(lambda: stage.settled(endpoint))
    assert ids(there, bad) == [made[0], made[2], made[4]]
    assert stage.row(endpoint).failing_since is None


def test_a_skipped_event_becomes_a_dead_letter_and_the_next_says_so_once(stage: Stage) -> None:
    bad = uuid4()
    first: list[str] = []
    with receiving(lambda call: Reply(500) if call.id in first else Reply()) as there:
        endpoint = stage.endpoint(there.url)
        first += stage.happen([bad])
        with stage.sending():
            until(lambda: [row.state for row in stage.parked(endpoint)] == ["waiting"])
            rest = stage.happen([bad, bad])
            until(lambda: len(stage.parked(endpoint)) == 3)
            assert stage.change(endpoint, lambda session, row: parked.skip(session, row, bad, now()))
            until(lambda: stage.settled(endpoint))
            rest += stage.happen([bad])
            until(lambda: stage.settled(endpoint))
            said = [call.json.get("reason") for call in there.calls if call.id in rest]
            assert said == [f"after_dead_letter:{first[0]}", None, None]
            (dead,) = stage.parked(endpoint)
            assert (dead.state, dead.told, dead.last_error) == ("dead", True, parked.SKIPPED)
            revived = first.pop()
            assert stage.change(endpoint, lambda session, row: parked.revive(session, row, [dead.sequence], now())) == 1
            until(lambda: stage.parked(endpoint) == [])
    assert ids(there)[-1] == revived


def test_the_schedule_ends_in_a_dead_letter_and_the_entity_goes_on(stage: Stage) -> None:
    bad, clock = uuid4(), Later()
    first: list[str] = []
    with receiving(lambda call: Reply(500) if call.id in first else Reply()) as there:
        endpoint = stage.endpoint(there.url)
        first += stage.happen([bad])
        rest = stage.happen([bad])
        with stage.sending(now=clock):
            for tries in range(1, 20):
                until(lambda tries=tries: len(stage.attempts(endpoint)) >= tries)  # type: ignore[misc]
                if ids(there)[-1:] == rest:
                    break
                until(lambda: rest[0] in ids(there) or any(row.next_at and row.next_at > clock() for row in stage.parked(endpoint)))
                clock.by += timedelta(hours=15)
            until(lambda: stage.settled(endpoint))
    assert len(ids(there)) > 10
    assert there.calls[-1].json["reason"] == f"after_dead_letter:{first[0]}"
    assert [(row.state, row.event_id) for row in stage.parked(endpoint)] == [("dead", UUID(first[0]))]


def test_a_paused_endpoint_keeps_its_events(stage: Stage) -> None:
    with receiving() as there:
        endpoint = stage.endpoint(there.url)
        with stage.sending():
            before = stage.happen([uuid4()])
            until(lambda: stage.settled(endpoint))
            stage.change(endpoint, lambda _session, row: endpoints.pause(row, now()))
            until(lambda: stage.row(endpoint).lease_owner is None)
            held = stage.happen([uuid4() for _ in range(120)])
            other = stage.endpoint(there.url, types=["task.created"])
            until(lambda: stage.settled(other))
            assert ids(there) == before
            assert stage.change(endpoint, endpoints.resume) == 0
            until(lambda: stage.settled(endpoint))
    assert sorted(ids(there)) == sorted(before + held)


def test_an_endpoint_that_is_down_parks_little_keeps_everything_and_is_told_of(stage: Stage) -> None:
    with receiving() as there, receiving() as watcher:
        endpoint = stage.endpoint(there.url)
        stage.endpoint(watcher.url, types=["endpoint.disabled", "endpoint.recovered"])
    with receiving(port=watcher.port) as watcher, stage.sending():
        made = stage.happen([uuid4() for _ in range(500)])
        until(lambda: stage.row(endpoint).failing_since is not None)
        assert stage.row(endpoint).position <= 16
        assert len(stage.parked(endpoint)) <= 16
        watcher.until(lambda: len(watcher.calls) == 1)
        with receiving(port=there.port) as back:
            stage.change(endpoint, lambda session, row: parked.retry(session, row, now()))
            until(lambda: stage.settled(endpoint))
            watcher.until(lambda: len(watcher.calls) == 2)
    assert set(made) <= set(ids(back))
    assert [call.json["type"] for call in watcher.calls] == ["endpoint.disabled", "endpoint.recovered"]
    assert watcher.calls[0].json["data"]["after"]["state"] == "failing"
    row = stage.row(endpoint)
    assert (row.state, row.failing_since, row.next_try_at) == ("active", None, None)


def test_an_endpoint_that_answers_410_is_stopped_for_good(stage: Stage) -> None:
    with receiving(lambda _call: Reply(410)) as there:
        endpoint = stage.endpoint(there.url)
        with stage.sending():
            stage.happen([uuid4() for _ in range(50)])
            until(lambda: stage.row(endpoint).state == "disabled" and stage.row(endpoint).lease_owner is None)
            stage.happen([uuid4()])
    row = stage.row(endpoint)
    assert "410" in str(row.disabled_reason)
    assert (row.position, stage.parked(endpoint)) == (0, [])
    assert len(there.calls) <= 8


def test_a_slow_endpoint_does_not_hold_up_another(stage: Stage) -> None:
    release = Event()

    def slow(_call: Call) -> Reply:
        return Reply(delay=0 if release.is_set() else 3600)

    with receiving(slow) as dull, receiving() as quick:
        waiting, swift = stage.endpoint(dull.url), stage.endpoint(quick.url)
        with stage.sending():
            made = stage.happen([uuid4() for _ in range(400)])
            until(lambda: stage.settled(swift))
            assert stage.row(waiting).position == 0
    assert sorted(ids(quick)) == sorted(made)


def test_a_rotated_secret_and_its_forerunner_both_verify_until_the_overlap_ends(stage: Stage) -> None:
    clock = Later()
    with receiving() as there:
        endpoint = stage.endpoint(there.url)
        old = stage.secrets[endpoint]
        new = stage.change(endpoint, lambda _session, row: endpoints.rotate_secret(stage.vault, row, now(), overlap=timedelta(hours=1)))
        with stage.sending(now=clock):
            stage.happen([uuid4()])
            there.until(lambda: len(there.calls) == 1)
            clock.by = timedelta(hours=2)
            stage.happen([uuid4()])
            there.until(lambda: len(there.calls) == 2)
    during, after = there.calls
    assert during.headers["webhook-signature"].count("v1,") == 2
    assert during.verified(old) == during.verified(new)
    assert after.headers["webhook-signature"].count("v1,") == 1


def test_retry_after_is_waited_out(stage: Stage) -> None:
    clock, bad = Later(), uuid4()
    refused: list[str] = []

    def behave(call: Call) -> Reply:
        if call.id in refused:
            return Reply()
        refused.append(call.id)
        return Reply(503, {"retry-after": "1000"})

    with receiving(behave) as there:
        endpoint = stage.endpoint(there.url)
        with stage.sending(now=clock):
            stage.happen([bad])
            until(lambda: len(stage.parked(endpoint)) == 1)
            (row,) = stage.parked(endpoint)
            assert row.next_at is not None
            assert timedelta(seconds=990) < row.next_at - clock() < timedelta(seconds=1205)
            clock.by = timedelta(seconds=1300)
            until(lambda: stage.settled(endpoint))
    assert len(there.calls) == 2


def test_two_senders_never_drain_one_endpoint_at_once(stage: Stage) -> None:
    entities = [uuid4() for _ in range(4)]
    with receiving() as there:
        endpoint = stage.endpoint(there.url)
        with stage.sending(), stage.sending():
            made = [one for _ in range(5) for one in stage.happen(entities * 25)]
            until(lambda: stage.settled(endpoint))
    assert sorted(ids(there)) == sorted(made)
    for place, entity in enumerate(entities):
        assert ids(there, entity) == made[place::4]


def test_without_order_a_refused_event_holds_up_no_other(stage: Stage) -> None:
    entity = uuid4()
    first: list[str] = []
    with receiving(lambda call: Reply(500) if call.id in first else Reply()) as there:
        endpoint = stage.endpoint(there.url, ordering="none")
        first += stage.happen([entity])
        rest = stage.happen([entity] * 30)
        with stage.sending():
            until(lambda: stage.row(endpoint).position == stage.head())
            assert [row.state for row in stage.parked(endpoint)] == ["waiting"]
            assert sorted(ids(there)) == sorted(first + rest)
            first.clear()
            stage.change(endpoint, lambda session, row: parked.retry(session, row, now()))
            until(lambda: stage.settled(endpoint))


def test_a_changed_endpoint_goes_on_with_what_it_says_now(stage: Stage) -> None:
    with receiving() as former, receiving() as there:
        endpoint = stage.endpoint(former.url)
        with stage.sending():
            before = stage.happen([uuid4()])
            until(lambda: stage.settled(endpoint))
            vetted = endpoints.Vetted(there.url)
            stage.change(endpoint, lambda session, row: endpoints.change(session, stage.vault, row, url=vetted))
            after = stage.happen([uuid4()])
            until(lambda: stage.settled(endpoint))
            stage.change(endpoint, endpoints.remove)
            stage.happen([uuid4()])
    assert (ids(former), ids(there)) == (before, after)
    with stage.database.reading() as session:
        assert session.get(Endpoint, endpoint) is None


def test_an_endpoint_whose_secret_cannot_be_opened_says_so_and_harms_no_other(stage: Stage) -> None:
    with receiving() as there:
        broken, sound = stage.endpoint(there.url), stage.endpoint(there.url)
        stage.change(broken, lambda session, row: setattr(row, "secret", session.get_one(Endpoint, sound).secret))
        with stage.sending():
            made = stage.happen([uuid4()])
            until(lambda: stage.settled(sound))
            until(lambda: stage.row(broken).last_error is not None)
    assert ids(there) == made
    assert "does not belong to its row" in str(stage.row(broken).last_error)


@pytest.mark.parametrize("events", [3000])
def test_memory_holds_a_window_of_the_log_and_not_the_backlog(stage: Stage, events: int) -> None:
    release = Event()
    with receiving(lambda _call: Reply(delay=0 if release.is_set() else 0.2)) as there:
        endpoint = stage.endpoint(there.url)
        stage.happen([uuid4() for _ in range(events)])
        with stage.sending() as sender:
            there.until(lambda: len(there.calls) > 40)
            held = [worker.drain.log.unsettled for worker in sender._workers.values()]
            release.set()
            until(lambda: stage.settled(endpoint), 60)
    assert held
    assert max(held) <= 400
    assert there.most_at_once <= 32


def test_what_is_held_back_waits_in_the_log_and_not_in_memory(sqlite_url: str, on_stage: Callable[[str], Stage]) -> None:
    """While nothing can be written down, the events behind a refused one are read no further."""
    stage, answers = on_stage(sqlite_url), Event()
    with receiving(lambda _call: Reply(500 if answers.wait(30) else 200)) as there:
        stage.endpoint(there.url)
        stage.happen([uuid4()] * 4000)
        with stage.sending() as sender:
            until(lambda: bool(sender._workers))
            log = next(iter(sender._workers.values())).drain.log
            with stage.database.writing():
                answers.set()
                until(lambda: log.read_to >= drain.MOST_UNWRITTEN)
                until(lambda: not log.more or not next(iter(sender._workers.values())).drain.wants(log))
                assert log.more


def test_what_the_database_refuses_of_one_endpoint_holds_up_no_other(stage: Stage) -> None:
    """As if a defect of ours had made a row that cannot be written."""
    with receiving() as there, receiving() as other:
        cursed, sound = stage.endpoint(there.url), stage.endpoint(other.url)
        sender = stage.sender()
        entries = [Entry(cursed, "us", 0, attempts=[attempt(cursed) | {"type": None}]), Entry(sound, "us", 0, position=0, attempts=[attempt(sound)])]
        with stage.database.writing() as session:
            session.execute(update(Endpoint).values(lease_owner="us"))
        receipts = sender._settle(entries)
    assert (receipts[cursed].held, receipts[sound].held) == (False, True)
    assert (len(stage.attempts(cursed)), len(stage.attempts(sound))) == (0, 1)


def attempt(endpoint: UUID) -> dict[str, object]:
    row = {"event_id": uuid4(), "sequence": 1, "type": "task.created", "kind": "event", "at": now(), "status": 200, "error": None}
    return row | {"endpoint_id": endpoint, "duration_ms": 1, "answer": None}
