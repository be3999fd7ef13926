"""``hub endpoint``: made, shown, tried and listened to from a terminal."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from hub import events
from hub.access import keys
from hub.app import create_app
from hub.cli import serve
from hub.db import Database
from hub.events import Draft, EventType
from hub.jobs.embedded import EmbeddedJobs
from hub.models import Endpoint, Parked
from hub.settings import load
from hub.vault import open_vault
from tests.api.conftest import let_see
from tests.cli.conftest import Hub
from tests.delivery.stage import now

URL = "https://93.184.215.14/hooks"


@dataclass
class Receiver:
    """A program on this machine that keeps what it is sent."""

    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_words: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(f"http://127.0.0.1:{server.server_port}/hooks")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def happen(*kinds: EventType) -> None:
    database = Database(os.environ["HUB_DATABASE_URL"])
    data = {"changed": ["title"], "before": {"title": "a"}, "after": {"title": "b"}}
    with database.writing() as session:
        drafts = [Draft(kind, "task", uuid4(), data) for kind in kinds]
        events.append(session, drafts, connection_id=None, change_set=uuid4(), now=now())
    database.dispose()


def test_a_secret_is_printed_once_and_alone(hub: Hub) -> None:
    said = hub("endpoint", "add", URL, "--name", "ledger", "--type", "task.*", "--filter", "categories_to=done", "--header", "X-Team=quay", "--thin")
    assert said.code == 0
    assert said.out.startswith("whsec_")
    assert len(said.out.splitlines()) == 1
    card = json.loads(hub("endpoint", "show", "ledger", "--json").out)
    assert (card["types"], card["filter"], card["headers"], card["thin"]) == (["task.*"], {"categories_to": ["done"]}, ["X-Team"], True)
    for words in (("list",), ("list", "--json"), ("show", "ledger"), ("show", "ledger", "--json")):
        shown = hub("endpoint", *words).out
        assert "ledger" in shown
        assert said.out.strip() not in shown
        assert "quay" not in shown


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("add", "https://127.0.0.1/"), 1, "127.0.0.1"),
        (("add", URL, "--type", "task.exploded"), 2, "task.exploded"),
        (("add", URL, "--filter", "colour=red"), 2, "categories_from"),
        (("add", URL, "--filter", "tags"), 2, "KEY=VALUE"),
        (("add", URL, "--ordering", "size"), 2, "ordering"),
        (("add", URL, "--filter", "categories_to=finished"), 2, "cancelled, done"),
        (("add", URL, "--header", "webhook-id=1"), 1, "webhook-id"),
        (("show", "nobody"), 1, "hub endpoint list"),
        (("replay", "nobody"), 1, "hub endpoint list"),
        (("listen", "--forward", "https://example.org/"), 2, "this machine"),
        (("listen", "--from", "yesterday"), 2, "now or start"),
        (("listen", "--type", "task.exploded"), 2, "task.exploded"),
        (("listen", "--hub", "http://127.0.0.1:9"), 2, "HUB_KEY"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_can(hub: Hub, words: tuple[str, ...], code: int, told: str) -> None:
    said = hub("endpoint", *words)
    assert (said.code, told in said.err) == (code, True), said.err


def test_pause_resume_rotate_remove(hub: Hub) -> None:
    secret = hub("endpoint", "add", URL, "--name", "ledger").out
    for words, state in ((("pause",), "paused"), (("resume",), "active")):
        assert hub("endpoint", *words, "ledger").code == 0
        assert json.loads(hub("endpoint", "show", "ledger", "--json").out)["state"] == state
    rotated = hub("endpoint", "rotate", "ledger", "--overlap", "0")
    assert rotated.out.startswith("whsec_")
    assert rotated.out != secret
    assert "ended" in rotated.err
    assert hub("endpoint", "remove", "ledger").code == 0
    assert "ledger" not in hub("endpoint", "list").out


def test_a_test_message_is_verified_by_its_receiver_and_kept_as_an_attempt(hub: Hub, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_WEBHOOK_ALLOW", "127.0.0.0/8")
    secret = hub("endpoint", "add", receiver.url, "--name", "ledger").out.strip()
    assert hub("endpoint", "test", "ledger", "--type", "milestone.slipped").code == 0
    (headers, body) = receiver.got[0]
    message = Webhook(secret).verify(body, headers)
    assert (message["type"], message["reason"]) == ("milestone.slipped", "test")
    receiver.status = 500
    refused = hub("endpoint", "test", "ledger", "--json")
    assert (refused.code, json.loads(refused.out)["status"]) == (1, 500)
    assert [json.loads(line)["status"] for line in hub("endpoint", "attempts", "ledger", "--json").out.splitlines()] == [500, 204]
    assert "milestone.slipped" in hub("endpoint", "attempts", "ledger").out


def test_a_replay_is_counted_first(hub: Hub) -> None:
    happen(EventType.TASK_UPDATED, EventType.TASK_MOVED)
    hub("endpoint", "add", URL, "--name", "ledger")
    assert json.loads(hub("endpoint", "replay", "ledger", "--dry", "--json").out) == {"events": 2, "dry": True}
    assert "1 events will be sent again" in hub("endpoint", "replay", "ledger", "--type", "task.moved").err
    assert "nothing" in hub("endpoint", "replay", "ledger", "--type", "project.*").err
    assert "nothing" in hub("endpoint", "replay", "ledger", "--snapshot").err
    assert hub("endpoint", "replay", "ledger", "--snapshot", "--type", "task.moved").code == 2


def test_listening_prints_what_comes_and_posts_it_signed(hub: Hub, receiver: Receiver) -> None:
    happen(EventType.TASK_UPDATED, EventType.PROJECT_CREATED, EventType.TASK_MOVED)
    said = hub("endpoint", "listen", "--from", "start", "--type", "task.*", "--count", "2", "--forward", receiver.url)
    assert said.code == 0
    assert [line.split("  ")[1] for line in said.out.splitlines()] == ["task.updated", "task.moved"]
    secret = next(word for word in said.err.split() if word.startswith("whsec_")).rstrip(",")
    assert [Webhook(secret).verify(body, headers)["type"] for headers, body in receiver.got] == ["task.updated", "task.moved"]
    assert said.err.count("taken (204") == 2


def test_listening_goes_on_though_nobody_takes_what_is_posted(hub: Hub) -> None:
    happen(EventType.TASK_UPDATED)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        said = hub("endpoint", "listen", "--from", "start", "--count", "1", "--forward", f"http://127.0.0.1:{door.getsockname()[1]}/")
    assert said.code == 0
    assert "not taken" in said.err


def test_listening_to_a_running_hub_needs_only_its_address_and_a_key(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    import uvicorn

    settings = load()
    database = Database(settings.database_url)
    with database.writing() as session:
        key = let_see(session, keys.create(session, "listen", "consumer", now()))
    happen(EventType.TASK_UPDATED, EventType.TASK_MOVED)
    service = create_app(settings, database, open_vault(settings, sealed_rows=False), EmbeddedJobs(now), now)
    door = serve.listening("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(service, log_config=None, lifespan="off"))
    thread = Thread(target=server.run, kwargs={"sockets": [door]})
    thread.start()
    try:
        address = f"http://127.0.0.1:{door.getsockname()[1]}"
        monkeypatch.setenv("HUB_KEY", key)
        said = hub("endpoint", "listen", "--hub", address, "--from", "start", "--count", "2", "--json")
        monkeypatch.setenv("HUB_KEY", "hub_wrong")
        refused = hub("endpoint", "listen", "--hub", address)
    finally:
        server.should_exit = True
        thread.join()
        database.dispose()
    assert [json.loads(line)["type"] for line in said.out.splitlines()] == ["task.updated", "task.moved"], said.err
    assert (refused.code, "refuses" in refused.err) == (1, True)


def test_a_change_keeps_what_it_does_not_name(hub: Hub) -> None:
    hub("endpoint", "add", URL, "--name", "ledger", "--type", "task.*", "--filter", "kinds=milestone", "--header", "X-Team=quay")
    before = json.loads(hub("endpoint", "show", "ledger", "--json").out)
    assert hub("endpoint", "change", "ledger", "--rename", "book", "--thin", "--filter", "tags=quay", "--drop", "headers").code == 0
    after = json.loads(hub("endpoint", "show", "book", "--json").out)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"name", "thin", "filter", "headers"}
    assert (after["filter"], after["headers"]) == ({"tags": ["quay"]}, [])
    assert hub("endpoint", "change", "book", "--full", "--drop", "types").code == 0
    assert json.loads(hub("endpoint", "show", "book", "--json").out)["types"] == []


def test_what_is_parked_is_shown_skipped_and_tried_again(hub: Hub) -> None:
    hub("endpoint", "add", URL, "--name", "ledger")
    happen(EventType.TASK_MOVED)
    task = park("ledger", "waiting", "behind")
    shown = [json.loads(line) for line in hub("endpoint", "parked", "ledger", "--json").out.splitlines()]
    assert [(row["sequence"], row["state"], row["entity_id"]) for row in shown] == [(1, "waiting", task), (2, "behind", task)]
    assert hub("endpoint", "skip", "ledger", task).code == 0
    assert [json.loads(line)["sequence"] for line in hub("endpoint", "parked", "ledger", "--dead", "--json").out.splitlines()] == [1]
    assert "1 events" in hub("endpoint", "retry", "ledger", "--dead", "1").err
    assert "dead" not in hub("endpoint", "parked", "ledger").out
    assert "1 events" in hub("endpoint", "retry", "ledger").err
    missing = hub("endpoint", "skip", "ledger", str(uuid4()))
    assert (missing.code, "hub endpoint parked ledger" in missing.err) == (1, True)


def park(name: str, *states: str) -> str:
    """As if an entity's first events had not been taken; returns the entity's id."""
    database, task = Database(os.environ["HUB_DATABASE_URL"]), uuid4()
    with database.writing() as session:
        endpoint = session.scalars(select(Endpoint).where(Endpoint.name == name)).one()
        for sequence, state in enumerate(states, 1):
            row = Parked(sequence=sequence, event_id=uuid4(), entity="task", entity_id=task, state=state, parked_at=now(), attempts=1)
            row.endpoint_id = endpoint.id
            session.add(row)
    database.dispose()
    return str(task)
