"""The courier: what the world's changes make a vendor send arrives at the listener that was named, once, and nowhere outside this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from hub.sandbox import seed
from hub.sandbox.control import turn
from hub.sandbox.courier import Courier, Parcel, Reply
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.sandbox.things import Entry
from hub.sandbox.world import World

NAME = "hub.example"


class Door(ThreadingHTTPServer):
    request_queue_size = 128
    """All may knock at once: the five of the standard library let the others wait or turn them away."""


class Customer:
    """A listener on this machine that keeps what it is told. ``answer`` gives the status for the nth call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, bytes]] = []
        self.answer: Callable[[int], int] = lambda count: 200
        self.slow = threading.Event()
        self.slow.set()
        customer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                customer.calls.append((self.headers["host"], self.path, body))
                status = customer.answer(len(customer.calls))
                customer.slow.wait(10)
                self.send_response(status)
                self.send_header("X-Echo", self.headers.get("x-hook-secret", ""))
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = Door(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def titles(self) -> list[str]:
        return [orjson.loads(body)["id"] for _, _, body in self.calls]

    def close(self) -> None:
        self.slow.set()
        self.server.shutdown()
        self.server.server_close()


class PostRoom:
    """Sends one parcel a journal line, and one that is answered badly again, up to three times."""

    def __init__(self, url: str, seconds: float = 10.0, after: float = 0.0) -> None:
        self.url, self.seconds, self.after = url, seconds, after
        self.ends: list[Reply] = []

    def parcels(self, entries: Sequence[Entry]) -> Sequence[Parcel]:
        return [Parcel(entry.tool, "h1", self.url, {}, orjson.dumps({"id": entry.id, "action": entry.action}), self.seconds) for entry in entries]

    def settled(self, parcel: Parcel, reply: Reply) -> Parcel | None:
        self.ends.append(reply)
        return replace(parcel, attempt=parcel.attempt + 1, after=self.after) if reply.status != 200 and parcel.attempt < 3 else None


@pytest.fixture
def customer() -> Iterator[Customer]:
    opened = Customer()
    yield opened
    opened.close()


@pytest.fixture
def world() -> World:
    return seed.build(seed=4, tasks=30)


@pytest.fixture
def knobs(customer: Customer) -> Knobs:
    return Knobs(hosts={NAME: customer.port}, pace=0.0)


@pytest.fixture
def courier(world: World, knobs: Knobs) -> Iterator[Courier]:
    opened = Courier(world, knobs)
    yield opened
    opened.stop()


def change(world: World, times: int, tool: str = "clickup") -> list[str]:
    ids = [task_id for task_id, task in world.tasks[tool].items() if not task.deleted][:times]  # type: ignore[index]
    for task_id in ids:
        world.set_title(tool, task_id, f"new {task_id} at {world.now}")  # type: ignore[arg-type]
    return ids


def test_a_change_arrives_under_the_public_name_with_its_own_host(world: World, courier: Courier, customer: Customer) -> None:
    courier.watch("clickup", PostRoom(f"https://{NAME}/receivers/1?x=2"))
    [task_id] = change(world, 1)
    assert courier.idle()
    [(host, path, body)] = customer.calls
    assert (host, path, orjson.loads(body)) == (NAME, "/receivers/1?x=2", {"id": task_id, "action": "changed"})


def test_only_what_follows_the_first_watch_is_told_and_only_of_that_tool(world: World, courier: Courier, customer: Customer) -> None:
    change(world, 3)
    room = PostRoom(f"https://{NAME}/")
    courier.watch("clickup", room)
    change(world, 2, "asana")
    ids = change(world, 1)
    courier.watch("clickup", room)
    assert courier.idle()
    assert customer.titles() == ids


@pytest.mark.parametrize("url", ["https://hub.example.org/", "http://192.0.2.1/", "https://127.0.0.1/", "ftp://127.0.0.1/", "http://[", "nonsense"])
def test_nothing_leaves_this_machine(world: World, courier: Courier, customer: Customer, url: str) -> None:
    room = PostRoom(url)
    courier.watch("clickup", room)
    change(world, 1)
    assert courier.idle()
    assert [reply.status for reply in room.ends] == [None] * 3
    assert customer.calls == []


@pytest.mark.anyio
async def test_a_handshake_hands_back_the_whole_answer(courier: Courier, customer: Customer) -> None:
    reply = await courier.post(Parcel("asana", "h1", f"http://127.0.0.1:{customer.port}/", {"X-Hook-Secret": "s"}, b"{}"))
    assert (reply.status, reply.headers["x-echo"], reply.body) == (200, "s", b"ok")


def test_a_bad_answer_is_repeated_as_its_vendor_says(world: World, courier: Courier, customer: Customer) -> None:
    customer.answer = lambda count: 500 if count == 1 else 200
    room = PostRoom(f"https://{NAME}/")
    courier.watch("clickup", room)
    ids = change(world, 1)
    assert courier.idle()
    assert customer.titles() == ids * 2
    assert [(row.attempt, row.status) for row in courier.rows] == [(1, 500), (2, 200)]


def test_one_that_is_to_be_repeated_later_waits(world: World, courier: Courier, customer: Customer, knobs: Knobs) -> None:
    knobs.pace = 1.0
    customer.answer = lambda count: 500
    courier.watch("clickup", PostRoom(f"https://{NAME}/", after=3600))
    change(world, 1)
    assert courier.idle()
    assert (len(customer.calls), courier.waiting()) == (1, 1)


def test_who_does_not_answer_in_time_did_not_answer(world: World, courier: Courier, customer: Customer) -> None:
    customer.slow.clear()
    room = PostRoom(f"https://{NAME}/", seconds=0.05)
    courier.watch("clickup", room)
    change(world, 1)
    assert courier.idle()
    assert {reply.status for reply in room.ends} == {None}


def test_dropped_ones_are_lost_without_the_vendor_noticing(world: World, courier: Courier, customer: Customer, knobs: Knobs) -> None:
    knobs.drop = 1.0
    room = PostRoom(f"https://{NAME}/")
    courier.watch("clickup", room)
    change(world, 3)
    assert courier.idle()
    assert customer.calls == []
    assert [reply.status for reply in room.ends] == [200] * 3


def test_the_same_seed_loses_and_doubles_the_same_ones(customer: Customer) -> None:
    told = []
    for _ in range(2):
        world, knobs = seed.build(seed=4, tasks=30), Knobs(hosts={NAME: customer.port}, drop=0.4, double=0.4)
        courier = Courier(world, knobs)
        courier.watch("clickup", PostRoom(f"https://{NAME}/"))
        ids = change(world, 20)
        assert courier.idle()
        told.append(sorted(customer.titles()))
        customer.calls.clear()
        courier.stop()
    assert told[0] == told[1]
    assert set(told[0]) < set(ids), "some were to be lost"
    assert len(told[0]) > len(set(told[0])), "some were to come twice"


def test_shuffled_ones_all_arrive_but_not_in_their_order(world: World, courier: Courier, customer: Customer, knobs: Knobs) -> None:
    knobs.shuffle = 0.5
    courier.watch("clickup", PostRoom(f"https://{NAME}/"))
    ids = change(world, 20)
    assert courier.idle()
    assert sorted(customer.titles()) == sorted(ids)
    assert customer.titles() != ids


def test_held_ones_come_when_they_are_let_go(world: World, courier: Courier, customer: Customer, knobs: Knobs) -> None:
    turn(knobs, {"hold": ["clickup"]})
    courier.watch("clickup", PostRoom(f"https://{NAME}/"))
    ids = change(world, 3)
    assert courier.idle()
    assert customer.calls == []
    turn(knobs, {"hold": []})
    assert courier.idle()
    assert sorted(customer.titles()) == sorted(ids)


def test_a_heartbeat_travels_like_the_rest(courier: Courier, customer: Customer) -> None:
    room = PostRoom(f"https://{NAME}/")
    courier.watch("asana", room)
    courier.send(Parcel("asana", "h1", room.url, {}, b'{"events": []}'))
    assert courier.idle()
    assert [body for _, _, body in customer.calls] == [b'{"events": []}']
    assert [reply.status for reply in room.ends] == [200]


def test_the_sandbox_ends_its_courier(world: World, customer: Customer) -> None:
    with Sandbox(world, Knobs(hosts={NAME: customer.port})) as sandbox:
        sandbox.courier.watch("clickup", PostRoom(f"https://{NAME}/"))
        thread = next(one for one in threading.enumerate() if one.name == "sandbox-courier")
    assert not thread.is_alive()
