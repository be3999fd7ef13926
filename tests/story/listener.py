"""A hub at work in this process (clock, jobs, syncs, sender, API) between the pretend vendors and receivers on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from hub import events
from hub.access import keys
from hub.app import Machinery, create_app
from hub.jobs.embedded import EmbeddedJobs
from hub.models import Endpoint, Event, Parked, SyncRun
from hub.sandbox import truth
from hub.sandbox.world import Task, Tool
from hub.sync import runs
from tests.api.conftest import Caller
from tests.delivery.receiver import Receiver
from tests.delivery.stage import until
from tests.story.stage import Stage, now

PATIENCE = 120.0


@dataclass
class Listener:
    """One endpoint and the program behind it."""

    id: UUID
    secret: str
    receiver: Receiver

    def heard(self) -> list[dict[str, Any]]:
        """Every message so far, each checked by the public package."""
        return [call.verified(self.secret) for call in list(self.receiver.calls)]

    def of_type(self, *types: str) -> list[dict[str, Any]]:
        return [message for message in self.heard() if message["type"] in types]

    @property
    def ids(self) -> list[str]:
        return [message["id"] for message in self.heard()]


@dataclass
class Hub:
    """``call``: its API, with an admin's key."""

    stage: Stage
    jobs: EmbeddedJobs = field(default_factory=lambda: EmbeddedJobs(now))

    def __post_init__(self) -> None:
        self.stage.settings = replace(self.stage.settings, webhook_allow=("127.0.0.0/8",))
        app = create_app(self.stage.settings, self.stage.database, self.stage.vault, self.jobs, now)
        with self.stage.database.writing() as session:
            self.call = Caller(app, keys.create(session, "an admin", "admin", now()))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        machinery = Machinery.build(self.stage.settings, self.stage.database, self.stage.vault, self.jobs, now)
        machinery.start()
        try:
            yield
        finally:
            machinery.stop()
            self.jobs = EmbeddedJobs(now)  # one that was stopped takes no more

    def listener(self, receiver: Receiver, **terms: Any) -> Listener:
        """Made as a program makes it."""
        answer = self.call("POST", "/api/v1/webhook-endpoints", json={"url": receiver.url, "name": receiver.url} | terms)
        assert answer.status_code == 201, answer.text
        made = answer.json()["data"]
        return Listener(UUID(made["id"]), made["secret"], receiver)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.call(method, f"/api/v1/{path}", **({"json": body} if body else {}))
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def sync(self, tool: Tool, kind: str = runs.POLL) -> SyncRun:
        """A run that the hub at work does; returns once it has ended and every endpoint has got what it told."""
        run_id = self.stage.queue(tool, kind)
        self.jobs.submit("sync", str(self.stage.connection(tool).id), {"run_id": str(run_id)})
        until(lambda: self._run(run_id).state in runs.FINAL, PATIENCE)
        self.quiet()
        return self._run(run_id)

    def _run(self, run_id: UUID) -> SyncRun:
        with self.stage.database.reading() as session:
            return session.get_one(SyncRun, run_id)

    def quiet(self) -> None:
        """Waits until each endpoint that is not paused has got everything."""
        until(self._settled, PATIENCE)

    def _settled(self) -> bool:
        with self.stage.database.reading() as session:
            parked = session.scalar(select(func.count()).select_from(Parked).where(Parked.state != "dead"))
            behind = Endpoint.state == "active", Endpoint.position < events.head(session)
            return not parked and session.scalar(select(Endpoint.id).where(*behind).limit(1)) is None

    def connected(self, *tools: Tool) -> None:
        """Connects the tools and waits until each was read whole."""
        for tool in tools:
            self.stage.connect(tool)
            assert self.sync(tool, runs.FULL).state == "complete"

    def log(self, after: int = 0) -> list[Event]:
        with self.stage.database.reading() as session:
            return list(session.scalars(select(Event).where(Event.sequence > after).order_by(Event.sequence)))

    def head(self) -> int:
        with self.stage.database.reading() as session:
            return events.head(session)

    def held(self, tool: Tool) -> int:
        with self.stage.database.reading() as session:
            return runs.held_tasks(session, self.stage.connection(tool).id)

    # -- what happens in the tools ---------------------------------------------------------------------------------------------

    def open_tasks(self, tool: Tool) -> Sequence[Task]:
        """Tasks that can be finished by a person who sees them, in one live project each."""
        world = self.stage.world
        rows = truth.expected_tasks(world, tool)
        found = []
        for key, row in rows.items():
            task = world.tasks[tool][key]
            plain = len(task.homes) == 1 and task.parent is None and row["status_category"] not in ("done", "cancelled") and not row["archived"]
            home = world.projects[tool][task.homes[0][0]] if plain else None
            if home is not None and home.hierarchy != "multi_level" and (tool == "asana" or any(s.category == "done" for s in home.statuses)):
                found.append(task)
        return found

    def finish(self, task: Task) -> tuple[dict[str, Any], dict[str, Any]]:
        """Somebody completes a task in its tool. Returns what the world says of it before and after."""
        before = dict(truth.expected_tasks(self.stage.world, task.tool)[task.id])
        self.stage.world.complete(task.tool, task.id)
        return before, dict(truth.expected_tasks(self.stage.world, task.tool)[task.id])
