"""Counts are stored with their proof: a complete pass, the tool's own count, or nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from connectors.errors import Refused, Transient
from connectors.records import Container, ContainerKind
from hub.models import Coverage
from tests.sync.conftest import Hub
from tests.sync.pretend import ALWAYS, project, task


def covered(hub: Hub, ref: str) -> Any:
    return hub.ask(select(Coverage).where(Coverage.container_id == hub.id(ref)))[0]


def figures(hub: Hub, ref: str) -> tuple[int | None, int, int | None, str]:
    found = covered(hub, ref)
    return found.read, found.held, found.vendor_count, found.proof


def test_a_complete_pass_proves_its_counts_and_the_tools_own_count_confirms_them(hub: Hub) -> None:
    hub.vendor.put(project("1"), project("2", vendor_count=1), project("3", vendor_count=9), task("1", "1", "2"), task("2", "1"), task("3", "3"))
    hub.complete()
    assert figures(hub, "project:1") == (2, 2, None, "complete_pass")
    assert figures(hub, "project:2") == (1, 1, 1, "vendor_count")
    assert figures(hub, "project:3") == (1, 1, 9, "complete_pass")
    assert covered(hub, "project:1").proved_at == hub.clock()


def test_an_empty_project_is_proved_too(hub: Hub) -> None:
    hub.vendor.put(project("1"))
    hub.complete()
    assert figures(hub, "project:1") == (0, 0, None, "complete_pass")


def test_what_was_never_read_whole_is_not_proved(hub: Hub) -> None:
    hub.vendor.page_size = 1
    hub.vendor.put(project("1"), task("1", "1"), task("2", "1"))
    hub.vendor.fail("project:1", Transient("no answer"), place=1)
    hub.sync()
    assert figures(hub, "project:1") == (None, 1, None, "none")
    assert covered(hub, "project:1").proved_at is None


def test_a_failed_slice_keeps_the_proof_of_the_pass_before_with_its_date(hub: Hub) -> None:
    hub.vendor.put(project("1"), task("1", "1"))
    hub.complete()
    proved: datetime = hub.clock()
    hub.vendor.fail("project:1", Transient("no answer"))
    hub.sync()
    assert figures(hub, "project:1") == (1, 1, None, "complete_pass")
    assert covered(hub, "project:1").proved_at == proved


def test_what_the_last_pass_lacked_is_held_but_not_read(hub: Hub) -> None:
    hub.vendor.put(project("1"), task("1", "1"), task("2", "1"))
    hub.complete()
    hub.vendor.silent.add("task:2")
    hub.vendor.unlisted.add("task:2")
    hub.complete()
    assert figures(hub, "project:1") == (1, 2, None, "complete_pass")
    hub.complete()
    assert figures(hub, "project:1") == (1, 1, None, "complete_pass")


def test_a_container_that_was_read_whole_proves_the_projects_in_it_whatever_is_refused_elsewhere(hub: Hub) -> None:
    top, side = (Container(id=f"container:workspace/{n}", external_id=str(n), kind=ContainerKind.WORKSPACE, name=f"Yard {n}") for n in (1, 2))
    hub.vendor.put(top, side, project("1", container_id=top.id), project("2", container_id=side.id), task("1", "1"), task("2", "2"))
    hub.vendor.covers = {"project:1": (top.id,), "project:2": (side.id,)}
    hub.vendor.fail("project:2", Refused("not for you"), times=ALWAYS)
    hub.sync()
    assert (figures(hub, "project:1"), figures(hub, top.id)[3]) == ((1, 1, None, "complete_pass"), "complete_pass")
    assert figures(hub, "project:2")[3] == "none"


def test_one_of_two_slices_over_the_same_container_proves_nothing(hub: Hub) -> None:
    top = Container(id="container:workspace/1", external_id="1", kind=ContainerKind.WORKSPACE, name="Yard")
    hub.vendor.put(top, project("1", container_id=top.id), project("2", container_id=top.id), task("1", "1"))
    hub.vendor.covers = {"project:1": (top.id,), "project:2": (top.id,)}
    hub.vendor.fail("project:2", Transient("no answer"))
    hub.sync()
    assert figures(hub, "project:1")[3] == "none"
    hub.complete()
    assert figures(hub, "project:1")[3] == "complete_pass"
