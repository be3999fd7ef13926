"""The container walk: everything the token may see, live and archived, in the fewest calls."""

from __future__ import annotations

import pytest

from connectors.base import ARCHIVED, LIVE, STRUCTURE, Scope
from connectors.errors import Refused
from connectors.records import Container, Identity, Project, Record, Status, Team
from tests.connectors.clickup.vendor import Vendor, a_list, a_task, connector, error, everything, found, ids, pages, through_json, user, walk

pytestmark = pytest.mark.anyio


async def test_the_walk_brings_every_container_list_and_person_once() -> None:
    items = await everything(connector(Vendor()))
    assert sorted(ids(items, "container")) == ["folder/201", "folder/202", "space/101", "space/102", "workspace/9001"]
    assert sorted(ids(items, "project")) == ["301", "302", "303", "304", "305"]
    assert sorted(ids(items, "identity")) == ["11", "12"]
    assert ids(items, "team") == ["4bfd-01"]
    assert ids(items, "status") == ["p1_open"]


async def test_the_walk_costs_what_the_vendor_makes_it_cost() -> None:
    vendor = Vendor()
    async for _ in walk(connector(vendor)):
        pass
    structure = [path for path in vendor.paths() if not path.endswith("/task")]
    # user, team, group, shared, 2 reads of spaces, 4 of each of 2 spaces, 1 of each of 2 folders
    assert len(structure) == 2 + 2 + 2 + 4 * 2 + 2
    # what changed last; live and archived of the workspace, and two reads of each of the three lists under something archived
    assert len(vendor.calls) - len(structure) == 1 + 2 + 2 * 3


async def test_containers_keep_their_place_and_their_own_archived_flag() -> None:
    live = connector(Vendor())
    records = {item.id: live.map(item) for item in await everything(live)}
    folder, old, space = records["container:folder/201"], records["container:folder/202"], records["container:space/102"]
    assert isinstance(folder, Container)
    assert isinstance(old, Container)
    assert isinstance(space, Container)
    assert (folder.parent_id, folder.archived) == ("container:space/101", False)
    assert (old.parent_id, old.archived) == ("container:folder/201", True)
    assert (space.parent_id, space.archived) == ("container:workspace/9001", True)
    inside, bare, archived = records["project:304"], records["project:302"], records["project:303"]
    assert isinstance(inside, Project)
    assert isinstance(bare, Project)
    assert isinstance(archived, Project)
    assert (inside.container_id, inside.archived) == ("container:folder/202", False)
    assert bare.container_id == "container:space/101"
    assert archived.archived is True


async def test_people_who_have_not_accepted_have_no_name_and_guests_are_marked() -> None:
    live = connector(Vendor())
    records = {item.id: live.map(item) for item in await everything(live)}
    assert records["identity:12"] == Identity(id="identity:12", external_id="12", name=None, email="user12@example.org", guest=True)
    assert records["team:4bfd-01"] == Team(id="team:4bfd-01", external_id="4bfd-01", name="Crew", member_ids=("identity:11", "identity:12"))
    status = records["status:p1_open"]
    assert isinstance(status, Status)
    assert (status.name, status.type, status.category) == ("to do", "open", "unstarted")


async def test_lists_under_something_archived_are_slices_of_their_own() -> None:
    opened = [piece async for _, page in walk(connector(Vendor())) for piece in page.opens]
    lists = [piece for piece in opened if piece.key.startswith("list:")]
    assert sorted(piece.key for piece in lists) == ["list:303", "list:304", "list:305"]
    assert {piece.phase for piece in lists} == {ARCHIVED}
    assert found(opened, "list:304").covers == ("project:304",)
    assert (found(opened, "tasks:9001").phase, found(opened, "archived:9001").phase) == (LIVE, ARCHIVED)
    assert found(opened, "tasks:9001").covers == ("container:workspace/9001",)


async def test_every_slice_can_be_read_by_a_process_that_knows_nothing_else() -> None:
    vendor = Vendor(tasks=[a_task("a1", 1000), a_task("a2", 1001, home="303", archived=True)], old_lists={"303"})
    whole = {item.id for item in await everything(connector(vendor))}
    waiting, seen = list(connector(vendor).roots(Scope())), set()
    while waiting:
        for page in await pages(connector(vendor), through_json(waiting.pop(0))):
            waiting += page.opens
            seen |= {item.id for item in page.items}
    assert seen == whole


async def test_lists_given_by_id_only_are_read_by_folder() -> None:
    vendor = Vendor()
    vendor.bodies["/v2/space/101/folder", False]["folders"][0]["lists"] = ["301"]
    vendor.bodies["/v2/folder/201/list", False] = {"lists": [a_list("301")]}
    assert sorted(ids(await everything(connector(vendor)), "project")) == ["301", "302", "303", "304", "305"]


async def test_a_hidden_folder_is_no_container() -> None:
    vendor = Vendor()
    vendor.bodies["/v2/space/101/folder", False]["folders"].append({"id": "900", "name": "hidden", "hidden": True, "lists": [a_list("302")]})
    live = connector(vendor)
    records = {item.id: live.map(item) for item in await everything(live)}
    assert "container:folder/900" not in records
    bare = records["project:302"]
    assert isinstance(bare, Project)
    assert bare.container_id == "container:space/101"
    assert "/v2/folder/900/list" not in vendor.paths()


async def test_what_is_shared_from_elsewhere_hangs_under_the_workspace() -> None:
    vendor = Vendor()
    vendor.bodies["/v2/team/9001/shared", False] = {
        "shared": {"tasks": [], "lists": [a_list("401", archived=True)], "folders": [{"id": "251", "name": "Lent"}]}
    }
    vendor.bodies["/v2/folder/251/list", False] = {"lists": [a_list("402")]}
    vendor.bodies["/v2/folder/251/list", True] = {"lists": []}
    live = connector(vendor)
    opened: list[str] = []
    records: dict[str, Record] = {}
    async for _, page in walk(live):
        opened += [piece.key for piece in page.opens]
        records |= {item.id: live.map(item) for item in page.items}
    shared, lent, inside = records["project:401"], records["container:folder/251"], records["project:402"]
    assert isinstance(shared, Project)
    assert isinstance(lent, Container)
    assert isinstance(inside, Project)
    assert shared.container_id == lent.parent_id == "container:workspace/9001"
    assert inside.container_id == "container:folder/251"
    assert "list:401" in opened


async def test_a_closed_workspace_is_refused_and_the_others_go_on() -> None:
    live = connector(Vendor())
    first = (await pages(live, live.roots(Scope(workspaces=frozenset({"9001", "9002"})))[0]))[0]
    assert [piece.key for piece in first.opens] == ["workspace:9001"]
    assert isinstance(first.refused["container:workspace/9002"], Refused)


async def test_a_workspace_whose_spaces_cannot_be_listed_is_refused_as_a_whole() -> None:
    vendor = Vendor(first={"/v2/team/9001/space": [error(401, "OAUTH_027", "Team not authorized")]})
    live = connector(vendor)
    first = (await pages(live, live.roots(Scope())[0]))[0]
    with pytest.raises(Refused):
        await pages(live, first.opens[0])


async def test_a_refused_folder_group_or_share_is_reported_and_the_rest_is_read() -> None:
    refusal = [error(403, "ACCESS_001", "no")]
    vendor = Vendor(first={"/v2/folder/201/list": list(refusal), "/v2/group": list(refusal), "/v2/team/9001/shared": list(refusal)})
    refused = {ref async for _, page in walk(connector(vendor)) for ref in page.refused}
    assert refused == {"container:folder/201", "container:groups/9001", "container:shared/9001"}


async def test_many_folders_are_read_in_slices_that_resume() -> None:
    vendor = Vendor()
    folders = [{"id": str(5000 + number), "name": f"F{number}", "hidden": False, "lists": []} for number in range(120)]
    vendor.bodies["/v2/space/101/folder", False] = {"folders": folders}
    vendor.bodies |= {(f"/v2/folder/{folder['id']}/list", True): {"lists": []} for folder in folders}
    opened = [piece async for _, page in walk(connector(vendor)) for piece in page.opens]
    batches = [piece for piece in opened if piece.key.startswith("folders:101/")]
    assert [len(piece.args["folders"]) for piece in batches] == [50, 50, 21]
    assert {piece.phase for piece in batches} == {STRUCTURE}


async def test_what_the_admin_left_out_is_neither_walked_nor_given() -> None:
    tasks = [a_task("a1", 1000), a_task("a2", 1001, home="302", folder={"id": "900", "name": "hidden", "hidden": True})]
    vendor = Vendor(tasks=tasks)
    vendor.bodies["/v2/space/101/folder", False]["folders"].append({"id": "203", "name": "Inner", "parent_folder": "201", "lists": [a_list("306")]})
    vendor.tasks.append(a_task("a3", 1002, home="306", folder={"id": "203", "name": "Inner", "hidden": False}))
    items = await everything(connector(vendor), Scope(excluded=frozenset({"201", "102"})))
    assert sorted(ids(items, "container")) == ["space/101", "workspace/9001"]
    assert ids(items, "project") == ["302"]
    assert ids(items, "task") == ["a2"]


async def test_whole_spaces_left_out_are_not_even_asked_for() -> None:
    vendor = Vendor(tasks=[a_task("a1", 1000), a_task("a2", 1001, home="501", space="103")])
    vendor.bodies["/v2/team/9001/space", False]["spaces"].append({"id": "103", "name": "Other", "statuses": []})
    items = await everything(connector(vendor), Scope(excluded=frozenset({"103"})))
    assert ids(items, "task") == ["a1"]
    asked = [call.url.params.get_list("space_ids[]") for call in vendor.calls if call.url.path.endswith("/team/9001/task")]
    assert asked == [["101"]] * 3
    assert "/v2/space/103/list" not in vendor.paths()


async def test_discover_shows_the_tree_without_tasks() -> None:
    vendor = Vendor(tasks=[a_task("a1", 1000)])
    items = await connector(vendor).discover()
    assert {item.id.partition(":")[0] for item in items} == {"container", "project"}
    assert "project:304" in {item.id for item in items}
    assert not any(path.endswith("/task") or path.startswith("/v2/folder/") for path in vendor.paths())


async def test_of_several_roles_the_strongest_counts() -> None:
    vendor = Vendor()
    vendor.bodies["/v2/team", False]["teams"].append(
        {"id": "9002", "name": "Quay", "members": [{"user": user(12, "Bo", role=3)}, {"user": user(11, "Ada", role=1)}]}
    )
    live = connector(vendor)
    first = (await pages(live, live.roots(Scope())[0]))[0]
    guests = {item.id: live.map(item) for item in first.items if item.id.startswith("identity:")}
    assert guests["identity:12"] == Identity(id="identity:12", external_id="12", name="Bo", email="user12@example.org")


async def test_the_context_comes_again_from_the_stored_user() -> None:
    live = connector(Vendor())
    items = await everything(live)
    lists = [item for item in items if item.id.startswith("project:")]
    me = next(item for item in items if item.id == lists[0].owner)
    assert live.context(me.raw) == lists[0].context
    assert live.context(None) is None


async def test_the_admins_time_zone_outranks_the_users() -> None:
    live = connector(Vendor(), timezone="Asia/Tokyo", timezones=["America/New_York"])
    context = live.context({"timezone": "Europe/Berlin"})
    assert context is not None
    assert context.version == "Asia/Tokyo,America/New_York"
