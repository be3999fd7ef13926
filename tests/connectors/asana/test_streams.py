"""Polls and streams against answers that no sandbox gives: late and unsorted rows, crowded instants, events with holes in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.asana.windows import Place, Recent, crowded
from connectors.base import Cadence, Known, Page, Scope, Slice, Told
from connectors.errors import BadResponse, Refused
from tests.connectors.asana.pretend import Query, Vendor, ids_of, listed, pages_of, project, refusal, stale, task

pytestmark = pytest.mark.anyio

SEARCH = "/workspaces/10/tasks/search"
START = datetime(2026, 11, 20, 8, tzinfo=UTC)
FROM = "2026-11-20T07:00:00.000Z"
MARKS = {"search:10": {"from": FROM}, "events:30": {"sync": "s1", "workspace": "10"}}
PROJECTS = {"project:30": False}


def spoken(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def read(vendor: Vendor, cadence: Cadence, key: str, known: Known | None = None) -> list[Page]:
    connector = vendor.connector()
    connector.know(known or Known(MARKS, PROJECTS))
    return await pages_of(connector, next(piece for piece in connector.feeds(cadence, Scope()) if piece.key == key))


def event(gid: str | None, action: str = "changed", kind: str = "task", at: str | None = "2026-11-23T08:00:00.000Z", **more: Any) -> dict[str, Any]:
    resource = None if gid is None else {"gid": gid, "resource_type": kind}
    return {"action": action, "created_at": at, "user": {"gid": "1001"}, "resource": resource, "parent": None, **more}


def step(*events: Any, sync: str = "s2", more: bool = False) -> dict[str, Any]:
    return {"data": list(events), "sync": sync, "has_more": more}


# -- polls ---------------------------------------------------------------------------------------------------------------------------


class Index:
    """The vendor's search by modification: 100 rows at most, no offset. ``late``: rows whose body has a newer instant than the index knows."""

    def __init__(self, modified: list[datetime], *, inclusive: bool = False, late: dict[int, datetime] | None = None) -> None:
        self.inclusive = inclusive
        self.rows = []
        for number, at in enumerate(sorted(modified)):
            shown = (late or {}).get(number, at)
            self.rows.append((at, START + timedelta(milliseconds=number), task(str(2000 + number), modified_at=spoken(shown))))
        for _, created, row in self.rows:
            row["created_at"] = spoken(created)

    def __call__(self, query: Query) -> dict[str, Any]:
        rows = [row for row in self.rows if self._within(row[0], query, "modified_at") and self._within(row[1], query, "created_at")]
        rows.sort(key=lambda row: row[0] if query["sort_by"] == "modified_at" else row[1])
        assert query["sort_ascending"] == "true"
        return {"data": [row for _, _, row in rows[:100]]}

    def _within(self, at: datetime, query: Query, name: str) -> bool:
        after, before = query.get(f"{name}.after"), query.get(f"{name}.before")
        low = after is None or at > (bound := datetime.fromisoformat(after)) or (self.inclusive and at == bound)
        return low and (before is None or at < (bound := datetime.fromisoformat(before)) or (self.inclusive and at == bound))


def mark_of(pages: list[Page], key: str = "search:10") -> Any:
    return next(page.marks[key] for page in reversed(pages) if key in page.marks)


async def test_a_poll_asks_from_its_mark_in_order_of_modification(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = {"data": []}
    pages = await read(vendor, Cadence.POLL, "search:10")
    (query,) = vendor.queries(SEARCH)
    assert query["modified_at.after"] == "2026-11-20T06:59:59.999Z"
    assert (query["sort_by"], query["sort_ascending"], query["limit"]) == ("modified_at", "true", "100")
    assert mark_of(pages) == {"from": FROM}, "nothing seen, nothing moved"


async def test_a_row_that_the_index_tells_late_is_inside_the_overlap_of_the_next_poll(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = {"data": [task("1", modified_at="2026-11-20T09:00:30.000Z")]}
    pages = await read(vendor, Cadence.POLL, "search:10")
    assert mark_of(pages) == {"from": "2026-11-20T08:55:30.000Z"}, "five minutes: an index trails by up to one, and two are to spare"


@pytest.mark.parametrize(("date", "begin"), [("Fri, 20 Nov 2026 09:20:29 GMT", "08:55:30.000"), ("Fri, 20 Nov 2026 09:20:30 GMT", "09:00:30.001")])
async def test_the_overlap_ends_once_the_vendors_own_clock_has_gone_on(vendor: Vendor, date: str, begin: str) -> None:
    body = {"data": [task("1", modified_at="2026-11-20T09:00:30.000Z")]}
    vendor.answers[SEARCH] = httpx.Response(200, json=body, headers={"Date": date})
    assert mark_of(await read(vendor, Cadence.POLL, "search:10")) == {"from": f"2026-11-20T{begin}Z"}


async def test_a_mark_never_moves_back(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = {"data": [task("1", modified_at="2026-11-20T07:01:00.000Z")]}
    assert mark_of(await read(vendor, Cadence.POLL, "search:10")) == {"from": FROM}


async def test_a_task_that_changes_while_it_is_searched_stands_out_of_order_and_hides_no_other(vendor: Vendor) -> None:
    late = {40: START + timedelta(days=1), 99: START + timedelta(days=2)}
    vendor.answers[SEARCH] = Index([START + timedelta(seconds=n) for n in range(260)], late=late)
    found = ids_of(await read(vendor, Cadence.POLL, "search:10"))
    assert set(found) == {f"task:{2000 + n}" for n in range(260)}
    assert len(vendor.asked) == 3


async def test_a_poll_that_is_killed_half_way_has_no_mark_behind_what_it_did_not_read(vendor: Vendor) -> None:
    index = Index([START + timedelta(seconds=n) for n in range(260)], late={40: START + timedelta(hours=3)})
    vendor.answers[SEARCH] = lambda query: httpx.Response(200, json=index(query), headers={"Date": "Mon, 23 Nov 2026 08:00:00 GMT"})
    first, *_, last = await read(vendor, Cadence.POLL, "search:10")
    assert first.marks["search:10"] == {"from": spoken(START + timedelta(seconds=98) - timedelta(minutes=5))}
    assert last.marks["search:10"] == {"from": spoken(START + timedelta(seconds=259, milliseconds=1))}


async def test_a_search_that_does_not_sort_fails(vendor: Vendor) -> None:
    rows = [task(str(n), modified_at=spoken(START - timedelta(seconds=n))) for n in range(50)]
    vendor.answers[SEARCH] = {"data": rows}
    with pytest.raises(BadResponse, match="order"):
        await read(vendor, Cadence.POLL, "search:10")


async def test_a_search_that_does_not_heed_the_bound_ends_in_an_error(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = {"data": [task(str(n), modified_at=spoken(START - timedelta(days=9) + timedelta(seconds=n))) for n in range(100)]}
    with pytest.raises(BadResponse, match="does not move on"):
        await read(vendor, Cadence.POLL, "search:10")


@pytest.mark.parametrize("modified", [None, "today", "2026-11-20"])
async def test_a_row_without_its_modification_fails_the_poll(vendor: Vendor, modified: str | None) -> None:
    vendor.answers[SEARCH] = {"data": [task("2", modified_at=modified)]}
    with pytest.raises(BadResponse, match="task 2: modified_at"):
        await read(vendor, Cadence.POLL, "search:10")


async def test_a_poll_that_was_killed_goes_on_at_any_page(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = Index([START + timedelta(seconds=n // 3) for n in range(250)])
    connector = vendor.connector()
    connector.know(Known(MARKS, PROJECTS))
    (piece,) = connector.feeds(Cadence.POLL, Scope())
    whole = await pages_of(connector, piece)
    for kept, page in enumerate(whole[:-1], 1):
        rest = await pages_of(vendor.connector(), Slice(piece.key, "", piece.phase, piece.args), json.loads(json.dumps(page.cursor)))
        assert ids_of(rest) == ids_of(whole[kept:])


async def test_a_forbidden_search_is_no_matter_of_the_plan(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = refusal(403, "Forbidden")
    with pytest.raises(Refused):
        await read(vendor, Cadence.POLL, "search:10")


@settings(max_examples=60, deadline=None)
@given(offsets=st.lists(st.integers(min_value=0, max_value=6), max_size=420), inclusive=st.booleans())
def test_windows_of_modification_find_every_task_crowded_instants_included(offsets: list[int], inclusive: bool) -> None:
    index = Index([START + timedelta(milliseconds=n) for n in offsets], inclusive=inclusive)
    found: set[str] = set()
    place: Recent | None = Recent(START)
    for _ in range(60):
        if place is None:
            break
        rows = index(dict(place.params()))["data"]
        found.update(row["gid"] for row in rows)
        following = place.after(rows)
        if following and following.crowd and following.crowd != place.crowd:
            inner: Place | None = Place()
            while inner is not None:
                some = index(dict([*crowded(following.crowd), *inner.params()]))["data"]
                found.update(row["gid"] for row in some)
                inner = inner.after(some)
        place = None if following is None else Recent.of(json.loads(json.dumps(following.cursor())))
    assert place is None
    assert found == {str(2000 + n) for n in range(len(offsets))}


# -- streams -------------------------------------------------------------------------------------------------------------------------


async def test_an_event_may_lack_resource_user_time_and_itself(vendor: Vendor) -> None:
    odd = [
        event(None),
        event("1", user=None),
        event("2", at=None),
        event("3", at="yesterday"),
        event("4", user={"gid": None}),
        {},
        None,
        {"resource": "5", "action": "changed"},
        {"resource": {"gid": 6, "resource_type": "task"}, "action": "changed"},
        event("7", kind="story"),
        event("8", action="added", kind="attachment"),
    ]
    vendor.answers["/events"] = step(*odd)
    for gid in "1234":
        vendor.answers[f"/tasks/{gid}"] = {"data": task(gid, memberships=[{"project": {"gid": "30"}, "section": None}])}
    (page,) = await read(vendor, Cadence.STRUCTURE, "events:30")
    assert {item.id for item in page.items} == {"task:1", "task:2", "task:3", "task:4"}
    at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert page.told == {"task:1": Told(at), "task:4": Told(at)}
    assert page.marks == {"events:30": {"sync": "s2", "workspace": "10"}}


async def test_a_stream_that_repeats_a_token_and_has_more_is_an_error(vendor: Vendor) -> None:
    answers = {"s1": step(sync="s2", more=True), "s2": step(sync="s1", more=True)}
    vendor.answers["/events"] = lambda query: answers[query["sync"]]
    with pytest.raises(BadResponse, match="repeats a token"):
        await read(vendor, Cadence.STRUCTURE, "events:30")


async def test_the_same_token_at_the_end_of_a_stream_is_fine(vendor: Vendor) -> None:
    vendor.answers["/events"] = step(sync="s1")
    (page,) = await read(vendor, Cadence.STRUCTURE, "events:30")
    assert page.marks == {"events:30": {"sync": "s1", "workspace": "10"}}
    assert vendor.queries("/events")[0]["resource"] == "30"


@pytest.mark.parametrize(
    "body", [{"data": []}, {"data": [], "sync": "s2"}, {"sync": "s2", "has_more": False}, {"data": [], "sync": "", "has_more": False}]
)
async def test_an_answer_that_is_no_step_of_a_stream_fails(vendor: Vendor, body: dict[str, Any]) -> None:
    vendor.answers["/events"] = body
    with pytest.raises(BadResponse):
        await read(vendor, Cadence.STRUCTURE, "events:30")


async def test_a_412_without_a_token_is_a_bad_answer(vendor: Vendor) -> None:
    vendor.answers["/events"] = refusal(412, "Sync token invalid or too old")
    with pytest.raises(BadResponse):
        await read(vendor, Cadence.STRUCTURE, "events:30")


async def test_a_hole_takes_the_token_of_the_412_along_into_the_projects_slice(vendor: Vendor) -> None:
    vendor.answers["/events"] = stale("s9")
    (page,) = await read(vendor, Cadence.STRUCTURE, "events:30")
    (whole,) = page.opens
    assert (whole.key, whole.covers, page.marks) == ("project:30", ("project:30",), {"events:30": None})
    vendor.answers["/projects/30/sections"] = listed([])
    vendor.answers["/tasks"] = vendor.by_offset({None: listed([task("1")], "t2"), "t2": listed([task("2")])})
    connector = vendor.connector()
    connector.know(Known(MARKS, PROJECTS))
    first, last = await pages_of(connector, Slice(whole.key, "", whole.phase, json.loads(json.dumps(dict(whole.args))), whole.covers))
    assert (first.marks, last.marks) == ({}, {"events:30": {"sync": "s9", "workspace": "10"}})
    assert len(vendor.queries("/events")) == 1
    resumed = await pages_of(vendor.connector(), whole, json.loads(json.dumps(first.cursor)))
    assert resumed[-1].marks == last.marks, "a new process brings the mark as well"


async def test_a_section_that_changed_is_read_again_with_all_of_its_project_and_one_deleted_is_gone(vendor: Vendor) -> None:
    vendor.answers["/events"] = step(event("41", kind="section"), event("42", "deleted", kind="section"))
    vendor.answers["/projects/30/sections"] = listed([{"gid": "40", "name": "A"}, {"gid": "41", "name": "B"}])
    (page,) = await read(vendor, Cadence.STRUCTURE, "events:30")
    assert [item.raw.get("position") for item in page.items if item.id.startswith("section:")] == [0, 1]
    assert page.gone == frozenset({"section:42"})
    assert vendor.paths() == ["/events", "/projects/30/sections"]


async def test_a_task_is_read_again_only_where_no_poll_of_the_run_had_it_later(vendor: Vendor) -> None:
    vendor.answers[SEARCH] = {"data": [task(gid, modified_at="2026-11-23T08:00:00.000Z") for gid in "123"]}
    vendor.answers["/events"] = step(
        event("1", at="2026-11-23T08:00:01.500Z"),
        event("2", "removed", at="2026-11-23T07:59:59.000Z"),
        event("3", "removed", at="2026-11-23T08:00:00.001Z"),
        event("4", at="2026-11-23T08:00:00.000Z"),
    )
    vendor.answers |= {f"/tasks/{gid}": {"data": task(gid)} for gid in "1234"}
    connector = vendor.connector()
    connector.know(Known(MARKS, PROJECTS))
    for cadence, key in ((Cadence.POLL, "search:10"), (Cadence.STRUCTURE, "events:30")):
        await pages_of(connector, next(piece for piece in connector.feeds(cadence, Scope()) if piece.key == key))
    assert [path for path in vendor.paths() if path.startswith("/tasks/")] == ["/tasks/3", "/tasks/4"]


async def test_streams_are_read_behind_the_polls() -> None:
    connector = Vendor().connector()
    connector.know(Known(MARKS, PROJECTS))
    (poll,) = connector.feeds(Cadence.POLL, Scope())
    root, stream = connector.feeds(Cadence.STRUCTURE, Scope())
    assert root.phase < poll.phase < stream.phase


async def test_a_refused_stream_of_a_listed_project_takes_nothing_from_sight(vendor: Vendor) -> None:
    vendor.answers["/events"] = refusal(403, "Forbidden")
    vendor.answers["/projects"] = listed([project("30")])
    connector = vendor.connector()
    connector.know(Known(MARKS, PROJECTS))
    await pages_of(connector, Slice("structure:10", "", 0, {"workspace": "10", "excluded": []}))
    with pytest.raises(Refused):
        await pages_of(connector, next(piece for piece in connector.feeds(Cadence.STRUCTURE, Scope()) if piece.key == "events:30"))
    (page,) = await read(vendor, Cadence.STRUCTURE, "events:30")
    assert set(page.refused) == {"project:30"}, "one that is no longer listed is out of sight"


async def test_a_new_workspace_is_read_whole(vendor: Vendor) -> None:
    rows = [{"gid": gid, "name": gid, "is_organization": gid == "10"} for gid in ("10", "11")]
    vendor.answers["/workspaces"] = listed(rows)
    pages = await read(vendor, Cadence.STRUCTURE, "structure")
    assert [piece.key for page in pages for piece in page.opens] == ["fields:10", "structure:10", "users:11", "fields:11", "projects:11"]


async def test_a_long_list_of_projects_goes_on_at_any_page(vendor: Vendor) -> None:
    vendor.answers["/projects"] = vendor.by_offset({None: listed([project("30")], "p2"), "p2": listed([project("31", archived=True), project("32")])})
    connector = vendor.connector()
    connector.know(Known(MARKS, {"project:30": False, "project:31": False}))
    piece = Slice("structure:10", "", 0, {"workspace": "10", "excluded": []})
    first, last = await pages_of(connector, piece)
    assert [opened.key for opened in (*first.opens, *last.opens)] == ["project:31", "project:32"]
    (rest,) = await pages_of(vendor.connector(), piece, json.loads(json.dumps(first.cursor)))
    assert [item.id for item in rest.items] == ["project:31", "project:32"]
