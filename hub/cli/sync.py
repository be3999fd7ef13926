"""``hub sync``: brings connections up to date and waits for the end. Several at once, each on a thread of
its own: the tools do not wait for each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy import select

from hub import connections
from hub.cli import failures, house, show
from hub.cli.failures import CannotGoOn, say
from hub.cli.house import House
from hub.cli.progress import Watcher, watcher
from hub.connections import ConnectionProblem
from hub.models import Connection, SyncRun
from hub.portfolio import joining
from hub.sync import runs
from hub.sync.engine import Engine
from hub.sync.runs import Outcome

POLL = 1.0
"""Seconds between two looks at a connection that another process holds."""
COUNTS = ("tasks", "created", "updated", "deleted", "unchanged", "requests")


def sync(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="connections; without one: all that are not paused")] = None,
    full: Annotated[bool, typer.Option("--full", help="read everything anew, not only what changed")] = False,
    accept_deletions: Annotated[bool, typer.Option("--accept-deletions", help="yes, so many tasks were really deleted")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a connection")] = False,
) -> None:
    """Bring connections up to date now; waits for the end."""
    with house.opened() as hub:
        found = chosen(hub, names or [])
        with watcher() as watch:
            results, defects = together(hub, found, watch, Order(full=full, accept_deletions=accept_deletions))
    report(results, as_json=as_json)
    if defects:
        raise defects[0]  # what the others brought has been said
    if any(not each.fine for each in results):
        raise typer.Exit(failures.FAILED)


@dataclass(frozen=True, slots=True)
class Order:
    """How to sync. ``sleep``: given by tests."""

    full: bool = False
    accept_deletions: bool = False
    reason: str = "manual"
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Result:
    """One run's end. ``faults``: things that went wrong and are not known refusals; null where another process ran it."""

    row: dict[str, Any]
    faults: int | None = 0

    @property
    def fine(self) -> bool:
        return self.row["state"] in ("complete", "deferred") or (self.row["state"] == "partial" and self.faults == 0)


def chosen(hub: House, names: Sequence[str]) -> list[Connection]:
    """The connections named, or all that may be synced. Raises ConnectionProblem for an unknown or paused one."""
    with hub.database.reading() as session:
        if names:
            found = [connections.by_name(session, name) for name in dict.fromkeys(names)]
            for each in found:
                if each.state == "paused":
                    raise ConnectionProblem(f"{each.name} is paused: hub connection resume {show.word(each.name)}")
            return found
        rows = session.scalars(select(Connection).where(Connection.state != "detached").order_by(Connection.name)).all()
    for each in rows:
        if each.state == "paused":
            say(f"hub: {each.name} is paused and left out; hub connection resume {show.word(each.name)}")
    if not rows:
        raise CannotGoOn("there is no connection to sync yet: hub connection add TOOL --name NAME --token-stdin")
    return [each for each in rows if each.state != "paused"]


def together(hub: House, found: Sequence[Connection], watch: Watcher, order: Order) -> tuple[list[Result], list[BaseException]]:
    """Syncs connections side by side: results in the same order, and what ended a run that it should not have. Ctrl-C ends the runs in order."""
    errand = _Errand(hub, watch, order, Engine(hub.database, hub.vault, hub.settings, house.now, watch.seen))
    with ThreadPoolExecutor(max_workers=max(1, len(found)), thread_name_prefix="sync") as pool:
        waiting = [pool.submit(errand.one, each) for each in found]
        try:
            wait(waiting)
        except KeyboardInterrupt:
            say("hub: interrupted: ending with the page in hand ...")
            errand.abandon(waiting)
            say("hub: interrupted; the next sync goes on from the last kept page")
            raise typer.Exit(failures.INTERRUPTED) from None
    joining.apply_rule(hub.database, house.now())
    return [each.result() for each in waiting if not each.exception()], [defect for each in waiting if (defect := each.exception())]


@dataclass(slots=True)
class _Errand:
    hub: House
    watch: Watcher
    order: Order
    engine: Engine
    abandoned: list[bool] = field(default_factory=list)

    def one(self, connection: Connection) -> Result:
        """Queues a run and sees it through, whoever executes it: another process may hold the connection, or take our run over."""
        with self.hub.database.writing() as session:
            kind = runs.FULL if self.order.full else runs.STRUCTURE
            how = {"anew": self.order.full, "accept_deletions": self.order.accept_deletions}
            run_id = runs.queue(session, connection.id, self.order.reason, house.now(), kind=kind, **how).id
        outcome: Outcome | None = None
        told = False
        while not self.abandoned:
            if (row := self.ended(run_id, connection)) is not None:
                ours = outcome is not None and outcome.state == row["state"]
                return Result(row, outcome.faults if outcome is not None and ours else None)
            outcome = self.engine.sync(run_id)
            if outcome is None:
                if not told:
                    self.watch.note(connection.name, "is being synced by another process; waiting for its end")
                told = True
                self.order.sleep(POLL)
        return Result({"connection": connection.name, "state": "cancelled"})

    def ended(self, run_id: UUID, connection: Connection) -> dict[str, Any] | None:
        """What is to be said of a run that is over, else None."""
        with self.hub.database.reading() as session:
            run = session.get_one(SyncRun, run_id)
            if run.state not in runs.FINAL:
                return None
            counts = {name: getattr(run, name) for name in COUNTS}
            seconds = round((run.ended_at - run.started_at).total_seconds(), 3) if run.started_at and run.ended_at else 0.0
            head = {"connection": connection.name, "tool": connection.tool, "state": run.state}
            return head | counts | {"seconds": seconds, "errors": list(run.errors), "next_sync_at": run.next_sync_at}

    def abandon(self, waiting: Sequence[Future[Result]]) -> None:
        self.abandoned.append(True)
        while wait(waiting, timeout=0.2).not_done:
            self.engine.stop()  # again and again: a run may just have been beginning


def report(results: Sequence[Result], *, as_json: bool) -> None:
    """What came of it, on stdout; for people, what went wrong on stderr."""
    if as_json:
        for each in results:
            show.json({name: value for name, value in each.row.items() if name != "next_sync_at"})
        return
    names = ("connection", "state", *COUNTS, "seconds")
    show.columns([name.upper() for name in names], [[each.row.get(name) for name in names] for each in results])
    for each in results:
        for error in each.row["errors"]:
            say(f"hub: {error}" if error.startswith(each.row["connection"]) else f"hub: {each.row['connection']}: {error}")
