"""Random histories: whatever happens in the world, whatever goes wrong, in whatever order the hub looks, after a quiet poll, walk and sweep it holds
the truth, and between two looks it has told exactly what differs.

A failure prints its steps and a blob; ``@reproduce_failure`` with that blob, or ``--hypothesis-seed``, plays it again.
"""

from __future__ import annotations

import asyncio
import copy
import random
import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import func, select, update

from hub import connections
from hub.cli import check
from hub.db import Database
from hub.models import Connection, Event, Task
from hub.sandbox import seed, truth
from hub.sandbox.knobs import Fault, Knobs
from hub.sandbox.server import MOUNTS, Sandbox
from hub.sandbox.world import TOOLS, Tool, World
from hub.settings import Settings
from hub.sync import inbox, runs
from hub.sync.engine import Engine
from hub.sync.runs import FULL, POLL, STRUCTURE, TOUCH
from hub.vault import Vault
from tests.story.office import CONTAINERS, TASKS, Office
from tests.story.stage import KEY, Patience, same
from tests.story.telling import compared, expected_events, shared_tasks, without_choice

BEGINNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SMALL = 14
STEPS = 50
HISTORIES = 200
CHUNKS = 8
"""So that several processes can share the work."""
WORLDS: dict[int, World] = {}
NUMBERS = st.integers(0, 1_000_000)
FAULTS = st.sampled_from(["html", "empty", "truncated", "not_json", 500, 502, 503, 429])


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
        self.quiet()

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.settled()
            self.database.dispose()
            self.closing()

    def now(self) -> datetime:
        return self.world.now

    # -- what the hub does -------------------------------------------------------------------------------------------------------

    def look(self, kind: str, *, dies_after: int | None = None) -> runs.Outcome | None:
        """One run; ``dies_after``: the process ends after so many pages."""
        pages = 0

        def watch(_progress: Any) -> None:
            nonlocal pages
            pages += 1
            if dies_after is not None and pages > dies_after:
                raise Killed

        with self.database.writing() as session:
            run_id = runs.queue(session, self.connection_id, "manual", self.now(), kind=kind).id
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.sandbox, raise_app_exceptions=False))
        engine = Engine(self.database, self.vault, self.settings, self.now, watch, client=client)
        try:
            return engine.sync(run_id, accept_deletions=True)
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
        expected = truth.expected_tasks(self.world, self.tool)
        shared = shared_tasks(expected)
        same(check.compare(without_choice(self.held(), shared), without_choice(expected, shared)))

    def held(self) -> dict[str, Any]:
        with self.database.reading() as session:
            return check.held_tasks(session, self.connection_id)

    # -- what happens ------------------------------------------------------------------------------------------------------------

    @rule(what=st.sampled_from(TASKS), number=NUMBERS)
    def somebody_works(self, what: str, number: int) -> None:
        self.office(number).happen(what)

    @rule(what=st.sampled_from(CONTAINERS), number=NUMBERS)
    def somebody_tidies(self, what: str, number: int) -> None:
        self.office(number).happen(what)

    def office(self, number: int) -> Office:
        """One drawn number decides all choices of a deed: a history stays short to draw and to read."""
        return Office(self.world, self.tool, random.Random(number).randrange)

    @rule(seconds=st.integers(1, 4 * 3600))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(self.world.now + timedelta(seconds=seconds))

    @rule(lag=st.sampled_from([0.0, 20.0, 60.0]))
    def the_tool_lags(self, lag: float) -> None:
        self.sandbox.knobs.lag = lag

    @rule(kind=FAULTS, skip=st.integers(0, 8), times=st.integers(1, 8))
    def something_breaks(self, kind: Any, skip: int, times: int) -> None:
        fault = {"kind": "status", "code": kind} if isinstance(kind, int) else {"kind": kind}
        self.sandbox.knobs.faults.append(Fault(self.tool, "", times=times, skip=skip, **fault))

    @rule(kind=st.sampled_from([POLL, POLL, STRUCTURE, FULL]))
    def the_hub_looks(self, kind: str) -> None:
        self.look(kind)

    @rule(kind=st.sampled_from([POLL, STRUCTURE, FULL]), pages=st.integers(0, 6))
    def the_hub_dies(self, kind: str, pages: int) -> None:
        with suppress(Killed):
            self.look(kind, dies_after=pages)

    @rule(number=NUMBERS, twice=st.booleans())
    def webhooks_come(self, number: int, twice: bool) -> None:
        """For some of what happened lately, in any order; the others are lost."""
        lately = [entry.id for entry in self.world.journal[-10:] if entry.kind == "task" and entry.tool == self.tool]
        if not lately:
            return
        drawn = random.Random(number)
        refs = [f"task:{key}" for key in drawn.sample(lately, drawn.randint(1, len(lately)))]
        with self.database.writing() as session:
            for _ in range(1 + twice):
                inbox.add(session, self.connection_id, None, refs, self.now())
        self.look(TOUCH)

    @rule(works=st.lists(st.tuples(st.sampled_from(TASKS), NUMBERS), min_size=1, max_size=4))
    @precondition(lambda self: not any(each.hidden for each in self.world.projects[self.tool].values()))
    def a_day_is_told_as_it_was(self, works: list[tuple[str, int]]) -> None:
        self.settled()
        before, last = truth.expected_tasks(self.world, self.tool), self.last_event()
        for what, number in works:
            self.office(number).happen(what)
        after = truth.expected_tasks(self.world, self.tool)
        outcome = self.look(FULL)
        assert outcome is not None
        assert outcome.faults == 0
        doubtful = shared_tasks(before, after)
        told = {(kind, key) for kind, key in self.told(last) if key not in doubtful}
        assert told == {(kind, key) for kind, key in expected_events(before, after) if key not in doubtful}

    def last_event(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.max(Event.sequence))) or 0

    def told(self, after: int) -> set[tuple[str, str]]:
        with self.database.reading() as session:
            rows = session.execute(select(Event.type, Task.external_id).join(Task, Task.id == Event.entity_id).where(Event.sequence > after))
            return {(row.type, row.external_id) for row in rows if compared(row.type)}


def play(tool: Tool, fresh: Any, histories: int, monkeypatch: pytest.MonkeyPatch) -> None:
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
