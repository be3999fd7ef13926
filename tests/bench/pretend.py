"""The pretend vendors in a process of their own, so that their work is not counted as the hub's."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pretend:
    port: int
    base_urls: dict[str, str]
    tokens: dict[str, str]

    def log(self, tool: str, *, clear: bool = False) -> list[dict[str, Any]]:
        """The requests that one vendor saw."""
        address = f"http://127.0.0.1:{self.port}/_sandbox/log?tool={tool}" + ("&clear=1" if clear else "")
        with urllib.request.urlopen(address) as answer:
            return list(json.load(answer))


@contextmanager
def pretend(tasks: int, seed: int, now: str, latency: float, *, limits: bool) -> Iterator[Pretend]:
    command = [
        sys.executable,
        "-m",
        "hub.sandbox",
        "--tasks",
        str(tasks),
        "--seed",
        str(seed),
        "--now",
        now,
        "--latency",
        str(latency),
        "--until-eof",
    ]
    with subprocess.Popen([*command, *([] if limits else ["--no-limits"])], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield Pretend(**json.loads(process.stdout.readline()))
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)
