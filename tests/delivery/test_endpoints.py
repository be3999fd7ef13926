"""Endpoints in the hands of people: what may be said of them, what is kept sealed, and what is sent again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select

from hub import events
from hub.delivery import endpoints, parked, replay, retention, trial
from hub.delivery.address import Rules, TargetRefused
from hub.delivery.endpoints import EndpointProblem, Terms
from hub.delivery.envelope import one
from hub.delivery.replay import Range
from hub.events import EventType
from hub.models import Attempt, Endpoint, Event, Parked, Replay
from tests.api import builders
from tests.delivery.receiver import Call, Reply, receiving
from tests.delivery.stage import Stage, draft, now, until


def test_secrets_and_headers_lie_sealed_in_the_database(stage: Stage) -> None:
    with receiving() as there:
        endpoint = stage.endpoint(there.url, headers={"X-Door": "open sesame"})
    row = stage.row(endpoint)
    assert row.headers is not None
    assert b"sesame" not in row.headers
    assert stage.secrets[endpoint].encode() not in row.secret
    assert endpoints.static_headers(stage.vault, row) == {"X-Door": "open sesame"}


def test_an_address_is_judged_when_it_is_saved() -> None:
    with pytest.raises(TargetRefused):
        endpoints.vet("https://127.0.0.1/", Rules())


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": "v1,x"},
        {"Webhook-Id": "x"},
        {"Host": "x"},
        {"Content-Type": "x"},
        {"content-length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"Connection": "close"},
        {"proxy-authorization": "x"},
        {"bad name": "x"},
        {"x": "a\r\ny: b"},
        {"x": "ünicode"},
        {"x": ""},
        {"x": "1", "X": "2"},
        {"x": "y" * 9000},
    ],
)
def test_no_static_header_may_be_the_hubs_own_or_broken(stage: Stage, headers: Mapping[str, str]) -> None:
    with pytest.raises(EndpointProblem), receiving() as there:
        stage.endpoint(there.url, headers=headers)


@pytest.mark.parametrize("terms", [{"ordering": "random"}, {"types": ["task.nonsense"]}, {"filter": {"nonsense": ["x"]}}])
def test_terms_that_mean_nothing_are_refused(stage: Stage, terms: dict[str, Any]) -> None:
    with pytest.raises(EndpointProblem), receiving() as there:
        stage.endpoint(there.url, **terms)


def test_a_name_is_given_once(stage: Stage) -> None:
    vetted = endpoints.Vetted("https://hooks.example.org/")
    with stage.database.writing() as session:
        endpoints.create(session, stage.vault, "one", vetted, Terms(), now())
    for name in ("one", " one ", ""):
        with pytest.raises(EndpointProblem), stage.database.writing() as session:
            endpoints.create(session, stage.vault, name, vetted, Terms(), now())


def test_a_zero_overlap_ends_the_old_secret_at_once(stage: Stage) -> None:
    with receiving() as there:
        endpoint = stage.endpoint(there.url)
    stage.change(endpoint, lambda _session, row: endpoints.rotate_secret(stage.vault, row, now(), overlap=timedelta(0)))
    assert len(endpoints.keys(stage.vault, stage.row(endpoint), now())) == 1
    with pytest.raises(EndpointProblem):
        stage.change(endpoint, lambda _session, row: endpoints.rotate_secret(stage.vault, row, now(), overlap=timedelta(days=365)))


def test_figures_say_how_an_endpoint_stands(stage: Stage) -> None:
    with receiving(lambda _call: Reply(500)) as there:
        endpoint = stage.endpoint(there.url)
        entity = uuid4()
        stage.happen([entity, entity])
        with stage.database.reading() as session:
            before = endpoints.figures(session, now())[endpoint]
        with stage.sending():
            until(lambda: stage.row(endpoint).position == stage.head())
        with stage.database.reading() as session:
            after = endpoints.figures(session, now())[endpoint]
    assert (before.backlog, before.waiting) == (2, 0)
    assert before.lag is not None
    assert (after.backlog, after.lag, after.waiting, after.behind, after.dead) == (0, None, 1, 1, 0)


def test_an_order_put_on_an_endpoint_applies_to_what_is_parked(stage: Stage) -> None:
    entity = uuid4()
    with receiving(lambda _call: Reply(500)) as there:
        endpoint = stage.endpoint(there.url, ordering="none")
        stage.happen([entity] * 3)
        with stage.sending():
            until(lambda: len(stage.parked(endpoint)) == 3)
        assert {row.state for row in stage.parked(endpoint)} == {"waiting"}
        stage.change(endpoint, lambda session, row: endpoints.change(session, stage.vault, row, terms=Terms(ordering="entity")))
        assert [row.state for row in stage.parked(endpoint)] == ["waiting", "behind", "behind"]
        stage.change(endpoint, lambda session, row: endpoints.change(session, stage.vault, row, terms=Terms(ordering="none")))
        assert [row.state for row in stage.parked(endpoint)] == ["waiting", "waiting", "waiting"]


def test_a_test_message_says_that_it_is_one_and_returns_the_answer(stage: Stage) -> None:
    with receiving(lambda _call: Reply(418, body=b"short and stout")) as there:
        endpoint = stage.endpoint(there.url, headers={"X-Door": "back"})
        (made,) = stage.happen([uuid4()])
        with stage.database.reading() as session:
            stored = one(session, session.scalars(select(Event.id)).one())
        assert stored is not None
        answer = trial.send(stage.database, stage.vault, stage.settings, endpoint, stored, now())
    assert (answer.status, answer.error, answer.text) == (418, "answered 418", "short and stout")
    (call,) = there.calls
    assert call.verified(stage.secrets[endpoint])["reason"] == "test"
    assert (call.id, call.headers["x-door"]) == (made, "back")
    assert [(row.kind, row.status) for row in stage.attempts(endpoint)] == [("test", 418)]
    assert stage.row(endpoint).position == 0


def test_a_replay_sends_again_what_was_counted_with_the_same_ids(stage: Stage) -> None:
    entity = uuid4()
    with receiving() as there:
        endpoint = stage.endpoint(there.url, types=["task.status_changed"])
        with stage.sending():
            made = stage.happen([uuid4(), entity, uuid4(), entity])
            stage.happen([uuid4(), entity], EventType.TASK_CREATED)
            until(lambda: stage.settled(endpoint))
            assert len(there.calls) == 4
            for wanted, again in [
                (Range(), made),
                (Range(after=1, until=3), made[1:3]),
                (Range(entity_id=entity), [made[1], made[3]]),
                (Range(types=frozenset({"task.created"})), []),
            ]:
                there.calls.clear()
                assert stage.change(endpoint, lambda session, row, wanted=wanted: replay.count(session, row, wanted)) == len(again)
                started = stage.change(endpoint, lambda session, row, wanted=wanted: replay.start(session, row, wanted, now()).id)
                until(lambda started=started: replayed(stage, started))  # type: ignore[misc]
                assert sorted(call.id for call in there.calls) == sorted(again)
    assert {row.kind for row in stage.attempts(endpoint)} == {"event", "replay"}


def test_a_snapshot_sends_the_present_state_of_what_the_filter_lets_through(stage: Stage) -> None:
    refused: list[str] = []

    def behave(call: Call) -> Reply:
        if not refused:
            refused.append(call.id)
        return Reply(500 if call.id in refused and len(refused) == 1 else 200)

    with stage.database.writing() as session:
        account = builders.connection(session)
        project = builders.project(session, account)
        tasks = [builders.task(session, project, title=f"Part {number}") for number in range(301)]
        tasks[0].deleted_at = tasks[1].access_lost_at = now()
        held = {str(project.id), *(str(task.id) for task in tasks[2:])}
    with receiving(behave) as there:
        endpoint = stage.endpoint(there.url, types=["task.status_changed"])
        with stage.sending():
            wanted = Range(snapshot=True)
            assert stage.change(endpoint, lambda session, row: replay.count(session, row, wanted)) == 300
            started = stage.change(endpoint, lambda session, row: replay.start(session, row, wanted, now()).id)
            until(lambda: replayed(stage, started))
            assert [row.sequence < 0 for row in stage.parked(endpoint)] == [True]
            refused.append("calm")
            stage.change(endpoint, lambda session, row: parked.retry(session, row, now()))
            until(lambda: stage.settled(endpoint))
    messages = [call.json for call in there.calls]
    assert {message["entity"]["id"] for message in messages} == held
    assert {(message["reason"], message["type"]) for message in messages} == {("snapshot", "task.updated"), ("snapshot", "project.updated")}
    assert {message["data"]["object"]["project_id"] for message in messages if message["entity"]["kind"] == "task"} == {str(project.id)}
    assert len(messages) == 301
    assert len({message["id"] for message in messages}) == 300
    assert stage.head() == 0


def replayed(stage: Stage, replay_id: Any) -> bool:
    with stage.database.reading() as session:
        return session.get_one(replay.Replay, replay_id).done_at is not None


def test_one_event_is_replayed_by_its_id_and_an_unknown_one_is_refused(stage: Stage) -> None:
    with receiving() as there:
        endpoint = stage.endpoint(there.url)
        stage.happen([uuid4() for _ in range(3)])
        with stage.sending():
            until(lambda: stage.settled(endpoint))
            with stage.database.writing() as session:
                event = session.scalars(select(Event.id).where(Event.sequence == 2)).one()
                replay.start(session, session.get_one(Endpoint, endpoint), Range.of_event(session, event), now())
            there.until(lambda: len(there.calls) == 4)
    assert there.calls[-1].id == str(event)
    with stage.database.reading() as session, pytest.raises(EndpointProblem):
        Range.of_event(session, uuid4())


def test_retention_stops_an_endpoint_that_would_miss_something_and_says_so(stage: Stage) -> None:
    with receiving() as there:
        behind, done = stage.endpoint(there.url), stage.endpoint(there.url)
        stage.change(behind, lambda _session, row: endpoints.pause(row, now()))
        stage.happen([uuid4() for _ in range(30)])
        with stage.sending():
            until(lambda: stage.settled(done))
        later = now() + stage.settings.retention_events + timedelta(hours=1)
        assert retention.sweep(stage.database, stage.settings, now()) == (0, 0)
        assert retention.sweep(stage.database, stage.settings, later) == (30, 30)
        row = stage.row(behind)
        assert (row.state, stage.row(done).state) == ("disabled", "active")
        assert "30 events were dropped" in str(row.disabled_reason)
        with stage.database.reading() as session:
            assert session.scalars(select(Event.type)).all() == ["endpoint.disabled"]
            assert retention.dropped(session) == 30
            assert session.scalar(select(func.count()).select_from(Attempt)) == 0
        assert stage.change(behind, endpoints.resume) == 30
        assert stage.row(behind).position == 30


def test_retention_gives_up_what_is_parked_and_no_longer_in_the_log(stage: Stage) -> None:
    with receiving(lambda _call: Reply(500)) as there:
        endpoint = stage.endpoint(there.url)
        stage.happen([uuid4()])
        with stage.sending():
            until(lambda: len(stage.parked(endpoint)) == 1)
        retention.sweep(stage.database, stage.settings, now() + timedelta(days=31))
        assert [(row.state, row.last_error) for row in stage.parked(endpoint)] == [("dead", retention.TOO_OLD)]
        stage.change(endpoint, endpoints.remove)
    with stage.database.reading() as session:
        assert session.scalars(select(Parked)).all() == []


def test_retention_ends_at_the_first_event_that_is_to_be_kept(stage: Stage) -> None:
    """Clocks of several processes differ: one that is late must not take its neighbours with it."""
    later = now() + stage.settings.retention_events
    for recorded in (now() - timedelta(hours=1), later, now() - timedelta(hours=1)):
        with stage.database.writing() as session:
            events.append(session, [draft(uuid4())], connection_id=None, change_set=uuid4(), now=recorded)
    assert retention.sweep(stage.database, stage.settings, later) == (1, 0)
    with stage.database.reading() as session:
        assert session.scalars(select(Event.sequence).order_by(Event.sequence)).all() == [2, 3]


def test_retention_tells_of_every_endpoint_that_it_stops(stage: Stage) -> None:
    with receiving() as there:
        behind = [stage.endpoint(there.url) for _ in range(3)]
    stage.happen([uuid4() for _ in range(2)])
    retention.sweep(stage.database, stage.settings, now() + stage.settings.retention_events + timedelta(hours=1))
    with stage.database.reading() as session:
        told = session.execute(select(Event.type, Event.entity_id)).all()
    assert sorted(told) == sorted(("endpoint.disabled", each) for each in behind)


def test_dead_letters_and_ended_replays_are_forgotten_in_the_end(stage: Stage) -> None:
    """A dead letter can be tried again while its event is kept, and is seen for as long as attempts are after that."""
    with receiving(lambda _call: Reply(500)) as there:
        endpoint = stage.endpoint(there.url)
    (event,) = stage.happen([entity := uuid4()])
    row = {"event_id": UUID(event), "entity": "task", "entity_id": entity, "state": "dead", "parked_at": now()}
    stage.change(endpoint, lambda session, held: session.execute(insert(Parked).values(endpoint_id=held.id, sequence=1, **row)))
    stage.change(endpoint, lambda session, held: replay.start(session, held, Range(), now()))
    stage.change(endpoint, lambda session, held: replay.stop(session, held, now()))
    stage.change(endpoint, lambda _session, held: setattr(held, "position", 1))
    kept = stage.settings.retention_events + stage.settings.retention_attempts
    for later, letters, replays in ((timedelta(days=1), 1, 1), (kept - timedelta(days=1), 1, 0), (kept + timedelta(days=1), 0, 0)):
        retention.sweep(stage.database, stage.settings, now() + later)
        with stage.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Replay)) == replays
        assert len(stage.parked(endpoint)) == letters
