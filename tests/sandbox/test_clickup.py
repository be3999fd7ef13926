"""The pretend ClickUp refuses, pages, leaves out and limits as the service does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from hub.sandbox import seed, truth
from hub.sandbox.clickup import app, error_body
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import Node, Project, Task

pytestmark = pytest.mark.anyio
EVERYTHING = {"subtasks": "true", "include_closed": "true"}
OLDEST_FIRST = {"order_by": "created", "reverse": "true"}


class Desk:
    """A client with a world, knobs and a clock to turn."""

    def __init__(self, number: int = 2, tasks: int = 300) -> None:
        self.world = seed.build(number, tasks)
        self.knobs = Knobs()
        self.clock = 1_000_000.0
        transport = httpx.ASGITransport(app(self.world, self.knobs, lambda: self.clock))
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://clickup.test/v2", headers={"Authorization": self.world.tokens["clickup"]}
        )
        self.team = next(node.id for node in self.world.nodes["clickup"].values() if node.kind == "workspace")

    async def raw(self, path: str, **query: Any) -> httpx.Response:
        self.clock += 1  # the window of a minute never fills unless a test means it to
        return await self.client.get(path, params=query)

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.raw(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def error(self, path: str, **query: Any) -> tuple[int, str]:
        answer = await self.raw(path, **query)
        return answer.status_code, answer.json()["ECODE"]

    async def walk(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """All pages of a task read."""
        rows: list[dict[str, Any]] = []
        for page in range(1000):
            answer = await self.get(path, **query, page=page)
            rows += answer["tasks"]
            if answer["last_page"]:
                break
        return rows

    async def team_rows(self, **query: Any) -> list[dict[str, Any]]:
        return await self.walk(f"/team/{self.team}/task", **query)

    async def ids(self, **query: Any) -> set[str]:
        return {row["id"] for row in await self.team_rows(**query)}

    def projects(self) -> list[Project]:
        return [project for project in self.world.projects["clickup"].values() if self.world.sees_project(project)]

    def live_tasks(self) -> list[Task]:
        """What the workspace read shows with subtasks and closed ones: not archived, and nothing above is."""
        live = {project.id for project in self.projects() if not self.world.archived_above(project)}
        return [task for task in self.world.tasks["clickup"].values() if task.homes[0][0] in live and not task.deleted and not task.archived]

    def node(self, **wanted: Any) -> Node:
        return next(node for node in self.world.nodes["clickup"].values() if all(getattr(node, name) == value for name, value in wanted.items()))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.client.aclose()


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [(None, 400, "OAUTH_017"), ("Bearer {token}", 401, "OAUTH_019"), ("pk_wrong", 401, "OAUTH_025"), ("nonsense", 401, "OAUTH_019")],
)
async def test_only_the_bare_personal_token_is_let_in(desk: Desk, header: str | None, status: int, code: str) -> None:
    del desk.client.headers["Authorization"]
    if header is not None:
        desk.client.headers["Authorization"] = header.format(token=desk.world.tokens["clickup"])
    assert await desk.error("/user") == (status, code)


async def test_an_oauth_token_may_come_as_a_bearer(desk: Desk) -> None:
    desk.world.tokens["clickup"] = "81_oauth"
    desk.client.headers["Authorization"] = "Bearer 81_oauth"
    assert (await desk.get("/user"))["user"]["id"] == int(desk.world.me["clickup"])


async def test_a_revoked_token_is_invalid_everywhere(desk: Desk) -> None:
    desk.knobs.revoked.add("clickup")
    assert await desk.error("/team") == (401, "OAUTH_025")


async def test_an_unknown_route_is_a_page_not_an_error_object(desk: Desk) -> None:
    for answer in (await desk.raw("/nowhere"), await desk.client.post("/team", json={})):
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")


async def test_pages_join_up_to_every_live_task_once(desk: Desk) -> None:
    rows = await desk.team_rows(**EVERYTHING)
    assert sorted(row["id"] for row in rows) == sorted(task.id for task in desk.live_tasks())
    assert len((await desk.get(f"/team/{desk.team}/task", **EVERYTHING))["tasks"]) == 100


async def test_pages_begin_at_zero_and_a_page_too_far_is_empty_and_last(desk: Desk) -> None:
    first = await desk.get(f"/team/{desk.team}/task", **EVERYTHING)
    assert first == await desk.get(f"/team/{desk.team}/task", **EVERYTHING, page=0)
    assert await desk.get(f"/team/{desk.team}/task", **EVERYTHING, page=999) == {"tasks": [], "last_page": True}


async def test_newest_come_first_unless_reversed(desk: Desk) -> None:
    for order, key in (("created", "date_created"), ("updated", "date_updated")):
        newest = [int(row[key]) for row in await desk.team_rows(order_by=order, **EVERYTHING)]
        assert newest == sorted(newest, reverse=True)
        oldest = [int(row[key]) for row in await desk.team_rows(order_by=order, reverse="true", **EVERYTHING)]
        assert oldest == newest[::-1]
    assert [row["date_created"] for row in await desk.team_rows()] == sorted((row["date_created"] for row in await desk.team_rows()), reverse=True)


async def test_subtasks_and_closed_tasks_are_left_out_unless_asked_for(desk: Desk) -> None:
    every = await desk.team_rows(**EVERYTHING)
    assert {row["id"] for row in every if row["parent"] is None} == await desk.ids(include_closed="true")
    assert {row["id"] for row in every if row["status"]["type"] != "closed"} == await desk.ids(subtasks="true")
    assert any(row["status"]["type"] == "done" for row in await desk.team_rows())


async def test_archived_is_a_switch(desk: Desk) -> None:
    desk.world.archive_task("clickup", desk.live_tasks()[0].id)
    archived = await desk.team_rows(**EVERYTHING, archived="true")
    assert archived
    assert all(row["archived"] for row in archived)
    assert not {row["id"] for row in archived} & await desk.ids(**EVERYTHING)


async def test_the_workspace_read_lacks_archived_lists_but_each_of_them_can_be_read(desk: Desk) -> None:
    found = await desk.ids(**EVERYTHING) | await desk.ids(**EVERYTHING, archived="true")
    expected = set(truth.expected_tasks(desk.world, "clickup"))
    assert found < expected
    for project in desk.projects():
        if desk.world.archived_above(project):
            for archived in ("false", "true"):
                found |= {row["id"] for row in await desk.walk(f"/list/{project.id}/task", **EVERYTHING, archived=archived)}
    assert found == expected


async def test_array_parameters_need_their_brackets(desk: Desk) -> None:
    wanted = desk.live_tasks()[0].homes[0][0]
    narrow = await desk.team_rows(**EVERYTHING, **{"list_ids[]": wanted})
    assert {row["list"]["id"] for row in narrow} == {wanted}
    assert await desk.ids(**EVERYTHING, list_ids=wanted) == await desk.ids(**EVERYTHING)
    assert await desk.ids(**EVERYTHING, invented="x") == await desk.ids(**EVERYTHING)


async def test_filters_by_people_status_tag_and_place_agree_with_the_rows(desk: Desk) -> None:
    rows = await desk.team_rows(**EVERYTHING)
    sample = next(row for row in rows if row["assignees"] and row["tags"])
    cases: list[tuple[str, str, Any]] = [
        ("assignees[]", str(sample["assignees"][0]["id"]), lambda row: sample["assignees"][0] in row["assignees"]),
        ("statuses[]", sample["status"]["status"].upper(), lambda row: row["status"]["status"] == sample["status"]["status"]),
        ("tags[]", sample["tags"][0]["name"], lambda row: sample["tags"][0] in row["tags"]),
        ("space_ids[]", sample["space"]["id"], lambda row: row["space"] == sample["space"]),
        ("custom_items[]", "1", lambda row: row["custom_item_id"] == 1),
    ]
    for name, value, holds in cases:
        assert await desk.ids(**EVERYTHING, **{name: value}) == {row["id"] for row in rows if holds(row)}, name
    parent = next(row["parent"] for row in rows if row["parent"])
    assert await desk.ids(**EVERYTHING, parent=parent) == {row["id"] for row in rows if row["parent"] == parent}


@pytest.mark.parametrize(("number", "inclusive"), [(2, False), (3, True)])
async def test_whether_an_instant_is_within_its_own_bound_depends_on_the_world(number: int, inclusive: bool) -> None:
    desk = Desk(number, 60)
    rows = await desk.team_rows(**EVERYTHING, **OLDEST_FIRST)
    middle = rows[len(rows) // 2]
    for order in ("created", "updated"):
        after = await desk.ids(**EVERYTHING, order_by=order, date_created_gt=middle["date_created"])
        assert (middle["id"] in after) is inclusive
        before = await desk.ids(**EVERYTHING, order_by=order, date_created_lt=middle["date_created"])
        assert (middle["id"] in before) is inclusive
        assert after | before | {middle["id"]} == {row["id"] for row in rows}
    await desk.client.aclose()


async def test_reading_on_from_the_last_creation_time_gives_everything(desk: Desk) -> None:
    desk.knobs.page_size = 7
    seen: dict[str, int] = {}
    after: dict[str, int] = {}
    while True:
        answer = await desk.get(f"/team/{desk.team}/task", **EVERYTHING, **OLDEST_FIRST, **after)
        seen |= {row["id"]: int(row["date_created"]) for row in answer["tasks"]}
        after = {"date_created_gt": int(answer["tasks"][-1]["date_created"]) - 1}
        if answer["last_page"]:
            break
    assert set(seen) == {task.id for task in desk.live_tasks()}


async def test_a_date_without_a_time_is_four_in_the_morning_and_only_finished_tasks_have_an_end(desk: Desk) -> None:
    rows = {row["id"]: row for row in await desk.team_rows(**EVERYTHING)}
    dated = next(task for task in desk.live_tasks() if task.due is not None and not isinstance(task.due, datetime))
    local = datetime.fromtimestamp(int(rows[dated.id]["due_date"]) / 1000, tz=UTC)
    assert local.hour in (2, 3)  # 04:00 in Berlin, in summer or winter
    for row in rows.values():
        assert (row["date_done"] is not None) == (row["status"]["type"] in ("done", "closed"))
        assert (row["date_closed"] is not None) == (row["status"]["type"] == "closed")


async def test_a_dependency_is_on_both_of_its_tasks(desk: Desk) -> None:
    rows = {row["id"]: row for row in await desk.team_rows(**EVERYTHING)}
    holder = next(task for task in desk.live_tasks() if task.depends_on and task.depends_on[0].task in rows)
    other = holder.depends_on[0].task

    def edges(row: dict[str, Any]) -> set[tuple[str, str]]:
        return {(edge["task_id"], edge["depends_on"]) for edge in row["dependencies"]}

    assert (holder.id, other) in edges(rows[holder.id]) & edges(rows[other])


async def test_custom_fields_have_no_value_unless_set_and_drop_downs_give_index_or_id(desk: Desk) -> None:
    shapes: dict[str, set[type]] = {}
    for row in await desk.team_rows(**EVERYTHING):
        task = desk.world.tasks["clickup"][row["id"]]
        for shown in row["custom_fields"]:
            assert ("value" in shown) == (shown["id"] in task.values)
            shapes.setdefault(shown["type"], set()).add(type(shown.get("value")))
    assert shapes["drop_down"] >= {int, str}
    assert shapes["checkbox"] >= {bool, str}
    assert shapes["number"] - {type(None)} == {str}


async def test_folders_hold_their_live_lists_and_folderless_lists_lie_in_a_hidden_one(desk: Desk) -> None:
    space = desk.node(name="Delivery").id
    folders = (await desk.get(f"/space/{space}/folder"))["folders"]
    nested = next(folder for folder in folders if folder["name"] == "Wave 2")
    assert nested["parent_folder"] == desk.node(name="Customer programmes").id
    assert all(not one["archived"] for folder in folders for one in folder["lists"])
    archived = (await desk.get(f"/space/{space}/folder", archived="true"))["folders"]
    assert [folder["name"] for folder in archived] == ["2025 (closed)"]
    assert [one["archived"] for folder in archived for one in folder["lists"]] == [False]
    loose = (await desk.get(f"/space/{space}/list"))["lists"]
    assert loose
    assert {one["folder"]["name"] for one in loose} == {"hidden"}


async def test_walking_the_containers_both_ways_finds_every_list(desk: Desk) -> None:
    found: set[str] = set()
    for archived in ("false", "true"):
        for space in (await desk.get(f"/team/{desk.team}/space", archived=archived))["spaces"]:
            for switch in ("false", "true"):
                found |= {one["id"] for one in (await desk.get(f"/space/{space['id']}/list", archived=switch))["lists"]}
                for folder in (await desk.get(f"/space/{space['id']}/folder", archived=switch))["folders"]:
                    found |= {one["id"] for one in folder["lists"]}
                    found |= {one["id"] for one in (await desk.get(f"/folder/{folder['id']}/list", archived="true"))["lists"]}
    assert found == {project.id for project in desk.projects()}


async def test_hidden_things_are_not_listed_and_answer_not_authorized(desk: Desk) -> None:
    hidden = desk.node(hidden=True)
    listed = (await desk.get(f"/team/{desk.team}/space"))["spaces"]
    assert hidden.id not in {space["id"] for space in listed}
    inside = next(project for project in desk.world.projects["clickup"].values() if project.node == hidden.id)
    task = next(task for task in desk.world.tasks["clickup"].values() if task.homes[0][0] == inside.id)
    for path in (f"/space/{hidden.id}", f"/list/{inside.id}", f"/list/{inside.id}/task", f"/task/{task.id}"):
        assert await desk.error(path) == (401, "OAUTH_027"), path
    assert await desk.error("/team/1/space") == (401, "OAUTH_027")


async def test_deleted_things_are_gone(desk: Desk) -> None:
    task = desk.live_tasks()[0]
    desk.world.delete_task("clickup", task.id)
    assert await desk.error(f"/task/{task.id}") == (404, "ITEM_013")
    assert task.id not in await desk.ids(**EVERYTHING)
    project = next(project for project in desk.projects() if not project.archived)
    desk.world.delete_project("clickup", project.id)
    assert await desk.error(f"/list/{project.id}/task") == (404, "ITEM_015")


async def test_a_list_shared_out_of_a_hidden_place_is_found_by_the_shared_read_only(desk: Desk) -> None:
    inside = next(project for project in desk.world.projects["clickup"].values() if project.node == desk.node(hidden=True).id)
    inside.kind, inside.hidden = "shared", False
    assert [one["id"] for one in (await desk.get(f"/team/{desk.team}/shared"))["shared"]["lists"]] == [inside.id]
    assert (await desk.get(f"/list/{inside.id}"))["name"] == inside.name
    assert any(row["list"]["id"] == inside.id for row in await desk.team_rows(**EVERYTHING))


async def test_changes_of_the_world_show_in_the_next_answer(desk: Desk) -> None:
    task = desk.live_tasks()[0]
    await desk.team_rows(**EVERYTHING)
    start = max(int(row["date_updated"]) for row in await desk.team_rows(**EVERYTHING))
    desk.world.set_title("clickup", task.id, "Ünexpected 🚢")
    desk.world.rename_project("clickup", task.homes[0][0], "Renamed")
    changed = await desk.team_rows(**EVERYTHING, order_by="updated", date_updated_gt=start)
    assert [(row["name"], row["list"]["name"]) for row in changed] == [("Ünexpected 🚢", "Renamed")]


async def test_filtered_reads_trail_by_the_lag(desk: Desk) -> None:
    task = desk.live_tasks()[0]
    start = max(int(row["date_updated"]) for row in await desk.team_rows(**EVERYTHING))
    desk.world.set_title("clickup", task.id, "later")
    desk.knobs.lag = 30
    for order in ("created", "updated"):
        assert await desk.ids(**EVERYTHING, order_by=order, date_updated_gt=start) == set()
    desk.world.advance(desk.world.now + timedelta(seconds=31))
    assert await desk.ids(**EVERYTHING, date_updated_gt=start) == {task.id}


async def test_the_limit_is_a_fixed_minute_and_its_headers_come_with_every_answer(desk: Desk) -> None:
    desk.knobs.rates["clickup"] = 3
    answers = [await desk.client.get("/user") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert answers[3].json() == {"err": "Rate limit reached", "ECODE": "APP_002"}
    assert "retry-after" not in answers[3].headers
    left = int(answers[3].headers["x-ratelimit-reset"]) - int(desk.world.now.timestamp())
    assert left == 60
    reset = desk.clock + left
    desk.clock = reset - 0.1
    assert (await desk.client.get("/user")).status_code == 429
    desk.clock = reset
    assert (await desk.client.get("/user")).status_code == 200


@pytest.mark.parametrize(("plan", "limit"), [("free", "100"), ("business", "100"), ("business_plus", "1000"), ("enterprise", "10000")])
async def test_the_plan_decides_the_limit(desk: Desk, plan: str, limit: str) -> None:
    desk.world.plans["clickup"] = plan
    assert (await desk.raw("/user")).headers["x-ratelimit-limit"] == limit


async def test_limits_can_be_switched_off(desk: Desk) -> None:
    desk.knobs.limits = False
    desk.knobs.rates["clickup"] = 1
    assert {(await desk.client.get("/user")).status_code for _ in range(5)} == {200}


@pytest.mark.parametrize(("code", "ecode"), [(401, "OAUTH_027"), (403, "OAUTH_027"), (404, "ITEM_015")])
async def test_a_refused_container_answers_with_its_code_and_its_tasks_leave_the_workspace_read(desk: Desk, code: int, ecode: str) -> None:
    task = desk.live_tasks()[0]
    home = task.homes[0][0]
    desk.knobs.refused[home] = code
    assert await desk.error(f"/list/{home}/task") == (code, ecode)
    assert await desk.error(f"/task/{task.id}") == (code, ecode)
    assert await desk.ids(**EVERYTHING) == {other.id for other in desk.live_tasks() if other.homes[0][0] != home}


async def test_a_hidden_page_is_skipped_once_without_a_word(desk: Desk) -> None:
    desk.knobs.hide_pages["clickup"] = 2
    desk.knobs.page_size = 20
    assert len(await desk.ids(**EVERYTHING)) == len(desk.live_tasks()) - 20
    assert len(await desk.ids(**EVERYTHING)) == len(desk.live_tasks())


async def test_a_number_that_is_none_is_refused(desk: Desk) -> None:
    for query in ({"page": "x"}, {"page": -1}, {"date_updated_gt": "2026-01-01"}):
        assert (await desk.raw(f"/team/{desk.team}/task", **query)).status_code == 400


async def test_members_without_name_or_address_are_among_the_people(desk: Desk) -> None:
    members = (await desk.get("/team"))["teams"][0]["members"]
    assert any(member["user"]["username"] is None for member in members)
    groups = (await desk.get("/group", team_id=desk.team))["groups"]
    assert {group["id"] for group in groups} == set(desk.world.teams["clickup"])
    assert (await desk.raw("/group")).status_code == 400


async def test_fields_are_made_at_the_lowest_place_that_all_their_lists_share(desk: Desk) -> None:
    at_team = (await desk.get(f"/team/{desk.team}/field"))["fields"]
    project = desk.projects()[0]
    in_list = {one["id"] for one in (await desk.get(f"/list/{project.id}/field"))["fields"]}
    assert in_list == set(project.fields)
    assert at_team
    assert {one["id"] for one in at_team} <= set(desk.world.fields["clickup"])


def test_faults_made_elsewhere_can_wear_the_vendors_face() -> None:
    now = datetime(2026, 11, 23, 8, tzinfo=UTC)
    headers, body = error_body(429, now)
    assert headers["x-ratelimit-reset"] == str(int(now.timestamp()) + 1)
    assert b"APP_002" in body
    assert headers["x-ratelimit-remaining"] == "0"
    assert error_body(503, now)[0]["content-type"].startswith("text/html")
    assert b"OAUTH_025" in error_body(401, now)[1]


async def test_a_workspace_without_lists_or_tasks_has_empty_answers(desk: Desk) -> None:
    desk.world.tasks["clickup"].clear()
    desk.world.projects["clickup"].clear()
    assert await desk.get(f"/team/{desk.team}/task") == {"tasks": [], "last_page": True}
    space = desk.node(name="Delivery").id
    assert [folder["lists"] for folder in (await desk.get(f"/space/{space}/folder"))["folders"]][:1] == [[]]
    assert [status["type"] for status in (await desk.get(f"/space/{space}"))["statuses"]] == ["open", "closed"]
