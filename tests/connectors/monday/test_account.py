"""Calls as the vendor wants them, who the token is, budgets, and reads by id."""

from __future__ import annotations

import pytest

from connectors.base import Credential
from connectors.errors import AuthFailed, BadResponse, Refused
from connectors.monday import MondayConnector, documents
from tests.connectors.monday.pretend import STATUS, Vendor, column, everything, pages, structure, task

pytestmark = pytest.mark.anyio
TEXTS = [
    documents.CHECK, documents.ITEMS_BY_ID, documents.BOARDS_BY_ID, documents.structure(documents.LISTS, full=True, teams=True),
    documents.first_pages([(25, False), (500, True)], shapes=True), documents.next_pages(3, shapes=True),
]  # fmt: skip


async def test_the_token_goes_bare_and_the_version_is_pinned() -> None:
    vendor = Vendor()
    await vendor.connector().check()
    assert vendor.headers[0]["authorization"] == "secret"
    assert vendor.headers[0]["api-version"] == "2026-10"
    assert MondayConnector.http_headers(Credential("t", kind="oauth"))["Authorization"] == "Bearer t"


@pytest.mark.parametrize("text", TEXTS)
async def test_a_document_asks_the_budget_and_nothing_that_explodes(text: str) -> None:
    assert "complexity { query after reset_in_x_seconds }" in text
    for word in ("subscribers", "assets", "updates", "subitems {", "linked_items", "mirrored_items"):
        assert word not in text


async def test_the_check_says_who_the_token_is_and_what_it_reaches() -> None:
    vendor = Vendor()
    vendor.workspaces.append({"id": "51", "name": "Gone", "kind": "open", "state": "deleted"})
    check = await vendor.connector().check()
    assert (check.user_external_id, check.user_email, check.account, check.plan) == ("7", "ada@example.org", "900", "pro")
    assert [workspace.external_id for workspace in check.workspaces] == ["main", "50"]
    assert check.limits["calls a day"] == 10_000
    assert check.missing == ()


async def test_a_version_that_fell_back_silently_is_reported() -> None:
    vendor = Vendor()
    vendor.version = "2027-04"
    assert "2027-04" in (await vendor.connector().check()).missing[0]


async def test_a_lacking_scope_is_named() -> None:
    vendor = Vendor()
    body = {
        "data": {
            "me": {"id": "7", "name": "Ada"},
            "account": {"id": "9", "tier": None},
            "version": {"value": "2026-10"},
            "boards": [],
            "workspaces": [],
        }
    }
    vendor.script = [(200, body)]
    assert (await vendor.connector().check()).missing == ("The token may not read users: grant users:read.",)


async def test_a_token_without_a_user_or_account_is_no_good() -> None:
    vendor = Vendor()
    vendor.script = [(200, {"data": {"me": None, "account": {"id": "9"}}}), (200, {"data": {"me": {"id": "7"}, "account": None}})]
    with pytest.raises(AuthFailed):
        await vendor.connector().check()
    with pytest.raises(Refused, match="account:read"):
        await vendor.connector().check()


async def test_a_revoked_token_is_not_retried() -> None:
    vendor = Vendor()
    vendor.script = [(401, {"errors": ["Not Authenticated"]})]
    with pytest.raises(AuthFailed):
        await vendor.connector().check()
    assert len(vendor.bodies) == 1


async def test_a_budget_that_cannot_pay_the_next_call_is_waited_for() -> None:
    vendor = Vendor()
    vendor.board("100", 1)
    vendor.after, vendor.reset = 2_000, 42
    await everything(vendor.connector())
    assert sum(vendor.clock.slept) == pytest.approx(42)


async def test_a_budget_that_suffices_costs_no_wait() -> None:
    vendor = Vendor()
    vendor.board("100", 1)
    await everything(vendor.connector())
    assert vendor.clock.slept == []


async def test_a_refused_structure_list_is_an_error_not_an_empty_one() -> None:
    vendor = Vendor()
    body = {
        "data": {"workspaces": [], "folders": [], "boards": [], "users": None, "teams": []},
        "errors": [{"message": "no users:read", "path": ["users"], "extensions": {"code": "missingRequiredPermissions"}}],
    }
    vendor.script = [(200, body), (200, {"data": {"workspaces": []}})]
    with pytest.raises(Refused, match="users:read"):
        await structure(vendor.connector())
    with pytest.raises(BadResponse, match="list of teams"):
        await structure(vendor.connector())


async def test_an_item_that_is_deleted_is_gone_and_an_archived_one_is_still_there() -> None:
    vendor = Vendor()
    vendor.board("100", 3)
    connector = vendor.connector()
    await everything(connector)
    vendor.items["100"][0]["state"], vendor.items["100"][1]["state"] = "deleted", "archived"
    looked = await connector.lookup(["task:10000000", "task:10000001", "task:10000002", "task:999"])
    assert looked.gone == {"task:10000000"}
    assert looked.refused == {"task:999"}
    assert task(connector, looked.found["task:10000001"]).archived


async def test_a_lookup_of_many_asks_a_hundred_at_a_time_and_names_the_limit() -> None:
    vendor = Vendor()
    vendor.board("100", 250)
    connector = vendor.connector()
    found = await everything(connector)
    vendor.bodies.clear()
    refs = [ref for ref in found if ref.startswith("task:")]
    looked = await connector.lookup(refs)
    assert looked.found.keys() == set(refs)
    assert [len(body["variables"]["ids"]) for body in vendor.bodies] == [100, 100, 50]
    assert all(looked.found[ref].raw == found[ref].raw and looked.found[ref].context == found[ref].context for ref in refs)


async def test_a_lookup_in_a_new_process_fetches_the_columns_it_needs() -> None:
    vendor = Vendor()
    vendor.board("100", 1, columns=[STATUS, column("sub", "subtasks", "Subitems", boardIds=[200])])
    vendor.board("200", 0, type="sub_items_board")
    vendor.items["200"] = [vendor.item("555", "200", parent_item={"id": "10000000", "board": {"id": "100"}})]
    whole = await everything(vendor.connector())
    looked = await vendor.connector().lookup(["task:555", "project:100", "project:404"])
    assert looked.found["task:555"] == whole["task:555"]
    assert looked.found["project:100"].raw == whole["project:100"].raw
    assert looked.refused == {"project:404"}


async def test_a_deleted_board_is_gone() -> None:
    vendor = Vendor()
    vendor.board("100", state="deleted")
    looked = await vendor.connector().lookup(["project:100"])
    assert looked.gone == {"project:100"}


async def test_an_admins_column_role_changes_the_context_and_the_record() -> None:
    vendor = Vendor()
    vendor.board("100", 1, columns=[STATUS, column("date", "date", "Due"), column("gate", "date", "Gate")])
    vendor.items["100"][0]["column_values"] = [
        {"__typename": "DateValue", "id": "date", "date": "2026-05-04", "time": None, "value": None},
        {"__typename": "DateValue", "id": "gate", "date": "2026-06-01", "time": None, "value": None},
    ]
    plain, chosen = vendor.connector(), vendor.connector(column_roles={"100": {"due": "gate"}})
    first, second = (await everything(plain))["task:10000000"], (await everything(chosen))["task:10000000"]
    assert first.context is not None
    assert second.context is not None
    assert first.context.version != second.context.version
    assert str(task(plain, first).due_on) == "2026-05-04"
    assert str(task(chosen, second).due_on) == "2026-06-01"


async def test_a_replay_from_stored_bodies_gives_the_same_context() -> None:
    vendor = Vendor()
    vendor.board("100", 1)
    found = await everything(vendor.connector())
    item = found["task:10000000"]
    assert vendor.connector().context(found["project:100"].raw) == item.context
    assert vendor.connector().context(None) is None


async def test_subitems_have_no_slice_of_their_own() -> None:
    connector = Vendor().connector()
    assert not connector.capabilities.counts_children
    with pytest.raises(BadResponse, match="task:1"):
        connector.children("task:1")


async def test_an_archived_board_is_read_with_its_state_asked_for() -> None:
    vendor = Vendor()
    vendor.board("100", 2, state="archived")
    _, (piece,) = await structure(vendor.connector())
    (page,) = await pages(vendor.connector(), piece)
    assert len(page.items) == 2
