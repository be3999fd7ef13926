"""What a connection may use of its plan's calls is a limit for every kind of run, also for those that an admin or a webhook asks for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from hub.models import Connection, SyncRun
from hub.settings import Settings
from hub.sync import bells, pace
from hub.sync.contact import Contact
from hub.sync.runs import FULL, POLL, TOUCH
from tests.api.conftest import NotedJobs
from tests.sync.conftest import Hub
from tests.sync.pretend import project, task
from tests.sync.telling import told

PLAN = {"limits": {"calls a day": 200}}
"""Half of it may be used."""


@pytest.fixture
def yard(hub: Hub) -> Hub:
    hub.vendor.put(project("1"), task("1", "1"))
    hub.complete()
    hub.complete(kind=POLL)
    hub.write(lambda session: setattr(session.get_one(Connection, hub.connection_id), "checked", PLAN))
    return hub


def pause(hub: Hub, **values: Any) -> timedelta:
    def ask(session: Any) -> timedelta:
        connection = session.get_one(Connection, hub.connection_id)
        for name, value in values.items():
            setattr(connection, name, value)
        return pace.pause(session, connection, hub.clock(), Settings())

    return hub.write(ask)  # type: ignore[no-any-return]


def spend(hub: Hub, calls: int) -> None:
    row = {"id": uuid4(), "connection_id": hub.connection_id, "reason": "webhook", "kind": TOUCH, "full": False, "state": "complete", "errors": []}
    hub.write(lambda session: session.add(SyncRun(**row, queued_at=hub.clock(), requests=calls)))


def touched(hub: Hub) -> list[str]:
    """The jobs that a told change brings about."""
    hub.write(lambda session: told(session, hub.connection_id, None, ["task:1"], hub.clock()))
    jobs = NotedJobs()
    bells.touch(Contact(hub.database, hub.engine.vault, Settings(), hub.clock), jobs, {"connection_id": str(hub.connection_id)})
    return [name for name, *_ in jobs.submitted]


def test_an_admins_interval_holds_as_far_as_the_budget_goes(yard: Hub) -> None:
    assert pause(yard, interval_seconds=7200) == timedelta(hours=2)
    least = pause(yard, interval_seconds=1)
    assert timedelta(minutes=14) < least < timedelta(minutes=20), "a hundred calls a day, one a poll, and what walks and readings take"
    assert pause(yard, checked={}) == timedelta(seconds=1), "nothing is known of the plan"


def test_what_webhooks_name_is_read_at_once_while_the_budget_lasts_and_else_by_the_next_poll(yard: Hub) -> None:
    spend(yard, 90)
    assert touched(yard) == ["sync"]
    yard.sync(kind=TOUCH)
    spend(yard, 20)
    assert touched(yard) == []
    yard.vendor.change("task:1", title="other")
    yard.vendor.untold()
    yard.complete(kind=POLL)
    assert yard.row("task:1").title == "other"
    yard.clock.goes_on(minutes=25 * 60)
    assert touched(yard) == ["sync"], "a day later nothing of that counts any more"


def test_a_reading_of_everything_waits_for_nobody_s_budget(yard: Hub) -> None:
    """An admin asked for it."""
    spend(yard, 500)
    assert yard.complete(kind=FULL).kind == FULL
