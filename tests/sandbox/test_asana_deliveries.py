"""What the pretend Asana's webhooks tell, how it is signed, and how they are given up after a day of failures."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from hub.sandbox import seed
from hub.sandbox.asana import webhooks
from hub.sandbox.courier import Reply
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from tests.sandbox.asana_caller import NAME, TARGET, Office, friendly, gids, lines

pytestmark = pytest.mark.anyio


@pytest.fixture
def office() -> Office:
    return Office()


# -- what is sent --------------------------------------------------------------------------------------------------------------------


async def test_a_projects_webhook_hears_what_its_stream_tells_and_only_gids_of_it(office: Office) -> None:
    world, project = office.asana.world, office.asana.projects[0]
    await office.hook(project.id)
    office.box.round()
    task = world.create_task("asana", "Geheim ☂", project.id)
    below = world.create_task("asana", "Below", parent=task.id)
    world.assign("asana", task.id, [world.me["asana"]])
    world.move("asana", task.id, project.id, project.sections[1].id)
    world.rename_status("asana", project.id, project.sections[0].id, "Renamed")
    world.delete_task("asana", below.id)
    world.rename_project("asana", project.id, "Renamed too")
    first, second = (section.id for section in project.sections[:2])
    bodies = office.box.round()
    assert lines(bodies) == [
        ("added", "task", task.id, project.id, None),
        ("added", "task", task.id, first, None),
        ("added", "task", below.id, task.id, None),
        ("changed", "task", task.id, None, "assignee"),
        ("removed", "task", task.id, first, None),
        ("added", "task", task.id, second, None),
        ("changed", "section", first, None, "name"),
        ("deleted", "task", below.id, None, None),
        ("changed", "project", project.id, None, "name"),
    ]
    assert "Geheim" not in json.dumps(bodies)
    assert bodies[0]["events"][3]["change"]["new_value"] == {"gid": world.me["asana"], "resource_type": "user"}
    assert office.box.round() == []


async def test_a_workspaces_webhook_hears_of_projects_and_of_nothing_in_them(office: Office) -> None:
    world, project = office.asana.world, office.asana.projects[0]
    place = [node.id for node in world.above(project)][-1]
    await office.hook(place, *({"resource_type": "project", "action": action} for action in webhooks.ACTIONS))
    office.box.round()
    world.create_task("asana", "New", project.id)
    world.rename_project("asana", project.id, "Renamed")
    world.archive_project("asana", project.id)
    world.hide_project("asana", project.id)
    world.unhide_project("asana", project.id)
    world.delete_project("asana", project.id)
    assert lines(office.box.round()) == [
        ("changed", "project", project.id, None, "name"),
        ("changed", "project", project.id, None, "archived"),
        ("deleted", "project", project.id, None, None),
    ]


async def test_what_happened_before_a_webhook_was_made_is_not_told(office: Office) -> None:
    project, other = (project.id for project in office.asana.projects[:2])
    await office.hook(other)
    office.box.round()
    office.asana.world.create_task("asana", "Before", project)
    await office.hook(project)
    assert office.box.round() == [{"events": []}]


async def test_every_delivery_is_signed_over_its_very_bytes(office: Office) -> None:
    answer = await office.order(office.asana.projects[0].id)
    secret = answer.json()["X-Hook-Secret"].encode()
    office.asana.world.create_task("asana", "New", office.asana.projects[0].id)
    office.box.round()
    handshake, *delivered = office.box.sent
    assert "X-Hook-Signature" not in handshake.headers
    assert len(delivered) == 2
    for parcel in delivered:
        assert parcel.headers["X-Hook-Signature"] == hmac.new(secret, parcel.body, hashlib.sha256).hexdigest()
        assert parcel.seconds == 10.0


async def test_a_webhook_that_has_nothing_to_hear_gets_a_heartbeat_every_eight_hours(office: Office) -> None:
    world, (quiet, busy) = office.asana.world, office.asana.projects[:2]
    await office.hook(quiet.id)
    office.box.round()
    world.advance(world.now + timedelta(hours=7, minutes=59))
    world.create_task("asana", "New", busy.id)
    assert office.box.round() == []
    world.advance(world.now + timedelta(minutes=1))
    world.create_task("asana", "New", busy.id)
    assert office.box.round() == [{"events": []}]
    assert office.box.round() == []


async def test_a_failure_is_repeated_with_longer_and_longer_pauses_and_shown(office: Office) -> None:
    made = await office.hook(office.asana.projects[0].id)
    office.box.customer = lambda parcel: Reply(500, body=b"out of order")
    pauses = []
    for _ in range(15):
        (again,) = office.box.round() and office.box.later
        pauses.append(again.after)
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert max(pauses) == 3600.0
    shown = await office.asana.data(f"/webhooks/{made['gid']}")
    assert (shown["delivery_retry_count"], shown["last_failure_content"], shown["last_success_at"]) == (15, "500 out of order", None)
    office.box.customer = friendly
    office.box.round()
    shown = await office.asana.data(f"/webhooks/{made['gid']}")
    assert (shown["delivery_retry_count"], shown["failure_deletion_timestamp"], shown["next_attempt_after"]) == (0, None, None)
    assert shown["last_success_at"]


@pytest.mark.parametrize("reply", [Reply(None), Reply(500), Reply(404)])
async def test_after_a_day_of_failures_the_webhook_is_gone(office: Office, reply: Reply) -> None:
    world = office.asana.world
    made = await office.hook(office.asana.projects[0].id)
    office.box.customer = lambda parcel: reply
    office.box.round()
    world.advance(world.now + timedelta(hours=23, minutes=59))
    office.box.round()
    assert gids(await office.listed()) == [made["gid"]]
    world.advance(world.now + timedelta(minutes=1))
    assert await office.listed() == []
    assert office.box.round()
    assert office.box.later == [], "and is not tried again"
    office.box.customer = friendly
    assert (await office.order(office.asana.projects[0].id)).status_code == 201


async def test_one_success_within_the_day_saves_it(office: Office) -> None:
    world, project = office.asana.world, office.asana.projects[0].id
    await office.hook(project)
    for _ in range(4):
        office.box.customer = lambda parcel: Reply(500)
        office.box.round()
        world.advance(world.now + timedelta(hours=20))
        office.box.customer = friendly
        office.box.round()
        world.create_task("asana", "New", project)
    assert len(await office.listed()) == 1


# -- through sockets -----------------------------------------------------------------------------------------------------------------


class Listener:
    """A customer on this machine: answers handshakes and keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                listener.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                if "x-hook-secret" in self.headers:
                    self.send_header("X-Hook-Secret", self.headers["x-hook-secret"])
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def listener() -> Iterator[Listener]:
    opened = Listener()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


async def test_the_server_shakes_hands_while_the_order_is_open_and_tells_what_happens_then(listener: Listener) -> None:
    world = seed.build(tasks=60)
    knobs = Knobs(hosts={NAME: listener.server.server_address[1]})
    with Sandbox(world, knobs) as sandbox:
        project = next(one.id for one in world.projects["asana"].values() if world.sees_project(one))
        async with httpx.AsyncClient(base_url=sandbox.base_url("asana"), headers={"authorization": f"Bearer {world.tokens['asana']}"}) as client:
            made = await client.post("/webhooks", json={"data": {"resource": project, "target": TARGET}})
        assert made.status_code == 201, made.text
        assert listener.calls[0][0]["x-hook-secret"] == made.json()["X-Hook-Secret"]
        task = world.create_task("asana", "New", project)
        assert sandbox.courier.idle()
    bodies = [json.loads(body) for headers, body in listener.calls if "x-hook-signature" in headers]
    assert {"events": []} in bodies
    assert ("added", "task", task.id, project, None) in lines(bodies)
