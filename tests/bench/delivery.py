"""``python -m tests.bench.delivery --events 20000 --kills 10``: what deliveries cost and how late they come.

In turn: the bare cost of signing and posting with httpx; a backlog to the fast endpoint alone (deliveries a second, CPU a delivery, largest memory of
the process that delivers); its lag under a steady stream, alone and beside the other four; and the storm: everything to all five while the process is
killed again and again. Receivers and the delivering process are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
from sqlalchemy import text

from hub import migrate
from hub.db import Database
from hub.delivery import endpoints, parked, signing
from tests.bench.receivers import NAMES
from tests.delivery.stage import Stage, now

AT_ONCE = 32
BODY = b'{"message":"' + b"x" * 700 + b'"}'
TRANSACTION = 500
TICK = "0.25"
"""Seconds between two looks: nobody rings here, as a sync in the same process would."""
STREAM, STREAM_SECONDS = 100, 25
TICKS = os.sysconf("SC_CLK_TCK")


class Receivers:
    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "tests.bench.receivers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports: dict[str, int] = self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return orjson.loads(self._process.stdout.readline())

    def ask(self, **said: Any) -> dict[str, dict[str, Any]]:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(said).decode() + "\n")
        self._process.stdin.flush()
        found: dict[str, dict[str, Any]] = self._read()
        return found

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}/hook"

    def close(self) -> None:
        self._process.kill()


class Deliverer:
    """A process that only delivers, and what it used."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "tests.delivery.process", url, TICK])

    @property
    def cpu(self) -> float:
        parts = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / TICKS

    @property
    def largest_mb(self) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def fresh(url: str | None) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(url or f"sqlite:///{folder}/hub.db")
        migrate.upgrade(database)
        with database.writing() as session:
            for table in ("endpoint", "event", "counter"):
                session.execute(text(f"DELETE FROM {table}"))
        yield Stage(database)
        database.dispose()


def wait_for(condition: Callable[[], bool], limit: float = 1800.0) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit, "not done in time"
        time.sleep(0.05)
    return time.monotonic() - began


def bare(receivers: Receivers, count: int) -> None:
    """httpx as its documentation shows it: one client, many posts."""
    secret = signing.key(signing.new_secret())

    async def posts() -> None:
        left = iter(range(count))
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        async with httpx.AsyncClient(limits=limits, timeout=15) as client:

            async def one() -> None:
                for number in left:
                    signed = signing.sign([secret], str(number), datetime.now(UTC), BODY)
                    await client.post(receivers.url("slow"), content=BODY, headers=[*signed, (b"content-type", b"application/json")])

            await asyncio.gather(*(one() for _ in range(AT_ONCE)))

    cpu, wall = time.process_time(), time.monotonic()
    asyncio.run(posts())
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    print(f"bare httpx: {count / wall:.0f}/s, {1000 * cpu / count:.2f} ms CPU a post", flush=True)


def backlog(receivers: Receivers, url: str | None, count: int) -> None:
    with fresh(url) as stage:
        endpoint = stage.endpoint(receivers.url("fast"))
        fill(stage, [uuid4() for _ in range(count)])
        process = Deliverer(stage.database.url)
        try:
            wait_for(lambda: stage.row(endpoint).position > 0)
            start, cpu = stage.row(endpoint).delivered, process.cpu
            wall = wait_for(lambda: stage.settled(endpoint))
            done = count - start
            print(f"backlog: {done / wall:.0f}/s, {1000 * (process.cpu - cpu) / done:.2f} ms CPU a delivery, {process.largest_mb:.0f} MB", flush=True)
        finally:
            process.kill()


def fill(stage: Stage, entities: Sequence[UUID]) -> None:
    for at in range(0, len(entities), TRANSACTION):
        stage.happen(entities[at : at + TRANSACTION])


def lag(receivers: Receivers, url: str | None, names: Sequence[str]) -> float:
    """The fast endpoint's p95 while so many events a second happen."""
    with fresh(url) as stage:
        receivers.ask(reset=True, calm=False)
        for name in names:
            stage.endpoint(receivers.url(name), types=["task.*"])
        process = Deliverer(stage.database.url)
        try:
            stage.happen([uuid4()])  # its start is not what is measured
            wait_for(lambda: receivers.ask()["fast"]["distinct"] > 0)
            receivers.ask(reset=True)
            began = time.monotonic()
            for beat in range(STREAM_SECONDS * 4):
                stage.happen([uuid4() for _ in range(STREAM // 4)])
                time.sleep(max(0.0, began + (beat + 1) / 4 - time.monotonic()))
            wait_for(lambda: receivers.ask()["fast"]["distinct"] >= STREAM * STREAM_SECONDS)
            found = receivers.ask()["fast"]
        finally:
            process.kill()
    print(f"lag of fast beside {len(names) - 1} others: p50 {found['p50']:.3f} s, p95 {found['p95']:.3f} s, {found['distinct']} samples", flush=True)
    return float(found["p95"])


def storm(receivers: Receivers, url: str | None, count: int, kills: int) -> None:
    with fresh(url) as stage:
        receivers.ask(reset=True, calm=False)
        made = {name: stage.endpoint(receivers.url(name), types=["task.*"]) for name in NAMES}
        receivers.ask(secrets={name: stage.secrets[endpoint] for name, endpoint in made.items()})
        entities = [uuid4() for _ in range(max(1, count // 10))]
        largest, cpu, began = 0.0, 0.0, time.monotonic()
        for life in range(kills + 1):
            process = Deliverer(stage.database.url)
            share = [entities[place % len(entities)] for place in range(life * count // (kills + 1), (life + 1) * count // (kills + 1))]
            fill(stage, share)
            if life == 0:
                stage.change(made["fast"], lambda _session, row: endpoints.pause(row, now()))
            if life == 1:
                stage.change(made["fast"], endpoints.resume)
            wanted = delivered(receivers) + len(share) // 2  # it is killed at work, however slow the machine is
            wait_for(lambda wanted=wanted: delivered(receivers) >= wanted)  # type: ignore[misc]
            largest = max(largest, process.largest_mb)
            if life < kills:
                cpu += process.cpu
                process.kill()
        receivers.ask(calm=True, open=True)
        if kills == 0:
            stage.change(made["fast"], endpoints.resume)
        for endpoint in made.values():
            stage.change(endpoint, lambda session, row: parked.retry(session, row, now()))
        wait_for(lambda: all(stage.settled(endpoint) for endpoint in made.values()))
        largest, cpu, wall = max(largest, process.largest_mb), cpu + process.cpu, time.monotonic() - began
        process.kill()
        print(f"storm: {count} events to five endpoints, {kills} kills, {wall:.0f} s ({cpu:.0f} s CPU of the hub), {largest:.0f} MB", flush=True)
        for name, found in receivers.ask().items():
            fine = found["distinct"] == count and not found["forged"] and not found["disorder"]
            print(f"  {name:>7}: {found['calls']} calls, {found['distinct']} arrived, {found['forged']} forged,", end=" ")
            print(f"{found['disorder']} out of order: {'fine' if fine else 'WRONG'}", flush=True)


def delivered(receivers: Receivers) -> int:
    return sum(int(found["distinct"]) for found in receivers.ask().values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--database-url", help="an empty database of its own, instead of a temporary SQLite file")
    parser.add_argument("--parts", nargs="+", default=["bare", "backlog", "lag", "storm"])
    options = parser.parse_args()
    receivers = Receivers()
    try:
        if "bare" in options.parts:
            receivers.ask(calm=True)
            bare(receivers, min(5000, options.events))
        if "backlog" in options.parts:
            backlog(receivers, options.database_url, options.events)
        if "lag" in options.parts:
            alone, beside = lag(receivers, options.database_url, NAMES[:1]), lag(receivers, options.database_url, NAMES)
            print(f"beside the others {beside / alone:.2f} times its lag alone", flush=True)
        if "storm" in options.parts:
            storm(receivers, options.database_url, options.events, options.kills)
    finally:
        receivers.close()


if __name__ == "__main__":
    main()
