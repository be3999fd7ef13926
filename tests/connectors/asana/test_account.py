"""The token's user, the tree to choose from, and single objects by id."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import Workspace
from connectors.errors import AuthFailed, BadResponse
from tests.connectors.asana.pretend import Vendor, listed, project, refusal, task

pytestmark = pytest.mark.anyio

WORKSPACES = [{"gid": "11", "name": "Side Pier", "is_organization": False}, {"gid": "10", "name": "Example Harbour", "is_organization": True}]
ME = {"data": {"gid": "1001", "name": "Mara Example", "email": "mara@example.org", "workspaces": WORKSPACES}}


async def test_a_paid_organization_is_told_by_one_search(vendor: Vendor) -> None:
    vendor.answers["/users/me"] = ME
    vendor.answers["/workspaces/10/tasks/search"] = {"data": []}
    check = await vendor.connector().check()
    assert (check.user_external_id, check.user_name, check.user_email, check.account) == ("1001", "Mara Example", "mara@example.org", "")
    assert check.workspaces == (Workspace("11", "Side Pier", "workspace"), Workspace("10", "Example Harbour", "organization"))
    assert (check.plan, check.missing, check.limits["calls a minute"]) == ("paid", (), 1500)
    assert len(vendor.asked) == 2
    assert vendor.asked[1][1]["limit"] == "1"


async def test_a_free_plan_is_named_with_what_it_lacks_and_its_quota(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[tuple[str, float]] = []
    monkeypatch.setattr(vendor.limiter, "set_rate", lambda lane, per_minute: rates.append((lane, per_minute)))
    vendor.answers["/users/me"] = ME
    vendor.answers["/workspaces/10/tasks/search"] = refusal(402, "Premium only")
    check = await vendor.connector().check()
    assert (check.plan, check.limits["calls a minute"], check.limits["searches a minute"]) == ("free", 150, 0)
    assert len(check.missing) == 1
    assert "Example Harbour" in check.missing[0]
    assert rates == [("default", 150)]


async def test_a_user_without_a_workspace_is_told_so(vendor: Vendor) -> None:
    vendor.answers["/users/me"] = {"data": {"gid": "1001", "name": "Mara Example", "email": None, "workspaces": []}}
    check = await vendor.connector().check()
    assert (check.plan, check.workspaces, len(check.missing)) == (None, (), 1)


async def test_a_refused_token_is_not_retried(vendor: Vendor) -> None:
    vendor.answers["/users/me"] = refusal(401, "Not Authorized")
    with pytest.raises(AuthFailed):
        await vendor.connector().check()
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("data", [None, [], {"name": "no gid"}, {"gid": "1001", "name": "x"}, {"gid": "1001", "workspaces": [{}]}])
async def test_a_broken_answer_about_oneself_is_an_error(vendor: Vendor, data: Any) -> None:
    vendor.answers["/users/me"] = {"data": data}
    with pytest.raises(BadResponse):
        await vendor.connector().check()


async def test_the_tree_holds_workspaces_teams_and_projects_and_no_tasks(vendor: Vendor) -> None:
    vendor.answers["/workspaces"] = listed(WORKSPACES)
    vendor.answers["/workspaces/10/teams"] = listed([{"gid": "20", "name": "Dock", "visibility": "public"}])
    vendor.answers["/projects"] = lambda query: listed([project("3" + query["workspace"])])
    found = [item.id for item in await vendor.connector().discover()]
    assert found == ["container:workspace/11", "project:311", "container:workspace/10", "container:team/20", "project:310"]


async def test_a_read_by_id_tells_found_gone_and_refused_apart(vendor: Vendor) -> None:
    vendor.answers |= {
        "/tasks/1": {"data": task("1")},
        "/tasks/2": refusal(404, "task: Unknown object: 2"),
        "/tasks/3": refusal(403, "Forbidden"),
        "/tasks/4": refusal(402, "Premium only"),
        "/tasks/5": {"data": task("5", is_rendered_as_separator=True)},
        "/projects/30": {"data": project("30")},
        "/projects/31": refusal(404, "project: Unknown object: 31"),
    }
    looked = await vendor.connector().lookup(["task:1", "task:2", "task:3", "task:4", "task:5", "project:30", "project:31"])
    assert sorted(looked.found) == ["project:30", "task:1"]
    assert looked.gone == {"task:2", "task:5", "project:31"}
    assert looked.refused == {"task:3", "task:4"}


async def test_an_item_read_by_id_is_the_one_that_a_list_brings(vendor: Vendor) -> None:
    vendor.answers["/tasks/1"] = {"data": task("1")}
    vendor.answers["/tasks/9/subtasks"] = listed([task("1")])
    connector = vendor.connector(priority_field="77")
    looked = await connector.lookup(["task:1"])
    (page,) = [page async for page in connector.read(connector.children("task:9"), None)]
    assert looked.found["task:1"] == page.items[0]


async def test_a_lookup_ends_with_a_refused_token_after_one_batch(vendor: Vendor) -> None:
    for gid in range(100):
        vendor.answers[f"/tasks/{gid}"] = refusal(401, "Not Authorized")
    with pytest.raises(AuthFailed):
        await vendor.connector().lookup([f"task:{gid}" for gid in range(100)])
    assert len(vendor.asked) <= 20


async def test_another_object_than_the_one_asked_for_is_an_error(vendor: Vendor) -> None:
    vendor.answers["/tasks/1"] = {"data": task("2")}
    with pytest.raises(BadResponse):
        await vendor.connector().lookup(["task:1"])


async def test_only_tasks_and_projects_are_read_by_id(vendor: Vendor) -> None:
    with pytest.raises(ValueError, match="section:41"):
        await vendor.connector().lookup(["section:41"])
    assert vendor.asked == []
