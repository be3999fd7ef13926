"""The pretend monday.com's webhooks: challenged when made, one call a change, repeated for half an hour, signed where the token is an app's."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import build_schema, parse, validate

from connectors.calls import Call, Forged, Hook
from connectors.monday import MondayConnector, documents
from connectors.monday.webhooks import EVENTS, SUBITEM_EVENTS
from hub.sandbox import seed
from hub.sandbox.courier import Courier, Parcel, Reply
from hub.sandbox.knobs import Knobs
from hub.sandbox.monday import app
from hub.sandbox.monday.webhooks import TRIES, PostRoom, Webhook, signed
from hub.sandbox.world import Project, Task, World

pytestmark = pytest.mark.anyio
NAME = "hub.example"
URL = f"https://{NAME}/receivers/1/door"
SECRET = "a signing secret of thirty-two letters"
NOW = 1_800_000_000.0


class Listener:
    """Says challenges back (unless ``mute``) and keeps the rest; ``statuses`` are answered in turn, then 200."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.mute = False
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                challenge = b"challenge" in body
                if not challenge:
                    listener.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status = listener.statuses.pop(0) if listener.statuses and not challenge else 200
                answer = b"{}" if listener.mute or not challenge else body
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body)["event"] for _, body in self.calls]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Stage:
    """The pretend vendor with its courier, and a client."""

    def __init__(self, world: World, listener: Listener) -> None:
        self.world, self.listener = world, listener
        self.knobs = Knobs(hosts={NAME: listener.port}, pace=0.0)
        self.courier = Courier(world, self.knobs)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app(world, self.knobs, clock=lambda: NOW, courier=self.courier)))

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        headers = {"Authorization": self.world.tokens["monday"], "API-Version": "2026-10"}
        answer = await self.http.post("http://monday.test/", json={"query": query, "variables": variables}, headers=headers)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def make(self, board: str, event: str, url: str = URL) -> dict[str, Any]:
        return await self.ask(documents.CREATE_WEBHOOK, board=board, url=url, event=event)

    def boards(self, fits: Callable[[Project], bool]) -> list[Project]:
        rows = (row for row in self.world.projects["monday"].values() if row.kind == "board" and self.world.sees_project(row) and not row.archived)
        return [row for row in rows if fits(row)]

    def task(self, board: Project) -> Task:
        tasks = self.world.tasks["monday"].values()
        return next(task for task in tasks if task.homes[0][0] == board.id and not task.parent and not task.deleted and not task.archived)


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture
async def stage(listener: Listener) -> AsyncIterator[Stage]:
    made = Stage(seed.build(seed=3, tasks=200), listener)
    async with made.http:
        yield made
    made.courier.stop()


@pytest.fixture
def classic(stage: Stage) -> Project:
    return next(row for row in stage.boards(lambda row: row.companion is not None and "status" in row.columns and len(row.sections) > 1))


def test_what_the_connector_sends_fits_the_vendors_schema() -> None:
    vendor = build_schema((Path(__file__).parents[1] / "specs/monday.graphql").read_text())
    texts = [documents.CREATE_WEBHOOK, documents.DELETE_WEBHOOK, documents.webhooks(3), documents.LOGS, documents.BELOW, documents.CHANGED_ITEMS]
    texts += [documents.BOARDS_WHOLE, documents.STATES, documents.structure(documents.LISTS, full=True, teams=True, newest=True)]
    texts += [documents.poll([(deep, brief) for deep in (True, False) for brief in (True, False)], documents.POLL_PAGES[0])]
    texts += [documents.poll([(False, each)], documents.POLL_PAGES[-1]) for each in (True, False)]
    texts += [documents.further(briefs) for briefs in ([True, False], [True], [False])]
    assert [validate(vendor, parse(text)) for text in texts] == [[]] * len(texts)


async def test_a_webhook_is_made_listed_and_deleted(stage: Stage, classic: Project) -> None:
    made = (await stage.make(classic.id, "create_item"))["data"]["create_webhook"]
    assert made == {"id": made["id"], "board_id": classic.id, "event": "create_item"}
    listed = "query ($b: ID!) { webhooks(board_id: $b) { id board_id event config } }"
    assert (await stage.ask(listed, b=classic.id))["data"]["webhooks"] == [made | {"config": None}]
    assert (await stage.ask(documents.DELETE_WEBHOOK, id=made["id"]))["data"] == {"delete_webhook": {"id": made["id"]}}
    assert (await stage.ask(listed, b=classic.id))["data"]["webhooks"] == []
    again = await stage.ask(documents.DELETE_WEBHOOK, id=made["id"])
    assert again["errors"][0]["extensions"]["code"] == "ResourceNotFoundException"


async def test_an_address_that_does_not_say_the_challenge_back_gets_no_webhook(stage: Stage, classic: Project, listener: Listener) -> None:
    listener.mute = True
    assert "challenge" in (await stage.make(classic.id, "create_item"))["errors"][0]["message"]
    listener.mute = False
    for url in ("https://nobody.example/x", "ftp://hub.example/x", URL + "x" * 255):
        assert (await stage.make(classic.id, "create_item", url))["errors"][0]["extensions"]["code"] == "InvalidArgumentException"
    listed = "query ($b: ID!) { webhooks(board_id: $b) { id } }"
    assert (await stage.ask(listed, b=classic.id))["data"]["webhooks"] == []


async def test_no_webhook_on_a_board_that_is_not_there_or_may_not_be_seen(stage: Stage, classic: Project) -> None:
    gone = next(row for row in stage.world.projects["monday"].values() if row.deleted)
    assert (await stage.make(gone.id, "create_item"))["errors"][0]["extensions"]["code"] == "InvalidBoardIdException"
    stage.knobs.refused[classic.id] = 403
    refused = await stage.make(classic.id, "create_item")
    assert refused["data"] == {"create_webhook": None}
    assert refused["errors"][0]["extensions"]["code"] == "USER_UNAUTHORIZED"


async def test_each_event_of_an_item_is_told_in_the_payloads_own_words(stage: Stage, classic: Project, listener: Listener) -> None:
    for event in EVENTS:
        await stage.make(classic.id, event)
    world, task = stage.world, stage.task(classic)
    created = world.create_task("monday", "New", classic.id)
    world.set_title("monday", created.id, "Renamed")
    status = next(status for status in classic.statuses if status.id != task.status)
    world.set_status("monday", task.id, status.id)
    world.move("monday", created.id, classic.id, classic.sections[-1].id)
    world.archive_task("monday", created.id)
    world.restore_task("monday", created.id)
    world.delete_task("monday", created.id)
    assert stage.courier.idle()
    told = sorted((event["type"], event["pulseId"]) for event in listener.events())
    assert told == sorted([
        ("create_pulse", int(created.id)), ("update_name", int(created.id)), ("update_column_value", int(task.id)),
        ("move_pulse_into_group", int(created.id)), ("archive_pulse", int(created.id)), ("restore_pulse", int(created.id)),
        ("delete_pulse", int(created.id)),
    ])  # fmt: skip
    changed = next(event for event in listener.events() if event["type"] == "update_column_value")
    assert (changed["boardId"], changed["columnId"]) == (int(classic.id), classic.columns["status"])
    assert len({event["triggerUuid"] for event in listener.events()}) == len(told)


async def test_a_subitems_events_come_by_the_webhooks_of_its_main_board(stage: Stage, classic: Project, listener: Listener) -> None:
    for event in ("create_subitem", *SUBITEM_EVENTS, "change_name", "create_item"):
        await stage.make(classic.id, event)
    child = stage.world.create_task("monday", "Below", parent=stage.task(classic).id)
    stage.world.set_title("monday", child.id, "Below, renamed")
    stage.world.delete_task("monday", child.id)
    assert stage.courier.idle()
    assert sorted(event["type"] for event in listener.events()) == ["create_pulse", "delete_pulse", "update_name"]
    for event in listener.events():
        assert (event["boardId"], event["parentItemBoardId"], event["parentItemId"]) == (int(classic.companion or 0), classic.id, child.parent)


async def test_a_webhook_on_one_column_hears_of_no_other(stage: Stage, classic: Project, listener: Listener) -> None:
    query = (
        "mutation ($b: ID!, $u: String!, $c: JSON) { create_webhook(board_id: $b, url: $u, event: change_specific_column_value, config: $c) { id } }"
    )
    await stage.ask(query, b=classic.id, u=URL, c=json.dumps({"columnId": classic.columns["status"]}))
    assert (await stage.ask(query, b=classic.id, u=URL, c="{"))["errors"][0]["extensions"]["code"] == "InvalidArgumentException"
    task = stage.task(classic)
    stage.world.assign("monday", task.id, [stage.world.me["monday"]])
    stage.world.set_status("monday", task.id, next(status.id for status in classic.statuses if status.id != task.status))
    assert stage.courier.idle()
    assert [event["columnId"] for event in listener.events()] == [classic.columns["status"]]


async def test_a_call_that_fails_comes_again_a_minute_later_and_is_dropped_after_half_an_hour(stage: Stage, classic: Project) -> None:
    made = (await stage.make(classic.id, "change_name"))["data"]["create_webhook"]
    room = PostRoom(stage.world, stage.knobs, lambda: NOW, stage.courier)
    room.held = {made["id"]: Webhook(made["id"], classic.id, URL, "change_name", {})}
    parcel: Parcel | None = Parcel("monday", made["id"], URL, {}, b"{}")
    waits = []
    while parcel is not None:
        parcel = room.settled(parcel, Reply(500))
        waits += [parcel.after] if parcel else []
    assert waits == [60.0] * (TRIES - 1)
    assert room.settled(Parcel("monday", made["id"], URL, {}, b"{}"), Reply(204)) is None
    assert room.settled(Parcel("monday", "deleted", URL, {}, b"{}"), Reply(None)) is None


async def test_a_call_answered_badly_arrives_all_the_same_at_last(stage: Stage, classic: Project, listener: Listener) -> None:
    await stage.make(classic.id, "change_name")
    listener.statuses = [500, 503]
    stage.world.set_title("monday", stage.task(classic).id, "Third time")
    assert stage.courier.idle()
    assert len(listener.calls) == 3
    assert len({body for _, body in listener.calls}) == 1


async def test_calls_of_a_personal_token_are_unsigned_and_those_of_an_app_are_verified_by_the_connector(
    stage: Stage, classic: Project, listener: Listener
) -> None:
    await stage.make(classic.id, "change_name")
    task = stage.task(classic)
    stage.world.set_title("monday", task.id, "By a person")
    assert stage.courier.idle()
    stage.knobs.app_secrets["monday"] = SECRET
    stage.world.set_title("monday", task.id, "By an app")
    assert stage.courier.idle()
    (plain, body), (headers, other) = listener.calls
    assert "authorization" not in plain
    hook, now = Hook("board/1/change_name"), datetime.fromtimestamp(NOW, UTC)
    received = MondayConnector.receive(Call(headers, other, URL), hook, signing_secret=SECRET, now=now)
    assert received.touched == (f"task:{task.id}",)
    with pytest.raises(Forged):
        MondayConnector.receive(Call(plain, body, URL), hook, signing_secret=SECRET, now=now)
    with pytest.raises(Forged):
        MondayConnector.receive(Call({"authorization": signed({"aud": URL, "exp": NOW}, "no")}, body, URL), hook, signing_secret=SECRET, now=now)


async def test_without_a_courier_the_token_may_not_make_webhooks(classic: Project, stage: Stage) -> None:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app(stage.world, stage.knobs, clock=lambda: NOW)))
    headers = {"Authorization": stage.world.tokens["monday"]}
    job = {"query": documents.CREATE_WEBHOOK, "variables": {"board": classic.id, "url": URL, "event": "create_item"}}
    async with client:
        body = (await client.post("http://monday.test/", json=job, headers=headers)).json()
    assert body["errors"][0]["extensions"]["code"] == "missingRequiredPermissions"
