"""Random histories: whatever happens in the world, whatever goes wrong, in whatever order the hub looks, after a quiet poll, walk and sweep it holds
the truth, and between two looks it has told exactly what differs.

A failure prints its steps and a blob; ``@reproduce_failure`` with that blob, or ``--hypothesis-seed``, plays it again.
"""

from __future__ import annotations

import asyncio
import copy
import os
import random
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, TypeAlias
from uuid import uuid4

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import func, select, update

from hub import connections, log
from hub.cli import check
from hub.db import Database
from hub.models import Connection, Event, Project, Task
from hub.sandbox import seed, truth
from hub.sandbox.knobs import Fault, Knobs
from hub.sandbox.server import MOUNTS, Sandbox
from hub.sandbox.world import TOOLS, Tool, World
from hub.settings import Settings
from hub.sync import runs
from hub.sync.engine import Engine
from hub.sync.runs import FULL, POLL, STRUCTURE, TOUCH
from hub.vault import Vault
from tests.conftest import postgres_url
from tests.story.office import CONTAINERS, TASKS, Office
from tests.story.stage import KEY, Patience, same
from tests.story.telling import compared, expected_events, projects_of, shared_tasks, tasks_of, without_choice
from tests.sync.telling import told

BEGINNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SMALL = 14
STEPS = 50
HISTORIES = int(os.environ.get("HUB_HISTORIES", "96"))
"""In all, on SQLite. One takes three to five seconds of processor time, most of it for its several hundred requests; more are asked for by name."""
CHUNKS = 8
"""So that several processes can share the work."""
ON_POSTGRESQL = 2
"""Histories a tool."""
WORLDS: dict[int, World] = {}
NUMBERS = st.integers(0, 1_000_000)
Works: TypeAlias = Sequence[tuple[str, int]]
"""Deeds of an office by name, each with the number that decides what it is done to."""
WORKS = st.lists(st.tuples(st.sampled_from(TASKS), NUMBERS), min_size=1, max_size=4)
DAY = st.lists(st.tuples(st.sampled_from((*TASKS, "rename_project", "archive_project", "delete_project")), NUMBERS), min_size=1, max_size=4)
FAULTS = st.sampled_from(["html", "empty", "truncated", "not_json", 500, 502, 503, 429])
PAGES = st.integers(0, 6)


def step(name: str, *given: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    return st.tuples(st.just(name), st.tuples(*given))


STEP = st.one_of(
    *[step("people_work", WORKS)] * 5,
    *[step("somebody_tidies", st.sampled_from(CONTAINERS), NUMBERS)] * 2,
    *[step("time_passes", st.integers(1, 4 * 3600))] * 2,
    step("the_tool_lags", st.sampled_from([0.0, 20.0, 60.0])),
    *[step("something_breaks", FAULTS, st.integers(0, 8), st.integers(1, 8))] * 2,
    *[step("the_hub_looks", st.sampled_from([POLL, POLL, STRUCTURE, FULL]))] * 4,
    *[step("the_hub_looks_while_people_work", st.sampled_from([POLL, STRUCTURE, FULL]), WORKS, PAGES)] * 2,
    *[step("the_hub_dies", st.sampled_from([POLL, STRUCTURE, FULL]), PAGES)] * 2,
    *[step("webhooks_come", NUMBERS, st.booleans())] * 2,
    step("a_day_is_told_as_it_was", DAY, st.sampled_from([(FULL,), (POLL, FULL), (STRUCTURE, FULL), (POLL, STRUCTURE, FULL)])),
)
"""What a history is made of, and how often."""


class Killed(BaseException):
    """The process is gone: nothing of it is caught."""


class History(RuleBasedStateMachine):
    """One tool, one hub. ``open_database``: given by the test: a path or URL of a fresh one."""

    tool: ClassVar[Tool]
    fresh_database: ClassVar[Any]

    @initialize(which=st.integers(0, 2))
    def begin(self, which: int) -> None:
        if which not in WORLDS:
            WORLDS[which] = seed.build(which + 1, SMALL, BEGINNING)
        self.world = copy.deepcopy(WORLDS[which])
        self.sandbox = Sandbox(self.world, Knobs(limits=False))
        self.closing, self.database = self.fresh_database()
        self.vault = Vault([KEY])
        self.settings = Settings(tombstone_share=1.0)
        with self.database.writing() as session:
            made = connections.prepare(
                session,
                self.vault,
                tool=self.tool,
                name=self.tool,
                token=self.world.tokens[self.tool],
                base_url=f"http://127.0.0.1:1{MOUNTS[self.tool]}",
                workspaces=[],
                excluded=[],
                now=self.now(),
            )
            session.add(made)
        self.connection_id = made.id
        self.met: set[str] = set()
        self.quiet()
        self.met = set(self.held())

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.settled()
            self.database.dispose()
            self.closing()

    def now(self) -> datetime:
        return self.world.now

    # -- what the hub does -------------------------------------------------------------------------------------------------------

    def look(self, kind: str, *, dies_after: int | None = None, meanwhile: tuple[int, Works] = (0, ())) -> runs.Outcome | None:
        """One run; ``dies_after``: the process ends after so many pages. ``meanwhile``: what happens after so many."""
        pages = 0

        def watch(_progress: Any) -> None:
            nonlocal pages
            pages += 1
            if pages == meanwhile[0] + 1:
                self.happen(meanwhile[1])
            if dies_after is not None and pages > dies_after:
                raise Killed

        with self.database.writing() as session:
            run_id = runs.queue(session, self.connection_id, "manual", self.now(), kind=kind, accept_deletions=True).id
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.sandbox, raise_app_exceptions=False))
        engine = Engine(self.database, self.vault, self.settings, self.now, watch, client=client)
        try:
            return engine.sync(run_id)
        finally:
            asyncio.run(client.aclose())
            with self.database.writing() as session:
                session.execute(update(Connection).values(lease_owner=None, lease_until=None))

    def quiet(self) -> None:
        """A poll, a walk and a sweep with nothing going wrong, after every lag is over."""
        knobs = self.sandbox.knobs
        knobs.faults.clear()
        knobs.lag = 0.0
        self.world.advance(self.world.now + timedelta(minutes=15))
        for kind in (POLL, STRUCTURE, FULL):
            outcome = self.look(kind)
            assert outcome is not None
            assert outcome.faults == 0, outcome.errors

    def settled(self) -> None:
        """Quiet, and the hub holds the truth."""
        self.quiet()
        held = self.held()
        expected = truth.expected_tasks(self.world, self.tool, self.met | held.keys())
        shared = shared_tasks(expected)
        same(check.compare(without_choice(held, shared), without_choice(expected, shared)))
        self.met |= held.keys()

    def truth(self, met: Collection[str]) -> dict[str, Any]:
        return tasks_of(self.world, self.tool, met)

    def held(self) -> dict[str, Any]:
        with self.database.reading() as session:
            return check.held_tasks(session, self.connection_id)

    @rule(step=st.deferred(lambda: STEP))
    def then(self, step: tuple[str, tuple[Any, ...]]) -> None:
        """All steps are one rule: of several, some are switched off in each history, and in few histories too much would never meet."""
        name, given = step
        getattr(self, name)(*given)

    # -- what happens ------------------------------------------------------------------------------------------------------------

    def people_work(self, works: Works) -> None:
        self.happen(works)

    def somebody_tidies(self, what: str, number: int) -> None:
        self.happen([(what, number)])

    def happen(self, works: Works) -> None:
        for what, number in works:
            self.office(number).happen(what)

    def office(self, number: int) -> Office:
        """One drawn number decides all choices of a deed: a history stays short to draw and to read."""
        return Office(self.world, self.tool, random.Random(number).randrange)

    def time_passes(self, seconds: int) -> None:
        self.world.advance(self.world.now + timedelta(seconds=seconds))

    def the_tool_lags(self, lag: float) -> None:
        self.sandbox.knobs.lag = lag

    def something_breaks(self, kind: Any, skip: int, times: int) -> None:
        fault = {"kind": "status", "code": kind} if isinstance(kind, int) else {"kind": kind}
        self.sandbox.knobs.faults.append(Fault(self.tool, "", times=times, skip=skip, **fault))

    def the_hub_looks(self, kind: str) -> None:
        self.look(kind)

    def the_hub_looks_while_people_work(self, kind: str, works: Works, pages: int) -> None:
        """A run sees things before and after they happen, in any order."""
        self.look(kind, meanwhile=(pages, works))

    def the_hub_dies(self, kind: str, pages: int) -> None:
        with suppress(Killed):
            self.look(kind, dies_after=pages)

    def webhooks_come(self, number: int, twice: bool) -> None:
        """For some of what happened lately, in any order; the others are lost."""
        lately = [entry.id for entry in self.world.journal[-10:] if entry.kind == "task" and entry.tool == self.tool]
        if not lately:
            return
        drawn = random.Random(number)
        refs = [f"task:{key}" for key in drawn.sample(lately, drawn.randint(1, len(lately)))]
        with self.database.writing() as session:
            for _ in range(1 + twice):
                told(session, self.connection_id, None, refs, self.now())
        self.look(TOUCH)

    def a_day_is_told_as_it_was(self, works: Works, kinds: Sequence[str]) -> None:
        """Whatever combination of readings finds it: each difference once."""
        self.settled()
        before, projects, known, last = self.truth(self.met), projects_of(self.world, self.tool), self.ever_held(), self.last_event()
        self.happen(works)
        after = self.truth(self.met)
        for kind in kinds:
            outcome = self.look(kind)
            assert outcome is not None
            assert outcome.faults == 0, outcome.errors
        expected = expected_events(before, after) | expected_events(projects, projects_of(self.world, self.tool), "project")
        back = {key for key in after.keys() - before.keys() if key in known}  # nobody knows here how they were when they went
        expected = {(kind, key) for kind, key in expected if key not in back} | {("task.restored", key) for key in back}
        doubtful = shared_tasks(before, after)
        told = [(kind, key) for kind, key in self.told(last) if key not in doubtful and (key not in back or kind == "task.restored")]
        assert Counter(told) == Counter((kind, key) for kind, key in expected if key not in doubtful)

    def ever_held(self) -> set[str]:
        with self.database.reading() as session:
            return set(session.scalars(select(Task.external_id)))

    def last_event(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.max(Event.sequence))) or 0

    def told(self, after: int) -> list[tuple[str, str]]:
        with self.database.reading() as session:
            found: list[tuple[str, str]] = []
            for table in (Task, Project):
                rows = select(Event.type, table.external_id).join(table, table.id == Event.entity_id).where(Event.sequence > after)
                found += [(row.type, row.external_id) for row in session.execute(rows)]
            return [(kind, key) for kind, key in found if compared(kind)]


def play(tool: Tool, fresh: Any, histories: int, monkeypatch: pytest.MonkeyPatch) -> None:
    log.configure("json", "ERROR")  # thousands of runs, many of which are to fail
    Patience().install(monkeypatch)
    machine = type("Played", (History,), {"tool": tool, "fresh_database": staticmethod(fresh)})
    how = settings(
        max_examples=histories,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate),  # a failure is told at once; making it smaller takes minutes and is for the one who mends it
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=how)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("tool", TOOLS)
def test_after_any_history_the_hub_holds_the_truth(tool: Tool, chunk: int, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fresh() -> tuple[Any, Database]:
        folder = TemporaryDirectory()
        shutil.copy(sqlite_template, f"{folder.name}/hub.db")
        return folder.cleanup, Database(f"sqlite:///{folder.name}/hub.db")

    play(tool, fresh, -(-HISTORIES // (CHUNKS * len(TOOLS))), monkeypatch)


@pytest.mark.parametrize("tool", TOOLS)
def test_so_it_does_on_postgresql(tool: Tool, postgres_server: str, postgres_template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fresh() -> tuple[Any, Database]:
        name = f"h{uuid4().hex}"
        with psycopg.connect(postgres_server, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE {postgres_template}')
        return partial(drop, name), Database(postgres_url(postgres_server, name))

    def drop(name: str) -> None:
        with psycopg.connect(postgres_server, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    play(tool, fresh, ON_POSTGRESQL, monkeypatch)
