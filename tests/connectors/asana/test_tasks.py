"""Tasks of a project, of a parent, and by search: each once, none lost, resumable from slice and cursor alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.asana.client import PAGE_SIZE
from connectors.asana.windows import Place
from connectors.base import LIVE, STRUCTURE, Page, Slice
from connectors.errors import BadResponse, NotFound, Refused
from connectors.records import Section, Status
from tests.connectors.asana.pretend import Query, Vendor, ids_of, items_of, listed, pages_of, refusal, task

pytestmark = pytest.mark.anyio

PROJECT = Slice("project:30", "Pier", LIVE, {"project": "30", "workspace": "10"}, ("project:30",))
SUBTASKS = Slice("subtasks:10", "Subtasks", LIVE, {"workspace": "10"})
LOOSE = Slice("loose:10", "Loose", LIVE, {"workspace": "10", "listed": ["30", "31"]})
SEARCH = "/workspaces/10/tasks/search"
START = datetime(2026, 1, 1, tzinfo=UTC)


def only_tasks(pages: list[Page]) -> list[str]:
    return [ref for ref in ids_of(pages) if ref.startswith("task:")]


def field_value(**more: Any) -> dict[str, Any]:
    bare = {"gid": "50", "name": "Stand", "resource_subtype": "enum", "representation_type": "enum", "display_value": None, "enum_value": None}
    return {**bare, **more}


def spoken(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Index:
    """The vendor's search: sorted by creation, 100 rows at most, no offset. ``inclusive``: takes ``after`` to hold the instant itself."""

    def __init__(self, created: list[datetime], *, inclusive: bool = False, hidden: frozenset[int] = frozenset()) -> None:
        self.rows = [(at, task(str(2000 + n), created_at=spoken(at), parent={"gid": "9"})) for n, at in enumerate(sorted(created))]
        self.inclusive = inclusive
        self.hidden = {str(2000 + n) for n in hidden}

    def __call__(self, query: Query) -> dict[str, Any]:
        assert query["limit"] == "100"
        assert (query["sort_by"], query["sort_ascending"]) == ("created_at", "true")
        after = query.get("created_at.after")
        since = datetime.fromisoformat(after) if after else START - timedelta(days=1)
        hits = [row for at, row in self.rows if at > since or (self.inclusive and at == since)][:100]
        return {"data": [row for row in hits if row["gid"] not in self.hidden]}


async def test_a_project_brings_its_sections_in_order_then_its_tasks(vendor: Vendor) -> None:
    vendor.answers["/projects/30/sections"] = vendor.by_offset(
        {None: listed([{"gid": "41", "name": "Später"}], "s2"), "s2": listed([{"gid": "42", "name": "Doing"}])}
    )
    vendor.answers["/tasks"] = listed([task("1")])
    connector = vendor.connector()
    pages = await pages_of(connector, PROJECT)
    mapped = [connector.map(item) for item in items_of(pages)]
    assert [(row.external_id, row.position) for row in mapped if isinstance(row, Section)] == [("41", 0), ("42", 1)]
    assert [row.id for row in mapped if isinstance(row, Status)] == [
        "status:41/open",
        "status:41/completed",
        "status:42/open",
        "status:42/completed",
    ]
    assert ids_of(pages)[-1] == "task:1"
    assert vendor.queries("/tasks")[0]["project"] == "30"


async def test_a_killed_project_read_goes_on_at_any_page_in_a_new_process(vendor: Vendor) -> None:
    vendor.answers["/projects/30/sections"] = vendor.by_offset(
        {None: listed([{"gid": "41", "name": "A"}], "s2"), "s2": listed([{"gid": "42", "name": "B"}])}
    )
    vendor.answers["/tasks"] = vendor.by_offset({None: listed([task("1")], "t2"), "t2": listed([task("2")])})
    whole = await pages_of(vendor.connector(), PROJECT)
    assert [page.cursor is None for page in whole] == [False, False, True]
    for kept, page in enumerate(whole[:-1], 1):
        rest = await pages_of(vendor.connector(), PROJECT, json.loads(json.dumps(page.cursor)))
        assert ids_of(rest) == ids_of(whole[kept:])


@pytest.mark.parametrize(("status", "error"), [(402, Refused), (403, Refused), (404, NotFound)])
async def test_a_refused_project_says_so_and_is_not_an_empty_one(vendor: Vendor, status: int, error: type[Exception]) -> None:
    vendor.answers["/projects/30/sections"] = refusal(status, "no")
    with pytest.raises(error):
        await pages_of(vendor.connector(), PROJECT)


async def test_headings_drawn_as_rows_are_not_tasks(vendor: Vendor) -> None:
    vendor.answers["/projects/30/sections"] = listed([])
    vendor.answers["/tasks"] = listed([task("1", is_rendered_as_separator=True), task("2", resource_subtype="section"), task("3")])
    assert ids_of(await pages_of(vendor.connector(), PROJECT)) == ["task:3"]


async def test_an_assignee_that_no_list_brought_comes_once_with_its_task(vendor: Vendor) -> None:
    known, former = ({"gid": gid, "name": name, "email": None} for gid, name in (("1001", "Mara Example"), ("1009", "Private User")))
    vendor.answers["/users"] = listed([known])
    vendor.answers["/projects/30/sections"] = listed([])
    vendor.answers["/tasks"] = vendor.by_offset(
        {None: listed([task("1", assignee=known), task("2", assignee=former)], "t2"), "t2": listed([task("3", assignee=former)])}
    )
    connector = vendor.connector()
    await pages_of(connector, Slice("users:10", "", STRUCTURE, {"workspace": "10"}))
    pages = await pages_of(connector, PROJECT)
    assert ids_of(pages) == ["identity:1009", "task:1", "task:2", "task:3"]


async def test_an_embedded_person_and_a_listed_one_have_one_raw_form(vendor: Vendor) -> None:
    vendor.answers["/users"] = listed([{"gid": "1001", "name": "Mara Example", "email": "mara@example.org"}])
    vendor.answers["/tasks/9/subtasks"] = listed([task("1", assignee={"email": "mara@example.org", "name": "Mara Example", "gid": "1001"})])
    (from_list,) = items_of(await pages_of(vendor.connector(), Slice("users:10", "", STRUCTURE, {"workspace": "10"})))
    connector = vendor.connector()
    embedded = items_of(await pages_of(connector, connector.children("task:9")))[0]
    assert json.dumps(embedded.raw) == json.dumps(from_list.raw)


async def test_a_field_of_one_project_only_is_defined_by_its_values_and_a_known_one_is_not(vendor: Vendor) -> None:
    vendor.answers["/workspaces/10/custom_fields"] = listed([{"gid": "50", "name": "Stand", "resource_subtype": "enum", "enum_options": []}])
    vendor.answers["/projects/30/sections"] = listed([])
    local = field_value(gid="60", name="Dock", resource_subtype="text", representation_type="text", text_value="7")
    vendor.answers["/tasks"] = listed([task("1", custom_fields=[field_value(), local])])
    assert ids_of(await pages_of(vendor.connector(), PROJECT)) == ["field:60", "task:1"]
    assert vendor.paths().count("/workspaces/10/custom_fields") == 1, "a new process reads the definitions again, once"


async def test_definitions_are_not_read_again_in_the_process_that_read_them(vendor: Vendor) -> None:
    vendor.answers["/workspaces/10/custom_fields"] = listed([])
    vendor.answers["/projects/30/sections"] = listed([])
    vendor.answers["/tasks"] = listed([task("1", custom_fields=[field_value()])])
    connector = vendor.connector()
    await pages_of(connector, Slice("fields:10", "", STRUCTURE, {"workspace": "10", "sole": False}))
    await pages_of(connector, PROJECT)
    assert vendor.paths().count("/workspaces/10/custom_fields") == 1


async def test_every_option_seen_of_a_projects_own_status_field_becomes_a_status(vendor: Vendor) -> None:
    vendor.answers["/workspaces/10/custom_fields"] = listed([])
    vendor.answers["/projects/30/sections"] = listed([])
    first, second = (field_value(enum_value={"gid": gid, "name": name}) for gid, name in (("51", "Wartet"), ("52", "Läuft")))
    vendor.answers["/tasks"] = vendor.by_offset(
        {None: listed([task("1", custom_fields=[first])], "t2"), "t2": listed([task("2", custom_fields=[second])])}
    )
    found = ids_of(await pages_of(vendor.connector(status_field={"30": "50"}), PROJECT))
    assert [ref for ref in found if ref.startswith("status:")] == [
        "status:50//open",
        "status:50//completed",
        "status:50/51/open",
        "status:50/51/completed",
        "status:50/52/open",
        "status:50/52/completed",
    ]


async def test_a_broken_assignee_fails_the_page(vendor: Vendor) -> None:
    vendor.answers["/projects/30/sections"] = listed([])
    vendor.answers["/tasks"] = listed([task("1", assignee="1001")])
    with pytest.raises(BadResponse):
        await pages_of(vendor.connector(), PROJECT)


async def test_the_children_of_one_task_are_read_where_the_hub_asks(vendor: Vendor) -> None:
    connector = vendor.connector()
    vendor.answers["/tasks/9/subtasks"] = vendor.by_offset({None: listed([task("1")], "more"), "more": listed([task("2")])})
    assert connector.capabilities.counts_children
    assert ids_of(await pages_of(connector, connector.children("task:9"))) == ["task:1", "task:2"]


async def test_subtasks_are_searched_by_windows_of_creation_time_without_gap_or_double(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = Index([START + timedelta(seconds=n // 7) for n in range(350)])
    pages = await pages_of(vendor.connector(), SUBTASKS)
    assert sorted(only_tasks(pages)) == [f"task:{2000 + n}" for n in range(350)]
    assert all(query["is_subtask"] == "true" for query in vendor.queries(SEARCH))
    assert len(vendor.asked) == 5, "350 rows are four calls, and one that brings nothing new is the end"


async def test_a_page_made_short_by_rows_the_token_may_not_see_is_not_the_end(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = Index([START + timedelta(seconds=n) for n in range(150)], hidden=frozenset({3, 40}))
    assert len(only_tasks(await pages_of(vendor.connector(), SUBTASKS))) == 148


async def test_a_killed_search_goes_on_at_any_page_in_a_new_process(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = Index([START + timedelta(seconds=n // 7) for n in range(250)])
    whole = await pages_of(vendor.connector(), SUBTASKS)
    for kept, page in enumerate(whole[:-1], 1):
        rest = await pages_of(vendor.connector(), SUBTASKS, json.loads(json.dumps(page.cursor)))
        assert only_tasks(rest) == only_tasks(whole[kept:])


@pytest.mark.parametrize("inclusive", [False, True])
async def test_an_instant_with_more_than_a_page_is_left_behind_and_the_rest_is_read(vendor: Vendor, inclusive: bool) -> None:
    burst = [START + timedelta(seconds=10)] * 130
    vendor.answers[SEARCH] = Index([START, *burst, START + timedelta(seconds=20)], inclusive=inclusive)
    found = only_tasks(await pages_of(vendor.connector(), SUBTASKS))
    assert found[0] == "task:2000"
    assert found[-1] == "task:2131"
    assert len(found) == 102, "what one instant holds beyond a page is found by the parents' counts"


async def test_a_search_that_ignores_the_window_fails_and_does_not_turn_in_circles(vendor: Vendor) -> None:
    rows = [task(str(2000 + n), created_at=spoken(START + timedelta(seconds=n))) for n in range(100)]
    vendor.answers[SEARCH] = lambda query: {"data": rows}
    with pytest.raises(BadResponse, match="does not move on"):
        await pages_of(vendor.connector(), SUBTASKS)


async def test_a_search_out_of_order_fails(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = {"data": [task("2", created_at=spoken(START + timedelta(1))), task("1", created_at=spoken(START))]}
    with pytest.raises(BadResponse, match="order"):
        await pages_of(vendor.connector(), SUBTASKS)


@pytest.mark.parametrize("created", [None, "yesterday", "2026-01-01"])
async def test_a_search_row_without_its_creation_fails(vendor: Vendor, created: str | None) -> None:
    vendor.answers[SEARCH] = {"data": [task("2", created_at=created)]}
    with pytest.raises(BadResponse, match="task 2: created_at"):
        await pages_of(vendor.connector(), SUBTASKS)


async def test_without_search_in_the_plan_the_subtask_slice_completes_empty(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = refusal(402, "Premium only")
    (page,) = await pages_of(vendor.connector(), SUBTASKS)
    assert (list(page.items), page.cursor) == ([], None)


def without_search(vendor: Vendor) -> None:
    """Two people: 1001 has two pages with a task of a project and a subtask among them, 1002 one."""
    member = [{"project": {"gid": "30"}, "section": None}]
    pages: dict[tuple[str, str | None], Any] = {
        ("1001", None): listed([task("1"), task("2", memberships=member)], "more"),
        ("1001", "more"): listed([task("3"), task("4", parent={"gid": "1"})]),
        ("1002", None): listed([task("5")]),
    }
    vendor.answers[SEARCH] = refusal(402, "Premium only")
    vendor.answers["/users"] = listed([{"gid": "1002", "name": "Private User"}, {"gid": "1001", "name": "Mara Example"}])
    vendor.answers["/tasks"] = lambda query: pages[query["assignee"], query.get("offset")]


async def test_without_search_tasks_in_no_project_are_found_by_their_assignee(vendor: Vendor) -> None:
    without_search(vendor)
    assert only_tasks(await pages_of(vendor.connector(), LOOSE)) == ["task:1", "task:3", "task:5"]
    assert {query["workspace"] for query in vendor.queries("/tasks")} == {"10"}


async def test_a_killed_read_by_assignee_goes_on_at_any_page_without_another_search(vendor: Vendor) -> None:
    without_search(vendor)
    whole = await pages_of(vendor.connector(), LOOSE)
    assert [page.cursor is None for page in whole] == [False, False, True]
    for kept, page in enumerate(whole[:-1], 1):
        rest = await pages_of(vendor.connector(), LOOSE, json.loads(json.dumps(page.cursor)))
        assert only_tasks(rest) == only_tasks(whole[kept:])
    assert vendor.paths().count(SEARCH) == 1


async def test_a_read_by_assignee_goes_on_with_the_next_person_where_one_has_left(vendor: Vendor) -> None:
    without_search(vendor)
    (page,) = await pages_of(vendor.connector(), LOOSE, {"assignee": "1001x", "offset": "dead"})
    assert [item.id for item in page.items] == ["task:5"]
    (last,) = await pages_of(vendor.connector(), LOOSE, {"assignee": "1009", "offset": None})
    assert (list(last.items), last.cursor) == ([], None)


@pytest.mark.parametrize("piece", [SUBTASKS, LOOSE])
async def test_a_forbidden_search_is_refused_and_not_empty(vendor: Vendor, piece: Slice) -> None:
    vendor.answers[SEARCH] = refusal(403, "Forbidden")
    with pytest.raises(Refused):
        await pages_of(vendor.connector(), piece)


async def test_tasks_in_no_project_are_searched_and_those_of_projects_left_to_them(vendor: Vendor) -> None:
    member = [{"project": {"gid": "99"}, "section": {"gid": "41", "name": "A"}}]
    rows = [task("1", created_at=spoken(START)), task("2", created_at=spoken(START), memberships=member)]
    vendor.answers[SEARCH] = lambda query: {"data": rows}
    assert ids_of(await pages_of(vendor.connector(), LOOSE)) == ["task:1"]
    assert vendor.asked[0][1]["projects.not"] == "30,31"
    assert vendor.asked[0][1]["is_subtask"] == "false"


async def test_a_workspace_without_projects_leaves_none_out(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = {"data": []}
    await pages_of(vendor.connector(), Slice("loose:10", "", LIVE, {"workspace": "10", "listed": []}))
    assert "projects.not" not in vendor.asked[0][1]


@settings(max_examples=60, deadline=None)
@given(offsets=st.lists(st.integers(min_value=0, max_value=8), max_size=420), inclusive=st.booleans())
def test_windows_find_every_task_unless_one_instant_is_fuller_than_a_page(offsets: list[int], inclusive: bool) -> None:
    index = Index([START + timedelta(milliseconds=n) for n in offsets], inclusive=inclusive)
    found: list[str] = []
    place = Place()
    for _ in range(400):
        rows = index({**dict(place.params()), "limit": "100"})["data"]
        found.extend(row["gid"] for row in place.fresh(rows))
        following = place.after(rows)
        if following is None:
            break
        place = Place.of(json.loads(json.dumps(following.cursor())))
    assert following is None
    assert len(set(found)) == len(found), "an instant's rows come once"
    fullest = max((offsets.count(n) for n in set(offsets)), default=0)
    if fullest < PAGE_SIZE:
        assert sorted(set(found)) == [str(2000 + n) for n in range(len(offsets))]
