"""What every flavour of Jobs promises. A flavour joins by adding its builder to ``FLAVOURS``; no promise is told to the clock on the wall."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event, Lock

import pytest

from hub.jobs.base import Args, Jobs
from hub.jobs.embedded import EmbeddedJobs

PATIENCE = 20.0
"""Seconds after which a promise counts as broken; kept ones take milliseconds."""

FLAVOURS: dict[str, Callable[[], EmbeddedJobs]] = {"embedded": EmbeddedJobs}


@pytest.fixture(params=sorted(FLAVOURS))
def jobs(request: pytest.FixtureRequest) -> Iterator[EmbeddedJobs]:
    made = FLAVOURS[request.param]()
    yield made
    made.stop()


class Gate:
    """A handler that reports each start and waits to be let through."""

    def __init__(self) -> None:
        self.started, self.open = Event(), Event()
        self.calls: list[Args] = []
        self.at_once = self.most_at_once = 0
        self._lock = Lock()

    def __call__(self, args: Args) -> None:
        with self._lock:
            self.calls.append(args)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.started.set()
        assert self.open.wait(PATIENCE)
        with self._lock:
            self.at_once -= 1


def now() -> datetime:
    return datetime.now(UTC)


def test_a_submitted_job_runs_with_its_arguments(jobs: EmbeddedJobs) -> None:
    gate = Gate()
    gate.open.set()
    jobs.start({"sync": gate})
    assert jobs.submit("sync", "a", {"connection_id": "a"})
    assert jobs.idle(PATIENCE)
    assert gate.calls == [{"connection_id": "a"}]


def test_a_job_submitted_before_the_start_waits_for_it(jobs: EmbeddedJobs) -> None:
    gate = Gate()
    gate.open.set()
    assert jobs.submit("sync", "a", {})
    jobs.start({"sync": gate})
    assert jobs.idle(PATIENCE)
    assert len(gate.calls) == 1


def test_a_waiting_key_is_coalesced(jobs: EmbeddedJobs) -> None:
    gate = Gate()
    gate.open.set()
    assert jobs.submit("sync", "a", {"n": 1})
    assert not jobs.submit("sync", "a", {"n": 2})
    jobs.start({"sync": gate})
    assert jobs.idle(PATIENCE)
    assert gate.calls == [{"n": 1}]


def test_submits_during_a_run_mean_exactly_one_more_run(jobs: EmbeddedJobs) -> None:
    gate = Gate()
    jobs.start({"sync": gate})
    jobs.submit("sync", "a", {"n": 1})
    assert gate.started.wait(PATIENCE)
    assert jobs.submit("sync", "a", {"n": 2})
    assert not jobs.submit("sync", "a", {"n": 3})
    gate.open.set()
    assert jobs.idle(PATIENCE)
    assert gate.calls == [{"n": 1}, {"n": 2}]
    assert gate.most_at_once == 1


def test_different_keys_run_side_by_side(jobs: EmbeddedJobs) -> None:
    met = [Event(), Event()]

    def meet(args: Args) -> None:
        mine, other = int(args["n"]), 1 - int(args["n"])
        met[mine].set()
        assert met[other].wait(PATIENCE)

    jobs.start({"sync": meet})
    jobs.submit("sync", "a", {"n": 0})
    jobs.submit("sync", "b", {"n": 1})
    assert jobs.idle(PATIENCE)
    assert all(event.is_set() for event in met)


def test_one_slot_fires_once_however_many_clocks_submit_it(jobs: EmbeddedJobs) -> None:
    gate = Gate()
    gate.open.set()
    jobs.start({"sync": gate})
    assert jobs.submit("sync", "a", {}, slot="sync:a@10:15")
    assert jobs.idle(PATIENCE)
    assert not jobs.submit("sync", "a", {}, slot="sync:a@10:15")
    assert jobs.submit("sync", "a", {}, slot="sync:a@10:30")
    assert jobs.idle(PATIENCE)
    assert len(gate.calls) == 2


def test_a_job_for_later_waits_and_a_more_urgent_submit_brings_it_forward(jobs: EmbeddedJobs) -> None:
    gate = Gate()
    gate.open.set()
    jobs.start({"sync": gate})
    assert jobs.submit("sync", "a", {"n": 1}, at=now() + timedelta(hours=1))
    assert not jobs.idle(0.05)
    assert gate.calls == []
    assert not jobs.submit("sync", "a", {"n": 2})
    assert jobs.idle(PATIENCE)
    assert gate.calls == [{"n": 1}]


def test_a_later_submit_never_puts_a_waiting_job_off(jobs: EmbeddedJobs) -> None:
    gate = Gate()
    gate.open.set()
    jobs.submit("sync", "a", {"n": 1})
    jobs.submit("sync", "a", {"n": 2}, at=now() + timedelta(hours=1))
    jobs.start({"sync": gate})
    assert jobs.idle(PATIENCE)
    assert gate.calls == [{"n": 1}]


def test_a_failing_job_stops_neither_its_key_nor_others(jobs: EmbeddedJobs, capfd: pytest.CaptureFixture[str]) -> None:
    gate = Gate()
    gate.open.set()

    def fail(args: Args) -> None:
        raise RuntimeError("on purpose")

    jobs.start({"fail": fail, "sync": gate})
    for _ in range(2):
        jobs.submit("fail", "a", {})
        assert jobs.idle(PATIENCE)
    jobs.submit("sync", "a", {})
    assert jobs.idle(PATIENCE)
    assert len(gate.calls) == 1
    assert "on purpose" in "".join(capfd.readouterr())


def test_after_the_stop_nothing_is_taken_and_nothing_waits(jobs: EmbeddedJobs) -> None:
    gate = Gate()
    gate.open.set()
    jobs.start({"sync": gate})
    jobs.submit("sync", "a", {}, at=now() + timedelta(hours=1))
    jobs.stop()
    assert not jobs.submit("sync", "b", {})
    assert jobs.idle(PATIENCE)
    assert gate.calls == []


def test_the_flavours_fit_the_seam() -> None:
    flavours: list[Jobs] = [build() for build in FLAVOURS.values()]
    assert flavours
