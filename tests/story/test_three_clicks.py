"""Somebody who has only questions and the text of the pages finds every answer in at most three clicks, and it is what the tools' world itself says.

Three weeks lie between the two readings: milestones moved in between, one tool was not reached again. What the hub shows of movement is what it saw
happen; it says itself that nothing is known of before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.app import create_app
from hub.db import Database
from hub.models import Task
from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.sandbox.world import World
from hub.sync import runs
from hub.sync.engine import Engine
from tests.access.conftest import Browser
from tests.api.conftest import Caller, NotedJobs, as_key
from tests.story.stage import Patience, Stage
from tests.story.world_says import WorldSays
from tests.web.reading import Read, read, table

LATER = seed.NOW + timedelta(days=21)
MOST_CLICKS = 3
WORD = re.compile(r"[a-z]+")
SMALL = set("a and are by can do does for has how in is of not the to which who".split())  # noqa: SIM905  one list of words


@dataclass
class Told:
    """The hub after both readings, what the world said at each, and which task was made to wait for which."""

    browser: Browser
    before: WorldSays
    now: WorldSays
    waits: tuple[str, str]


@dataclass
class Walk:
    """Follows, from the first page on, the link that has most of the question's words that no link before it had, until a heading has most of the
    question's words or no link has any."""

    browser: Browser
    path: str = "/"
    clicks: int = 0
    text: str = field(init=False)

    def ask(self, question: str) -> Read:
        unspent = asked = _words(question)
        self.text = self.browser.get(self.path).text
        while not self._told(asked) and (link := self._best(unspent)):
            words, self.path = link
            unspent = unspent - words
            self.text, self.clicks = self.browser.get(self.path).text, self.clicks + 1
        assert self.clicks <= MOST_CLICKS
        return read(self.text)

    def _told(self, asked: set[str]) -> bool:
        headings = re.findall(r"<(h[1-3]|caption)\b[^>]*>(.*?)</\1>", self.text, re.DOTALL)
        return any(len(_words(words) & asked) > len(asked) / 2 for _, words in headings)

    def _best(self, unspent: set[str]) -> tuple[set[str], str] | None:
        links = re.findall(r'<a [^>]*?href="([^"]+)"[^>]*>(.*?)</a>', self.text, re.DOTALL)
        said = [(_words(words), href.replace("&amp;", "&")) for href, words in links]
        fits = [(len(words & unspent), len(words & unspent) / len(words), words, href) for words, href in said if words & unspent and href[0] == "/"]
        best = max(fits, key=lambda each: each[:2], default=None)
        return None if best is None else (best[2], best[3])


def _words(text: str) -> set[str]:
    return set(WORD.findall(re.sub(r"<[^>]+>", " ", text).lower())) - SMALL


@pytest.fixture(scope="module")
def told(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    world = seed.build(seed=7, tasks=60, now=seed.NOW)
    _burden(world)
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('clicks') / 'hub.db'}")
    Path(database.url.removeprefix("sqlite:///")).write_bytes(sqlite_template.read_bytes())
    with pytest.MonkeyPatch.context() as patch, Sandbox(world, Knobs(limits=False)).start() as sandbox:
        Patience().install(patch)
        stage = Stage(world, sandbox, database)
        for tool in ("asana", "monday", "clickup"):
            stage.connect(tool)
            _read(stage, tool, seed.NOW)
        before = WorldSays(world, seed.NOW.date())
        world.advance(LATER)
        _slip(world, before)
        for tool in ("asana", "clickup"):
            _read(stage, tool, LATER)
        after = WorldSays(world, LATER.date())
    app = create_app(stage.settings, database, stage.vault, NotedJobs(), lambda: LATER, open_home=True)
    waits = _wait(database, Caller(app, as_key(database, "pmo")), after)
    yield Told(Browser(app), before, after, waits)
    database.dispose()


def _read(stage: Stage, tool: str, at: datetime) -> None:
    run_id = stage.queue(tool, runs.FULL)
    outcome = Engine(stage.database, stage.vault, stage.settings, lambda: at, lambda _progress: None).sync(run_id)
    assert outcome is not None
    assert outcome.state == "complete"


def _burden(world: World) -> None:
    """Somebody has more to do in the week after the second reading than a week holds."""
    monday = LATER.date() + timedelta(weeks=1)
    says = WorldSays(world, LATER.date())
    chosen = next(key for key, row in says.open("clickup").items() if len(row["assignees"]) == 1 and row["assignees"][0].startswith("identity:"))
    task = world.tasks["clickup"][chosen]
    task.start, task.due, task.estimate_minutes = monday, monday + timedelta(days=4), 6_000


def _slip(world: World, before: WorldSays) -> None:
    stones = [(tool, key) for tool in ("asana", "clickup") for key, row in before.open(tool).items() if row["kind"] == "milestone" and row["due_on"]]
    for days, (tool, key) in enumerate(stones, 3):
        due = world.tasks[tool][key].due
        assert due is not None
        world.set_due(tool, key, due + timedelta(days=days if days % 2 else -days))


def _wait(database: Database, pmo: Caller, says: WorldSays) -> tuple[str, str]:
    """A task of one tool waits for one of another, as a PMO says."""
    keys = [("asana", says.somewhere("asana", {})), ("clickup", says.somewhere("clickup", {}))]
    with database.reading() as session:
        ids = {key: session.scalars(select(Task.id).where(Task.external_id == key)).one() for _, key in keys}
    first, second = (ids[key] for _, key in keys)
    answer = pmo("POST", "/api/v1/dependencies", json={"predecessor_id": str(first), "successor_id": str(second), "note": "as agreed"})
    assert answer.status_code == 200, answer.text
    titles = [says.rows[tool][key]["title"] for tool, key in keys]
    return titles[0], titles[1]


def test_which_five_projects_are_most_late(told: Told) -> None:
    walk = Walk(told.browser)
    walk.ask("Projects: which are most late?")
    shown = [(row["Project"], int(row["Most late"].split()[0])) for row in table(walk.text, "Tick")[:5]]
    expected = told.now.late()
    assert len(expected) >= 5
    assert [days for _, days in shown] == [days for _, days in expected[:5]]
    assert set(shown) <= set(expected)


def test_who_has_too_much_to_do_next_week(told: Told) -> None:
    walk = Walk(told.browser)
    monday = told.now.today + timedelta(weeks=1)
    found = walk.ask("Workload: who has too much to do next week?")
    head = f"{monday.day} {monday:%b}"
    too_much = [row for row in table(walk.text, "Who") if "too much" in row[head]]
    expected = told.now.overloaded(monday)
    assert expected
    assert {name for name in expected if any(row["Who"].startswith(name) for row in too_much)} == expected
    assert len(too_much) == len(expected)
    assert all(name in found.words.partition("Next week:")[2].partition("than working time")[0] for name in expected)


def test_which_milestones_moved_in_the_last_30_days_and_by_how_much(told: Told) -> None:
    walk = Walk(told.browser)
    found = walk.ask("Milestones: which moved in the last 30 days, and by how much?")
    moved = {(row["Milestone"], _days(row["Moved"])) for row in table(walk.text, "Milestone") if _days(row["Moved"])}
    expected = told.now.moved(told.before)
    assert len(expected) >= 2
    assert moved == expected
    assert "Movement is not known before 23 Nov 2026" in found.words, "30 days back is further than the hub has seen"


def _days(words: str) -> int:
    found = re.fullmatch(r"([\d,]+) days? (later|earlier)", words)
    return 0 if found is None else int(found[1]) * (1 if found[2] == "later" else -1)


def test_which_task_of_which_tool_holds_up_another_tool_s(told: Told) -> None:
    walk = Walk(told.browser)
    walk.ask("Which task of one tool waits for another tool?")
    (row,) = table(walk.text, "This task")
    before, after = told.waits
    assert (after in row["This task"], "clickup" in row["This task"]) == (True, True)
    assert (before in row["waits for"], "asana" in row["waits for"]) == (True, True)


def test_where_data_is_old_or_its_status_unexplained(told: Told) -> None:
    walk = Walk(told.browser)
    found = walk.ask("Data quality")
    aged = dict(re.findall(r"(\w+) \(\w+\): last checked (\d+ \w+ \d+)", re.sub(r"\s+", " ", found.words)))
    assert aged == {"asana": "14 Dec 2026", "clickup": "14 Dec 2026", "monday": "23 Nov 2026"}
    walk = Walk(told.browser)
    found = walk.ask("Data quality: of which tasks can the hub not read the status?")
    assert told.now.unmapped()
    assert re.search(rf"of {told.now.unmapped()} tasks?\b", found.words)
