"""``hub demo``: three pretend vendors, a hub in a temporary folder, everything synced and served; nothing is left behind at its end.

``--check`` proves the sync instead of serving it: what the hub holds is compared, field by field, with what the pretend world itself says, and a
second sync must find nothing to do.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import Date, func, literal, select

from hub import migrate, settings
from hub.access import keys
from hub.cli import check as proof
from hub.cli import connections, failures, house, serve, show, sync, vendors
from hub.cli.failures import CannotGoOn, say
from hub.cli.house import House
from hub.cli.progress import watcher
from hub.cli.sync import Order, Result
from hub.cli.vendors import Vendors, Weather
from hub.models import Connection, Task
from hub.portfolio import links
from hub.portfolio.links import Link
from hub.portfolio.moments import days_between
from hub.portfolio.reach import Day, reach
from hub.portfolio.tasks import live, open_
from hub.vault import new_key

LIVE_EVERY, LIVE_STEPS = 3.0, 3
LOOPBACK = "127.0.0.0/8"
"""Where a program of this machine may wait for webhooks."""
LIVE_INTERVAL = timedelta(seconds=5)


def demo(
    tasks: Annotated[int, typer.Option(min=20, max=100_000, help="tasks in each tool")] = 300,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="where to serve; 8000, or a free one if that is taken")] = None,
    check: Annotated[bool, typer.Option("--check", help="sync, compare with the pretend world's own truth, and exit")] = False,
    live: Annotated[bool, typer.Option("--live", help="let things happen in the tools every few seconds")] = False,
    seed: Annotated[int, typer.Option(help="the same seed gives the same world")] = 1,
    sandbox: Annotated[str | None, typer.Option(hidden=True, help="use a sandbox that runs already: http://127.0.0.1:PORT")] = None,
) -> None:
    """Try it: three pretend tools, one portfolio, nothing to install or sign up for."""
    with ExitStack() as stack:
        door = None if check else stack.enter_context(closing(_door(port)))
        say(f"hub: starting a pretend Asana, monday.com and ClickUp with {tasks} tasks each ..." if sandbox is None else f"hub: using {sandbox}")
        tools = vendors.running(sandbox) if sandbox else stack.enter_context(vendors.started(tasks, seed))
        hub = stack.enter_context(_temporary_hub(live=live))
        for tool in tools.tools:
            connections.store(hub, tool, tool, tools.tokens[tool], base_url=tools.base_urls[tool], workspaces=[], excluded=[])
        results = sync_all(hub)
        sync.report(results, as_json=False)
        if door is None:
            raise typer.Exit(checked(hub, tools, results))
        linked(hub)
        _serve(hub, tools, door, stack, live=live)


def _door(port: int | None) -> socket.socket:
    """The place to serve at; taken first, so that a port in use is known before the work."""
    if port is not None:
        return serve.listening(serve.HOST, port)
    try:
        return serve.listening(serve.HOST, serve.PORT)
    except CannotGoOn:
        say(f"hub: port {serve.PORT} is in use by another program; taking a free one")
        return serve.listening(serve.HOST, 0)


@contextmanager
def _temporary_hub(*, live: bool) -> Iterator[House]:
    """A hub of its own: the settings of the real one on this machine, its database and its key are left alone."""
    ours = settings.load({name: os.environ[name] for name in ("HUB_LOG_LEVEL", "HUB_LOG_FORMAT", "HUB_TIMEZONE") if name in os.environ})
    house.configure_logs(ours, quiet=True)
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as folder:
        ours = replace(
            ours,
            database_url=f"sqlite:///{Path(folder) / 'hub.db'}",
            secret_keys=(new_key(),),
            allowed_hosts=(serve.HOST,),
            webhook_allow=(LOOPBACK,),
        )
        if live:
            ours = replace(ours, sync_interval=LIVE_INTERVAL)
        with house.database_of(ours) as database:
            migrate.upgrade(database)
            yield House(ours, database)


def sync_all(hub: House) -> list[Result]:
    with watcher() as watch:
        results, defects = sync.together(hub, sync.chosen(hub, []), watch, Order())
    if defects:
        raise defects[0]
    return results


def linked(hub: House) -> int:
    """Lets a task of each tool wait for one of the next, as a PMO would say by hand: no tool knows of the others. Returns how many."""
    with hub.database.writing() as session:
        day = Day(house.now(), hub.settings.zone)
        reached = reach(session)
        ends: list[UUID] = []
        for connection in reached.connections:
            wanted = (Task.connection_id == connection.id, Task.kind == "task", Task.due_on.is_not(None), open_(), *live())
            nearest = func.abs(days_between(Task.due_on, literal(day.today, Date())))
            ends += session.scalars(select(Task.id).where(*wanted).order_by(nearest, Task.id).limit(1)).all()
        for before, after in pairwise(ends):
            links.write(session, reached, Link(before, after, note="agreed between the two teams"), None, day.now)
    return max(0, len(ends) - 1)


def checked(hub: House, tools: Vendors, results: list[Result]) -> int:
    """Compares what is held with the truth, tool by tool, then syncs once more; tells what it found and returns the exit code."""
    good = all(each.row["state"] == "complete" for each in results)
    with hub.database.reading() as session:
        ids = {each.tool: each.id for each in session.scalars(select(Connection))}
    for tool in tools.tools:
        with hub.database.reading() as session:
            verdict = proof.compare(proof.held_tasks(session, ids[tool]), tools.truth(tool))
        show.line(f"{tool:8} {verdict}")
        for each in verdict.differences:
            show.line(f"         {each}")
        good = good and verdict.ok
    for again in sync_all(hub):
        changed = again.row["created"] + again.row["updated"] + again.row["deleted"]
        ok = changed == 0 and again.row["state"] == "complete"
        words = f"second sync: {again.row['state']}, {changed} changes, {again.row['unchanged']} unchanged, {again.row['requests']} requests"
        show.line(f"{again.row['tool']:8} {words}  {'ok' if ok else 'WRONG'}")
        good = good and ok
    return failures.FINE if good else failures.FAILED


def _serve(hub: House, tools: Vendors, door: socket.socket, stack: ExitStack, *, live: bool) -> None:
    with hub.database.writing() as session:
        key = keys.create(session, "demo", keys.Role.ADMIN.value, house.now())
    address = f"http://{serve.HOST}:{door.getsockname()[1]}"
    if live:
        stack.enter_context(Weather(tools, every=LIVE_EVERY, steps=LIVE_STEPS))

    def ready() -> None:
        show.line(f"\nThe hub answers at  {address}\nAPI documentation   {address}/docs\nAPI key (admin)     {key}\n")
        show.line(f"curl -H 'Authorization: Bearer {key}' '{address}/api/v1/portfolio'\n")
        show.line("Ctrl-C ends the demo and removes everything.")
        sys.stdout.flush()

    serve.run(hub, door, ready=ready, open_home=True)
