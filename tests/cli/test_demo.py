"""``hub demo``: the first thing a newcomer runs, and the proof that the sync is right."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.cli import connections, demo, vendors
from hub.cli.check import compare
from hub.cli.house import House
from hub.db import Database
from hub.models import Task
from hub.portfolio import dependencies
from hub.portfolio.dependencies import DependencyFilter
from hub.portfolio.reach import reach
from hub.sandbox.server import Sandbox
from hub.settings import Settings
from hub.vault import new_key
from tests.cli.conftest import Hub

ROOT = Path(__file__).parents[2]


def test_check_proves_all_three_tools(hub: Hub, sandbox: Sandbox) -> None:
    said = hub("demo", "--check", "--sandbox", sandbox.origin)
    assert said.code == 0, said.out + said.err
    lines = said.out.splitlines()[4:]
    for tool, line in zip(("asana", "clickup", "monday"), lines, strict=False):
        match = re.fullmatch(rf"{tool} +held 40  truth 40  hash (\w+) = (\w+)  ok", line)
        assert match, line
        assert match[1] == match[2]
    assert [line.endswith("requests  ok") for line in lines[3:]] == [True] * 3


def test_check_fails_when_a_page_was_left_out(hub: Hub, sandbox: Sandbox) -> None:
    sandbox.knobs.page_size, sandbox.knobs.hide_pages = 10, {"clickup": 1}
    said = hub("demo", "--check", "--sandbox", sandbox.origin)
    assert said.code == 1
    assert re.search(r"clickup +held \d+  truth 40  hash \w+ != \w+  WRONG", said.out)
    assert "missing (expected" in said.out


@pytest.fixture
def house(hub: Hub, sqlite_url: str) -> Iterator[House]:
    database = Database(sqlite_url)
    yield House(Settings(database_url=sqlite_url, secret_keys=(new_key(),)), database)
    database.dispose()


def test_check_fails_when_a_row_of_the_hub_is_gone(house: House, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    tools = vendors.running(sandbox.origin)
    for tool in tools.tools:
        connections.store(house, tool, tool, tools.tokens[tool], base_url=tools.base_urls[tool], workspaces=[], excluded=[])
    results = demo.sync_all(house)
    assert demo.checked(house, tools, results) == 0
    capsys.readouterr()
    with house.database.writing() as session:
        lost = session.scalars(select(Task).limit(1)).one()
        session.delete(lost)
    assert demo.checked(house, tools, results) == 1
    said = capsys.readouterr().out
    assert f"{lost.external_id}: missing (expected" in said
    assert "WRONG" in said


def test_the_demo_has_tasks_that_wait_for_another_tool_s(house: House, sandbox: Sandbox) -> None:
    tools = vendors.running(sandbox.origin)
    for tool in tools.tools:
        connections.store(house, tool, tool, tools.tokens[tool], base_url=tools.base_urls[tool], workspaces=[], excluded=[])
    demo.sync_all(house)
    assert demo.linked(house) == 2
    with house.database.reading() as session:
        across = DependencyFilter.model_validate({"across_tools": True, "blocking": True})
        shapes, _ = dependencies.page(session, across, reach(session), None, 10)
    assert len(shapes) == 2
    assert {shape["origin"] for shape in shapes} == {"hub"}


def test_every_field_counts() -> None:
    row = {"title": "a", "custom_fields": {"f": ["x", "y"], "g": "57.50", "d": "2026-11-23T10:00:00Z"}}
    same = {"title": "a", "custom_fields": {"f": ["y", "x"], "g": "57.5", "d": "2026-11-23T10:00:00.000Z"}}
    assert compare({"1": row}, {"1": same}).ok
    changes: list[dict[str, Any]] = [{"title": "b"}, {"custom_fields": {"f": ["x"], "g": "57.5"}}, {"custom_fields": {}}]
    for change in changes:
        verdict = compare({"1": {**row, **change}}, {"1": same})
        assert not verdict.ok
        assert verdict.differences


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_answers_with_its_key_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "hub", "demo", "--tasks", "40", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C ends" in line:
            break
    port, key = re.search(r"answers at +http://127.0.0.1:(\d+)", said), re.search(r"API key \(admin\) +(hub_\S+)", said)
    assert port, said + process.communicate()[1]
    assert key
    answers = {}
    for path in ("/api/v1/portfolio", "/api/v1/tasks?limit=1000", "/docs", "/", "/readyz"):
        connection = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=30)
        connection.request("GET", path, headers={"Authorization": f"Bearer {key[1]}"})
        answer = connection.getresponse()
        answers[path] = (answer.status, answer.read())
        connection.close()
    assert {status for status, _ in answers.values()} == {200}
    assert len(json.loads(answers["/api/v1/tasks?limit=1000"][1])["data"]) > 0
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (0, False), err
    assert list(tmp_path.iterdir()) == []
    assert Path(tempfile.gettempdir()).is_dir()
