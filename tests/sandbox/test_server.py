"""The sandbox as a server: mounts, log, faults, gzip and the control desk, over a socket of this machine and without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from hub.sandbox import seed, truth
from hub.sandbox.__main__ import main
from hub.sandbox.knobs import Fault, Knobs
from hub.sandbox.middleware import Log, Watched
from hub.sandbox.server import MOUNTS, Sandbox
from hub.sandbox.world import TOOLS, Tool

ROOT = Path(__file__).parents[2]
BIG = orjson.dumps({"data": ["ä" * 50] * 40})
WORLD = seed.build(seed=9, tasks=10)


async def vendor(scope: Any, receive: Any, send: Any) -> None:
    """A tiny app in a vendor's place: echoes its path and body, or sends something big."""
    body = (await receive())["body"]
    answer = BIG if scope["path"].endswith("/big") else orjson.dumps({"path": scope["path"], "body": body.decode()})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": answer})


def vendors_error(code: int, now: datetime) -> tuple[dict[str, str], bytes]:
    return {"Content-Type": "application/json", "Retry-After": "7"}, orjson.dumps({"errors": [{"message": f"no {code}"}]})


@pytest.fixture
def knobs() -> Knobs:
    return Knobs()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def client(knobs: Knobs, log: Log) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Watched("asana", vendor, WORLD, knobs, log, vendors_error))
    async with httpx.AsyncClient(transport=transport, base_url="http://vendor.test") as client:
        yield client


@pytest.mark.anyio
async def test_an_answer_is_dated_by_the_worlds_clock(client: httpx.AsyncClient) -> None:
    WORLD.advance(datetime(2031, 5, 6, 7, 8, 9, 500_000, tzinfo=UTC))
    dated = (await client.get("/asana/api/1.0/x")).headers.get_list("Date")
    assert [parsedate_to_datetime(each) for each in dated] == [datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)]


def test_a_served_answer_has_one_date_and_it_is_the_worlds(running: Sandbox) -> None:
    running.world.advance(running.world.now + timedelta(days=9))
    dated = httpx.get(f"{running.base_url('asana')}/users/me").headers.get_list("Date")
    assert [parsedate_to_datetime(each) for each in dated] == [running.world.now.replace(microsecond=0)]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(seed.build(seed=9, tasks=60)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """The one running server with its knobs and log as new."""
    running.knobs.faults.clear()
    running.log.clear()
    return running


# -- what lies before each vendor ---------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_every_request_is_in_the_log_with_its_body_and_answer(client: httpx.AsyncClient, log: Log) -> None:
    await client.post("/tasks?limit=5", content=b"x" * 30_000, headers={"accept-encoding": "identity"})
    row = log.rows[0]
    assert {key: row[key] for key in ("tool", "n", "method", "path", "query", "status", "retry", "fault")} == {
        "tool": "asana", "n": 1, "method": "POST", "path": "/tasks", "query": "limit=5", "status": 200, "retry": False, "fault": None,
    }  # fmt: skip
    assert len(row["body"]) == 20_000
    assert row["bytes"] > 30_000


@pytest.mark.anyio
async def test_an_answer_is_zipped_for_those_who_take_it(client: httpx.AsyncClient, log: Log) -> None:
    zipped = await client.get("/big")
    plain = await client.get("/big", headers={"accept-encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.content == plain.content == BIG
    assert log.rows[0]["bytes"] < log.rows[1]["bytes"] == len(BIG)


@pytest.mark.anyio
async def test_a_status_fault_speaks_the_vendors_language_and_the_next_call_is_a_retry(client: httpx.AsyncClient, knobs: Knobs, log: Log) -> None:
    knobs.faults.append(Fault("asana", "GET /tasks", "status", code=429))
    refused, answered, later = [await client.get("/tasks") for _ in range(3)]
    assert (refused.status_code, refused.headers["retry-after"], refused.json()) == (429, "7", {"errors": [{"message": "no 429"}]})
    assert (answered.status_code, later.status_code) == (200, 200)
    assert [row["retry"] for row in log.rows] == [False, True, False]


@pytest.mark.anyio
async def test_a_fault_spares_the_first_ones_and_ends_after_its_times(client: httpx.AsyncClient, knobs: Knobs) -> None:
    knobs.faults.append(Fault("asana", "offset=ü", "status", times=2, skip=1))
    statuses = [(await client.get("/tasks", params={"offset": "ü"})).status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    assert knobs.faults == []


@pytest.mark.anyio
async def test_a_fault_meets_only_its_own_tool_and_match(client: httpx.AsyncClient, knobs: Knobs) -> None:
    knobs.faults += [Fault("monday", "/tasks", "status"), Fault("asana", "next_items_page", "status")]
    assert (await client.get("/tasks")).status_code == 200
    assert (await client.post("/", content=b"{next_items_page}")).status_code == 500
    assert [fault.tool for fault in knobs.faults] == ["monday"]


@pytest.mark.anyio
@pytest.mark.parametrize(("kind", "status"), [("html", 502), ("empty", 200), ("not_json", 200), ("truncated", 200)])
async def test_a_bad_body_is_no_json(client: httpx.AsyncClient, knobs: Knobs, kind: Any, status: int) -> None:
    knobs.faults.append(Fault("asana", "/big", kind))
    answer = await client.get("/big")
    assert answer.status_code == status
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert (await client.get("/big")).content == BIG


@pytest.mark.anyio
async def test_a_silent_vendor_answers_late_but_well(client: httpx.AsyncClient, knobs: Knobs, log: Log) -> None:
    knobs.faults.append(Fault("asana", "/tasks", "timeout", seconds=0.0))
    assert (await client.get("/tasks")).json()["path"] == "/tasks"
    assert log.rows[0]["fault"] == "timeout"


# -- over a socket -------------------------------------------------------------------------------------------------------------


def test_a_reset_cuts_the_connection_in_the_middle(sandbox: Sandbox) -> None:
    sandbox.knobs.faults.append(Fault("clickup", "/v2/user", "reset"))
    url, headers = f"{sandbox.base_url('clickup')}/v2/user", {"authorization": sandbox.world.tokens["clickup"]}
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url, headers=headers)
    assert httpx.get(url, headers=headers).status_code == 200


@pytest.mark.parametrize("tool", TOOLS)
def test_each_vendor_answers_under_its_base_url_to_the_one_token(sandbox: Sandbox, tool: Tool) -> None:
    def ask(token: str) -> httpx.Response:
        base = sandbox.base_url(tool)
        if tool == "monday":
            return httpx.post(base, json={"query": "{ me { id } }"}, headers={"authorization": token, "api-version": "2026-10"})
        if tool == "asana":
            return httpx.get(f"{base}/users/me", headers={"authorization": f"Bearer {token}"})
        return httpx.get(f"{base}/v2/user", headers={"authorization": token})

    answer = ask(sandbox.world.tokens[tool])
    assert answer.status_code == 200
    assert sandbox.world.me[tool] in answer.text
    assert ask("wrong").status_code == 401


@pytest.mark.parametrize("tool", TOOLS)
def test_a_fault_of_each_vendor_has_its_own_shape(sandbox: Sandbox, tool: Tool) -> None:
    sandbox.knobs.faults.append(Fault(tool, "", "status", code=429))
    answer = httpx.post(sandbox.base_url(tool), json={})
    assert answer.status_code == 429
    assert answer.json().keys() & {"errors", "err", "error_message"}


def test_an_unknown_path_says_what_there_is(sandbox: Sandbox) -> None:
    answer = httpx.get(f"{sandbox.origin}/nothing")
    assert answer.status_code == 404
    assert all(prefix in answer.text for prefix in MOUNTS.values())


def test_stopping_twice_is_harmless_and_frees_the_port() -> None:
    sandbox = Sandbox(seed.build(tasks=10)).start()
    port = sandbox.port
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/_sandbox/world")


# -- the control desk ------------------------------------------------------------------------------------------------------------


def test_the_desk_shows_and_clears_the_log(sandbox: Sandbox) -> None:
    desk = f"{sandbox.origin}/_sandbox"
    httpx.get(f"{sandbox.base_url('clickup')}/v2/user")
    httpx.get(f"{sandbox.base_url('asana')}/users/me")
    assert [row["tool"] for row in httpx.get(f"{desk}/log").json()] == ["clickup", "asana"]
    rows = httpx.get(f"{desk}/log?tool=asana&clear=1").json()
    assert [(row["path"], row["status"]) for row in rows] == [("/users/me", 401)]
    assert httpx.get(f"{desk}/log").json() == []


def test_the_desk_turns_knobs_and_refuses_unknown_ones(sandbox: Sandbox) -> None:
    desk = f"{sandbox.origin}/_sandbox/knobs"
    assert httpx.patch(desk, json={"revoked": ["clickup"], "page_size": 7}).json()["page_size"] == 7
    assert sandbox.knobs.revoked == {"clickup"}
    assert httpx.patch(desk, json={"revoked": [], "page_size": None}).json()["revoked"] == []
    refused = httpx.patch(desk, json={"pagesize": 3, "lag": 9})
    assert refused.status_code == 400
    assert "pagesize" in refused.json()["error"]
    assert sandbox.knobs.lag == 0


def test_the_desk_takes_and_drops_faults(sandbox: Sandbox) -> None:
    desk = f"{sandbox.origin}/_sandbox/faults"
    assert (
        len(httpx.post(desk, json=[{"tool": "asana", "match": "x", "kind": "html"}, {"tool": "monday", "match": "y", "kind": "empty"}]).json()) == 2
    )
    assert httpx.post(desk, json={"tool": "asana"}).status_code == 400
    assert httpx.delete(desk).json() == sandbox.knobs.faults == []


def test_the_desk_tells_the_truth(sandbox: Sandbox) -> None:
    desk = f"{sandbox.origin}/_sandbox/truth"
    assert httpx.get(f"{desk}?tool=monday").json() == truth.expected_tasks(sandbox.world, "monday")
    assert httpx.get(f"{desk}?tool=asana&of=projects").json() == truth.expected_projects(sandbox.world, "asana")
    brief = httpx.get(f"{desk}?tool=clickup&brief=1").json()
    assert brief == {"count": 60, "fingerprint": truth.fingerprint(truth.expected_tasks(sandbox.world, "clickup"))}
    assert httpx.get(f"{desk}?tool=jira").status_code == 400


def test_the_desk_changes_the_world() -> None:
    with Sandbox(seed.build(seed=10, tasks=60)) as sandbox:
        desk = f"{sandbox.origin}/_sandbox/mutate"
        assert len(httpx.post(desk, json={"steps": 5}).json()) >= 5
        task = next(iter(truth.expected_tasks(sandbox.world, "clickup")))
        order = {"call": "set_due", "args": {"tool": "clickup", "task_id": task, "due": "2027-01-04"}}
        assert httpx.post(desk, json=order).json()[-1]["field"] == "due"
        assert truth.expected_tasks(sandbox.world, "clickup")[task]["due_on"] == "2027-01-04"
        assert httpx.post(desk, json={"call": "__init__", "args": {}}).status_code == 400
        assert httpx.post(desk, json={"call": "set_title", "args": {"tool": "clickup", "task_id": "none", "title": "x"}}).status_code == 400
        assert httpx.post(desk, content=b"{").status_code == 400


def test_the_desk_sums_the_world_up(sandbox: Sandbox) -> None:
    shown = httpx.get(f"{sandbox.origin}/_sandbox/world").json()
    assert (shown["seed"], shown["tools"]["asana"]["listable"], shown["plans"]["monday"]) == (9, 60, "pro")


# -- the command -----------------------------------------------------------------------------------------------------------------


def test_the_command_prints_one_line_and_serves_until_its_input_closes() -> None:
    arguments = [sys.executable, "-m", "hub.sandbox", "--tasks", "20", "--seed", "3", "--until-eof", "--no-limits", "--plan", "asana=free"]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        shown = httpx.get(f"http://127.0.0.1:{line['port']}/_sandbox/world").json()
        rest, _ = process.communicate()
    assert shown["plans"] == {"asana": "free", "monday": "pro", "clickup": "business"}
    assert line["base_urls"].keys() == line["tokens"].keys() == set(TOOLS)
    assert (process.returncode, rest) == (0, b"")


def test_the_command_ends_on_sigterm() -> None:
    with subprocess.Popen([sys.executable, "-m", "hub.sandbox", "--tasks", "10"], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == 0


@pytest.mark.parametrize("wrong", [["--plan", "jira=pro"], ["--now", "2026-11-23T09:00:00"], ["--tasks", "many"]])
def test_wrong_usage_ends_with_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err
