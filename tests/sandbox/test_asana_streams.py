"""The pretend Asana's two ways to see changes: task search, which trails and has no pages, and event streams with their sync tokens."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from hub.sandbox.truth import expected_tasks
from tests.sandbox.asana_caller import Caller, gids, message

pytestmark = pytest.mark.anyio


@pytest.fixture
def asana() -> Caller:
    return Caller()


async def search(asana: Caller, query: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await asana.data(f"/workspaces/{asana.workspace()}/tasks/search", query)
    return rows


async def test_search_needs_a_paid_plan_and_has_no_pages(asana: Caller) -> None:
    path = f"/workspaces/{asana.workspace()}/tasks/search"
    answer = await asana.get(path)
    assert set(answer.json()) == {"data"}
    assert len(answer.json()["data"]) == 100
    assert (await asana.get(path, offset="x")).status_code == 400
    assert (await asana.get(path, limit=101)).status_code == 400
    asana.world.plans["asana"] = "free"
    assert (await asana.get(path)).status_code == 402


@pytest.mark.parametrize("is_subtask", [True, False])
async def test_windows_by_creation_find_every_task_of_a_kind(asana: Caller, is_subtask: bool) -> None:
    fields = {"is_subtask": is_subtask, "sort_by": "created_at", "sort_ascending": True, "opt_fields": "created_at", "limit": 7}
    found: list[str] = []
    rows = await search(asana, fields)
    while rows:
        found += gids(rows)
        rows = await search(asana, {**fields, "created_at.after": rows[-1]["created_at"]})
    rest = await asana.data("/workspaces")
    elsewhere = await asana.data(f"/workspaces/{rest[1]['gid']}/tasks/search", is_subtask=is_subtask)
    expected = {task for task, row in expected_tasks(asana.world, "asana").items() if (row["parent"] is not None) is is_subtask}
    assert Counter([*found, *gids(elsewhere)]) == Counter(expected)


async def test_bounds_are_not_part_of_the_window(asana: Caller) -> None:
    task = asana.tasks[0]
    assert task.created_at is not None
    at, before, after = (
        moment.isoformat() for moment in (task.created_at, task.created_at - timedelta(milliseconds=1), task.created_at + timedelta(milliseconds=1))
    )
    assert task.id in gids(await search(asana, {"created_at.after": before, "created_at.before": after}))
    assert task.id not in gids(await search(asana, {"created_at.after": at, "created_at.before": after}))
    assert task.id not in gids(await search(asana, {"created_at.after": before, "created_at.before": at}))


async def test_equal_ones_change_their_order_from_call_to_call(asana: Caller) -> None:
    moment = asana.world.now
    tasks = [asana.world.create_task("asana", f"Same instant {number}", asana.projects[0].id) for number in range(12)]
    for task in tasks:
        task.created_at = moment
    query = {"created_at.after": (moment - timedelta(seconds=1)).isoformat(), "sort_by": "created_at"}
    first, second = gids(await search(asana, query)), gids(await search(asana, query))
    assert set(first) == set(second) == {task.id for task in tasks}
    assert first != second
    assert len({tuple(gids(await search(asana, {**query, "limit": 3}))) for _ in range(5)}) > 1


async def test_search_and_its_modified_filter_trail_the_truth(asana: Caller) -> None:
    world, since = asana.world, asana.world.now.isoformat()
    edited = asana.projects[0]
    old = next(task for task in asana.tasks if task.homes[0][0] == edited.id)
    world.set_title("asana", old.id, "Edited")
    new = world.create_task("asana", "New", edited.id)
    query = {"modified_at.after": since, "sort_by": "modified_at"}
    assert gids(await search(asana, query)) == [new.id, old.id]
    asana.knobs.lag = 60
    assert await search(asana, query) == []
    world.advance(world.now + timedelta(seconds=61))
    assert gids(await search(asana, query)) == [new.id, old.id]


async def test_deletions_do_not_show(asana: Caller) -> None:
    since = asana.world.now.isoformat()
    leaf = next(task for task in asana.tasks if not any(other.parent == task.id for other in asana.world.tasks["asana"].values()))
    asana.world.delete_task("asana", leaf.id)
    assert leaf.id not in gids(await search(asana, {"modified_at.after": since}))


async def test_filters_by_place(asana: Caller) -> None:
    rows = expected_tasks(asana.world, "asana")
    one, two = [project for project in asana.projects if any(project.id in row["projects"] for row in rows.values())][:2]
    in_one = {task for task, row in rows.items() if one.id in row["projects"]}
    in_two = {task for task, row in rows.items() if two.id in row["projects"]}
    assert set(gids(await search(asana, {"projects.any": f"{one.id},{two.id}"}))) == in_one | in_two
    assert set(gids(await search(asana, {"projects.all": f"{one.id},{two.id}"}))) == in_one & in_two
    assert not (in_one | in_two) & set(gids(await search(asana, {"projects.not": f"{one.id},{two.id}"})))
    section = two.sections[0]
    in_section = {task for task, row in rows.items() if (two.id, section.id) in asana.world.tasks["asana"][task].homes}
    both = {"projects.any": one.id, "sections.any": section.id}
    assert set(gids(await search(asana, both))) == in_one | in_section


async def test_filters_that_are_malformed_or_unknown_are_refused(asana: Caller) -> None:
    path = f"/workspaces/{asana.workspace()}/tasks/search"
    wrong: list[dict[str, str]] = [
        {"modified_at.after": "yesterday"},
        {"sort_by": "name"},
        {"completed": "1"},
        {"modified_since": "now"},
        {"projects": "1"},
        {"custom_fields.1.like": "x"},
        {"custom_fields.999.value": "x"},
    ]
    assert {(await asana.get(path, query)).status_code for query in wrong[:-1]} == {400}
    assert (await asana.get(path, wrong[-1])).status_code == 404


async def test_filters_by_custom_field(asana: Caller) -> None:
    priority = next(field for field in asana.world.fields["asana"].values() if field.name == "Priority")
    high = priority.options[0][0]
    expected = {task.id for task in asana.tasks if task.values.get(priority.id) == high}
    found = set(gids(await search(asana, {f"custom_fields.{priority.id}.value": high})))
    assert found
    assert found <= expected


# -- events --------------------------------------------------------------------------------------------------------------------


class Stream:
    """A stream of one resource, read by its newest token."""

    def __init__(self, asana: Caller, resource: str) -> None:
        self.asana, self.resource, self.sync, self.reads = asana, resource, "", 0

    async def start(self) -> Stream:
        answer = await self.asana.get("/events", resource=self.resource)
        assert answer.status_code == 412
        assert message(answer)
        self.sync = answer.json()["sync"]
        return self

    async def read(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more = True
        while more:
            body = (await self.asana.get("/events", resource=self.resource, sync=self.sync)).json()
            found, more, self.sync = found + body["data"], body["has_more"], body["sync"]
            self.reads += 1
            assert len(body["data"]) <= 100
        return found


def lines(found: list[dict[str, Any]]) -> list[tuple[str, str, str | None, str | None]]:
    """(action, resource, parent, field) of each event."""
    return [
        (each["action"], each["resource"]["gid"], each["parent"] and each["parent"]["gid"], each["change"]["field"] if "change" in each else None)
        for each in found
    ]


async def test_a_stream_starts_with_412_and_then_tells_each_change(asana: Caller) -> None:
    project = asana.projects[0].id
    stream = await Stream(asana, project).start()
    assert await stream.read() == []
    world, [first, second, *_] = asana.world, asana.projects[0].sections
    task = world.create_task("asana", "New", project)
    world.set_title("asana", task.id, "Better")
    world.complete("asana", task.id)
    world.assign("asana", task.id, [world.me["asana"]])
    world.move("asana", task.id, project, second.id)
    found = await stream.read()
    assert lines(found) == [
        ("added", task.id, project, None),
        ("added", task.id, first.id, None),
        ("changed", task.id, None, "name"),
        ("changed", task.id, None, "completed"),
        ("changed", task.id, None, "assignee"),
        ("removed", task.id, first.id, None),
        ("added", task.id, second.id, None),
    ]
    assert found[4]["change"]["new_value"]["gid"] == world.me["asana"]
    assert {each["user"]["gid"] for each in found} == {world.me["asana"]}


async def test_subtasks_bubble_up_and_what_is_deleted_is_named_by_gid_only(asana: Caller) -> None:
    project = asana.projects[0].id
    stream = await Stream(asana, project).start()
    other = await Stream(asana, asana.projects[1].id).start()
    parent = next(task for task in asana.tasks if [home for home, _ in task.homes] == [project])
    below = asana.world.create_task("asana", "Below", parent=parent.id)
    deeper = asana.world.create_task("asana", "Deeper", parent=below.id)
    asana.world.delete_task("asana", below.id)
    found = await stream.read()
    assert lines(found)[:2] == [("added", below.id, parent.id, None), ("added", deeper.id, below.id, None)]
    deleted = [each["resource"] for each in found if each["action"] == "deleted"]
    assert {each["gid"] for each in deleted} == {below.id, deeper.id}
    assert all(set(each) == {"gid", "resource_type"} for each in deleted)
    assert await other.read() == []


async def test_leaving_a_project_is_removed_and_not_deleted(asana: Caller) -> None:
    project, other = asana.projects[0].id, asana.projects[1].id
    task = asana.world.create_task("asana", "Wanderer", project)
    left, entered = await Stream(asana, project).start(), await Stream(asana, other).start()
    asana.world.move("asana", task.id, project)
    asana.world.add_home("asana", task.id, other)
    asana.world.remove_home("asana", task.id, project)
    assert ("removed", task.id, project, None) in lines(await left.read())
    assert ("added", task.id, other, None) in lines(await entered.read())


async def test_a_token_gives_at_most_a_hundred_events(asana: Caller) -> None:
    project = asana.projects[0].id
    stream = await Stream(asana, project).start()
    for number in range(130):
        asana.world.create_task("asana", f"Task {number}", project)
    assert len(await stream.read()) == 260
    assert stream.reads == 3


async def test_reading_the_current_token_again_repeats_the_answer(asana: Caller) -> None:
    stream = await Stream(asana, asana.projects[0].id).start()
    asana.world.create_task("asana", "New", asana.projects[0].id)
    first = await asana.get("/events", resource=stream.resource, sync=stream.sync)
    again = await asana.get("/events", resource=stream.resource, sync=stream.sync)
    assert first.json()["data"] == again.json()["data"] != []


async def test_a_stale_foreign_or_broken_token_is_412_with_a_fresh_one(asana: Caller) -> None:
    stream = await Stream(asana, asana.projects[0].id).start()
    asana.now += 86_400
    assert (await asana.get("/events", resource=stream.resource, sync=stream.sync)).status_code == 200
    foreign = await asana.get("/events", resource=asana.projects[1].id, sync=stream.sync)
    broken = await asana.get("/events", resource=stream.resource, sync="nonsense")
    asana.now += 1
    stale = await asana.get("/events", resource=stream.resource, sync=stream.sync)
    for answer in (foreign, broken, stale):
        assert answer.status_code == 412
        assert answer.json()["sync"]


async def test_events_trail_by_the_lag(asana: Caller) -> None:
    stream = await Stream(asana, asana.projects[0].id).start()
    asana.knobs.lag = 60
    asana.world.create_task("asana", "New", asana.projects[0].id)
    assert await stream.read() == []
    asana.world.advance(asana.world.now + timedelta(seconds=61))
    assert len(await stream.read()) == 2


async def test_a_stream_of_something_unseen_is_refused(asana: Caller) -> None:
    hidden = next(project for project in asana.world.projects["asana"].values() if project.hidden)
    assert (await asana.get("/events", resource=hidden.id)).status_code == 403
    assert (await asana.get("/events", resource="999")).status_code == 404
    assert (await asana.get("/events")).status_code == 400
