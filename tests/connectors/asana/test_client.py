"""Calls and paging: a list ends only when the vendor says so, and each refusal goes to whom it concerns."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.asana import AsanaConnector, selection
from connectors.asana.slices import children
from connectors.errors import AuthFailed, BadResponse, ConnectorError, CursorExpired, NotFound, RateLimited, Refused, Transient
from tests.connectors.asana.pretend import Vendor, ids_of, listed, pages_of, refusal, task

pytestmark = pytest.mark.anyio
PIECE = children("1")
PATH = "/tasks/1/subtasks"


async def test_every_page_is_asked_for_with_the_largest_limit_and_the_constant_fields(vendor: Vendor) -> None:
    vendor.answers[PATH] = vendor.by_offset({None: listed([task("2")], "more"), "more": listed([task("3")])})
    assert ids_of(await pages_of(vendor.connector(), PIECE)) == ["task:2", "task:3"]
    assert vendor.queries(PATH) == [
        {"limit": "100", "opt_fields": selection.TASK},
        {"limit": "100", "opt_fields": selection.TASK, "offset": "more"},
    ]
    assert vendor.authorizations == {"Bearer 1/invented"}


async def test_only_the_last_page_has_no_cursor(vendor: Vendor) -> None:
    vendor.answers[PATH] = vendor.by_offset({None: listed([task("2")], "more"), "more": listed([])})
    assert [page.cursor for page in await pages_of(vendor.connector(), PIECE)] == [{"offset": "more"}, None]


async def test_a_row_twice_on_a_page_is_one_item(vendor: Vendor) -> None:
    vendor.answers[PATH] = listed([task("2"), task("2")])
    assert ids_of(await pages_of(vendor.connector(), PIECE)) == ["task:2"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"data": None, "next_page": None},
        {"data": {"gid": "2"}, "next_page": None},
        {"data": [task("2")]},
        {"data": [task("2")], "next_page": {"path": "/x"}},
        {"data": [task("2")], "next_page": {"offset": ""}},
        {"data": [None], "next_page": None},
        {"data": [{"name": "no gid"}], "next_page": None},
        {"data": [{"gid": 2}], "next_page": None},
    ],
    ids=["empty", "list", "null", "object", "no next_page", "no offset", "blank offset", "null row", "no gid", "number gid"],
)
async def test_a_broken_answer_fails_the_page_and_never_ends_the_list(vendor: Vendor, body: Any) -> None:
    vendor.answers[PATH] = body
    with pytest.raises(BadResponse):
        await pages_of(vendor.connector(), PIECE)


async def test_an_empty_body_with_200_fails_the_page(vendor: Vendor) -> None:
    vendor.answers[PATH] = httpx.Response(200, content=b"")
    with pytest.raises(ConnectorError):
        await pages_of(vendor.connector(), PIECE)


@pytest.mark.parametrize("loop", [{None: "a", "a": "a"}, {None: "a", "a": "b", "b": "a"}])
async def test_a_repeated_offset_stops_the_reading(vendor: Vendor, loop: dict[str | None, str]) -> None:
    vendor.answers[PATH] = lambda query: listed([task("2")], loop[query.get("offset")])
    with pytest.raises(BadResponse, match="repeats"):
        await pages_of(vendor.connector(), PIECE)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (refusal(401, "Not Authorized"), AuthFailed, "Not Authorized"),
        (refusal(402, "Premium only"), Refused, "Premium only"),
        (refusal(403, "Forbidden"), Refused, "Forbidden"),
        (refusal(404, "Unknown object"), NotFound, "Unknown object"),
        (refusal(451, "Unavailable"), AuthFailed, "legal"),
        (refusal(400, "offset: Your pagination token has expired."), CursorExpired, "expired"),
        (refusal(400, "offset: Not a valid offset token"), CursorExpired, "valid"),
        (refusal(400, "The result set was truncated"), BadResponse, "cut it short"),
        (refusal(400, "The result is too large. You should use pagination (may require specifying a workspace)!"), BadResponse, "too large"),
        (refusal(400, "project: Missing input"), BadResponse, "Missing input"),
    ],
)
async def test_a_refusal_goes_to_whom_it_concerns_and_is_not_repeated(
    vendor: Vendor, answer: httpx.Response, error: type[ConnectorError], words: str
) -> None:
    vendor.answers[PATH] = answer
    with pytest.raises(error, match=words) as raised:
        await pages_of(vendor.connector(), PIECE)
    assert raised.type is error
    assert raised.value.status == answer.status_code
    assert len(vendor.asked) == 1


async def test_retry_after_is_waited_out_for_the_whole_token(vendor: Vendor) -> None:
    answers = [httpx.Response(429, headers={"Retry-After": "7.5"}, json={"errors": [{"message": "slow down"}]}), httpx.Response(200, json=listed([]))]
    vendor.answers[PATH] = lambda query: answers.pop(0)
    clock = iter([0.0] * 20 + [8.0] * 200)
    vendor.limiter.clock = lambda: next(clock)
    assert await pages_of(vendor.connector(), PIECE) != []
    assert sum(vendor.pauses) >= 7.5
    assert len(vendor.asked) == 2


async def test_a_server_error_is_tried_again_and_its_phrase_is_kept(vendor: Vendor) -> None:
    vendor.answers[PATH] = refusal(500, "Server Error", phrase="6 sad squid snuggle softly")
    with pytest.raises(Transient, match="6 sad squid snuggle softly"):
        await pages_of(vendor.connector(), PIECE)
    assert len(vendor.asked) > 1


def test_a_good_answer_is_not_judged_by_its_words() -> None:
    assert AsanaConnector.classify(200, {}, {"data": [], "next_page": None}) is None


@pytest.mark.parametrize("body", [None, "text", {"errors": []}, {"errors": ["?"]}, {"errors": [{"message": None}]}])
def test_an_error_body_of_any_shape_is_survived(body: Any) -> None:
    assert isinstance(AsanaConnector.classify(402, {}, body), Refused)
    assert AsanaConnector.classify(429, {"Retry-After": "3"}, body) is None
    assert AsanaConnector.classify(503, {}, body) is None
    assert not isinstance(AsanaConnector.classify(400, {}, body), RateLimited | CursorExpired)
