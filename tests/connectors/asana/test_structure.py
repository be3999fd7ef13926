"""Workspaces, people, definitions and projects: what opens what, and what stays out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base import ARCHIVED, LIVE, STRUCTURE, Scope, Slice
from connectors.errors import Refused
from connectors.records import Container, ContainerKind, Field, Identity, Project, Status
from tests.connectors.asana.pretend import Vendor, ids_of, items_of, listed, opened_by, pages_of, project, refusal

pytestmark = pytest.mark.anyio

ORGANIZATION = {"gid": "10", "name": "Example Harbour", "is_organization": True}
PLAIN = {"gid": "11", "name": "Side Pier", "is_organization": False}


def projects_of(workspace: str = "10", excluded: tuple[str, ...] = ()) -> Slice:
    return Slice(f"projects:{workspace}", "Projects", STRUCTURE, {"workspace": workspace, "excluded": list(excluded)})


def fields_of(workspace: str = "10", *, sole: bool = False) -> Slice:
    return Slice(f"fields:{workspace}", "Fields", STRUCTURE, {"workspace": workspace, "sole": sole})


async def test_each_workspace_opens_its_lists_and_only_an_organization_has_teams(vendor: Vendor) -> None:
    vendor.answers["/workspaces"] = listed([ORGANIZATION, PLAIN])
    connector = vendor.connector()
    (root,) = connector.roots(Scope())
    pages = await pages_of(connector, root)
    assert sorted(opened_by(pages)) == ["fields:10", "fields:11", "projects:11", "teams:10", "users:10", "users:11"]
    assert ids_of(pages) == ["container:workspace/10", "container:workspace/11", "status:none/open", "status:none/completed"]
    assert {piece.phase for piece in opened_by(pages).values()} == {STRUCTURE}


async def test_only_chosen_workspaces_are_read(vendor: Vendor) -> None:
    vendor.answers["/workspaces"] = listed([ORGANIZATION, PLAIN])
    connector = vendor.connector()
    (root,) = connector.roots(Scope(workspaces=frozenset({"11"})))
    assert sorted(opened_by(await pages_of(connector, root))) == ["fields:11", "projects:11", "users:11"]


async def test_people_are_listed_by_workspace_and_an_email_may_be_missing(vendor: Vendor) -> None:
    vendor.answers["/users"] = listed([{"gid": "1001", "name": "Mara Example", "email": "mara@example.org"}, {"gid": "1002", "name": "Private User"}])
    connector = vendor.connector()
    pages = await pages_of(connector, Slice("users:10", "", STRUCTURE, {"workspace": "10"}))
    assert [connector.map(item) for item in items_of(pages)] == [
        Identity(id="identity:1001", external_id="1001", name="Mara Example", email="mara@example.org"),
        Identity(id="identity:1002", external_id="1002", name="Private User", email=None),
    ]
    assert vendor.asked[0][1]["workspace"] == "10"


async def test_projects_follow_the_teams_and_are_listed_by_workspace(vendor: Vendor) -> None:
    vendor.answers["/workspaces/10/teams"] = listed([{"gid": "20", "name": "Dock", "visibility": "secret"}])
    vendor.answers["/projects"] = listed([project("30"), project("31", team={"gid": "20", "name": "Dock", "visibility": "secret"}, archived=True)])
    connector = vendor.connector()
    teams = await pages_of(connector, Slice("teams:10", "", STRUCTURE, {"workspace": "10", "excluded": []}))
    pages = await pages_of(connector, opened_by(teams)["projects:10"])
    opened = opened_by(pages)
    assert ids_of(pages) == ["project:30", "project:31"], "a listed team is not brought again"
    assert {key: piece.phase for key, piece in opened.items()} == {"project:30": LIVE, "project:31": ARCHIVED, "subtasks:10": LIVE, "loose:10": LIVE}
    assert opened["project:30"].covers == ("project:30",)
    assert vendor.queries("/projects")[0]["workspace"] == "10"
    assert "archived" not in vendor.queries("/projects")[0], "without the parameter both states come"


async def test_a_project_without_a_team_hangs_on_its_workspace(vendor: Vendor) -> None:
    vendor.answers["/projects"] = listed([project("30")])
    connector = vendor.connector()
    (item,) = items_of(await pages_of(connector, projects_of()))
    mapped = connector.map(item)
    assert isinstance(mapped, Project)
    assert mapped.container_id == "container:workspace/10"


async def test_a_team_that_no_list_brought_comes_with_its_project(vendor: Vendor) -> None:
    vendor.answers["/projects"] = listed([project("30", team={"gid": "21", "name": "Quay", "visibility": "secret"})])
    connector = vendor.connector()
    team, _ = items_of(await pages_of(connector, projects_of()))
    assert connector.map(team) == Container(
        id="container:team/21", external_id="21", kind=ContainerKind.TEAM, name="Quay", parent_id="container:workspace/10", private=True
    )


async def test_an_embedded_team_and_a_listed_one_have_one_raw_form(vendor: Vendor) -> None:
    body = {"gid": "21", "name": "Quay", "visibility": "public"}
    vendor.answers["/projects"] = listed([project("30", team=body)])
    vendor.answers["/workspaces/10/teams"] = listed([{**body, "resource_type": "team"}])
    embedded = items_of(await pages_of(vendor.connector(), projects_of()))[0]
    (from_list,) = items_of(await pages_of(vendor.connector(), Slice("teams:10", "", STRUCTURE, {"workspace": "10", "excluded": []})))
    assert embedded == from_list


async def test_what_an_admin_left_out_is_not_opened_and_subtasks_are_then_not_searched(vendor: Vendor) -> None:
    team = {"gid": "20", "name": "Dock", "visibility": "public"}
    vendor.answers["/projects"] = listed([project("30"), project("31"), project("32", team=team)])
    pages = await pages_of(vendor.connector(), projects_of(excluded=("31", "20")))
    opened = opened_by(pages)
    assert sorted(opened) == ["loose:10", "project:30"]
    assert ids_of(pages) == ["project:30"]
    assert opened["loose:10"].args["listed"] == ["30", "31", "32"], "the search must not find the tasks of what was left out"


async def test_the_project_list_resumes_with_what_was_listed_before(vendor: Vendor) -> None:
    vendor.answers["/projects"] = vendor.by_offset({None: listed([project("30"), project("31")], "p2"), "p2": listed([project("32")])})
    first, _ = await pages_of(vendor.connector(), projects_of(excluded=("31",)))
    cursor = json.loads(json.dumps(first.cursor))
    (rest,) = await pages_of(vendor.connector(), projects_of(excluded=("31",)), cursor)
    opened = opened_by([rest])
    assert opened["loose:10"].args["listed"] == ["30", "31", "32"]
    assert "subtasks:10" not in opened


async def test_slice_args_stay_small_in_a_large_workspace(vendor: Vendor) -> None:
    pages: dict[str | None, Any] = {
        (str(n) if n else None): listed([project(f"12{n:04}{i:010}") for i in range(100)], str(n + 1) if n < 19 else None) for n in range(20)
    }
    vendor.answers["/projects"] = vendor.by_offset(pages)
    read = await pages_of(vendor.connector(), projects_of())
    sizes = [len(json.dumps(dict(piece.args))) for piece in opened_by(read).values()]
    sizes += [len(json.dumps(page.cursor)) for page in read]
    assert max(sizes) < 8000
    assert len(opened_by(read)) == 2002


async def test_definitions_keep_their_options(vendor: Vendor) -> None:
    options = [{"gid": "51", "name": "Hoch", "color": "red"}, {"gid": "52", "name": "Niedrig", "color": "none"}]
    vendor.answers["/workspaces/10/custom_fields"] = listed(
        [{"gid": "50", "name": "Priorität", "resource_subtype": "enum", "representation_type": "enum", "enum_options": options}]
    )
    connector = vendor.connector()
    (item,) = items_of(await pages_of(connector, fields_of()))
    mapped = connector.map(item)
    assert isinstance(mapped, Field)
    assert [(option.id, option.name, option.color) for option in mapped.options] == [("51", "Hoch", "red"), ("52", "Niedrig", None)]


async def test_the_options_of_a_chosen_status_field_are_statuses_open_and_completed(vendor: Vendor) -> None:
    options = [{"gid": "51", "name": "Wartet", "color": "red"}]
    vendor.answers["/workspaces/10/custom_fields"] = listed([{"gid": "50", "name": "Stand", "resource_subtype": "enum", "enum_options": options}])
    connector = vendor.connector(status_field={"30": "50"})
    mapped = [connector.map(item) for item in items_of(await pages_of(connector, fields_of()))]
    statuses = [(status.id, status.name, status.category.value) for status in mapped if isinstance(status, Status)]
    assert statuses == [
        ("status:50//open", None, "unknown"),
        ("status:50//completed", None, "done"),
        ("status:50/51/open", "Wartet", "unknown"),
        ("status:50/51/completed", "Wartet", "done"),
    ]


@pytest.mark.parametrize(("sole", "rate"), [(True, [150.0]), (False, [])])
async def test_a_free_plan_has_no_definitions_and_slows_the_token_down(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, sole: bool, rate: list[float]
) -> None:
    rates: list[float] = []
    monkeypatch.setattr(vendor.limiter, "set_rate", lambda lane, per_minute: rates.append(per_minute))
    vendor.answers["/workspaces/10/custom_fields"] = refusal(402, "Premium only")
    (page,) = await pages_of(vendor.connector(), fields_of(sole=sole))
    assert (list(page.items), page.cursor) == ([], None)
    assert rates == rate


async def test_a_refused_list_of_definitions_is_no_matter_of_the_plan(vendor: Vendor) -> None:
    vendor.answers["/workspaces/10/custom_fields"] = refusal(403, "Forbidden")
    with pytest.raises(Refused):
        await pages_of(vendor.connector(), fields_of())


async def test_a_slice_of_another_connector_is_refused(vendor: Vendor) -> None:
    with pytest.raises(ValueError, match="no slice of this connector"):
        await pages_of(vendor.connector(), Slice("boards:1", "", LIVE))
