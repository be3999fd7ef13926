"""Jobs in this process: APScheduler (memory store) says when, and its thread pool runs them.

The memory store is on purpose: a job store shared by several processes would fire every job in each of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Condition
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from hub import log
from hub.jobs.base import Args, Handler

WORKERS = 4
SLOTS_KEPT = 10_000


@dataclass(slots=True)
class _Key:
    """``waiting``: the arguments of the run to come, if one is asked for. ``timer``: the scheduler's id of its alarm."""

    running: bool = False
    waiting: Args | None = None
    not_before: datetime | None = None
    timer: str | None = None


@dataclass(slots=True)
class EmbeddedJobs:
    """See ``base.Jobs``. Jobs submitted before ``start`` wait for it; those still waiting at ``stop``
    are dropped, since the tables know what is due."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _handlers: Mapping[str, Handler] = field(default_factory=dict)
    _keys: dict[tuple[str, str], _Key] = field(default_factory=dict)
    _slots: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _changed: Condition = field(default_factory=Condition)
    _scheduler: Any = None
    _stopping: bool = False

    def submit(self, name: str, key: str, args: Args, *, at: datetime | None = None, slot: str | None = None) -> bool:
        with self._changed:
            if self._stopping or (slot is not None and slot in self._slots):
                return False
            if slot is not None:
                self._slots[slot] = None
                if len(self._slots) > SLOTS_KEPT:
                    self._slots.popitem(last=False)
            entry = self._keys.setdefault((name, key), _Key())
            if entry.waiting is not None:
                self._hasten(name, key, entry, at)
                return False
            entry.waiting, entry.not_before = args, at
            self._arm(name, key, entry)
            return True

    def start(self, handlers: Mapping[str, Handler]) -> None:
        with self._changed:
            self._handlers = handlers
            self._scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(WORKERS)})
            self._scheduler.start()
            for (name, key), entry in self._keys.items():
                self._arm(name, key, entry)

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            for entry in self._keys.values():
                entry.waiting = None
        if self._scheduler is not None:
            self._scheduler.pause()
            self._scheduler.get_jobs()  # waits for the round under way, which would trip over a shutdown in its middle
            self._scheduler.shutdown(wait=True)
            self._scheduler = None

    def idle(self, seconds: float) -> bool:
        """Waits until nothing runs or waits; False if that took longer than ``seconds``."""
        with self._changed:
            return self._changed.wait_for(lambda: not any(entry.running or entry.waiting is not None for entry in self._keys.values()), seconds)

    def _hasten(self, name: str, key: str, entry: _Key, at: datetime | None) -> None:
        """A waiting job is brought forward by a more urgent submit, never put off."""
        if entry.not_before is not None and (at is None or at < entry.not_before):
            entry.not_before = at
            self._arm(name, key, entry)

    def _arm(self, name: str, key: str, entry: _Key) -> None:
        """Sets the alarm of a waiting key; a running one is looked at again when its run ends."""
        if self._scheduler is None or entry.waiting is None or entry.running:
            return
        self._disarm(entry)
        alarm = {} if entry.not_before is None else {"trigger": "date", "run_date": max(entry.not_before, self.now())}
        entry.timer = self._scheduler.add_job(self._run, args=(name, key), misfire_grace_time=None, coalesce=True, **alarm).id

    def _disarm(self, entry: _Key) -> None:
        if entry.timer is not None and self._scheduler.get_job(entry.timer) is not None:
            self._scheduler.remove_job(entry.timer)
        entry.timer = None

    def _run(self, name: str, key: str) -> None:
        with self._changed:
            entry = self._keys[name, key]
            if entry.running or entry.waiting is None:
                return
            args, entry.running, entry.waiting, entry.not_before, entry.timer = entry.waiting, True, None, None, None
        try:
            self._handlers[name](args)
        except Exception:  # noqa: BLE001  a job's edge: the error is told here and must not end the worker
            log.get("jobs").exception("job failed", job=name, key=key)
        finally:
            with self._changed:
                entry.running = False
                if entry.waiting is None:
                    self._keys.pop((name, key), None)
                else:
                    self._arm(name, key, entry)
                self._changed.notify_all()
