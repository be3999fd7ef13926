"""A change in the pretend ClickUp travels through the courier to whoever registered for it."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import orjson
import pytest

from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox


class Hub(ThreadingHTTPServer):
    """Someone who registered: keeps what comes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.came: list[tuple[bytes, str]] = []


class Desk(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Hub)
        self.server.came.append((body, self.headers["x-signature"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_change_travels_through_the_courier_to_whoever_registered(hub: Hub) -> None:
    world = seed.build(2, 60)
    with Sandbox(world, Knobs(limits=False, hosts={"hub.example.org": hub.server_address[1]})) as sandbox:
        team = next(node.id for node in world.nodes["clickup"].values() if node.kind == "workspace")
        made = httpx.post(
            f"{sandbox.base_url('clickup')}/v2/team/{team}/webhook",
            json={"endpoint": "https://hub.example.org/in", "events": ["taskUpdated"]},
            headers={"Authorization": world.tokens["clickup"]},
        )
        secret = made.json()["webhook"]["secret"]
        task = next(
            one for one in world.tasks["clickup"].values() if not one.deleted and world.sees_project(world.projects["clickup"][one.homes[0][0]])
        )
        world.set_title("clickup", task.id, "carried")
        assert sandbox.courier.idle()
    body, signature = hub.came[0]
    assert orjson.loads(body)["task_id"] == task.id
    assert signature == hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
