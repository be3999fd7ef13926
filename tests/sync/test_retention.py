from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hub.models import SyncPass, SyncRun
from hub.sync import retention, store
from hub.sync.runs import POLL
from tests.sync.conftest import Hub
from tests.sync.pretend import project, task


def test_old_runs_and_passes_go_and_the_newest_of_each_stay(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "KEPT_RUNS", 5)
    hub.vendor.put(project("1"), task("1", "1"))
    hub.complete()
    full = hub.this_pass().id
    for _ in range(10):
        hub.complete(kind=POLL, minutes=0.5)
    hub.clock.goes_on(days=40)
    gone = hub.write(lambda session: retention.prune(session, hub.clock(), timedelta(days=30)))
    assert gone > 0
    assert hub.ask(select(func.count()).select_from(SyncRun)) == [retention.KEPT_RUNS]
    assert hub.write(lambda session: store.last_complete(session, hub.connection_id).id) == full
    kinds = hub.ask(select(SyncPass.kind))
    assert "poll" in kinds
    assert len(kinds) < 5
    assert hub.complete(kind=POLL, minutes=0).state == "complete"


def test_young_ones_stay(hub: Hub) -> None:
    hub.vendor.put(project("1"))
    hub.complete()
    assert hub.write(lambda session: retention.prune(session, hub.clock(), timedelta(days=30))) == 0
