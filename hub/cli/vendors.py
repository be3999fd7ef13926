"""The pretend vendors of the demo: the sandbox in a process of its own, so that the hub's memory and processor time are its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from hub.cli.failures import CannotGoOn
from hub.sandbox.seed import TOKENS
from hub.sandbox.server import CONTROL, MOUNTS

PATIENCE = 300.0
"""Seconds that the sandbox may take to answer; a large world takes a while."""
PLANS = ("asana=paid", "monday=enterprise", "clickup=enterprise")
"""The vendors' limits hold in the demo, too; on these plans they leave room for large worlds."""
END_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Vendors:
    """A running sandbox: base URL and token by tool, and its control desk."""

    base_urls: Mapping[str, str]
    tokens: Mapping[str, str]

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(sorted(self.base_urls))

    def truth(self, tool: str) -> dict[str, dict[str, Any]]:
        """What the world itself says a hub must hold: {external id: task}."""
        found: dict[str, dict[str, Any]] = self._ask("GET", f"/truth?tool={tool}")
        return found

    def change(self, steps: int) -> None:
        """Lets so many believable things happen."""
        self._ask("POST", "/mutate", {"steps": steps})

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        address = urlsplit(next(iter(self.base_urls.values())))
        asked = HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=PATIENCE)
        try:
            asked.request(method, CONTROL + path, None if body is None else orjson.dumps(body), {"Content-Type": "application/json"})
            answer = asked.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            raise CannotGoOn(f"the pretend vendors do not answer any more ({error}): start the demo again") from error
        finally:
            asked.close()
        if answer.status != 200:
            raise CannotGoOn(f"the pretend vendors answered {answer.status} to {method} {path}: {content[:200].decode(errors='replace')}")
        return orjson.loads(content)


@contextmanager
def started(tasks: int, seed: int) -> Iterator[Vendors]:
    """Starts a sandbox on a free port and ends it at the end of the block, or when this process dies (its stdin closes then)."""
    plans = [word for plan in PLANS for word in ("--plan", plan)]
    command = [sys.executable, "-m", "hub.sandbox", "--tasks", str(tasks), "--seed", str(seed), "--until-eof", *plans]
    # A session of its own: Ctrl-C on the terminal is the hub's to answer, which then ends the sandbox.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603  our own program
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise CannotGoOn(f"the pretend vendors did not start (exit code {process.wait()}); the lines above say why")
        said = orjson.loads(line)
        yield Vendors(said["base_urls"], said["tokens"])
    finally:
        _end(process)


def running(origin: str) -> Vendors:
    """A sandbox that somebody else started, at ``http://127.0.0.1:PORT``."""
    return Vendors({tool: f"{origin.rstrip('/')}{path}" for tool, path in MOUNTS.items()}, {str(tool): token for tool, token in TOKENS.items()})


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Weather:
    """Changes the world every few seconds, for ``--live``."""

    def __init__(self, vendors: Vendors, *, every: float, steps: int) -> None:
        self._vendors, self._every, self._steps = vendors, every, steps
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._blow, name="weather", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _blow(self) -> None:
        while not self._over.wait(self._every):
            self._vendors.change(self._steps)
