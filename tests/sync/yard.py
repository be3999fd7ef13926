"""A hub that has read two projects once, and what its runs between full readings do."""

from __future__ import annotations

from typing import Any

from hub.sync.runs import POLL
from tests.sync.conftest import Hub
from tests.sync.pretend import project, task
from tests.sync.telling import told


def two_projects(hub: Hub) -> Hub:
    """Read once: tasks 1 and 2 in the first, 3 and 4 in the second; 5 lies below 1."""
    hub.vendor.put(project("1"), project("2"), task("1", "1"), task("2", "1"), task("3", "2"), task("4", "2"))
    hub.vendor.put(task("5", parent_id="task:1"))
    hub.complete()
    return hub


def reads(hub: Hub) -> list[str]:
    return [key for key, _ in hub.vendor.reads]


def poll(hub: Hub, kind: str = POLL) -> list[tuple[str, Any]]:
    """The events of one run that must be complete, its own summary left out."""
    return [each for each in hub.told(lambda: hub.complete(kind=kind)) if not each[0].startswith("sync.")]


def touch(hub: Hub, *refs: str) -> None:
    hub.write(lambda session: told(session, hub.connection_id, None, refs, hub.clock()))
