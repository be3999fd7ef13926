"""What a person sees of a sync while it goes on: bars on a terminal, a plain line now and then elsewhere.
On stderr, so that stdout holds results only."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from hub.cli.failures import say
from hub.sync.engine import Progress

LINE_EVERY = 5.0
"""Seconds between two plain lines of one connection."""


class Watcher:
    """``seen`` is called by the engine after every kept page, from any thread; ``note`` says something in between."""

    def __init__(self, *, terminal: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[str, tuple[str, float]] = {}
        self._rows: dict[str, TaskID] = {}
        self._bars = _bars() if terminal else None

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def seen(self, progress: Progress) -> None:
        with self._lock:
            if self._bars is not None:
                self._draw(self._bars, progress)
            else:
                self._tell(progress)

    def note(self, connection: str, words: str) -> None:
        with self._lock:
            if self._bars is not None:
                self._bars.console.print(f"{connection}: {words}", markup=False, highlight=False)
            else:
                say(f"{connection}: {words}")

    def _draw(self, bars: Bars, progress: Progress) -> None:
        if progress.connection not in self._rows:
            self._rows[progress.connection] = bars.add_task(progress.connection, total=None, stage="", tasks=0)
        row = self._rows[progress.connection]
        bars.update(row, completed=progress.slices_done, total=progress.slices, stage=progress.stage, tasks=progress.tasks)

    def _tell(self, progress: Progress) -> None:
        stage, at = self._told.get(progress.connection, ("", float("-inf")))
        if progress.stage == stage and self._clock() - at < LINE_EVERY:
            return
        self._told[progress.connection] = (progress.stage, self._clock())
        say(f"{progress.connection}: {progress.stage}, {progress.slices_done} of {progress.slices} parts, {progress.tasks} rows read")


def watcher() -> Watcher:
    return Watcher(terminal=sys.stderr.isatty())


def _bars() -> Bars:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("parts, {task.fields[tasks]} rows read, {task.fields[stage]}", markup=False),
        TimeElapsedColumn(),
    )
    return Bars(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False)
